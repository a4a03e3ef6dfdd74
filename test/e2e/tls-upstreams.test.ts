/** Upstreams that are spoken to through TLS: verified, failed over from, resumed, and believed only when all was said. */
import assert from "node:assert/strict";
import { createServer as createHttpsServer } from "node:https";
import type { TLSSocket, TlsOptions } from "node:tls";
import { CLIENT_AUTH, DAY_MS } from "../../src/rig/issue.js";
import { type Gateway, type LogLine, startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream } from "../support/peers.js";
import { answering, get, head, listening, message, ok } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { handshakeFate, type Identity, identity, startTlsUpstream } from "../support/tls.js";
import { startWire } from "../support/wire.js";

interface Options {
	/** Of the upstream: `tls: { … }` and more. */
	readonly more?: string;
	readonly sections?: string;
	readonly listener?: string;
}

function startHttps(
	scenario: Scenario,
	urls: string,
	{ more = "", sections = "", listener = "" }: Options = {},
) {
	return startGateway(
		scenario,
		`
reactors: 1
${sections}
listeners: [{ listen: "127.0.0.1:0", routes: [{ to: a }] ${listener} }]
upstreams: { a: { http: ${urls} ${more} } }
`,
	);
}

/** An HTTPS server that answers each request with its name and what it was asked for. */
function startServer(scenario: Scenario, name: string, own: Identity, options: TlsOptions = {}) {
	return startTlsUpstream(
		scenario,
		own,
		answering((text) => ok(`${name} ${text.split(" ")[1]}`)),
		options,
	);
}

/** `fields`: whole lines, such as one that has the connection end with its answer, and its reason be the answer's. */
async function asked(gateway: Gateway, scenario: Scenario, path = "/", fields = ""): Promise<string> {
	const client = await dial(scenario, gateway.port());
	await client.send(get(path).replace("\r\n\r\n", `\r\n${fields}\r\n`));
	const { head, body } = await message(client);
	client.socket.destroy();
	return `${head.slice(9, 12)} ${body.trim()}`;
}

scenario("requests go through TLS, with SNI, ALPN and a certificate that is checked", async (scenario) => {
	const authority = identity(scenario, "CA", { isAuthority: true });
	const own = identity(scenario, "api.test", { issuer: authority });
	const server = await startServer(scenario, "api", own, { ALPNProtocols: ["http/1.1"] });
	const gateway = await startHttps(scenario, `"https://${server.address}"`, {
		more: `, tls: { ca: "${authority.certFile}", server_name: api.test }`,
	});
	assert.equal(await asked(gateway, scenario, "/x"), "200 api /x");
	const { servername, alpnProtocol } = (await server.accepted()).socket as TLSSocket & { servername: string };
	assert.deepEqual([servername, alpnProtocol], ["api.test", "http/1.1"]);
});

scenario(
	"the name in a URL is what the certificate must be for; an address is one, too",
	async (scenario) => {
		const named = identity(scenario, "localhost");
		const addressed = identity(scenario, "x.test", { addresses: ["127.0.0.1"] });
		const servers = [
			await startServer(scenario, "named", named),
			await startServer(scenario, "addressed", addressed),
		];
		for (const [server, own, host, expected] of [
			[servers[0], named, "localhost", "200 named /"],
			[servers[1], addressed, "127.0.0.1", "200 addressed /"],
			[servers[0], named, "127.0.0.1", "502"],
			[servers[1], addressed, "localhost", "502"],
		] as const) {
			const gateway = await startHttps(scenario, `"https://${host}:${server?.port}"`, {
				more: `, tls: { ca: "${own.certFile}" }`,
			});
			assert.ok((await asked(gateway, scenario)).startsWith(expected), `${host} ${expected}`);
			await gateway.release();
		}
	},
);

