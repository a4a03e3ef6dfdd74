/** Patterns 1, 2, 4 and 5: what a connection has started, and who ends it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { FrameWriter } from "../../src/guard/frames.js";
import { Pool } from "../../src/guard/pool.js";
import { LOOPBACK } from "../support/peers.js";
import type { Scenario } from "../support/scenario.js";
import { Changes, eventually } from "../support/waiting.js";
import { gone, Loopback, measured } from "./loopback.js";
import * as blocked from "./patterns/blocked-handler.js";
import * as tasks from "./patterns/child-tasks.js";
import * as deadline from "./patterns/missing-deadline.js";
import * as uncancelled from "./patterns/uncancelled-work.js";
import { Census, collect, kib, Running, sockets, tell, timers } from "./rulers.js";

const CLIENTS = 100;
const QUESTION = Buffer.alloc(16 * 1024, "?");

interface Blocked {
	readonly handlers: number;
	readonly sockets: number;
	readonly upstream: blocked.Upstream;
	readonly heapBytes: number;
	readonly bufferBytes: number;
}

/** A hundred clients ask, and leave before there is an answer. */
async function askAndLeave(
	scenario: Scenario,
	handle: (socket: Socket, upstream: blocked.Upstream) => Promise<void>,
	clients: number,
): Promise<Blocked> {
	const loopback = await Loopback.listen(scenario);
	const upstream = new blocked.Upstream();
	const running = new Running();
	const census = new Census();
	await collect();
	const before = process.memoryUsage();
	for (let i = 0; i < clients; i++) {
		const { client, socket } = await loopback.dial();
		census.add(socket);
		void running.track(handle(socket, upstream));
		const read = once(socket, "data");
		client.write(QUESTION);
		await read;
		client.destroy();
		// What the client said last is read before it is known that it has gone.
		socket.resume();
		await gone(socket);
	}
	loopback.forget();
	const sockets = await census.alive();
	const after = process.memoryUsage();
	return {
		handlers: running.now,
		sockets,
		upstream,
		heapBytes: after.heapUsed - before.heapUsed,
		bufferBytes: after.arrayBuffers - before.arrayBuffers,
	};
}

/** The same, once some have done it and what is made once has been made. */
async function blockedBy(scenario: Scenario, handle: Parameters<typeof askAndLeave>[1]): Promise<Blocked> {
	await askAndLeave(scenario, handle, 10);
	const result = await askAndLeave(scenario, handle, CLIENTS);
	tell(scenario.context, {
		"handlers that wait": result.handlers,
		"sockets in memory": result.sockets,
		heap: kib(result.heapBytes),
		buffers: kib(result.bufferBytes),
	});
	return result;
}

measured(
	"1 blocked handler, leaking: a hundred clients have left, and all their handlers wait on",
	async (scenario) => {
		const { handlers, sockets, upstream } = await blockedBy(scenario, blocked.leaking);
		assert.equal(handlers, CLIENTS);
		assert.equal(upstream.pending.size, CLIENTS);
		assert.equal(sockets, CLIENTS);
	},
);

measured(
	"1 blocked handler, ours: a handler ends with its client, and nothing of it is left",
	async (scenario) => {
		const { handlers, sockets, upstream } = await blockedBy(scenario, blocked.bounded);
		assert.equal(handlers, 0);
		assert.equal(upstream.pending.size, 0);
		// The last one may still be in the event that told of its end.
		assert.ok(sockets <= 1, `${sockets} sockets are still in memory`);
	},
);

measured(
	"1 blocked handler: what nobody can wake up any more is collected, other than a goroutine",
	async (scenario) => {
		const { handlers, sockets } = await blockedBy(scenario, blocked.unreachable);
		assert.equal(handlers, CLIENTS);
		assert.ok(sockets <= 1, `${sockets} sockets are still in memory`);
	},
);

const MESSAGES = 500;
const SLOTS = 8;

/** One client sends 500 messages whose work does not end, and is cut off. */
async function sendAndLeave(
	scenario: Scenario,
	handle: (socket: Socket, work: tasks.Work) => Promise<void>,
	expected: number,
): Promise<{ most: number; afterwards: number }> {
	const loopback = await Loopback.listen(scenario);
	const { client, socket } = await loopback.dial();
	const running = new Running();
	const changes = new Changes();
	const handler = handle(socket, (_message, signal) => {
		const work = running.track(
			new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
		);
		changes.announce();
		return work;
	}).catch(() => {});
	const writer = new FrameWriter(client);
	for (let i = 0; i < MESSAGES; i++) writer.write("work");
	await changes.until(
		() => (running.now >= expected && socket.bytesRead === MESSAGES * 8 ? true : undefined),
		() => `${expected} tasks, only ${running.now} run`,
	);
	// Whoever would start more does it within these turns.
	await collect();
	client.resetAndDestroy();
	await handler;
	await collect();
	return { most: running.most, afterwards: running.now };
}

measured(
	"2 child tasks, leaking: one client starts 500 tasks, and leaves them all behind",
	async (scenario) => {
		const { most, afterwards } = await sendAndLeave(scenario, tasks.leaking, MESSAGES);
		tell(scenario.context, { "tasks at once": most, "tasks when the client has gone": afterwards });
		assert.deepEqual([most, afterwards], [MESSAGES, MESSAGES]);
	},
);

