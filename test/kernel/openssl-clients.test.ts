import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FAILED } from "../../src/kernel/openssl/tls.js";
import { issue } from "../../src/rig/issue.js";
import { start } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { listen } from "./connection.js";
import { EMPTY_RESPONSE } from "./ocsp-response.js";
import { NAME, PLAIN, settled, World } from "./tls.js";

const ROOT = issue({ commonName: "Root", names: [], isAuthority: true });
const CLIENT = issue({ commonName: "Ann", names: [], issuer: ROOT });

function written(scene: Scenario, name: string, text: string): string {
	const path = join(scene.directory, name);
	writeFileSync(path, text);
	return path;
}

scenario(
	"openssl s_client: chain, ALPN, staple and client certificate, as another build of OpenSSL sees them",
	async (scene) => {
		const world = new World(scene.context);
		const server = world.server({ clientCa: ROOT.cert, staple: { file: "www.ocsp", bytes: EMPTY_RESPONSE } });
		const { fds, port } = listen(scene.context);
		const client = start(scene, "openssl", [
			...["s_client", "-connect", `127.0.0.1:${port}`, "-servername", NAME, "-verify_hostname", NAME],
			...["-alpn", "h2,http/1.1", "-CAfile", written(scene, "ca.pem", PLAIN.cert.text)],
			...["-cert", written(scene, "ann.pem", CLIENT.cert.text)],
			...["-key", written(scene, "ann.key", CLIENT.key.text)],
		]);
		const far = world.open(server, await settled(() => world.kernel.accept(fds[0] ?? -1, 0)));
		assert.equal(await settled(() => far.handshake()), 0, world.tls.lastReason());
		assert.equal(world.tls.peerSubject(far.session), "CN=Ann");
		client.process.stdin?.write("question\n");
		assert.equal(await far.hear(), "question\n");
		far.say("answer\n");
		far.shutdown();
		assert.equal(await client.exited, 0);
		for (const line of [
			/Verify return code: 0 \(ok\)/,
			/ALPN protocol: http\/1\.1/,
			/CN = Root|CN=Root/,
			/^answer$/m,
		])
			assert.match(client.output, line);
	},
	{ needs: ["openssl"] },
);

test("a client of TLS 1.2 that asks for renegotiation is not given any", async (t) => {
	const world = new World(t);
	const { socket, far } = await world.nodeClient(t, world.server(), { maxVersion: "TLSv1.2" });
	const secure = once(socket, "secureConnect");
	assert.equal(await settled(() => far.handshake()), 0);
	await secure;
	const refused = once(socket, "error");
	socket.renegotiate({}, () => {});
	// Node's client does not go on without it.
	assert.equal(await settled(() => far.read()), FAILED);
	// OpenSSL 3.0 names the protocol from which the alert comes.
	assert.match(world.tls.lastReason(), /^(sslv3|ssl\/tls) alert handshake failure$/);
	assert.match(String((await refused)[0]), /no renegotiation/);
});