scenario("a certificate that is not good is not spoken to: 502, tls_failed", async (scenario) => {
	const authority = identity(scenario, "CA", { isAuthority: true });
	const expired = { fromMs: Date.now() - 9 * DAY_MS, untilMs: Date.now() - DAY_MS };
	for (const [what, own] of [
		["wrong name", identity(scenario, "other.test", { issuer: authority })],
		["unknown authority", identity(scenario, "api.test")],
		["expired", identity(scenario, "api.test", { issuer: authority, ...expired })],
		["for clients", identity(scenario, "api.test", { issuer: authority, usages: [CLIENT_AUTH] })],
	] as const) {
		const server = await startServer(scenario, "api", own);
		const tls = `ca: "${authority.certFile}", server_name: api.test`;
		const gateway = await startHttps(scenario, `"https://${server.address}"`, { more: `, tls: { ${tls} }` });
		assert.match(await asked(gateway, scenario, "/", "Connection: close\r\n"), /^502/, what);
		const { reason, upstream, address } = await gateway.onlySession();
		assert.deepEqual([reason, upstream], ["tls_failed", "a"], what);
		assert.ok(address === null || address === server.address);
		assert.equal(
			(await gateway.metrics()).sum("sluice_tls_handshakes_total", { side: "upstream", result: "failed" }),
			1,
		);
		// Whoever wants it otherwise must say so.
		gateway.write(`
reactors: 1
listeners: [{ listen: "127.0.0.1:0", routes: [{ to: a }] }]
upstreams: { a: { http: "https://${server.address}", tls: { verify: false } } }
`);
		await gateway.hangUp();
		assert.equal(await asked(gateway, scenario), "200 api /", what);
		await gateway.release();
	}
});

scenario(
	"the next address is tried when one fails in its handshake, speaks no TLS, or is silent",
	async (scenario) => {
		const own = identity(scenario, "api.test");
		const good = await startServer(scenario, "good", own);
		const wrong = await startServer(scenario, "wrong", identity(scenario, "api.test"));
		const plain = await startUpstream(scenario, ({ socket }) =>
			socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"),
		);
		const silent = await startUpstream(scenario);
		const gone = await startUpstream(scenario, ({ socket }) => socket.destroy());
		const urls = [wrong, plain, silent, gone, good].map(({ address }) => `"https://${address}"`);
		const gateway = await startHttps(scenario, `[${urls.join(", ")}]`, {
			sections: "timeouts: { connect: 2s }",
			more: `, tls: { ca: "${own.certFile}", server_name: api.test }, eject: { failures: 1, for: 10s }`,
		});
		for (let i = 0; i < 5; i++) assert.equal(await asked(gateway, scenario), "200 good /");
		const metrics = await gateway.metrics();
		assert.ok(metrics.sum("sluice_upstream_ejections_total") >= 1);
		for (const session of await gateway.sessions(5)) {
			assert.match(session.reason, /client_(closed|reset)/);
			// What an address failed with is no news where another has answered.
			assert.doesNotMatch(JSON.stringify(session), /tls_error/);
		}
	},
);

scenario("who is asked for a client certificate shows the one it has", async (scenario) => {
	const authority = identity(scenario, "CA", { isAuthority: true });
	const own = identity(scenario, "api.test", { issuer: authority });
	const me = identity(scenario, "gateway", { issuer: authority, usages: [CLIENT_AUTH] });
	const server = await startTlsUpstream(
		scenario,
		own,
		(peer) => {
			const { subject } = (peer.socket as TLSSocket).getPeerCertificate();
			answering(() => ok(`hello ${subject.CN}`))(peer);
		},
		{ requestCert: true, rejectUnauthorized: true, ca: authority.cert.text },
	);
	const tls = `ca: "${authority.certFile}", server_name: api.test`;
	const gateway = await startHttps(scenario, `"https://${server.address}"`, {
		more: `, tls: { ${tls}, cert: "${me.certFile}", key: "${me.keyFile}" }`,
	});
	assert.equal(await asked(gateway, scenario), "200 hello gateway");
	gateway.write(`
reactors: 1
listeners: [{ listen: "127.0.0.1:0", routes: [{ to: a }] }]
upstreams: { a: { http: "https://${server.address}", tls: { ${tls} } } }
`);
	await gateway.hangUp();
	// The connection that is kept was opened as somebody else.
	assert.match(await asked(gateway, scenario), /^502/);
	assert.equal((await gateway.metrics()).sum("sluice_pool_recycled_total", { reason: "not_wanted" }), 1);
});

