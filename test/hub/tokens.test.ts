import assert from "node:assert/strict";
import { createPublicKey, randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { ALGORITHMS, type Jwk } from "../../src/hub/algorithms.js";
import { newKey } from "../../src/hub/new-key.js";
import { readSigner, signToken } from "../../src/hub/sign.js";
import { REASON_MAX_BYTES } from "../../src/hub/token-error.js";
import { type HubRights, TOKEN_MAX_BYTES, TokenError, type TokenKeys } from "../../src/hub/tokens.js";
import { CLAIMS, coded, hmac, KEYS, keysOf, NOW_MS, NOW_S, signatureOf, token } from "./support.js";

const all = keysOf(...ALGORITHMS.map((alg) => KEYS[alg].verifier));

function verified(text: string, keys: TokenKeys = all, nowMs = NOW_MS): Promise<HubRights> {
	return keys.verify(text, nowMs);
}

/** It is refused for this, in a sentence that fits into a close frame and shows nothing of it; nor does anything else of the error. */
async function refused(
	text: string,
	reason: RegExp,
	{ keys = all, nowMs = NOW_MS }: { readonly keys?: TokenKeys; readonly nowMs?: number } = {},
): Promise<void> {
	const error = await keys.verify(text, nowMs).then(
		() => assert.fail(`taken, and not refused for ${String(reason)}`),
		(error: unknown) => error,
	);
	assert.ok(error instanceof TokenError, String(error));
	assert.match(error.reason, reason);
	assert.equal(error.message, error.reason);
	assert.equal(error.cause, undefined);
	assert.ok(Buffer.byteLength(error.reason) <= REASON_MAX_BYTES, error.reason);
	const shown = JSON.stringify({ ...error, message: error.message, stack: error.stack });
	for (const part of secretsOf(text)) assert.ok(!shown.includes(part), `${part} is shown`);
}

/** Its parts, and each text that its claims and its header hold, which tests mark by "secret". */
function secretsOf(text: string): readonly string[] {
	const parts = text.split(".").filter((part) => part.length >= 16);
	const texts = parts.flatMap(
		(part) =>
			Buffer.from(part, "base64url")
				.toString("latin1")
				.match(/secret\w*/g) ?? [],
	);
	return [...parts, ...texts];
}

for (const alg of ALGORITHMS) {
	test(`${alg}: a token says who somebody is and what he may`, async () => {
		for (const kid of [{ kid: alg }, {}]) {
			const rights = await verified(token(alg, CLAIMS, { alg, ...kid }));
			assert.equal(rights.who, "alice");
			assert.equal(rights.expiresMs, NOW_MS + 3_605_000);
			assert.ok(rights.maySubscribe("prices") && rights.maySubscribe("rooms/42"));
			assert.ok(!rights.maySubscribe("rooms") && !rights.maySubscribe("rooms/42/more"));
			assert.ok(rights.mayPublish("rooms/42"));
			assert.ok(!rights.mayPublish("rooms/43") && !rights.mayPublish("prices"));
		}
	});

	test(`${alg}: what is signed here is taken`, async () => {
		const signer = readSigner(JSON.stringify(KEYS[alg].signer), "signer.json");
		const contents = { subscribe: ["a/**"], publish: ["b"], who: "bob", ttlMs: 60_000 };
		const rights = await verified(await signToken(signer, contents, NOW_MS));
		assert.deepEqual([rights.who, rights.expiresMs], ["bob", NOW_MS + 65_000]);
		assert.deepEqual([rights.maySubscribe("a/b/c"), rights.mayPublish("a/b/c")], [true, false]);
	});

	test(`${alg}: a token of another key is refused, named or not`, async () => {
		const other = newKey(alg, alg);
		await refused(token(alg, CLAIMS, { alg, kid: alg }, other), /signature is not by a key/);
		await refused(token(alg, CLAIMS, { alg }, other), /signature is not by a key/);
	});

	test(`${alg}: among several keys without a name the right one is found, and a named one is the only one tried`, async () => {
		const [first, second, third] = [newKey(alg, "1"), newKey(alg, "2"), newKey(alg, "3")];
		const nameless: Jwk = { ...third.verifier };
		delete (nameless as Record<string, unknown>)["kid"];
		const keys = keysOf(first.verifier, second.verifier, nameless);
		for (const key of [first, second, third]) await verified(token(alg, CLAIMS, { alg }, key), keys);
		await verified(token(alg, CLAIMS, { alg, kid: "2" }, second), keys);
		await refused(token(alg, CLAIMS, { alg, kid: "1" }, second), /signature/, { keys });
		await refused(token(alg, CLAIMS, { alg, kid: "3" }, third), /names a key \(kid\) that is not known/, {
			keys,
		});
	});

	test(`${alg}: a token with any character changed, lost or added is refused`, async () => {
		const good = token(alg);
		const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n";
		await fc.assert(
			fc.asyncProperty(
				fc.nat(good.length),
				fc.constantFrom(...letters, ""),
				fc.nat(1),
				async (at, by, over) => {
					const bad = good.slice(0, at) + by + good.slice(at + over);
					if (bad !== good) await assert.rejects(verified(bad), TokenError);
				},
			),
			{ numRuns: 300 },
		);
		// What the last character has beyond the signature's last bit would be one that nobody signed.
		for (const by of letters) {
			const bad = good.slice(0, -1) + by;
			if (bad !== good) await assert.rejects(verified(bad), TokenError, bad.slice(-3));
		}
	});

	test(`${alg}: other claims under a good signature are refused`, async () => {
		const [header = "", , signature = ""] = token(alg).split(".");
		await refused(
			`${header}.${coded({ ...CLAIMS, hub: { publish: ["secret/**"] } })}.${signature}`,
			/signature is not by/,
		);
		await refused(
			`${header}.${coded(CLAIMS)}.${coded(randomBytes(64).toString("latin1"))}`,
			/signature|no token/,
		);
	});
}

test("a token is verified with keys of its own algorithm only", async () => {
	const { EdDSA, ES256 } = KEYS;
	const text = (header: unknown): string => `${coded(header)}.${coded(CLAIMS)}`;
	// The attack that gave this its name: a public key, which everybody may know, taken for a secret.
	for (const { verifier } of [EdDSA, ES256]) {
		const key = createPublicKey({ key: { ...verifier }, format: "jwk" });
		const spellings = [
			JSON.stringify(verifier),
			String(verifier["x"]),
			Buffer.from(String(verifier["x"]), "base64url"),
			key.export({ format: "pem", type: "spki" }),
			key.export({ format: "der", type: "spki" }),
		];
		const kid = String(verifier["kid"]);
		for (const spelling of spellings)
			for (const [header, reason] of [
				[{ alg: "HS256", kid }, /\(kid\) is for another algorithm/],
				[{ alg: "HS256" }, /no key that is known here is for/],
				[{ alg: kid, kid }, /signature/],
			] as const) {
				const head = text(header);
				const bad = `${head}.${hmac(head, spelling).toString("base64url")}`;
				await refused(bad, reason, { keys: keysOf(EdDSA.verifier, ES256.verifier) });
			}
	}
	for (const signedBy of ALGORITHMS)
		for (const said of ALGORITHMS) {
			if (said === signedBy) continue;
			await refused(token(signedBy, CLAIMS, { alg: said, kid: said }), /signature/);
			await refused(token(signedBy, CLAIMS, { alg: said, kid: signedBy }), /another algorithm/);
			await refused(token(signedBy, CLAIMS, { alg: signedBy, kid: said }), /another algorithm/);
			await refused(token(signedBy, CLAIMS, { alg: said }), /signature/);
		}
});

test("a header that asks for anything else is refused before a key is looked for", async () => {
	const unsigned = (header: unknown): string => `${coded(header)}.${coded(CLAIMS)}`;
	for (const alg of [
		"none",
		"None",
		"NONE",
		"nOnE",
		"",
		"HS384",
		"RS256",
		"ES384",
		"Ed448",
		"hs256",
		null,
		1,
		undefined,
		["HS256"],
	]) {
		const head = unsigned({ alg, kid: "HS256" });
		await refused(
			`${head}.${hmac(head, "").toString("base64url")}`,
			/signed as it has to be: by HS256, EdDSA or ES256/,
		);
		await refused(`${head}.`, /no token/);
		await refused(`${token("HS256", CLAIMS, { alg, kid: "HS256" })}`, /signed as it has to be/);
	}
	for (const [header, reason] of [
		[{ alg: "HS256", kid: 5 }, /kid is no string/],
		[{ alg: "HS256", kid: null }, /kid is no string/],
		[{ alg: "HS256", kid: "secret" }, /\(kid\) that is not known/],
		[{ alg: "HS256", kid: "__proto__" }, /\(kid\) that is not known/],
		[{ alg: "HS256", crit: ["secret"], secret: 1 }, /\(crit\)/],
		[{ alg: "HS256", crit: ["b64"], b64: false }, /\(crit\)/],
		[{ alg: "HS256", crit: [] }, /\(crit\)/],
		[["HS256"], /no token/],
		["HS256", /no token/],
		["{", /no token/],
	] as const)
		await refused(token("HS256", CLAIMS, header), reason);
	// A key that the token brings itself is nobody's.
	const own = newKey("HS256", "HS256");
	await refused(token("HS256", CLAIMS, { alg: "HS256", kid: "HS256", jwk: own.signer }, own), /signature/);
});

test("what is no token is told so", async () => {
	const good = token("HS256");
	await refused("", /is empty/);
	for (const bad of [
		"secret",
		"a.b",
		"a.b.c",
		"a.b.c.d",
		`${good}.`,
		`.${good}`,
		` ${good}`,
		`${good}\n`,
		`${good}=`,
		"..",
		"ä.ä.ä",
		`${good}.${good}`,
	])
		await refused(bad, /no token/);
	await refused(`${"a".repeat(TOKEN_MAX_BYTES)}.b.c`, /too long: it may have 8192 bytes/);
	const filled = (bytes: number): string => token("HS256", { ...CLAIMS, filler: "x".repeat(bytes) });
	let bytes = TOKEN_MAX_BYTES / 2;
	while (filled(bytes + 1).length <= TOKEN_MAX_BYTES) bytes++;
	await verified(filled(bytes));
	await refused(filled(bytes + 1), /too long/);
});

test("a token ends with exp and begins with nbf, and clocks may differ by five seconds", async () => {
	const at = (times: object, ms = 0): Promise<HubRights> =>
		verified(token("HS256", { ...CLAIMS, ...times }), all, NOW_MS + ms);
	const not = (times: object, reason: RegExp, ms = 0): Promise<void> =>
		refused(token("HS256", { ...CLAIMS, ...times }), reason, { nowMs: NOW_MS + ms });
	await at({ exp: NOW_S - 4 });
	await at({ exp: NOW_S - 4 }, 999);
	await not({ exp: NOW_S - 5 }, /has expired/);
	await not({ exp: NOW_S - 4 }, /has expired/, 1_000);
	await at({ exp: NOW_S - 4.5 }, 499);
	await not({ exp: NOW_S - 4.5 }, /has expired/, 500);
	await not({ exp: 0 }, /has expired/);
	await not({ exp: -1e300 }, /has expired/);
	await at({ nbf: NOW_S + 5 });
	await not({ nbf: NOW_S + 6 }, /not good yet \(nbf\)/);
	await at({ nbf: NOW_S + 6 }, 1_000);
	const rights = await at({ exp: NOW_S + 1, nbf: NOW_S - 1, iat: NOW_S - 1 });
	assert.equal(rights.expiresMs, NOW_MS + 6_000);
});

test("whoever is let in is let in for some time: rights that are given are never over", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.double({ min: -10, max: 10, noNaN: true }),
			fc.integer({ min: 0, max: 2_000 }),
			async (sinceS, ms) => {
				const text = token("HS256", { ...CLAIMS, exp: NOW_S + sinceS });
				const rights = await verified(text, all, NOW_MS + ms).catch((error: unknown) => error);
				if (rights instanceof TokenError) assert.match(rights.reason, /has expired/);
				else assert.ok((rights as HubRights).expiresMs > NOW_MS + ms);
			},
		),
		{ numRuns: 200 },
	);
});

