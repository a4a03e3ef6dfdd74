import assert from "node:assert/strict";
import { EventEmitter, getEventListeners, once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { Lifetime, LifetimeEnded } from "../../src/guard/lifetime.js";

function timers(): number {
	return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
}

test("the end reaches signal, timers, tasks, sockets and children, each once, and says why", async () => {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const before = timers();
	const life = new Lifetime({ name: "connection" });
	const socket = life.own(connect((server.address() as AddressInfo).port, "127.0.0.1"));
	await once(socket, "connect");
	life.setTimeout(() => assert.fail("after the end"), "10s");
	life.setInterval(() => assert.fail("after the end"), "10s");
	let releases = 0;
	life.own(() => releases++);
	const child = life.child();
	child.own(() => releases++);
	const task = life.run(async (signal) => {
		await once(signal, "abort");
		return "told";
	});
	const report = life.end("stall_timeout");
	assert.equal(life.end("lifetime"), report);
	assert.deepEqual(await report, { reason: "stall_timeout", left: [], errors: [] });
	assert.equal(await task, "told");
	assert.deepEqual([releases, child.reason, life.size, timers()], [2, "stall_timeout", 0, before]);
	assert.ok(socket.destroyed);
	assert.ok(life.signal.reason instanceof LifetimeEnded);
	server.close();
	await once(server, "close");
});

test("what was taken last is released first, and one that fails keeps none of the others", async () => {
	const life = new Lifetime();
	const order: number[] = [];
	life.own(() => order.push(1));
	life.own(() => {
		throw new Error("stuck");
	});
	life.own(() => order.push(3));
	const { errors } = await life.end();
	assert.deepEqual(order, [3, 1]);
	assert.match(String(errors[0]), /stuck/);
});

test("what arrives after the end is released, and its caller was told before", async () => {
	const life = new Lifetime({ name: "session" });
	let arrive: (resource: string) => void = () => {};
	const released: string[] = [];
	const waiting = life.acquire(
		new Promise<string>((resolve) => {
			arrive = resolve;
		}),
		(late) => released.push(late),
	);
	void life.end("client_reset");
	await assert.rejects(waiting, (error) => error instanceof LifetimeEnded && error.reason === "client_reset");
	assert.equal(released.length, 0);
	arrive("connection");
	await new Promise((resolve) => setImmediate(resolve));
	assert.equal(released.join(), "connection");
	life.own(() => released.push("owned late"));
	await assert.rejects(
		life.run(() => 1),
		/session has ended: client_reset/,
	);
	life.setTimeout(() => assert.fail("a timer after the end"), 1);
	assert.deepEqual(released, ["connection", "owned late"]);
});

test("what was acquired in time is the lifetime's, and goes with it", async () => {
	const released: string[] = [];
	{
		await using life = new Lifetime();
		assert.equal(await life.acquire(Promise.resolve("a"), (it) => released.push(it)), "a");
		await assert.rejects(
			life.acquire(Promise.reject(new Error("refused")), () => {}),
			/refused/,
		);
		assert.equal(life.size, 1);
	}
	assert.deepEqual(released, ["a"]);
});

test("a task that does not end is named with the stack that started it, when grace has passed", async () => {
	const life = new Lifetime({ name: "connection", grace: 20, trace: true });
	void life.run(() => new Promise(() => {}));
	const { left } = await life.end("drained");
	assert.deepEqual(
		left.map(({ kind, lifetime }) => [kind, lifetime]),
		[["task", "connection"]],
	);
	assert.match(left[0]?.stack ?? "", /lifetime\.test/);
});

test("a task's own error is its caller's, and ends nothing else", async () => {
	const life = new Lifetime();
	await assert.rejects(
		life.run(async () => {
			throw new Error("mine");
		}),
		/mine/,
	);
	assert.deepEqual([life.isOver, life.size], [false, 0]);
});

test("a hundred thousand children, timers, tasks and emitters that ended leave nothing", async () => {
	const life = new Lifetime({ trace: false });
	for (let turn = 0; turn < 100_000; turn++) {
		life.setTimeout(() => {}, "1h")();
		life.own(Object.assign(new EventEmitter(), { destroy: () => {} })).emit("close");
		if (turn % 10 === 0) await life.child().end();
		if (turn % 10 === 0) await life.run(() => turn);
	}
	assert.deepEqual([life.size, getEventListeners(life.signal, "abort").length], [0, 0]);
});

test("await using ends with an error that names what failed", async () => {
	await assert.rejects(async () => {
		await using life = new Lifetime();
		life.own(() => {
			throw new Error("stuck");
		});
	}, AggregateError);
});

test("an end that is asked for by who hears of the end changes neither reason nor releases", async () => {
	const life = new Lifetime();
	let releases = 0;
	life.own(() => {
		releases++;
		void life.end("a release");
	});
	life.signal.addEventListener("abort", () => void life.end("the signal"));
	const report = await life.end("client_reset");
	assert.deepEqual([report.reason, life.reason, releases], ["client_reset", "client_reset", 1]);
});

test("what a child fails with and leaves is in the report of the one above, also when it had begun to end by itself", async () => {
	const life = new Lifetime({ name: "connection", grace: 20 });
	const child = life.child("request");
	child.own(() => {
		throw new Error("stuck");
	});
	void child.run(() => new Promise(() => {}));
	const own = child.end("idle_timeout");
	assert.equal(life.size, 1, "its task still runs");
	const { errors, left } = await life.end("drained");
	assert.deepEqual(
		left.map(({ lifetime, kind }) => [lifetime, kind]),
		[
			["connection", "child"],
			["request", "task"],
		],
	);
	assert.equal((await own).reason, "idle_timeout");
	assert.deepEqual([errors.map(String), life.size], [["Error: stuck"], 1]);
});

test("the end waits for what is on its way, and has what its release failed with", async () => {
	const life = new Lifetime();
	let arrive: (resource: string) => void = () => {};
	const waiting = life.acquire(
		new Promise<string>((resolve) => {
			arrive = resolve;
		}),
		() => {
			throw new Error("not taken back");
		},
	);
	const ended = life.end();
	await assert.rejects(waiting, LifetimeEnded);
	arrive("late");
	const { errors, left } = await ended;
	assert.deepEqual([errors.map(String), left], [["Error: not taken back"], []]);
});

test("a release that fails after the report is a warning of the process", async () => {
	const life = new Lifetime({ name: "connection" });
	await life.end();
	const warned = once(process, "warning");
	life.own(() => {
		throw new Error("stuck");
	});
	assert.match(
		String((await warned)[0]),
		/connection: what came after the end could not be released: Error: stuck/,
	);
});

test("what is closed already is not owned, and what was owned is not listened to after the end", async () => {
	const life = new Lifetime();
	const stream = new PassThrough();
	stream.destroy();
	await once(stream, "close");
	life.own(stream);
	assert.equal(life.size, 0);
	const emitter = Object.assign(new EventEmitter(), { destroy: () => {} });
	life.own(emitter);
	await life.end();
	assert.equal(emitter.listenerCount("close"), 0);
});

test("what was acquired is named with the stack that asked for it", async () => {
	const life = new Lifetime({ trace: true });
	await life.acquire(Promise.resolve("connection"), () => {});
	assert.match(life.leaks()[0]?.stack ?? "", /lifetime\.test/);
	await life.end();
});

test("what the signal's listeners or another release have ended is not ended again", async () => {
	const life = new Lifetime();
	let destroyed = 0;
	const ending = (): EventEmitter & { destroy(): void } =>
		Object.assign(new EventEmitter(), {
			destroy(this: EventEmitter) {
				destroyed++;
				this.emit("close");
			},
		});
	const [first, second] = [life.own(ending()), life.own(ending())];
	life.own(() => first.destroy());
	life.signal.addEventListener("abort", () => second.destroy());
	await life.end();
	assert.deepEqual([destroyed, life.size], [2, 0]);
});

test("a hundred that listen to its signal are no leak", async () => {
	const life = new Lifetime();
	const warnings: unknown[] = [];
	const warn = (warning: unknown): void => void warnings.push(warning);
	process.on("warning", warn);
	for (let i = 0; i < 100; i++) life.signal.addEventListener("abort", () => {});
	await life.end();
	await new Promise((resolve) => setImmediate(resolve));
	process.off("warning", warn);
	assert.deepEqual(warnings, []);
});

test("an object that is given twice is released once, also after the end, and a function as often as it was given", async () => {
	const life = new Lifetime();
	let destroyed = 0;
	let called = 0;
	const object = { destroy: () => destroyed++ };
	const call = (): number => called++;
	for (const resource of [object, object, call, call]) life.own(resource);
	assert.equal(life.size, 3);
	await life.end();
	life.own(object);
	assert.deepEqual([destroyed, called], [1, 2]);
});

test("what has closed and was given again is owned again", async () => {
	const life = new Lifetime();
	let destroyed = 0;
	const emitter = Object.assign(new EventEmitter(), { destroy: () => destroyed++ });
	life.own(emitter);
	life.own(emitter);
	assert.equal(emitter.listenerCount("close"), 1);
	emitter.emit("close");
	assert.equal(life.size, 0);
	life.own(emitter);
	await life.end();
	assert.equal(destroyed, 1);
});

test("a task may end its lifetime, and one that waits for that is named when grace has passed", async () => {
	const brief = new Lifetime();
	await brief.run(() => void brief.end("drained"));
	assert.deepEqual(await brief.end(), { reason: "drained", left: [], errors: [] });

	const life = new Lifetime({ grace: 20, trace: true });
	const { left } = await life.run(() => life.end("drained"));
	assert.deepEqual(
		left.map(({ kind }) => kind),
		["task"],
	);
	assert.match(left[0]?.stack ?? "", /lifetime\.test/);
	assert.equal(life.size, 0, "it has ended by now");
});