scenario(
	"a session of bytes whose upstream's certificate is not good ends as tls_failed",
	async (scenario) => {
		const own = identity(scenario, "api.test");
		const server = await startTlsUpstream(scenario, own);
		const gateway = await startGateway(
			scenario,
			`
listeners: [{ listen: "127.0.0.1:0", routes: [{ sni: x.test, to: a }, { to: a }] }]
upstreams: { a: { addresses: "${server.address}", tls: on } }
`,
		);
		const client = await dial(scenario, gateway.port());
		await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
		assert.match(await client.rest(), /^HTTP\/1\.1 502/);
		client.end();
		assert.equal((await gateway.sessionOf(client)).reason, "tls_failed");
		// TLS that would pass through TLS is told in its own words.
		assert.equal(
			await handshakeFate(scenario, gateway.port(), "x.test"),
			"ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR",
		);
	},
);

for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const)
	scenario(
		`${maxVersion}: pooled connections serve request after request, and new ones are resumed`,
		async (scenario) => {
			const own = identity(scenario, "api.test");
			const resumed: boolean[] = [];
			const answer = answering((text) => ok(`api ${text.split(" ")[1]}`));
			const server = await startTlsUpstream(
				scenario,
				own,
				(peer) => {
					resumed.push((peer.socket as TLSSocket).isSessionReused());
					answer(peer);
				},
				{ maxVersion },
			);
			const gateway = await startHttps(scenario, `"https://${server.address}"`, {
				more: `, tls: { ca: "${own.certFile}", server_name: api.test }, pool: { requests: 5 }`,
			});
			for (let i = 0; i < 20; i++) assert.equal(await asked(gateway, scenario, `/${i}`), `200 api /${i}`);
			assert.equal(server.peers.length, 4);
			assert.deepEqual(resumed, [false, true, true, true]);
			const metrics = await gateway.metrics();
			assert.equal(metrics.sum("sluice_tls_handshakes_total", { side: "upstream", result: "resumed" }), 3);
		},
	);

scenario("an answer without a length that is cut looks cut to the client", async (scenario) => {
	const own = identity(scenario, "api.test");
	const server = await startTlsUpstream(scenario, own, () => {});
	const wire = await startWire(scenario, server.port);
	const gateway = await startHttps(scenario, `"https://127.0.0.1:${wire.port}"`, {
		more: `, tls: { ca: "${own.certFile}", server_name: api.test }`,
	});
	for (const [index, complete] of [true, false].entries()) {
		const client = await dial(scenario, gateway.port());
		await client.send(get("/"));
		const peer = await server.accepted(index);
		await head(peer);
		await peer.send("HTTP/1.1 200 OK\r\n\r\nthe first half");
		const told = await head(client);
		const body = /chunked/i.test(told) ? "e\r\nthe first half\r\n" : "the first half";
		await client.expect(body);
		if (complete) {
			peer.end(", and the second");
			assert.match(await client.rest(), /, and the second/);
		} else {
			wire.endToClient();
			assert.equal(await client.over(), "ECONNRESET");
			const { reason, tls_error: error } = await gateway.sessionOf(client);
			assert.deepEqual([reason, error], ["tls_failed", "the upstream ended without close_notify"]);
		}
	}
});

scenario(
	"an upstream that ends before it answers has closed, whether TLS said so or not",
	async (scenario) => {
		const own = identity(scenario, "api.test");
		const server = await startTlsUpstream(scenario, own, () => {});
		const wire = await startWire(scenario, server.port);
		const gateway = await startHttps(scenario, `"https://127.0.0.1:${wire.port}"`, {
			more: `, tls: { ca: "${own.certFile}", server_name: api.test }`,
		});
		const client = await dial(scenario, gateway.port());
		await client.send(get("/", "a.test", "Connection: close\r\n"));
		await head(await server.accepted());
		wire.endToClient();
		assert.match(await client.rest(), /^HTTP\/1\.1 502/);
		client.end();
		const { reason, tls_error: error } = await gateway.sessionOf(client);
		assert.deepEqual([reason, error], ["upstream_closed", undefined]);
	},
);

scenario(
	"a client that leaves amid its upload does not look done to an upstream of TLS",
	async (scenario) => {
		const own = identity(scenario, "api.test");
		const server = await startTlsUpstream(scenario, own, () => {});
		const gateway = await startHttps(scenario, `"https://${server.address}"`, {
			more: `, tls: { ca: "${own.certFile}", server_name: api.test }`,
		});
		const client = await dial(scenario, gateway.port());
		await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf");
		const peer = await server.accepted();
		await head(peer);
		await peer.expect("half");
		client.end();
		assert.match(await peer.over(), /ECONNRESET|ended/);
		assert.ok(peer.received.length < 1000);
		await gateway.sessions(1);
	},
);

