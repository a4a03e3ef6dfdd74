import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { ConnectionOptions } from "node:tls";
import { requireOpenssl } from "../../src/kernel/openssl/library.js";
import { FAILED, TRUNCATED, WANT_READ } from "../../src/kernel/openssl/tls.js";
import { issue, rsaKeys } from "../../src/rig/issue.js";
import { EMPTY_RESPONSE } from "./ocsp-response.js";
import { NAME, PLAIN, settled, shake, World } from "./tls.js";

test("the node binary exports what is needed, and says which OpenSSL it is", () => {
	assert.match(requireOpenssl(), /^OpenSSL [3-9]\./);
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
	test(`Node's client is served over ${version}`, async (t) => {
		const world = new World(t);
		const versions = { minVersion: version, maxVersion: version } as const;
		const { socket, far } = await world.nodeClient(t, world.server(), versions);
		const secure = once(socket, "secureConnect");
		assert.equal(await settled(() => far.handshake()), 0);
		await secure;
		assert.equal(socket.authorized, true);
		assert.equal(socket.alpnProtocol, "http/1.1");
		const { tls } = world;
		assert.equal(tls.version(far.session), version);
		assert.equal(
			tls.cipher(far.session),
			socket.getCipher().standardName.replace(/^TLS_ECDHE.*/, () => socket.getCipher().name),
		);
		assert.equal(tls.alpn(far.session), "http/1.1");
		assert.equal(tls.resumed(far.session), false);
		assert.equal(tls.peerSubject(far.session), "");
		socket.write("question");
		assert.equal(await far.hear(), "question");
		far.say("answer");
		assert.equal(String((await once(socket, "data"))[0]), "answer");
	});

	test(`Node's server is reached over ${version}, with SNI and ALPN`, async (t) => {
		const world = new World(t);
		const names: string[] = [];
		const { near, accepted } = await world.nodeServer(world.client(), {
			maxVersion: version,
			minVersion: version,
			SNICallback: (name, done) => {
				names.push(name);
				done(null);
			},
		});
		assert.equal(await settled(() => near.handshake()), 0, world.tls.lastReason());
		const socket = await accepted;
		assert.deepEqual(names, [NAME]);
		assert.equal(socket.alpnProtocol, "http/1.1");
		assert.equal(world.tls.alpn(near.session), "http/1.1");
		assert.equal(world.tls.version(near.session), version);
		assert.match(world.tls.peerSubject(near.session), /^CN=www\.example\.com$/);
		near.say("question");
		assert.equal(String((await once(socket, "data"))[0]), "question");
		socket.write("answer");
		assert.equal(await near.hear(), "answer");
	});
}

test("a certificate with an RSA key serves as well", (t) => {
	const world = new World(t);
	const rsa = issue({ commonName: NAME, keys: rsaKeys(2048) });
	world.connected(t, world.server({}, rsa), world.client({ ca: rsa.cert }));
});

test("versions before TLS 1.2 are refused, with a reason", async (t) => {
	const world = new World(t);
	const { far } = await world.nodeClient(t, world.server(), {
		minVersion: "TLSv1",
		maxVersion: "TLSv1.1",
		ciphers: "DEFAULT:@SECLEVEL=0",
	});
	assert.equal(await settled(() => far.handshake()), FAILED);
	assert.equal(world.tls.lastReason(), "unsupported protocol");
});

test("a client with no cipher in common is refused, with a reason", async (t) => {
	const world = new World(t);
	const { far } = await world.nodeClient(t, world.server(), {
		maxVersion: "TLSv1.2",
		ciphers: "ECDHE-ECDSA-AES256-SHA",
	});
	assert.equal(await settled(() => far.handshake()), FAILED);
	assert.equal(world.tls.lastReason(), "no shared cipher");
});

test("the server's order of ciphers holds, except for a client that prefers ChaCha20", async (t) => {
	const world = new World(t);
	const server = world.server();
	const chosen = async (ciphers: string): Promise<string> => {
		const { far } = await world.nodeClient(t, server, { ciphers, minVersion: "TLSv1.3" });
		assert.equal(await settled(() => far.handshake()), 0);
		return world.tls.cipher(far.session);
	};
	assert.equal(
		await chosen("TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"),
		"TLS_AES_128_GCM_SHA256",
	);
	assert.equal(
		await chosen("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"),
		"TLS_CHACHA20_POLY1305_SHA256",
	);
});

const alpn: readonly [string, readonly string[], readonly string[], string | typeof FAILED][] = [
	["the one protocol that both speak", ["http/1.1"], ["h2", "http/1.1"], "http/1.1"],
	["the server's preference", ["b", "a"], ["a", "b"], "b"],
	["nothing, when the client offers nothing", ["http/1.1"], [], ""],
	["nothing, when the server does not care", [], ["h2"], ""],
	["a refusal, when they have nothing in common", ["http/1.1"], ["h2"], FAILED],
];

for (const [what, ours, theirs, result] of alpn) {
	test(`ALPN gives ${what}`, (t) => {
		const world = new World(t);
		const { near, far } = world.pair(t, world.server({ alpn: ours }), world.client({ alpn: theirs }));
		if (result === FAILED) {
			assert.equal(near.handshake(), WANT_READ);
			assert.equal(far.handshake(), FAILED);
			assert.equal(world.tls.lastReason(), "no application protocol");
			assert.equal(near.handshake(), FAILED);
			assert.equal(world.tls.lastReason(), "tlsv1 alert no application protocol");
			return;
		}
		assert.deepEqual(shake(near, far), [0, 0]);
		assert.equal(world.tls.alpn(far.session), result);
		assert.equal(world.tls.alpn(near.session), result);
	});
}

test("a handshake under way at a reload ends as it began", (t) => {
	const world = new World(t);
	const context = world.tls.serverContext({
		names: [NAME],
		cert: PLAIN.cert,
		key: PLAIN.key,
		alpn: ["http/1.1"],
	});
	const { near, far } = world.pair(t, context, world.client());
	context.free();
	assert.deepEqual(shake(near, far), [0, 0]);
	assert.equal(world.tls.alpn(far.session), "http/1.1");
	assert.throws(() => context.free(), /freed twice/);
});

test("an OCSP response is given to clients that ask for one, and only to them", async (t) => {
	const world = new World(t);
	const server = world.server({ staple: { file: "www.ocsp", bytes: EMPTY_RESPONSE } });
	for (const requestOCSP of [true, false]) {
		const options: ConnectionOptions & { requestOCSP: boolean } = { requestOCSP };
		const { socket, far } = await world.nodeClient(t, server, options);
		const responses: (Buffer | null)[] = [];
		socket.on("OCSPResponse", (response) => responses.push(response));
		const secure = once(socket, "secureConnect");
		assert.equal(await settled(() => far.handshake()), 0);
		await secure;
		assert.deepEqual(responses, requestOCSP ? [Buffer.from(EMPTY_RESPONSE)] : []);
	}
});

const OF_ANOTHER_KIND = issue({ commonName: "other", keys: rsaKeys(2048) }).key;

const unusable: readonly [string, (world: World) => unknown, RegExp][] = [
	[
		"a key of another certificate",
		(world) => world.server({ key: issue({ commonName: "other" }).key }),
		/^other\.key: the private key cannot be used: key values mismatch$/,
	],
	[
		"a key of another kind than the certificate's",
		(world) => world.server({ key: OF_ANOTHER_KIND }),
		/^other\.key: the private key cannot be used: no certificate assigned$/,
	],
	[
		"the same for a certificate that upstreams are shown",
		(world) => world.client({ identity: { cert: PLAIN.cert, key: OF_ANOTHER_KIND } }),
		/^other\.key: the private key cannot be used: no certificate assigned$/,
	],
	[
		"no certificate",
		(world) => world.server({ cert: { file: "empty.pem", text: "" } }),
		/^empty\.pem: certificate 1 cannot be read: no start line$/,
	],
	[
		"an encrypted key, without waiting for somebody to type",
		(world) => {
			const text = PLAIN.privateKey
				.export({ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "secret" })
				.toString();
			return world.server({ key: { file: "locked.key", text } });
		},
		/^locked\.key: the private key cannot be read: /,
	],
	[
		"an OCSP response that is none",
		(world) =>
			world.server({ staple: { file: "a.ocsp", bytes: Uint8Array.of(0x30, 0x03, 0x0a, 0x01, 0x06) } }),
		/^a\.ocsp: is not a successful OCSP response in DER$/,
	],
	[
		"an OCSP response that fits no handshake",
		(world) => world.server({ staple: { file: "a.ocsp", bytes: new Uint8Array(70_000) } }),
		/^a\.ocsp: has 70000 bytes; an OCSP response that is sent in handshakes has 16384 at most$/,
	],
	[
		"authorities that are none",
		(world) => world.client({ ca: { file: "ca.pem", text: "nothing" } }),
		/^ca\.pem: certificate 1 cannot be read: no start line$/,
	],
];

for (const [what, make, sentence] of unusable) {
	test(`a context is refused with the file and OpenSSL's reason: ${what}`, (t) => {
		assert.throws(() => make(new World(t)), { name: "TlsConfigError", message: sentence });
	});
}

test("bytes that are no TLS fail with a reason; a client that leaves is not a failure", async (t) => {
	const world = new World(t);
	const { near, far } = world.pair(t, world.server(), world.client());
	const { kernel } = world;
	kernel.memory.set(Buffer.from("GET / HTTP/1.1\r\n\r\n"), 0);
	kernel.send(near.fd, 0, 18);
	assert.equal(await settled(() => far.handshake()), FAILED);
	assert.equal(world.tls.lastReason(), "http request");
	const second = world.pair(t, world.server(), world.client());
	kernel.shutdownWrite(second.near.fd);
	assert.equal(await settled(() => second.far.handshake()), TRUNCATED);
});
