/** What is read in OCSP responses, and that none is stapled when the next one was due. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { ConnectionOptions } from "node:tls";
import { inspectStaple } from "../../src/kernel/openssl/ocsp.js";
import { chainOf, DAY_MS, issue } from "../../src/rig/issue.js";
import { EMPTY_RESPONSE, ocspResponse } from "./ocsp-response.js";
import { PLAIN, settled, World } from "./tls.js";

const authority = issue({ commonName: "CA", isAuthority: true });
const served = issue({ commonName: "a.test", issuer: authority });
const other = issue({ commonName: "b.test", issuer: authority });
const chain = chainOf("a.pem", served, authority);

function findings(bytes: Uint8Array, now = new Date()): string[] {
	return inspectStaple({ file: "a.ocsp", bytes }, chain, now);
}

test("a response that says the certificate is good, now, has nothing to complain about", () => {
	const alone = ocspResponse({ about: served, by: authority });
	const second = ocspResponse({ about: other, by: authority }, { about: served, by: authority });
	const open = ocspResponse({ about: served, by: authority, untilMs: null });
	for (const bytes of [alone, second, open]) assert.deepEqual(findings(bytes), []);
	assert.deepEqual(findings(open, new Date(Date.now() + 1_000 * DAY_MS)), []);
});

test("what clients would refuse is said, with the file", () => {
	const good = { about: served, by: authority };
	const tomorrow = new Date(Date.now() + 2 * DAY_MS);
	for (const [bytes, said] of [
		[EMPTY_RESPONSE, /^a\.ocsp: says nothing about the certificate in a\.pem$/],
		[ocspResponse({ ...good, about: other }), /^a\.ocsp: says nothing about the certificate in a\.pem$/],
		[
			ocspResponse({ ...good, status: "revoked" }),
			/^a\.ocsp: says that the certificate in a\.pem is revoked$/,
		],
		[
			ocspResponse({ ...good, status: "unknown" }),
			/^a\.ocsp: says that the certificate in a\.pem is unknown$/,
		],
		[
			ocspResponse({ ...good, untilMs: Date.UTC(2026, 0, 2, 3, 4, 5) }),
			/^a\.ocsp: was due to be replaced at 2026-01-02T03:04:05\.000Z; it is not stapled any more$/,
		],
		[
			ocspResponse({ ...good, fromMs: tomorrow.getTime() }),
			new RegExp(`^a\\.ocsp: is not valid before ${tomorrow.toISOString().slice(0, 19)}`),
		],
	] as const) {
		const found = findings(bytes);
		assert.equal(found.length, 1, found.join("; "));
		assert.match(found[0] ?? "", said);
	}
});

test("bytes that are no response, cut anywhere, are read without harm", () => {
	const whole = ocspResponse({ about: served, by: authority });
	for (let length = 0; length < whole.length; length++)
		assert.deepEqual(findings(whole.subarray(0, length)), []);
	assert.deepEqual(findings(Buffer.concat([whole, Buffer.from([0])])), [], "something behind it");
});

test("a response is stapled until the next one was due, and not longer", async (t) => {
	const bytes = ocspResponse({ about: PLAIN, by: authority });
	t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
	const world = new World(t);
	const server = world.server({ cert: PLAIN.cert, key: PLAIN.key, staple: { file: "a.ocsp", bytes } });
	const stapled: boolean[] = [];
	for (const passedMs of [0, 2 * DAY_MS]) {
		t.mock.timers.tick(passedMs);
		const options: ConnectionOptions & { requestOCSP: boolean } = {
			requestOCSP: true,
			rejectUnauthorized: false,
		};
		const { socket, far } = await world.nodeClient(t, server, options);
		socket.on("OCSPResponse", (response: Buffer | null) => stapled.push(response?.equals(bytes) ?? false));
		const secure = once(socket, "secureConnect");
		assert.equal(await settled(() => far.handshake()), 0);
		await secure;
		socket.destroy();
	}
	assert.deepEqual(stapled, [true, false]);
});