for (const version of ["v1", "v2"] as const)
	scenario(`a PROXY header (${version}) goes to the upstream before TLS`, async (scenario) => {
		const own = identity(scenario, "up.test");
		const secure = await startTlsUpstream(scenario, own, echo);
		let header = "";
		const front = await startWire(scenario, secure.port);
		// What stands before the hello is taken off, as a server that expects it does.
		front.toServer = (bytes) => {
			if (header !== "") return bytes;
			const length = version === "v1" ? bytes.indexOf("\r\n") + 2 : 16 + bytes.readUInt16BE(14);
			header = bytes.subarray(0, length).toString("latin1");
			return bytes.subarray(length);
		};
		const gateway = await startGateway(
			scenario,
			`
listeners: [{ listen: "127.0.0.1:0", routes: [{ to: a }] }]
upstreams:
  a:
    addresses: 127.0.0.1:${front.port}
    proxy_protocol: ${version}
    tls: { ca: "${own.certFile}", server_name: up.test }
`,
		);
		const client: Peer = await dial(scenario, gateway.port());
		await client.send("hello");
		await client.expect("hello");
		if (version === "v1")
			assert.equal(header, `PROXY TCP4 127.0.0.1 127.0.0.1 ${client.socket.localPort} ${gateway.port()}\r\n`);
		else assert.ok(header.startsWith("\r\n\r\n\0\r\nQUIT\n\x21\x11"));
		client.end();
		assert.equal(await client.rest(), "");
		assert.equal((await gateway.onlySession()).bytes_from_client, 5);
	});

scenario(
	"Node's own HTTPS server is spoken to, also by its checks of health, which are TCP",
	async (scenario) => {
		const own = identity(scenario, "localhost");
		const server = createHttpsServer({ cert: own.cert.text, key: own.key.text }, (request, response) => {
			let bytes = 0;
			request.on("data", (data: Buffer) => {
				bytes += data.length;
			});
			request.on("end", () => response.end(`got ${bytes}`));
		});
		const address = await listening(scenario, server);
		const gateway = await startHttps(scenario, `"https://${address.replace("127.0.0.1", "localhost")}"`, {
			more: `, tls: { ca: "${own.certFile}" }, health: { interval: 500ms, timeout: 500ms, rise: 1, fall: 1 }`,
		});
		const client = await dial(scenario, gateway.port());
		const body = "x".repeat(100_000);
		await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
		assert.match((await head(client)).slice(0, 15), /HTTP\/1\.1 200/);
		assert.equal(await gateway.metricIs("sluice_upstream_healthy", (value) => value >= 1), 1);
	},
);

scenario("health checks believe whom sessions believe, and speak what they speak", async (scenario) => {
	const root = identity(scenario, "Root", { isAuthority: true });
	const middle = identity(scenario, "Middle", { issuer: root, isAuthority: true });
	const own = identity(scenario, "api.test", { issuer: middle });
	const health = "health: { path: /healthz, interval: 1s, fall: 1 }";
	const more = `, tls: { ca: "${middle.certFile}", server_name: api.test }, ${health}`;
	const server = await startServer(scenario, "good", own);
	const gateway = await startHttps(scenario, `"https://${server.address}"`, { more });
	// Two have come to their ends when the third begins.
	await gateway.metricIs("sluice_descriptors_opened_total", (count) => count > 2, { kind: "check" });
	// A busy machine may be late for one; whom it does not believe, it never believes.
	const isRefused = ({ message, error }: LogLine): boolean =>
		message === "an upstream address is down" && !/no answer within/.test(String(error));
	assert.deepEqual(gateway.log.filter(isRefused), []);
	await gateway.release();

	// Nothing that sessions would agree on.
	const old = await startServer(scenario, "old", own, {
		maxVersion: "TLSv1.2",
		ciphers: "ECDHE-ECDSA-AES128-SHA256",
	});
	const wary = await startHttps(scenario, `"https://${old.address}"`, { more });
	await wary.logged(isRefused);
	assert.match(await asked(wary, scenario), /^503 /);
});