test("claims that are malformed are told by name, and nothing of them is shown", async () => {
	const { exp } = CLAIMS;
	for (const [claims, reason] of [
		[{ ...CLAIMS, exp: undefined }, /needs a claim exp/],
		[{ ...CLAIMS, exp: "secret" }, /no number of seconds.*\(exp\)/],
		[{ ...CLAIMS, exp: null }, /no number of seconds.*\(exp\)/],
		[{ ...CLAIMS, exp: exp * 1_000 }, /seconds since 1970, not milliseconds/],
		['{"exp":1e999,"hub":{}}', /not milliseconds/],
		[{ ...CLAIMS, nbf: "secret" }, /no number of seconds.*\(nbf\)/],
		[{ ...CLAIMS, iat: "secret" }, /no number of seconds.*\(iat\)/],
		[{ ...CLAIMS, aud: "secret" }, /for somebody else: its claim aud does not name sluice-hub/],
		[{ ...CLAIMS, aud: ["secret"] }, /for somebody else/],
		[{ ...CLAIMS, aud: null }, /for somebody else/],
		[{ ...CLAIMS, sub: "" }, /sub is no name/],
		[{ ...CLAIMS, sub: 5 }, /sub is no name/],
		[{ ...CLAIMS, sub: "secret\n" }, /sub is no name/],
		[{ ...CLAIMS, sub: "ä".repeat(65) }, /sub is no name: 1 to 128 bytes/],
		[{ exp }, /no claim hub/],
		[{ exp, hub: null }, /hub is no object/],
		[{ exp, hub: ["secret"] }, /hub is no object/],
		[{ exp, hub: "secret" }, /hub is no object/],
		[{ exp, hub: { subcribe: ["secret"] } }, /more than subscribe and publish/],
		[{ exp, hub: { subscribe: "secret" } }, /hub\.subscribe is no list/],
		[{ exp, hub: { publish: { secret: 1 } } }, /hub\.publish is no list/],
		[
			{ exp, hub: { subscribe: ["prices", "secret//"] } },
			/entry 2 of the token's claim hub\.subscribe is no channel/,
		],
		[{ exp, hub: { publish: [5] } }, /entry 1 of the token's claim hub\.publish/],
		[{ exp, hub: { publish: ["**/secret"] } }, /entry 1/],
		[
			{ exp, hub: { publish: Array.from({ length: 65 }, (_, index) => `secret${index}`) } },
			/more than 64 channels/,
		],
		["[]", /no token/],
		["5", /no token/],
		["{", /no token/],
		["null", /no token/],
	] as const)
		await refused(token("EdDSA", claims), reason);
});

test("what is left out is no right, and aud may name the hub among others", async () => {
	const { exp } = CLAIMS;
	const nothing = await verified(token("EdDSA", { exp, hub: {} }));
	assert.deepEqual([nothing.who, nothing.maySubscribe("a"), nothing.mayPublish("a")], [null, false, false]);
	const most = Array.from({ length: 64 }, (_, index) => `a/${index}`);
	for (const aud of ["sluice-hub", ["secret", "sluice-hub"]]) {
		const rights = await verified(token("EdDSA", { exp, aud, hub: { subscribe: ["**"], publish: most } }));
		assert.ok(
			rights.maySubscribe("anything/at/all") && rights.mayPublish("a/63") && !rights.mayPublish("a/64"),
		);
	}
});

test("whatever somebody sends is a TokenError", async () => {
	const json = fc.json({ maxDepth: 3 });
	const part = fc.oneof(
		json.map(coded),
		fc.base64String().map((text) => text.replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_")),
		fc
			.record({ alg: fc.constantFrom(...ALGORITHMS, "none"), kid: fc.constantFrom("HS256", undefined, 5) })
			.map(coded),
	);
	const whole = fc.oneof(
		fc.string(),
		fc.array(part, { minLength: 3, maxLength: 3 }).map((parts) => parts.join(".")),
	);
	await fc.assert(
		fc.asyncProperty(whole, async (text) => assert.rejects(verified(text), TokenError)),
		{ numRuns: 500 },
	);
	// And with a good signature beneath any claims.
	await fc.assert(
		fc.asyncProperty(json, async (claims) => assert.rejects(verified(token("HS256", claims)), TokenError)),
		{ numRuns: 300 },
	);
});

test("signatures of the right length that are nobody's are refused", async () => {
	for (const alg of ALGORITHMS) {
		const text = `${coded({ alg })}.${coded(CLAIMS)}`;
		const { length } = signatureOf(text, alg, KEYS[alg].signer);
		for (const bytes of [
			Buffer.alloc(length),
			Buffer.alloc(length, 255),
			Buffer.alloc(1),
			Buffer.alloc(length + 1),
		])
			await refused(`${text}.${bytes.toString("base64url")}`, /signature is not by/);
	}
});
