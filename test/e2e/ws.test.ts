/** WebSockets between the `ws` package on both sides: in the open, and over TLS that ends at the gateway. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type ClientOptions, WebSocket, WebSocketServer } from "ws";
import { startGateway } from "../support/gateway.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { entry, identity } from "../support/tls.js";

const MESSAGES = 200;

/** Sends back what it gets, text as text and bytes as bytes. */
async function startEcho(scenario: Scenario): Promise<string> {
	const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
	await once(server, "listening");
	server.on("connection", (socket) => {
		socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
	});
	scenario.defer(() => {
		for (const client of server.clients) client.terminate();
		return new Promise((resolve) => server.close(resolve));
	});
	return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function open(scenario: Scenario, url: string, options: ClientOptions = {}): Promise<WebSocket> {
	const socket = new WebSocket(url, "chat", options);
	scenario.defer(() => socket.terminate());
	await once(socket, "open");
	return socket;
}

/** Texts and bytes of all sizes, up to a megabyte, are echoed in order; pings are answered. */
async function converse(socket: WebSocket): Promise<void> {
	const sizes = Array.from({ length: MESSAGES }, (_, index) =>
		index === 150 ? 1 << 20 : (index * 37) % 3_000,
	);
	const echoed = new Promise<void>((resolve, reject) => {
		let count = 0;
		socket.on("message", (data: Buffer, isBinary) => {
			try {
				assert.equal(isBinary, count % 2 === 1);
				assert.equal(data.length, sizes[count]);
				assert.ok(data.every((byte) => byte === 97 + (count % 26)));
				if (++count === MESSAGES) resolve();
			} catch (error) {
				reject(error as Error);
			}
		});
	});
	for (const [index, size] of sizes.entries()) {
		const bytes = Buffer.alloc(size, 97 + (index % 26));
		socket.send(index % 2 === 1 ? bytes : bytes.toString());
	}
	await echoed;
	const pong = once(socket, "pong");
	socket.ping("still there?");
	const [answer] = (await pong) as [Buffer];
	assert.equal(answer.toString(), "still there?");
}

async function leave(socket: WebSocket): Promise<void> {
	const closed = once(socket, "close");
	socket.close(1000, "done");
	const [code] = (await closed) as [number];
	assert.equal(code, 1000);
}

scenario("ws clients and a ws server converse through requests that are read", async (scenario) => {
	const address = await startEcho(scenario);
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ path: /chat, to: a }] }]
upstreams: { a: { http: "http://${address}" } }
`,
	);
	const url = `ws://127.0.0.1:${gateway.port()}/chat`;
	const sockets = await Promise.all([1, 2, 3].map(() => open(scenario, url)));
	await Promise.all(sockets.map(converse));
	await Promise.all(sockets.map(leave));
	await gateway.metricIs("sluice_pool_recycled_total", (count) => count === 3, { reason: "upgraded" });
	for (const socket of sockets) assert.equal(socket.protocol, "chat");
});

scenario("and over TLS that ends at the gateway", async (scenario) => {
	const address = await startEcho(scenario);
	const certificate = identity(scenario, "chat.test");
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["chat.test"])}]
    routes: [{ host: chat.test, to: a }]
upstreams: { a: { http: "http://${address}" } }
`,
	);
	const url = `wss://127.0.0.1:${gateway.port()}/`;
	const options = { ca: certificate.cert.text, servername: "chat.test", headers: { host: "chat.test" } };
	const sockets = await Promise.all([1, 2, 3].map(() => open(scenario, url, options)));
	await Promise.all(sockets.map(converse));
	await Promise.all(sockets.map(leave));
	await gateway.settled();
});
