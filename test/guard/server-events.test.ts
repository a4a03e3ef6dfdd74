/** What servers, and those who build on them, do with the events that a guard stands before. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createNetServer, type Server } from "node:net";
import { test } from "node:test";
import { WebSocketServer } from "ws";
import { guard, OptionError } from "../../src/guard/guard.js";
import { eventually } from "../support/waiting.js";
import { client, gone, REQUEST, stand, until } from "./standing.js";

test("what is no server of Node's is refused, with the name of what to give instead", () => {
	const sockets = new WebSocketServer({ noServer: true });
	const application: RequestListener = (_, response) => void response.end();
	for (const wrong of [sockets, application, {}, undefined])
		assert.throws(
			() => guard(wrong as unknown as Server),
			(error) => error instanceof OptionError && /^server: .*fastify\.server/.test(error.message),
		);
});

test("a request that its handler hands on to the server's listeners counts once", async () => {
	const server = createHttpServer((_, response) => void response.end("hello"));
	// As Node's documentation has it: whoever takes checkContinue emits the request itself.
	server.on("checkContinue", (request, response) => {
		response.writeContinue();
		server.emit("request", request, response);
	});
	const options = {
		forwardedFor: { trusted: ["127.0.0.0/8"] },
		limits: { connectionsPerAddress: 1 },
		timeouts: { keepAlive: 200 },
	};
	await stand(server, options, async ({ port, closed }) => {
		const head = REQUEST.replace(
			"\r\n\r\n",
			"\r\nX-Forwarded-For: 192.0.2.1\r\nExpect: 100-continue\r\n\r\n",
		);
		const socket = await client(port, head);
		await until(socket, /100 Continue[\s\S]*200 OK[\s\S]*hello/);
		await gone(socket);
		assert.equal((await closed()).reason, "idle_timeout");
	});
});

test("what the server drops for its maxConnections is accepted, shed and closed, and named", async () => {
	const server = createHttpServer();
	server.maxConnections = 1;
	await stand(server, {}, async ({ port, guarded }) => {
		await client(port);
		const shed = once(guarded, "shed");
		await gone((await client(port)).resume());
		assert.deepEqual(await shed, ["limit_connections", "127.0.0.1"]);
		const { accepted, open, shed: count, closed } = guarded.counts;
		assert.deepEqual([accepted, open, count, closed], [2, 1, 1, { limit_connections: 1 }]);
	});
});

test("a server that is closed without its guard ends with its last answer, not with a keepalive", async () => {
	const answers: (() => void)[] = [];
	const server = createHttpServer((_, response) => {
		answers.push(() => void response.end("hello"));
		server.emit("asked");
	});
	await stand(server, { timeouts: { keepAlive: "1h" } }, async ({ port, closed }) => {
		const asked = once(server, "asked");
		const socket = await client(port, REQUEST);
		await asked;
		const ended = new Promise((resolve) => server.close(resolve));
		for (const answer of answers.splice(0)) answer();
		await until(socket, /hello/);
		assert.equal((await closed()).reason, "drained");
		await ended;
	});
});

test("a listener of drain that throws keeps no server open, and whoever closes hears of it", async () => {
	const server = createHttpServer();
	await stand(server, {}, async ({ port, guarded }) => {
		const socket = await client(port);
		guarded.once("drain", () => {
			throw new Error("goodbye failed");
		});
		const first = assert.rejects(guarded.close({ drainMs: 0 }), /goodbye failed/);
		await gone(socket.resume());
		await first;
		assert.equal(server.listening, false);
		// For the end of this test, which closes it again.
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
	});
});

test("a listener of closed that throws keeps nobody waiting for the end", { timeout: 20_000 }, async () => {
	const server = createHttpServer();
	await stand(server, {}, async ({ port, guarded }) => {
		const thrown = new Promise<Error>((resolve) => process.setUncaughtExceptionCaptureCallback(resolve));
		try {
			const connected = once(server, "connection");
			await client(port);
			await connected;
			guarded.once("closed", () => {
				throw new Error("bookkeeping failed");
			});
			const { ended } = await guarded.close();
			assert.equal(ended, 1);
			assert.match((await thrown).message, /bookkeeping failed/);
		} finally {
			process.setUncaughtExceptionCaptureCallback(null);
		}
	});
});

test("a connection that one guarded server hands to another is guarded, counted and limited by each for itself", async () => {
	const inner = createHttpServer((_, response) => response.end("hello"));
	const outer = createNetServer((socket) => void inner.emit("connection", socket));
	const innerGuarded = guard(inner, {
		limits: { waiting: 3 },
		timeouts: { handshake: "1m", keepAlive: "1m" },
	});
	await stand(outer, { timeouts: { idle: "1m" } }, async ({ port, closed, guarded }) => {
		const clients = [];
		for (let count = 0; count < 6; count++) clients.push(await client(port));
		await eventually(
			() => innerGuarded.counts.accepted === 6 || undefined,
			() => JSON.stringify(innerGuarded.counts),
		);
		// Three more than may wait there; there are no others here.
		for (let count = 0; count < 3; count++) await closed();
		assert.deepEqual(innerGuarded.counts, {
			accepted: 6,
			open: 3,
			shed: 0,
			closed: { limit_connections: 3 },
		});
		assert.deepEqual([guarded.counts.accepted, guarded.counts.open], [6, 3]);
		for (const each of clients) each.destroy();
	});
	assert.deepEqual([innerGuarded.counts.open, innerGuarded.counts.closed.limit_connections], [0, 3]);
});