measured(
	"2 child tasks, ours: no more run than there are slots, and none when the client has gone",
	async (scenario) => {
		const slots = new Pool<object>({ create: () => ({}), destroy: () => {}, max: SLOTS });
		scenario.defer(() => slots.close({ graceMs: 0 }));
		const { most, afterwards } = await sendAndLeave(
			scenario,
			(socket, work) => tasks.bounded(socket, work, slots),
			SLOTS,
		);
		tell(scenario.context, { "tasks at once": most, "tasks when the client has gone": afterwards });
		assert.deepEqual([most, afterwards], [SLOTS, 0]);
		assert.equal(slots.stats().leased, 0);
	},
);

measured(
	"4 missing deadline: when a guard has closed all of its silent clients, a plain server has all of its own",
	async (scenario) => {
		const plain = await Loopback.listen(scenario);
		deadline.leaking(plain.server);
		const ours = await Loopback.listen(scenario);
		const guarded = deadline.bounded(ours.server, "300ms");
		scenario.defer(() => guarded.close({ drainMs: 0 }));
		const before = sockets();
		for (let i = 0; i < CLIENTS; i++) await plain.dial();
		const withPlain = sockets();
		const clients = await Promise.all(Array.from({ length: CLIENTS }, () => connectTo(ours.port, scenario)));
		await eventually(
			() => (guarded.counts.closed.idle_timeout === CLIENTS ? true : undefined),
			() => `${guarded.counts.open} are open`,
		);
		await Promise.all(clients.map((client) => gone(client.resume())));
		const left = plain.accepted.filter((socket) => !socket.destroyed).length;
		tell(scenario.context, {
			"leaking: connections left": left,
			"ours: connections left": guarded.counts.open,
			"ours: closed as idle_timeout": guarded.counts.closed.idle_timeout ?? 0,
		});
		assert.equal(withPlain - before, 2 * CLIENTS);
		assert.equal(left, CLIENTS);
		assert.equal(guarded.counts.closed.idle_timeout, CLIENTS);
		await eventually(
			() => (sockets() === withPlain ? true : undefined),
			() => `${sockets()} descriptors are open; ${withPlain} were before ours`,
		);
	},
);

async function connectTo(port: number, scenario: Scenario): Promise<Socket> {
	const socket = connect(port, LOOPBACK);
	socket.on("error", () => {});
	scenario.defer(() => socket.destroy());
	await once(socket, "connect");
	return socket;
}

const LEAVERS = 50;

/** Fifty clients leave while a connection to a database is on its way for each. */
async function leaveEarly(
	scenario: Scenario,
	handle: (socket: Socket, dial: () => Promise<Socket>) => Promise<void>,
): Promise<{ timersLeft: number; databasesLeft: number }> {
	const loopback = await Loopback.listen(scenario);
	const databases = await Loopback.listen(scenario);
	const arrivals: Promise<Socket>[] = [];
	const timersBefore = timers();
	for (let i = 0; i < LEAVERS; i++) {
		const { client, socket } = await loopback.dial();
		const left = gone(socket.resume());
		const dial = async (): Promise<Socket> => {
			await left;
			return (await databases.dial()).client;
		};
		const handler = handle(socket, () => {
			const arrival = dial();
			arrivals.push(arrival);
			return arrival;
		}).catch(() => {});
		client.destroy();
		await left;
		await handler;
	}
	const arrived = await Promise.all(arrivals);
	assert.equal(arrived.length, LEAVERS);
	// What was given back closes in one of the next turns.
	await collect();
	return {
		timersLeft: timers() - timersBefore,
		databasesLeft: arrived.filter((database) => !database.destroyed).length,
	};
}

measured(
	"5 uncancelled work, leaking: clients have left, their timers tick, and what arrived for them stays",
	async (scenario) => {
		const intervals: NodeJS.Timeout[] = [];
		const real = globalThis.setInterval;
		// So that this test can end what the pattern does not.
		scenario.defer(() => {
			globalThis.setInterval = real;
			for (const interval of intervals) clearInterval(interval);
		});
		globalThis.setInterval = ((...args: Parameters<typeof setInterval>) => {
			const interval = real(...args);
			intervals.push(interval);
			return interval;
		}) as typeof setInterval;
		const figures = await leaveEarly(scenario, uncancelled.leaking);
		tell(scenario.context, {
			"timers that tick": figures.timersLeft,
			"connections to the database": figures.databasesLeft,
		});
		assert.deepEqual(figures, { timersLeft: LEAVERS, databasesLeft: LEAVERS });
	},
);

measured(
	"5 uncancelled work, ours: what was started is ended, and what comes too late is given back",
	async (scenario) => {
		const figures = await leaveEarly(scenario, uncancelled.bounded);
		tell(scenario.context, {
			"timers that tick": figures.timersLeft,
			"connections to the database": figures.databasesLeft,
		});
		assert.deepEqual(figures, { timersLeft: 0, databasesLeft: 0 });
	},
);
