/** A guard beneath Socket.IO: over WebSockets, over long polling, and on the way from one to the other. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import { test } from "node:test";
import { Server, type ServerOptions, type Socket as ServerSocket } from "socket.io";
import { io as connect, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import { WebSocket } from "ws";
import type { Guarded, GuardOptions } from "../../../src/guard/guard.js";
import { LOOPBACK } from "../../support/peers.js";
import { eventually } from "../../support/waiting.js";
import { ask, client, type Standing, stand, textOf, withAgent } from "../standing.js";
import { AT_THE_DRAIN, BEFORE_THE_GUARD, WITH_THE_GUARD } from "./closing-both.js";
import { get, post, QUICK, SILENCE_MS } from "./http-application.js";

const LARGE = randomBytes(1 << 20);
/** More than the kernel takes for a client that does not read, also compressed. Text: of a binary message a poll gets the head only. */
const HUGE = randomBytes(12 << 20).toString("base64");
/** Instead of Engine.IO's 30 s. */
const FAREWELL_MS = 500;
const PATH = "/socket.io/?EIO=4&transport=";

interface Asked {
	echo: (data: unknown, answer: (data: unknown) => void) => void;
	large: () => void;
	huge: () => void;
	later: () => void;
}

interface Told {
	large: (bytes: Buffer) => void;
	huge: (text: string) => void;
	later: () => void;
}

interface Served extends Standing {
	readonly io: Server<Asked, Told>;
	readonly server: HttpServer;
}

async function serve(
	options: GuardOptions,
	work: (served: Served) => Promise<void>,
	own: Partial<ServerOptions> = {},
): Promise<void> {
	const server = createServer((_, response) => void response.end("hello"));
	const io = new Server<Asked, Told>(server, { maxHttpBufferSize: 2 * HUGE.length, ...own });
	io.on("connection", (socket) => {
		socket.on("echo", (data, answer) => answer(data));
		socket.on("large", () => void socket.emit("large", LARGE));
		socket.on("huge", () => void socket.emit("huge", HUGE));
		socket.on("later", () => void setTimeout(() => socket.emit("later"), SILENCE_MS));
	});
	// A session without a poll is waited for by a timer that keeps this process alive.
	io.engine.on("connection", ({ transport }: { transport: { closeTimeout?: number } }) => {
		transport.closeTimeout = FAREWELL_MS;
	});
	const clients = opened.length;
	await stand(server, options, (standing) => work({ ...standing, io, server }), {
		end: async () => {
			for (const socket of opened.splice(clients)) socket.disconnect();
			await io.close();
		},
	});
}

const opened: Socket[] = [];

/** So many have ended as stall_timeout. */
async function stalled(guarded: Guarded, count: number): Promise<void> {
	await eventually(
		() => guarded.counts.closed.stall_timeout === count || undefined,
		() => JSON.stringify(guarded.counts),
	);
}

function start(port: number, options: Partial<ManagerOptions & SocketOptions>): Socket {
	const socket = connect(`http://${LOOPBACK}:${port}`, { reconnection: false, forceNew: true, ...options });
	opened.push(socket);
	return socket;
}

async function open(port: number, options: Partial<ManagerOptions & SocketOptions>): Promise<Socket> {
	const socket = start(port, options);
	await heard(socket, "connect");
	return socket;
}

function heard(socket: Socket, event: string): Promise<unknown> {
	return new Promise((resolve) => socket.once(event, resolve));
}

/** A client of the protocol's own words that is as rude as a test wants it to be. */
async function openRude(port: number, headers = {}): Promise<WebSocket> {
	const socket = new WebSocket(`ws://${LOOPBACK}:${port}${PATH}websocket`, { headers });
	socket.on("error", () => {});
	// It comes with the upgrade's answer, at times in one piece with it.
	await once(socket, "message");
	socket.send("40");
	await once(socket, "message");
	return socket;
}

