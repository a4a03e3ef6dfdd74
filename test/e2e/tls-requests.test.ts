/** Requests inside TLS, however records cut them up. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer, request } from "node:http";
import { request as requestTls } from "node:https";
import { type Gateway, startGateway } from "../support/gateway.js";
import { type Peer, startUpstream, type Upstream } from "../support/peers.js";
import { answering, chunk, get, head, listening, message, ok } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { dialTls, entry, identity, type TlsPeer } from "../support/tls.js";
import { startWire } from "../support/wire.js";

async function startAt(scenario: Scenario, address: string, sections = ""): Promise<Gateway> {
	const certificate = identity(scenario, "a.test");
	return startGateway(
		scenario,
		`
reactors: 1
${sections}
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["a.test"])}]
    routes: [{ host: a.test, to: a }]
upstreams: { a: { http: "http://${address}" } }
`,
	);
}

async function startRequests(
	scenario: Scenario,
	serve?: (peer: Peer) => void,
	sections = "",
): Promise<{ gateway: Gateway; upstream: Upstream; client: TlsPeer }> {
	const upstream = await startUpstream(scenario, serve);
	const gateway = await startAt(scenario, upstream.address, sections);
	const client = await dialTls(scenario, gateway.port(), "a.test");
	client.tls.setNoDelay(true);
	return { gateway, upstream, client };
}

/** Each byte in a record of its own. */
async function sendBytewise(client: Peer, text: string): Promise<void> {
	for (const byte of Buffer.from(text, "latin1")) await client.send(Uint8Array.of(byte));
}

const byPath = answering((text) => ok(`at ${text.split(" ")[1]}`));

scenario("a head of many small records is read as one, again and again", async (scenario) => {
	const { client, gateway } = await startRequests(scenario, byPath);
	for (const path of ["/1", "/22", "/333"]) {
		await sendBytewise(client, get(path, "a.test", "X-Long: ".padEnd(300, "y").concat("\r\n")));
		assert.equal((await message(client)).body, `at ${path}`);
	}
	client.end();
	assert.equal(await client.rest(), "");
	assert.equal((await gateway.onlySession()).reason, "client_closed");
	assert.equal((await gateway.metrics()).sum("sluice_buffered_bytes"), 0);
});

scenario(
	"the subjects of the upstream's fields are those of a request that came by TLS",
	async (scenario) => {
		const { client } = await startRequests(
			scenario,
			answering((text) => ok(text)),
		);
		await client.send(get("/", "a.test", "X-Forwarded-Proto: http\r\n"));
		const { body } = await message(client);
		assert.match(body, /^X-Forwarded-Proto: https\r$/m);
		assert.match(body, /^Forwarded: .*proto=https/m);
	},
);

scenario("pipelined requests are answered in order, wherever records end", async (scenario) => {
	const { client } = await startRequests(scenario, byPath);
	const text = Array.from({ length: 6 }, (_, index) => get(`/${index}`, "a.test")).join("");
	for (const bytes of [text.length, 1000, 61, 7]) {
		for (let at = 0; at < text.length; at += bytes) await client.send(text.slice(at, at + bytes));
		for (let index = 0; index < 6; index++) assert.equal((await message(client)).body, `at /${index}`);
	}
});

