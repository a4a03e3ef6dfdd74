/** Bodies that are still to come: after their answer, before a 100 Continue, and on a server of HTTP/2. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer, type ServerResponse } from "node:http";
import { createSecureServer } from "node:http2";
import { test } from "node:test";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { curveKeys, issue } from "../../src/rig/issue.js";
import { client, gone, stand, textOf, until } from "./standing.js";

const { cert, key } = issue({ commonName: "localhost", names: ["localhost"], keys: curveKeys() });
const PEM = { cert: cert.text, key: key.text };
const QUICK = { handshake: 200, requestHead: 200, keepAlive: 300, stall: 400 } as const;

test("a body that goes on behind its answer is no slow head, and the next request is answered", {
	timeout: 20_000,
}, async () => {
	const server = createHttpServer((_, response) => void response.end("hello"));
	await stand(server, { timeouts: QUICK }, async ({ port, closed }) => {
		const socket = await client(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n");
		await until(socket, /hello/);
		for (let sent = 0; sent < 20; sent++) {
			await new Promise((resolve) => setTimeout(resolve, 50));
			socket.write(Buffer.alloc(1_000));
		}
		socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
		await until(socket, /200 OK[\s\S]*hello/);
		await gone(socket);
		assert.equal((await closed()).reason, "idle_timeout");
	});
});

// One test, because both take the ten seconds over which a body is measured.
test("a body that comes too slowly ends as request_timeout, and who waits for 100 Continue is not blamed for its own", {
	timeout: 40_000,
}, async () => {
	const server = createHttpServer((request) => void request.resume());
	const asked = once(server, "checkContinue");
	const timeouts = { ...QUICK, idle: 300 };
	await stand(server, { timeouts }, async ({ port, closed }) => {
		const head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
		const waiting = await client(port, head);
		const [, response] = (await asked) as [unknown, ServerResponse];
		// It comes later, so that it is cut when the other one has waited for longer than a body may.
		const slow = await client(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx");
		const timer = setInterval(() => slow.write("x"), 500);
		assert.match(await textOf(slow), /^HTTP\/1\.1 408 /);
		clearInterval(timer);
		assert.equal((await closed()).reason, "request_timeout");
		setTimeout(() => response.end("late"), 500);
		assert.match(await until(waiting, /late/), /^HTTP\/1\.1 200 /);
	});
});

test("http2: without ALPN a client that says nothing after TLS has no longer than others", async () => {
	const server = createSecureServer(
		{ ...PEM, allowHTTP1: true },
		(_, response) => void response.end("hello"),
	);
	await stand(server, { timeouts: QUICK }, async ({ port, closed }) => {
		assert.equal((server as unknown as { headersTimeout: number }).headersTimeout, 0);
		const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }).on("error", () => {});
		await gone(socket.resume());
		assert.equal((await closed()).reason, "handshake_timeout");
	});
});

test("tls: a protocol that a client names leaves no handshake behind", async () => {
	const server = createTlsServer({ ...PEM, ALPNProtocols: ["http/1.1"] }, (socket) => socket.resume());
	const timeouts = { ...QUICK, handshake: 1_000, idle: 1_500 };
	await stand(server, { timeouts }, async ({ port, closed }) => {
		const options = { port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] };
		const socket = connectTls(options).on("error", () => {});
		await once(socket, "secureConnect");
		await gone(socket.resume());
		assert.equal((await closed()).reason, "idle_timeout");
	});
});
