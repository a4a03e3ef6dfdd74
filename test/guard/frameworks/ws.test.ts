/** A guard beneath ws: WebSockets from their upgrade to their end, and requests to the same server. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { test } from "node:test";
import { type ClientOptions, WebSocket, WebSocketServer } from "ws";
import type { GuardOptions } from "../../../src/guard/guard.js";
import { curveKeys, issue } from "../../../src/rig/issue.js";
import { LOOPBACK } from "../../support/peers.js";
import { ask, client, gone, type Standing, stand, textOf } from "../standing.js";
import { AFTER_THE_GUARD, AT_THE_DRAIN, type CloseBoth, WITH_THE_GUARD } from "./closing-both.js";
import { LARGE_BYTES, QUICK } from "./http-application.js";

const UPGRADE =
	"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n";
/** Where ws would compress what is sent, it would all be one small message. */
const LARGE = randomBytes(LARGE_BYTES / 4);

interface Served extends Standing {
	readonly server: Server;
	readonly sockets: WebSocketServer;
}

/** Echoes, but for "much", which is answered with more than a client that does not read can be sent. */
async function serve(
	options: GuardOptions,
	work: (served: Served) => Promise<void>,
	server = createServer((_, response) => void response.end("hello")),
): Promise<void> {
	const sockets = new WebSocketServer({ server, perMessageDeflate: true });
	sockets.on("connection", (socket) => {
		socket.on("error", () => {});
		socket.on("message", (data, isBinary) => {
			if (String(data) !== "much") socket.send(data, { binary: isBinary });
			else for (let turn = 0; turn < 4; turn++) socket.send(LARGE, { binary: true });
		});
	});
	await stand(server, options, (standing) => work({ ...standing, server, sockets }), {
		end: () => new Promise((resolve) => sockets.close(resolve)),
	});
}

async function open(port: number, options: ClientOptions = {}, scheme = "ws"): Promise<WebSocket> {
	const socket = new WebSocket(`${scheme}://${LOOPBACK}:${port}/`, options);
	socket.on("error", () => {});
	await once(socket, "open");
	return socket;
}

/** The status that refuses an upgrade. */
async function refusal(port: number, options: ClientOptions): Promise<number | undefined> {
	const socket = new WebSocket(`ws://${LOOPBACK}:${port}/`, options);
	socket.on("error", () => {});
	const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
	response.resume();
	await once(response.socket, "close");
	return response.statusCode;
}

async function echo(socket: WebSocket, message: string | Buffer): Promise<Buffer> {
	const answered = new Promise<Buffer>((resolve, reject) => {
		socket.once("message", resolve);
		socket.once("close", (code) => reject(new Error(`closed with ${code}, and not echoed`)));
	});
	socket.send(message);
	return answered;
}

async function closing(socket: WebSocket): Promise<number> {
	return Number((await once(socket, "close"))[0]);
}

test("ws: text, large binary messages and requests pass as ever, and each end has its reason", async () => {
	await serve({}, async ({ port, closed }) => {
		const socket = await open(port);
		assert.equal(String(await echo(socket, "grüezi")), "grüezi");
		assert.ok((await echo(socket, LARGE)).equals(LARGE));
		assert.equal((await ask(port, "/")).text, "hello");
		assert.equal((await closed()).reason, "upstream_closed");
		socket.close(1000);
		assert.equal(await closing(socket), 1000);
		assert.match((await closed()).reason, /^(client|upstream)_closed$/);
		const other = await open(port);
		other.terminate();
		assert.match((await closed()).reason, /^client_(closed|reset)$/);
	});
});

test("ws: over TLS it is the same, with its deadlines", async () => {
	const { cert, key } = issue({ commonName: "localhost", names: ["localhost"], keys: curveKeys() });
	const server = createHttpsServer({ cert: cert.text, key: key.text });
	await serve(
		// Longer than this program may have to wait for a processor.
		{ timeouts: { ...QUICK, idle: 3_000 } },
		async ({ port, closed }) => {
			const socket = await open(port, { rejectUnauthorized: false }, "wss");
			assert.ok((await echo(socket, LARGE)).equals(LARGE));
			assert.equal((await closed()).reason, "idle_timeout");
			const sleeper = await open(port, { rejectUnauthorized: false }, "wss");
			sleeper.pause();
			sleeper.send("much");
			assert.equal((await closed()).reason, "stall_timeout");
			sleeper.terminate();
		},
		server,
	);
});

test("ws: half an upgrade is answered with 408, as handshake_timeout", async () => {
	await serve({ timeouts: QUICK }, async ({ port, closed }) => {
		assert.match(await textOf(await client(port, UPGRADE)), /^HTTP\/1\.1 408 /);
		assert.equal((await closed()).reason, "handshake_timeout");
	});
});

