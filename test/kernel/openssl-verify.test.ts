import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { ENOBUFS } from "../../src/kernel/constants.js";
import { RESUMPTION_MS } from "../../src/kernel/openssl/client.js";
import { setSessionIdContext } from "../../src/kernel/openssl/library.js";
import type { ClientOptions } from "../../src/kernel/openssl/options.js";
import { FAILED } from "../../src/kernel/openssl/tls.js";
import { CLIENT_AUTH, chainOf, curveKeys, type Issued, issue } from "../../src/rig/issue.js";
import { AT, NAME, PLAIN, settled, shake, World } from "./tls.js";

const authority = issue({ commonName: "Root", names: [], isAuthority: true });
const middle = issue({ commonName: "Middle", names: [], isAuthority: true, issuer: authority });
const served = issue({ commonName: NAME, issuer: middle, addresses: ["127.0.0.1"] });
const client = issue({
	commonName: 'Ann "the client", Müller',
	names: [],
	issuer: authority,
	usages: [CLIENT_AUTH],
	attributes: [
		["2.5.4.10", "Example, Inc."],
		["2.5.4.11", "line\r\nbreak"],
	],
});
/** RFC 2253: reversed, and everything that could end a header or a log line escaped. */
const SUBJECT = 'CN=Ann \\"the client\\"\\, M\\C3\\BCller,OU=line\\0D\\0Abreak,O=Example\\, Inc.';

test("a client certificate of the named authority is accepted, and its subject told", (t) => {
	const world = new World(t);
	const server = world.server({ clientCa: authority.cert });
	const { far } = world.connected(t, server, world.client({ identity: client }));
	const { tls, kernel } = world;
	assert.equal(tls.peerSubject(far.session), SUBJECT);
	const length = tls.copyPeerSubject(far.session, AT, 200);
	assert.equal(Buffer.from(kernel.memory.subarray(AT, AT + length)).toString("latin1"), SUBJECT);
	assert.equal(tls.copyPeerSubject(far.session, AT, SUBJECT.length - 1), -ENOBUFS);
});

test("the subject is known after a resumption, too", (t) => {
	const world = new World(t);
	const server = world.server({ clientCa: authority.cert });
	const context = world.client({ identity: client });
	const first = world.connected(t, server, context);
	first.near.drain();
	context.remember(first.near.session);
	const { far } = world.connected(t, server, context);
	assert.equal(world.tls.resumed(far.session), true);
	assert.equal(world.tls.peerSubject(far.session), SUBJECT);
});

const foreign = issue({ commonName: "Mallory", names: [] });
const late = issue({ commonName: "Late", names: [], issuer: authority, untilMs: Date.now() - 1000 });
const wrongUse = issue({ commonName: "server", issuer: authority, usages: ["1.3.6.1.5.5.7.3.1"] });
const refusedClients: readonly [string, Issued | undefined, string][] = [
	["none", undefined, "peer did not return a certificate"],
	["one of nobody", foreign, "certificate verify failed: self-signed certificate"],
	["one that expired", late, "certificate verify failed: certificate has expired"],
	["one for servers", wrongUse, "certificate verify failed: unsuitable certificate purpose"],
];

for (const [what, identity, reason] of refusedClients) {
	test(`a client is refused that shows ${what}`, (t) => {
		const world = new World(t);
		const context = world.client(identity === undefined ? {} : { identity });
		const { near, far } = world.pair(t, world.server({ clientCa: authority.cert }), context);
		// The client of TLS 1.3 is done before the server has seen its certificate.
		const [, result] = shake(near, far);
		assert.equal(result, FAILED);
		assert.equal(world.tls.lastReason(), reason);
		assert.equal(near.read(), FAILED);
		assert.match(world.tls.lastReason(), /alert/);
	});
}

test("Node's client with a certificate is let in, and without one it hears why not", async (t) => {
	const world = new World(t);
	const server = world.server({ clientCa: authority.cert });
	const identity = { cert: client.cert.text, key: client.key.text };
	const welcome = await world.nodeClient(t, server, identity);
	assert.equal(await settled(() => welcome.far.handshake()), 0, world.tls.lastReason());
	const stranger = await world.nodeClient(t, server);
	const refused = once(stranger.socket, "error");
	assert.equal(await settled(() => stranger.far.handshake()), FAILED);
	const [error] = (await refused) as [Error & { code: string }];
	assert.equal(error.code, "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED");
});

test("an upstream's certificate is checked by way of the intermediate one that it sends", (t) => {
	const world = new World(t);
	const server = world.server({ cert: chainOf("chain.pem", served, middle), key: served.key });
	const { near } = world.connected(t, server, world.client({ ca: authority.cert }));
	assert.equal(world.tls.peerSubject(near.session), `CN=${NAME}`);
	world.connected(t, server, world.client({ ca: authority.cert, serverName: "127.0.0.1" }));
});

test("whom a file of authorities names is trusted, whoever issued it in turn", (t) => {
	const world = new World(t);
	const server = world.server({ cert: served.cert, key: served.key });
	for (const ca of [middle.cert, served.cert]) world.connected(t, server, world.client({ ca }));
	const ofMiddle = issue({ commonName: "Bob", names: [], issuer: middle, usages: [CLIENT_AUTH] });
	const asking = world.server({ clientCa: middle.cert });
	const { far } = world.connected(t, asking, world.client({ identity: ofMiddle }));
	assert.equal(world.tls.peerSubject(far.session), "CN=Bob");
});