/** A session over polling, in its namespace, without a poll under way. */
async function openPolling(port: number): Promise<string> {
	const { text } = await ask(port, `${PATH}polling`);
	const { sid } = JSON.parse(text.slice(1)) as { sid: string };
	const path = `${PATH}polling&sid=${sid}`;
	assert.equal((await ask(port, path, { body: "40" })).text, "ok");
	assert.match((await ask(port, path)).text, /^40/);
	return path;
}

function left(io: Server<Asked, Told>): Promise<string> {
	return new Promise((resolve) => {
		const hear = (socket: ServerSocket<Asked, Told>): void => void socket.once("disconnect", resolve);
		for (const socket of io.sockets.sockets.values()) hear(socket);
		io.on("connection", hear);
	});
}

for (const [name, transports] of [
	["a WebSocket", ["websocket"]],
	["long polling", ["polling"]],
	["polling and its upgrade to a WebSocket", ["polling", "websocket"]],
] as const)
	test(`Socket.IO: over ${name}, messages pass as ever and may be rarer than all deadlines of requests`, async () => {
		await serve({ timeouts: { ...QUICK, idle: "1m" } }, async ({ port, guarded }) => {
			const socket = await open(port, { transports: [...transports] });
			if (transports.length > 1 && socket.io.engine.transport.name === "polling")
				await new Promise((resolve) => socket.io.engine.once("upgrade", resolve));
			assert.equal(socket.io.engine.transport.name, transports.at(-1));
			const data = { text: "grüezi", bytes: Buffer.from([0, 255]) };
			assert.deepEqual(await socket.emitWithAck("echo", data), data);
			const large = heard(socket, "large");
			socket.emit("large");
			assert.ok(LARGE.equals((await large) as Buffer));
			const later = heard(socket, "later");
			socket.emit("later");
			await later;
			assert.equal((await ask(port, "/")).text, "hello");
			assert.ok(socket.connected);
			const { limit_ip, stall_timeout, request_timeout } = guarded.counts.closed;
			assert.deepEqual([limit_ip, stall_timeout, request_timeout], [undefined, undefined, undefined]);
		});
	});

test("Socket.IO: half a head is answered with 408, and so is a body that does not come; its session is told", async () => {
	await serve({ timeouts: { ...QUICK, request: 400 } }, async ({ port, io, closed }) => {
		assert.match(await textOf(await client(port, `GET ${PATH}polling HTTP/1.1\r\nHo`)), /^HTTP\/1\.1 408 /);
		assert.equal((await closed()).reason, "handshake_timeout");
		const path = await openPolling(port);
		const ended = left(io);
		const text = await textOf(
			await client(port, `${post(path, 1_000).replace("application/json", "text/plain")}4`),
		);
		assert.match(text, /^HTTP\/1\.1 408 /);
		assert.equal(await ended, "transport error");
		assert.equal((await ask(port, "/")).text, "hello");
	});
});

test("Socket.IO: a subscriber that never reads ends as stall_timeout, over a WebSocket and in a poll", async () => {
	await serve(
		{ timeouts: { ...QUICK, idle: "1m" } },
		async ({ port, io, guarded }) => {
			const other = await open(port, { transports: ["websocket"] });
			const ended = left(io);
			const sleeper = await openRude(port);
			sleeper.pause();
			sleeper.send('42["huge"]');
			assert.match(await ended, /^transport (close|error)$/);
			// The session may hear of it before the socket has closed.
			await stalled(guarded, 1);
			sleeper.terminate();
			const path = await openPolling(port);
			(await client(port, get(path))).pause();
			assert.equal((await ask(port, path, { body: '42["huge"]' })).text, "ok");
			await stalled(guarded, 2);
			assert.equal(await other.emitWithAck("echo", "still here"), "still here");
			// Of a poll that is cut Socket.IO hears nothing: its own pings find out.
			await eventually(
				() => (io.sockets.sockets.size === 1 ? true : undefined),
				() => "the end of the session that polled",
			);
		},
		{ pingInterval: 1_000, pingTimeout: 1_000 },
	);
});