test("ws: an upgrade that the server never answers ends as idle_timeout", async () => {
	const server = createServer();
	server.on("upgrade", () => {});
	await stand(server, { timeouts: QUICK }, async ({ port, closed }) => {
		await gone((await client(port, `${UPGRADE}\r\n`)).resume());
		assert.equal((await closed()).reason, "idle_timeout");
	});
});

test("ws: a subscriber that never reads ends as stall_timeout, and the others do not notice", async () => {
	await serve({ timeouts: { ...QUICK, idle: "1m" } }, async ({ port, closed, sockets }) => {
		const other = await open(port);
		const arrived = once(sockets, "connection");
		const sleeper = await open(port);
		const [seen] = (await arrived) as [WebSocket];
		const ended = closing(seen);
		sleeper.pause();
		sleeper.send("much");
		assert.equal((await closed()).reason, "stall_timeout");
		assert.equal(await ended, 1006, "its handler hears of it");
		sleeper.terminate();
		assert.equal(String(await echo(other, "still here")), "still here");
		other.terminate();
	});
});

test("ws: one that is silent ends as idle_timeout, and one that pings stays until it stops", async () => {
	await serve({ timeouts: { ...QUICK, idle: 1_000 } }, async ({ port, closed }) => {
		await open(port);
		assert.equal((await closed()).reason, "idle_timeout");
		const socket = await open(port);
		for (let pings = 0; pings < 15; pings++) {
			socket.ping();
			await once(socket, "pong");
			await new Promise((resolve) => setTimeout(resolve, 100));
		}
		assert.equal(String(await echo(socket, "still here")), "still here");
		const { reason, durationMs } = await closed();
		assert.equal(reason, "idle_timeout");
		assert.ok(durationMs > 1_500, `${durationMs}`);
	});
});

test("ws: behind a trusted proxy a client's second upgrade is refused with 429, until its first has ended", async () => {
	const options: GuardOptions = {
		forwardedFor: { trusted: ["127.0.0.0/8"] },
		limits: { connectionsPerAddress: 1 },
	};
	await serve(options, async ({ port, guarded, closed }) => {
		const of = (address: string): ClientOptions => ({ headers: { "x-forwarded-for": address } });
		const first = await open(port, of("203.0.113.7, 192.0.2.1"));
		assert.equal(await refusal(port, of("192.0.2.1")), 429);
		const { reason, address } = await closed();
		assert.deepEqual([reason, address], ["limit_ip", "192.0.2.1"]);
		const headers = { "x-forwarded-for": "192.0.2.1" };
		assert.equal((await ask(port, "/", { headers })).status, 429, "requests count with it");
		await closed();
		assert.equal(guarded.counts.shed, 2);
		const other = await open(port, of("192.0.2.2"));
		assert.equal(String(await echo(first, "a")), "a");
		first.close();
		await closed();
		const again = await open(port, of("192.0.2.1"));
		for (const socket of [again, other]) socket.terminate();
	});
});

test("ws: who is told of the drain goes by itself; who stays is cut when its time has passed, and reported", async () => {
	await serve({}, async ({ port, guarded, sockets }) => {
		guarded.once("drain", () => {
			for (const socket of sockets.clients) socket.close(1001);
		});
		const polite = await open(port);
		const left = closing(polite);
		// It does not read, so it never hears of the goodbye.
		const deaf = await open(port);
		deaf.pause();
		const { ended, cut } = await guarded.close({ drainMs: 400 });
		assert.equal(await left, 1001);
		assert.deepEqual([ended, cut.map(({ phase }) => phase)], [1, ["open"]]);
		deaf.terminate();
	});
});

for (const [order, close] of [
	// It waits for its sockets, which nobody but the guard ends.
	[
		"before the guard",
		async (own, guards) => {
			const closed = own();
			await guards();
			await closed;
		},
	],
	AFTER_THE_GUARD,
	WITH_THE_GUARD,
	AT_THE_DRAIN,
] as const satisfies (readonly [string, CloseBoth])[])
	test(`ws: its own close ${order} ends, and its sockets are cut`, async () => {
		await serve({}, async ({ port, guarded, sockets }) => {
			const socket = await open(port);
			const ended = closing(socket);
			await close(
				() => new Promise((resolve) => sockets.close(resolve)),
				() => guarded.close({ drainMs: 100 }),
				guarded,
			);
			assert.equal(await ended, 1006);
			assert.equal(guarded.counts.open, 0);
		});
	});