scenario("head and body in one record, body in many, and the next request behind it", async (scenario) => {
	const { client, upstream } = await startRequests(scenario, (peer) => {
		void (async () => {
			for (;;) {
				const { body } = await message(peer);
				await peer.send(ok(`got ${body}`));
			}
		})().catch(() => {});
	});
	const post = (body: string): string =>
		`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
	await client.send(post("one") + post("two") + post("thr").slice(0, -1));
	assert.equal((await message(client)).body, "got one");
	assert.equal((await message(client)).body, "got two");
	await client.send("r");
	assert.equal((await message(client)).body, "got thr");
	await sendBytewise(client, post("bytewise"));
	assert.equal((await message(client)).body, "got bytewise");
	assert.equal(upstream.peers.length, 1);
});

scenario("chunked bodies pass over records of any size", async (scenario) => {
	const { client } = await startRequests(scenario, (peer) => {
		void (async () => {
			await head(peer);
			const body = `${chunk("hello")}${chunk("x".repeat(50))}0\r\n\r\n`;
			await peer.expect(body);
			await peer.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
		})().catch(() => {});
	});
	await sendBytewise(client, "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
	const body = `${chunk("hello")}${chunk("x".repeat(50))}0\r\n\r\n`;
	await sendBytewise(client, body);
	assert.match(await head(client), /200 OK/);
	await client.expect(body);
});

const LARGE = 24 * 1024 * 1024;

for (const reads of ["fast", "slow"] as const)
	scenario(
		`large uploads and downloads come out as they went in, with a ${reads} reader`,
		async (scenario) => {
			const blob = Buffer.alloc(LARGE, "0123456789abcdef-");
			const hash = createHash("sha256").update(blob).digest("hex");
			const server = createServer((incoming, response) => {
				const received = createHash("sha256");
				incoming.on("data", (data: Buffer) => {
					received.update(data);
					if (reads === "fast") return;
					incoming.pause();
					setImmediate(() => incoming.resume());
				});
				incoming.on("end", () => {
					response.setHeader("X-Hash", received.digest("hex"));
					response.end(blob);
				});
			});
			const gateway = await startAt(scenario, await listening(scenario, server));
			const fetched = await new Promise<[string, string]>((resolve, reject) => {
				const sent = requestTls({
					...{ host: "127.0.0.1", port: gateway.port(), servername: "a.test", method: "POST" },
					...{ headers: { Host: "a.test" }, rejectUnauthorized: false, agent: false },
				});
				sent.on("error", reject).on("response", (response) => {
					const received = createHash("sha256");
					response.on("data", (data: Buffer) => {
						received.update(data);
						if (reads === "fast") return;
						response.pause();
						setImmediate(() => response.resume());
					});
					response.on("error", reject);
					response.on("end", () => resolve([String(response.headers["x-hash"]), received.digest("hex")]));
				});
				sent.end(blob);
			});
			assert.deepEqual(fetched, [hash, hash]);
		},
	);

scenario(
	"a client that ends amid its body, without having said so by TLS, is not taken for done",
	async (scenario) => {
		const upstream = await startUpstream(scenario);
		const gateway = await startAt(scenario, upstream.address);
		for (const [index, framing] of ["Content-Length: 10", "Transfer-Encoding: chunked"].entries()) {
			const wire = await startWire(scenario, gateway.port());
			const client = await dialTls(scenario, wire.port, "a.test");
			const part = framing.startsWith("C") ? "half" : chunk("half");
			await client.send(`POST / HTTP/1.1\r\nHost: a.test\r\n${framing}\r\n\r\n${part}`);
			const peer = await upstream.accepted(index);
			await head(peer);
			await peer.expect(part);
			wire.endToServer();
			assert.equal(await peer.over(), "ECONNRESET", framing);
			await gateway.sessions(index + 1);
		}
		for (const { reason, tls_error: error } of gateway.ended)
			assert.deepEqual([reason, error], ["tls_failed", "the client ended without close_notify"]);
	},
);

scenario("between requests, an end without close_notify is an end all the same", async (scenario) => {
	const upstream = await startUpstream(scenario, byPath);
	const gateway = await startAt(scenario, upstream.address);
	const wire = await startWire(scenario, gateway.port());
	const client = await dialTls(scenario, wire.port, "a.test");
	await client.send(get("/", "a.test"));
	await message(client);
	wire.endToServer();
	const { reason, tls_error: error } = await gateway.onlySession();
	assert.deepEqual([reason, error], ["client_closed", undefined]);
});

scenario("an upgrade becomes a relay inside TLS, in both directions", async (scenario) => {
	const server = createServer();
	server.on("upgrade", (incoming, socket, first) => {
		const key = `${incoming.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
		const accept = createHash("sha1").update(key).digest("base64");
		socket.write(
			`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
		);
		socket.write(first);
		socket.pipe(socket);
	});
	const gateway = await startAt(scenario, await listening(scenario, server));
	const client = await dialTls(scenario, gateway.port(), "a.test");
	await client.send(
		`${get(
			"/chat",
			"a.test",
			"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
		)}early`,
	);
	assert.match(await head(client), /^HTTP\/1\.1 101 .*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/s);
	await client.expect("early");
	for (const text of ["ping", "x".repeat(200_000), "pong"]) {
		await client.send(text);
		await client.expect(text);
	}
	client.end();
	await client.rest();
	assert.match((await gateway.onlySession()).reason, /^(client|upstream)_closed$/);
});

scenario("draining lets a request inside TLS finish, and says goodbye to who is idle", async (scenario) => {
	const { client, gateway, upstream } = await startRequests(scenario);
	const idle = await dialTls(scenario, gateway.port(), "a.test");
	await idle.send(get("/", "a.test"));
	const first = await upstream.accepted(0);
	await head(first);
	await first.send(ok("done"));
	await message(idle);
	await client.send(get("/slow", "a.test"));
	await head(first);
	gateway.child.signal("SIGTERM");
	// An end that was said, not a cut.
	assert.equal(await idle.rest(), "");
	await first.send(ok("late"));
	const { head: told, body } = await message(client);
	assert.equal(body, "late");
	assert.match(told, /^connection: close\r$/im);
	assert.equal(await client.rest(), "");
	assert.equal(await gateway.exit(), 0);
});

scenario("what is left when draining is over is cut, and does not look complete", async (scenario) => {
	const { client, gateway, upstream } = await startRequests(
		scenario,
		undefined,
		"timeouts: { drain: 100ms }",
	);
	await client.send(get("/", "a.test"));
	const peer = await upstream.accepted();
	await head(peer);
	await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
	await head(client);
	await client.expect("half");
	gateway.child.signal("SIGTERM");
	assert.equal(await client.over(), "ECONNRESET");
	assert.equal((await gateway.onlySession()).reason, "drained");
	assert.equal(await gateway.exit(), 0);
});

scenario("a PROXY header stands before TLS where it is required, and is believed", async (scenario) => {
	const certificate = identity(scenario, "a.test");
	const upstream = await startUpstream(
		scenario,
		answering((text) => ok(text)),
	);
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    proxy_protocol: require
    trusted: [127.0.0.0/8]
    tls: [${entry(certificate, ["a.test"])}]
    routes: [{ source: 192.0.2.0/24, to: a }]
upstreams: { a: { http: "http://${upstream.address}" } }
`,
	);
	const wire = await startWire(scenario, gateway.port());
	let isFirst = true;
	wire.toServer = (bytes) => {
		const header = isFirst ? "PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n" : "";
		isFirst = false;
		return Buffer.concat([Buffer.from(header), bytes]);
	};
	const client = await dialTls(scenario, wire.port, "a.test");
	await client.send(get("/", "a.test"));
	assert.match((await message(client)).body, /^X-Forwarded-For: 192\.0\.2\.7\r$/m);
	client.end();
	const { source } = await gateway.onlySession();
	assert.equal(source, "192.0.2.7:4711");
});

scenario(
	"in the open, on the same port, a name that is served through TLS is not served",
	async (scenario) => {
		const certificate = identity(scenario, "a.test");
		const upstream = await startUpstream(scenario, byPath);
		const raw = await startUpstream(scenario, byPath);
		const gateway = await startGateway(
			scenario,
			`
reactors: 1
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["a.test", "raw.test"])}]
    routes: [{ host: raw.test, to: raw }, { host: a.test, to: a }, { host: open.test, to: a }]
upstreams: { a: { http: "http://${upstream.address}" }, raw: "${raw.address}" }
`,
		);
		const statusOf = (host: string) =>
			new Promise((resolve, reject) => {
				const sent = request({
					port: gateway.port(),
					host: "127.0.0.1",
					headers: { Host: host },
					agent: false,
				});
				sent.on("response", (response) => {
					response.resume();
					resolve(response.statusCode);
				});
				sent.on("error", reject).end();
			});
		for (const host of ["a.test", "A.test:80", "raw.test"]) assert.equal(await statusOf(host), 421, host);
		assert.equal(await statusOf("open.test"), 200);
		assert.equal(raw.peers.length, 0);
	},
);
