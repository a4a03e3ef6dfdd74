/** What a reload does to connections that TLS was, or is to be, spoken on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { issue } from "../../src/rig/issue.js";
import { reasonOf } from "./harness.js";
import { clientTls, entry, NAME, Secured } from "./tls-peers.js";

const OTHER = issue({ commonName: "other.example.com" });
const TRUSTED = [{ family: 4 as const, bytes: [127, 0, 0, 0], prefixLength: 8 }];

test("a client of a listener that went with a reload may still begin TLS", (t) => {
	const secured = new Secured(t);
	const { harness } = secured;
	const fd = harness.client();
	harness.turnUntil(() => harness.live === 1, "the client");
	secured.reload({}, {}, { listeners: [] });
	const client = secured.peer(secured.clientContext(), fd);
	client.shake();
	client.say("hello");
	client.push();
	const upstream = secured.accept();
	let heard: string | number = "";
	harness.turnUntil(() => {
		heard = harness.receive(upstream);
		return heard !== -EAGAIN;
	}, "its bytes");
	assert.equal(heard, "hello");
});

test("a client of a listener that went with a reload may still ask for another of its names", (t) => {
	const secured = new Secured(t, {
		http: true,
		entries: [{}, { names: ["other.example.com"], cert: OTHER.cert, key: OTHER.key }],
	});
	const { harness } = secured;
	const client = secured.client();
	secured.reload({}, {}, { listeners: [] });
	client.say("GET / HTTP/1.1\r\nHost: other.example.com\r\n\r\n");
	client.push();
	assert.ok(secured.accept() >= 0);
	assert.equal(harness.live, 1);
});

test("a pooled connection is not used under other terms than it was opened under", (t) => {
	const secured = new Secured(t, { http: true, upstreamTls: { verify: false } });
	const { harness } = secured;
	const client = secured.client();
	client.say(`GET /1 HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`);
	client.push();
	const upstream = secured.peer(secured.serverContext(), secured.accept());
	upstream.shake();
	harness.turnUntil(() => {
		upstream.carry();
		return String(upstream.hear()).startsWith("GET /1");
	}, "the request");
	upstream.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	upstream.push();
	harness.turnUntil(() => harness.counters.get("poolIdle") === 1, "the connection in the pool");
	const [address] = secured.plan.upstreams[0]?.addresses ?? [];
	assert.ok(address !== undefined);
	secured.reload({}, { addresses: [{ ...address, tls: clientTls({ serverName: "elsewhere.example" }) }] });
	// What it asks next is for the new terms' upstream alone, which this one is not.
	client.say(`GET /2 HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`);
	client.push();
	assert.ok(secured.accept() >= 0);
	upstream.carry();
	assert.equal(upstream.hear(), 0);
});

test("what a client's proxy said is forgotten when TLS cannot begin", (t) => {
	const secured = new Secured(t, { entries: [{}] });
	const { harness } = secured;
	const broken = entry({ key: OTHER.key });
	secured.reload({ proxyRequired: true, trusted: TRUSTED, tls: [broken] }, { proxyProtocol: "v1" });
	const header = "PROXY TCP4 10.9.8.7 10.6.5.4 1111 2222\r\n";
	const fd = harness.client();
	harness.send(fd, header);
	const client = secured.peer(secured.clientContext(), fd);
	secured.tls.handshake(client.session);
	client.push();
	harness.turnUntil(() => harness.records().length === 1, "the end of the first");
	secured.reload({ proxyRequired: false });
	const plain = harness.client();
	harness.send(plain, "SSH-2.0-x\r\n");
	const upstream = secured.accept();
	let heard: string | number = "";
	harness.turnUntil(() => {
		heard = harness.receive(upstream);
		return heard !== -EAGAIN;
	}, "its bytes");
	assert.match(String(heard), /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 /);
});

test("an upstream that fails in its handshake is told to the client by a 502", (t) => {
	const secured = new Secured(t, { http: true, upstreamTls: { serverName: "elsewhere.example" } });
	const { harness } = secured;
	const client = secured.client();
	client.say(`GET / HTTP/1.1\r\nHost: ${NAME}\r\nConnection: close\r\n\r\n`);
	client.push();
	const upstream = secured.peer(secured.serverContext(), secured.accept());
	let heard: string | number = -EAGAIN;
	harness.turnUntil(() => {
		secured.tls.handshake(upstream.session);
		upstream.carry();
		client.carry();
		heard = client.hear();
		return typeof heard === "string" || heard === 0;
	}, "an answer");
	assert.match(String(heard), /^HTTP\/1\.1 502 /);
	client.sayGoodbye();
	harness.reset(client.fd);
	harness.turnUntil(() => harness.live === 0, "the end");
	assert.deepEqual(harness.records().map(reasonOf), ["tls_failed"]);
});

test("a request whose upstream goes with a reload, while TLS with it is about to begin, is told so", (t) => {
	const secured = new Secured(t, { http: true, upstreamTls: {} });
	const { harness } = secured;
	const client = secured.client();
	client.say(`GET / HTTP/1.1\r\nHost: ${NAME}\r\nConnection: close\r\n\r\n`);
	client.push();
	harness.turnUntil(() => harness.counters.get("upstreamOpened") === 1, "the dial");
	secured.reload({}, {}, { upstreams: [] });
	let heard: string | number = -EAGAIN;
	harness.turnUntil(() => {
		client.carry();
		heard = client.hear();
		return typeof heard === "string" || heard === 0;
	}, "an answer");
	assert.match(String(heard), /^HTTP\/1\.1 503 /);
});

test("a live connection goes on for its own names when a reload changes client_ca, and not when it brings one", (t) => {
	const authority = issue({ commonName: "CA", isAuthority: true });
	const later = issue({ commonName: "Later CA", isAuthority: true });
	const ann = issue({ commonName: "Ann", names: [], issuer: authority });
	const both = { file: "ca.pem", text: authority.cert.text + later.cert.text };
	const open = { names: ["other.example.com"], cert: OTHER.cert, key: OTHER.key };
	const secured = new Secured(t, { http: true, entries: [{ clientCa: authority.cert }, open] });
	const { harness } = secured;
	const shown = secured.client({ identity: ann });
	const anybody = secured.client({ serverName: "other.example.com", verify: false });
	secured.reload({
		tls: [entry({ clientCa: both }), entry({ ...open, clientCa: both })],
	});
	const ask = (client: typeof shown, host: string): string => {
		client.say(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
		client.push();
		let outcome = "";
		harness.turnUntil(() => {
			client.carry();
			if (harness.outside.accept(secured.listener.fd, 0) >= 0) outcome = "passed on";
			else outcome = /^HTTP\/1\.1 (\d+)/.exec(String(client.hear()))?.[1] ?? "";
			return outcome !== "";
		}, host);
		return outcome;
	};
	assert.equal(ask(shown, NAME), "passed on");
	assert.equal(ask(anybody, "other.example.com"), "421");
});