test("an upstream's certificate is checked anew after two hours, whatever was continued meanwhile", (t) => {
	const world = new World(t);
	const server = world.server();
	const context = world.client();
	t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
	const resumed: boolean[] = [];
	for (let half = 0; half < 6; half++) {
		const { near } = world.connected(t, server, context);
		resumed.push(world.tls.resumed(near.session));
		near.drain();
		assert.equal(context.remember(near.session), true);
		t.mock.timers.tick(RESUMPTION_MS / 2);
	}
	assert.deepEqual(resumed, [false, true, false, true, false, true]);
});

const refusedUpstreams: readonly [string, Issued, Partial<ClientOptions>, RegExp][] = [
	["another name", served, { ca: authority.cert, serverName: "api.example.com" }, /: hostname mismatch$/],
	["another address", served, { ca: authority.cert, serverName: "127.0.0.2" }, /: IP address mismatch$/],
	["an unknown issuer", PLAIN, { ca: authority.cert }, /: self-signed certificate$/],
	[
		"an expired certificate",
		issue({ commonName: NAME, issuer: authority, untilMs: Date.now() - 1000 }),
		{ ca: authority.cert },
		/: certificate has expired$/,
	],
	[
		"one that is not valid yet",
		issue({ commonName: NAME, issuer: authority, fromMs: Date.now() + 1e6 }),
		{ ca: authority.cert },
		/: certificate is not yet valid$/,
	],
	[
		"a certificate for clients",
		issue({ commonName: NAME, issuer: authority, usages: [CLIENT_AUTH] }),
		{ ca: authority.cert },
		/: unsuitable certificate purpose$/,
	],
	[
		"a wildcard within a label",
		issue({ commonName: "w", names: ["w*.example.com"], issuer: authority }),
		{ ca: authority.cert },
		/: hostname mismatch$/,
	],
];

for (const [what, identity, options, reason] of refusedUpstreams) {
	test(`an upstream is refused for ${what}, unless verification is off`, (t) => {
		const world = new World(t);
		const cert = identity === served ? chainOf("chain.pem", served, middle) : identity.cert;
		const server = world.server({ cert, key: identity.key });
		const { near, far } = world.pair(t, server, world.client(options));
		assert.equal(near.handshake(), -10_001);
		far.handshake();
		assert.equal(near.handshake(), FAILED);
		assert.match(world.tls.lastReason(), /^certificate verify failed: /);
		assert.match(world.tls.lastReason(), reason);
		world.connected(t, server, world.client({ ...options, verify: false }));
	});
}

test("without `ca` the authorities that Node carries are trusted, and nobody else", (t) => {
	const world = new World(t);
	const context = world.tls.clientContext({ serverName: NAME, verify: true, alpn: [] });
	world.defer(() => context.free());
	const { near, far } = world.pair(t, world.server(), context);
	shake(near, far);
	assert.equal(world.tls.lastReason(), "tlsv1 alert unknown ca");
	const again = world.pair(t, world.server(), context);
	again.near.handshake();
	again.far.handshake();
	assert.equal(again.near.handshake(), FAILED);
	assert.equal(world.tls.lastReason(), "certificate verify failed: self-signed certificate");
});

test("a certificate on P-521 is good in both versions, of servers and of clients", async (t) => {
	const keys = { keys: curveKeys("secp521r1") };
	const own = issue({ commonName: NAME, ...keys });
	const ann = issue({ commonName: "Ann", names: [], usages: [CLIENT_AUTH], ...keys });
	for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
		const world = new World(t);
		const shown = { cert: ann.cert.text, key: ann.key.text };
		const asking = world.server({ clientCa: ann.cert });
		const { far } = await world.nodeClient(t, asking, { ...shown, maxVersion });
		assert.equal(await settled(() => far.handshake()), 0, `${maxVersion}: ${world.tls.lastReason()}`);
		const served = { cert: own.cert.text, key: own.key.text, maxVersion };
		const { near } = await world.nodeServer(world.client({ ca: own.cert }), served);
		assert.equal(await settled(() => near.handshake()), 0, `${maxVersion}: ${world.tls.lastReason()}`);
	}
});

test("an upstream that fails when it is given its own ticket is asked without one from then on", (t) => {
	const world = new World(t);
	// Without an id for them, OpenSSL refuses to continue sessions of clients that it has verified.
	const server = world.server({ clientCa: authority.cert });
	setSessionIdContext(server.pointer, 0, 0);
	const context = world.client({ identity: client });
	t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
	const first = world.connected(t, server, context);
	first.near.drain();
	assert.equal(context.remember(first.near.session), true);
	const { near, far } = world.pair(t, server, context);
	assert.equal(shake(near, far)[0], FAILED);
	context.handshakeFailed(near.session);
	const third = world.connected(t, server, context);
	third.near.drain();
	assert.equal(context.remember(third.near.session), false);
	t.mock.timers.tick(RESUMPTION_MS + 1);
	assert.equal(context.remember(third.near.session), true, "its server may be another by then");
});