test("Socket.IO: a WebSocket that answers pings stays, and one that is silent ends as idle_timeout", async () => {
	await serve(
		{ timeouts: { ...QUICK, idle: 1_000 } },
		async ({ port, guarded }) => {
			const socket = await open(port, { transports: ["websocket"] });
			let pings = 0;
			await new Promise<void>((resolve, reject) => {
				socket.io.on("ping", () => {
					if (++pings === 15) resolve();
				});
				socket.on("disconnect", (reason) => reject(new Error(`it was disconnected: ${reason}`)));
			});
			assert.equal(await socket.emitWithAck("echo", "still here"), "still here");
			assert.equal(guarded.counts.closed.idle_timeout, undefined);
			socket.disconnect();
		},
		{ pingInterval: 100, pingTimeout: 60_000 },
	);
	await serve({ timeouts: { ...QUICK, idle: 1_000 } }, async ({ port, io, closed }) => {
		const ended = left(io);
		await openRude(port);
		assert.equal((await closed()).reason, "idle_timeout");
		assert.equal(await ended, "transport close");
	});
});

test("Socket.IO: behind a trusted proxy the requests and WebSockets of a client count together, and 429 refuses both", async () => {
	const options: GuardOptions = {
		forwardedFor: { trusted: ["127.0.0.0/8"] },
		limits: { connectionsPerAddress: 1 },
	};
	await serve(options, async ({ port, guarded }) => {
		const headers = { "x-forwarded-for": "192.0.2.1" };
		const first = await openRude(port, headers);
		assert.equal((await ask(port, `${PATH}polling`, { headers })).status, 429);
		for (const transport of ["polling", "websocket"] as const)
			await heard(start(port, { transports: [transport], extraHeaders: headers }), "connect_error");
		assert.equal(guarded.counts.shed, 3);
		const other = await open(port, {
			transports: ["websocket"],
			extraHeaders: { "x-forwarded-for": "192.0.2.2" },
		});
		first.terminate();
		other.disconnect();
	});
});

test("Socket.IO: who polls needs three at a time of its address for the upgrade, and no more", async () => {
	const options: GuardOptions = {
		forwardedFor: { trusted: ["127.0.0.0/8"] },
		limits: { connectionsPerAddress: 3 },
	};
	await serve(options, async ({ port, guarded }) => {
		const socket = await open(port, { extraHeaders: { "x-forwarded-for": "192.0.2.1" } });
		if (socket.io.engine.transport.name === "polling")
			await new Promise((resolve) => socket.io.engine.once("upgrade", resolve));
		assert.equal(await socket.emitWithAck("echo", 1), 1);
		assert.equal(guarded.counts.shed, 0);
	});
});

test("Socket.IO: without a word to it, close cuts its polls and WebSockets when the time has passed, and reports them", async () => {
	await serve({}, async ({ port, guarded, server }) => {
		const sockets = [
			await open(port, { transports: ["websocket"] }),
			await open(port, { transports: ["polling"] }),
		];
		// Its next poll.
		await once(server, "request");
		const ended = Promise.all(sockets.map((socket) => heard(socket, "disconnect")));
		const { cut } = await guarded.close({ drainMs: 400 });
		assert.deepEqual(cut.map(({ phase }) => phase).sort(), ["open", "request"]);
		await ended;
	});
});

for (const [order, close] of [BEFORE_THE_GUARD, WITH_THE_GUARD, AT_THE_DRAIN])
	test(`Socket.IO: its close ${order} ends, with nobody cut`, async () => {
		await serve({}, async ({ port, io, guarded, server }) => {
			await withAgent((agent) => ask(port, "/", { agent }));
			const sockets = [
				await open(port, { transports: ["websocket"] }),
				await open(port, { transports: ["polling"] }),
			];
			// Its next poll: Socket.IO says goodbye in its answer, and waits for one for 30 s.
			await once(server, "request");
			const ended = Promise.all(sockets.map((socket) => heard(socket, "disconnect")));
			await close(
				() => io.close(),
				() => guarded.close({ drainMs: "1m" }),
				guarded,
			);
			await ended;
			const { cut } = await guarded.close();
			assert.deepEqual(cut, []);
			assert.equal(guarded.counts.open, 0);
		});
	});
