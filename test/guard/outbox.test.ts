import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Writable } from "node:stream";
import { describe, test } from "node:test";
import fc from "fast-check";
import WebSocket, { WebSocketServer } from "ws";
import { type SinkEvents, sinkOf } from "../../src/guard/outbox/sink.js";
import { isTicking, unwatch, type Waiting, watch } from "../../src/guard/outbox/stall.js";
import {
	type DropCause,
	type Gap,
	Message,
	OptionError,
	Outbox,
	OutboxClosed,
	type OutboxOptions,
	type OutboxPolicy,
	type OutboxPriority,
	type SendResult,
} from "../../src/guard/outbox.js";
import { descriptorsOf } from "../support/descriptors.js";
import { eventually, PATIENCE_MS } from "../support/waiting.js";
import { FakeWebSocket } from "./fake-websocket.js";

const NO_EVENTS: SinkEvents = { written: () => {}, opened: () => {}, closed: () => {} };

/** One byte at a time to the socket, so that all others wait. */
function tight(options: OutboxOptions = {}): { fake: FakeWebSocket; outbox: Outbox; gaps: Gap[] } {
	const fake = new FakeWebSocket();
	const gaps: Gap[] = [];
	const onGap = (gap: Gap): void => void gaps.push(gap);
	return { fake, gaps, outbox: new Outbox(fake, { messagesMax: 4, handedMax: 1, onGap, ...options }) };
}

describe("what happens where there is no room", () => {
	// The first is with the socket; three wait; then comes the message of the row.
	const rows: readonly [OutboxPolicy, string, string, SendResult, string][] = [
		["drop-oldest", "a b c d", "e", "queued", "a c d e"],
		["drop-oldest", "a b c d", "E", "queued", "a E c d"],
		["drop-oldest", "a B c D", "e", "queued", "a B D e"],
		["drop-oldest", "a B C D", "e", "dropped", "a B C D"],
		["drop-oldest", "a B C D", "E", "queued", "a C D E"],
		["drop-newest", "a b c d", "e", "dropped", "a b c d"],
		["drop-newest", "a b c d", "E", "queued", "a E b c"],
		["drop-newest", "a B C D", "e", "dropped", "a B C D"],
		["drop-newest", "a B C D", "E", "dropped", "a B C D"],
		["conflate", "a b c d", "b2", "queued", "a b2 c d"],
		["conflate", "a b c", "b2", "queued", "a b2 c"],
		["conflate", "a b c d", "e", "queued", "a c d e"],
		["conflate", "a B c d", "e", "queued", "a B d e"],
		["disconnect", "a b c d", "e", "closed", "a"],
		["disconnect", "a b c d", "E", "closed", "a"],
	];
	for (const [policy, before, next, result, sent] of rows)
		test(`${policy}: ${next} after ${before} is ${result}, and ${sent} is sent`, () => {
			const { fake, outbox } = tight({ policy, key: (message) => Buffer.from(message.data).toString()[0] });
			const send = (text: string): SendResult =>
				outbox.send(text, { priority: /[A-Z]/.test(text) ? "high" : "low" });
			for (const text of before.split(" ")) send(text);
			assert.equal(send(next), result);
			fake.takeAll();
			assert.deepEqual(fake.got, sent.split(" "));
			assert.equal(outbox.reason, policy === "disconnect" ? "outbox_full" : undefined);
			outbox.close();
			assert.deepEqual(Message.retained, { messages: 0, bytes: 0 });
		});

	test("a waiting message moves to the front when a newer one of its key is more urgent", () => {
		const { fake, outbox, gaps } = tight({ policy: "conflate", messagesMax: 10 });
		outbox.send("first");
		outbox.send(new Message("old", { key: 1 }));
		outbox.send("other");
		outbox.send(new Message("new", { key: 1 }), { priority: "high" });
		fake.takeAll();
		assert.deepEqual([fake.got, gaps], [["first", "new", "other"], []]);
		assert.deepEqual(outbox.dropped.by.conflated, { messages: 1, bytes: 3 });
	});

	test("a message larger than the bound is refused, and nothing is evicted for it", () => {
		const { outbox } = tight({ bytesMax: 10 });
		outbox.send("12345");
		assert.equal(outbox.send("12345678901"), "too_large");
		assert.deepEqual([outbox.size, outbox.bytes], [1, 5]);
		assert.deepEqual(outbox.dropped.by.too_large, { messages: 1, bytes: 11 });
		outbox.close();
	});

	test("a message that what the socket has leaves no room for is dropped, and evicts nobody in vain", () => {
		const { outbox } = tight({ bytesMax: 10 });
		outbox.send("123456");
		outbox.send("abc");
		assert.equal(outbox.send("12345"), "dropped");
		assert.deepEqual([outbox.size, outbox.bytes], [2, 9]);
		outbox.close();
	});
});

describe("against a naive model", () => {
	interface Item {
		id: string;
		bytes: number;
		key: number;
		isLost: boolean;
	}

	/** Everything by looking through lists in which what was lost keeps its place. */
	class Model {
		readonly lanes: Record<OutboxPriority, Item[]> = { high: [], low: [] };
		handed: Item[] = [];
		readonly sent: string[] = [];
		readonly gaps: Gap[] = [];
		readonly dropped: Record<DropCause, number> = {
			evicted: 0,
			refused: 0,
			conflated: 0,
			too_large: 0,
			closed: 0,
		};
		isClosed = false;

		constructor(
			readonly policy: OutboxPolicy,
			readonly bytesMax: number,
			readonly messagesMax: number,
			readonly handedMax: number,
		) {}

		waiting(priority: OutboxPriority): Item[] {
			return this.lanes[priority].filter(({ isLost }) => !isLost);
		}

		held(): Item[] {
			return [...this.handed, ...this.waiting("high"), ...this.waiting("low")];
		}

		send(item: Item, priority: OutboxPriority): SendResult {
			if (this.isClosed) return "closed";
			const lane = this.lanes[priority];
			const lose = (cause: DropCause): void => {
				this.dropped[cause]++;
				lane.push({ ...item, isLost: true });
			};
			if (item.bytes > this.bytesMax && this.policy !== "disconnect") {
				lose("too_large");
				return "too_large";
			}
			const places = [...this.waiting("high"), ...this.waiting("low")];
			const old =
				this.policy === "conflate" && item.key > 0 ? places.find(({ key }) => key === item.key) : undefined;
			const rest = this.held().filter((other) => other !== old);
			const victims = this.victims(priority).filter((other) => other !== old);
			const evicted: Item[] = [];
			const fits = (): boolean => {
				const left = rest.filter((other) => !evicted.includes(other));
				return sum(left) + item.bytes <= this.bytesMax && left.length + 1 <= this.messagesMax;
			};
			while (!fits()) {
				const victim = victims.shift();
				if (victim !== undefined) {
					evicted.push(victim);
					continue;
				}
				if (this.policy === "disconnect") {
					this.isClosed = true;
					this.dropped.closed += places.length;
					return "closed";
				}
				lose("refused");
				return "dropped";
			}
			for (const victim of evicted) victim.isLost = true;
			this.dropped.evicted += evicted.length;
			if (old !== undefined) {
				this.dropped.conflated++;
				if (priority === "low" || this.lanes.high.includes(old)) {
					Object.assign(old, item);
					return "queued";
				}
				this.lanes.low.splice(this.lanes.low.indexOf(old), 1);
			}
			lane.push(item);
			this.pump();
			return this.sent.includes(item.id) ? "sent" : "queued";
		}

		victims(priority: OutboxPriority): Item[] {
			if (this.policy === "disconnect") return [];
			if (this.policy === "drop-newest") return priority === "high" ? this.waiting("low").reverse() : [];
			return priority === "high" ? [...this.waiting("low"), ...this.waiting("high")] : this.waiting("low");
		}

		pump(): void {
			for (;;) {
				const priority = this.waiting("high").length > 0 ? "high" : "low";
				const [item] = this.waiting(priority);
				if (item === undefined) return;
				if (this.handed.length > 0 && sum(this.handed) + item.bytes > this.handedMax) return;
				const lane = this.lanes[priority];
				const lost = lane.splice(0, lane.indexOf(item) + 1).slice(0, -1);
				if (lost.length > 0) this.gaps.push({ messages: lost.length, bytes: sum(lost), priority });
				this.handed.push(item);
				this.sent.push(item.id);
			}
		}

		take(): void {
			if (this.isClosed) return;
			this.handed.shift();
			this.pump();
		}
	}

	const sum = (items: readonly Item[]): number => items.reduce((bytes, item) => bytes + item.bytes, 0);

	const sending = fc.record({
		bytes: fc.integer({ min: 4, max: 14 }),
		key: fc.integer({ min: 0, max: 3 }),
		priority: fc.constantFrom<OutboxPriority>("high", "low", "low"),
	});
	const steps = fc.array(fc.oneof({ weight: 3, arbitrary: sending }, fc.constant("take" as const)), {
		maxLength: 60,
	});

	for (const policy of ["drop-oldest", "drop-newest", "conflate", "disconnect"] as const)
		test(`${policy}: the same is sent, dropped and told, in the same order, and never more is retained`, () => {
			fc.assert(
				fc.property(
					steps,
					fc.integer({ min: 8, max: 40 }),
					fc.integer({ min: 1, max: 6 }),
					fc.integer({ min: 1, max: 30 }),
					(steps, bytesMax, messagesMax, handedMax) => {
						const fake = new FakeWebSocket();
						const gaps: Gap[] = [];
						const onGap = (gap: Gap): void => void gaps.push(gap);
						const key = (message: Message): unknown => message.key;
						const outbox = new Outbox(fake, { policy, bytesMax, messagesMax, handedMax, key, onGap });
						const model = new Model(policy, bytesMax, messagesMax, Math.max(1, handedMax));
						let count = 0;
						let refusedWhenClosed = 0;
						for (const step of steps) {
							if (step === "take") {
								fake.take();
								model.take();
							} else {
								const id = String(count++).padStart(4, "0").padEnd(step.bytes, ".");
								const item = { id, bytes: step.bytes, key: step.key, isLost: false };
								const message = new Message(id, step.key > 0 ? { key: step.key } : {});
								const result = outbox.send(message, { priority: step.priority });
								assert.equal(result, model.send(item, step.priority));
								if (result === "closed") refusedWhenClosed++;
							}
							assert.ok(outbox.bytes <= bytesMax && outbox.size <= messagesMax);
							assert.ok(fake.pending <= 1 || fake.bufferedAmount <= handedMax);
							assert.deepEqual(fake.got, model.sent);
							assert.deepEqual(gaps, model.gaps);
							if (!model.isClosed) {
								assert.equal(outbox.bytes, sum(model.held()));
								assert.equal(outbox.size, model.held().length);
								assert.deepEqual(Message.retained, { messages: outbox.size, bytes: outbox.bytes });
							}
							const { by, messages } = outbox.dropped;
							for (const cause of Object.keys(model.dropped) as DropCause[])
								assert.equal(by[cause].messages, model.dropped[cause], cause);
							const waiting = outbox.size - (model.isClosed ? 0 : fake.pending);
							assert.equal(fake.got.length + messages + waiting + refusedWhenClosed, count);
						}
						outbox.close();
						assert.deepEqual([outbox.size, outbox.bytes], [0, 0]);
						assert.deepEqual(Message.retained, { messages: 0, bytes: 0 });
					},
				),
			);
		});

	test("when all has been sent, the gaps that were told and the one at the end add up to what was lost", () => {
		const { fake, outbox, gaps } = tight();
		for (let i = 0; i < 100; i++) {
			outbox.send(`${i}`);
			if (i % 9 === 0) fake.take();
		}
		fake.takeAll();
		assert.equal(
			gaps.reduce((messages, gap) => messages + gap.messages, 0),
			outbox.dropped.messages,
		);
		assert.equal(fake.got.length + outbox.dropped.messages, 100);
	});
});

describe("callbacks that call the outbox", () => {
	test("what a gap's callback sends goes after the message that the gap is told for", () => {
		const fake = new FakeWebSocket();
		const outbox: Outbox = new Outbox(fake, {
			messagesMax: 2,
			handedMax: 1,
			onGap: ({ messages }) => assert.equal(outbox.send(`lost ${messages}`, { priority: "high" }), "queued"),
		});
		for (const text of ["a", "b", "c", "d"]) outbox.send(text);
		fake.takeAll();
		assert.deepEqual(fake.got, ["a", "d", "lost 2"]);
	});

	test("a gap's callback that closes keeps the message from being sent", () => {
		const fake = new FakeWebSocket();
		const outbox: Outbox = new Outbox(fake, {
			messagesMax: 2,
			handedMax: 1,
			onGap: () => outbox.close("rejected"),
		});
		for (const text of ["a", "b", "c"]) outbox.send(text);
		fake.takeAll();
		assert.deepEqual([fake.got, outbox.reason, outbox.size], [["a"], "rejected", 0]);
		assert.deepEqual([outbox.dropped.by.evicted.messages, outbox.dropped.by.closed.messages], [1, 1]);
		assert.equal(fake.listenerCount("close") + fake.listenerCount("error"), 0);
	});

	test("a gap's callback that throws does not lose the message", () => {
		const fake = new FakeWebSocket();
		const outbox = new Outbox(fake, {
			messagesMax: 2,
			handedMax: 1,
			onGap: () => {
				throw new Error("from the callback");
			},
		});
		for (const text of ["a", "b", "c"]) outbox.send(text);
		assert.throws(() => fake.take(), /from the callback/);
		fake.takeAll();
		assert.deepEqual([fake.got, outbox.size], [["a", "c"], 0]);
	});

	test("a socket that calls back from within send is no harm", () => {
		const fake = new FakeWebSocket();
		const outbox = new Outbox(fake, { handedMax: 1 });
		const { send } = fake;
		fake.send = (...parts) => {
			send.apply(fake, parts);
			fake.take();
		};
		for (const text of ["a", "b", "c"]) assert.equal(outbox.send(text), "sent");
		assert.deepEqual([fake.got, outbox.size, isTicking()], [["a", "b", "c"], 0, false]);
	});

	test("all who listen hear of the end, also when one of them throws", () => {
		const { outbox } = tight();
		const heard: string[] = [];
		outbox.onClose(() => {
			throw new Error("from a listener");
		});
		outbox.onClose((reason) => heard.push(reason));
		outbox.onClose((reason) => heard.push(reason))();
		assert.throws(() => outbox.close("rejected"), /from a listener/);
		outbox.onClose((reason) => heard.push(`late ${reason}`));
		assert.deepEqual(heard, ["rejected", "late rejected"]);
	});
});

describe("flushed", () => {
	test("resolves at once where nothing waits, and when the last one is taken", async () => {
		const { fake, outbox } = tight();
		await outbox.flushed();
		outbox.send("a");
		outbox.send("b");
		const flushed = outbox.flushed();
		fake.takeAll();
		await flushed;
	});

	test("rejects with the signal's reason, and with the reason of the end", async () => {
		const { outbox } = tight();
		outbox.send("a");
		const controller = new AbortController();
		const aborted = outbox.flushed({ signal: controller.signal });
		controller.abort(new Error("no longer"));
		await assert.rejects(aborted, /no longer/);
		await assert.rejects(outbox.flushed({ signal: controller.signal }), /no longer/);
		const closed = outbox.flushed();
		outbox[Symbol.dispose]();
		await assert.rejects(closed, (error: OutboxClosed) => error.reason === "drained");
		await assert.rejects(outbox.flushed(), OutboxClosed);
		assert.equal(outbox.send("late"), "closed");
	});
});

test("text and bytes stay what they are, and bytes are not copied", () => {
	const fake = new FakeWebSocket();
	const outbox = new Outbox(fake);
	outbox.send("ä");
	const bytes = Buffer.from([1]);
	assert.equal(new Message(bytes).data, bytes);
	outbox.send(bytes);
	assert.deepEqual(fake.binary, [false, true]);
	// A short text has memory of its own, and does not keep 8 KiB of a pool.
	assert.equal(new Message("ä").data.buffer.byteLength, 2);
	outbox.close();
});

test("the timer runs only while something waits", () => {
	const first = tight();
	const second = tight();
	assert.equal(isTicking(), false);
	first.outbox.send("a");
	second.outbox.send("a");
	assert.equal(isTicking(), true);
	first.fake.takeAll();
	assert.equal(isTicking(), true);
	second.outbox.close();
	assert.equal(isTicking(), false);
});

test("where nothing may be missing, a message that is too large ends the connection", () => {
	const { fake, outbox } = tight({ bytesMax: 10, policy: "disconnect" });
	assert.equal(outbox.send("12345678901"), "closed");
	assert.deepEqual([outbox.reason, fake.readyState], ["outbox_full", 3]);
});

test("one whose callback throws when its deadline passes does not cost the others theirs", async () => {
	const expired: number[] = [];
	const all = [1, 2, 3].map((number) => ({
		dueMs: () => 0,
		expire: () => {
			expired.push(number);
			unwatch(all[number - 1] as Waiting);
			if (number < 3) throw new Error(`of ${number}`);
		},
	}));
	const thrown = new Promise((resolve) => process.setUncaughtExceptionCaptureCallback(resolve));
	// The timer for deadlines keeps no program alive, and here nothing else does.
	const awake = setInterval(() => {}, PATIENCE_MS);
	for (const one of all) watch(one, performance.now());
	assert.match(String(await thrown), /of 1/);
	clearInterval(awake);
	process.setUncaughtExceptionCaptureCallback(null);
	assert.deepEqual(expired, [1, 2, 3]);
});

test("what is sent on and on to a peer that takes nothing does not put off its deadline", () => {
	const stream = new Writable({ highWaterMark: 1024, write: () => {} });
	const { fake, outbox } = tight({ handedMax: 1024 });
	const sinks = [sinkOf(stream, NO_EVENTS), sinkOf(fake, NO_EVENTS)];
	for (const sink of sinks) {
		const before = sink.taken;
		for (let i = 0; i < 3; i++) sink.write(new Message("abc"));
		assert.ok(sink.taken <= before, `${before} B taken before, ${sink.taken} B after`);
	}
	fake.take();
	assert.equal(sinks[1]?.taken, 3);
	stream.destroy();
	outbox.close();
});

test("a stream that fails while it is destroyed ends no program, and keeps no listener", async () => {
	const stream = new Writable({
		write: (_chunk, _encoding, done) => done(),
		destroy: (_error, done) => done(new Error("late")),
	});
	const outbox = new Outbox(stream);
	outbox.close();
	await new Promise((resolve) => stream.once("close", resolve));
	assert.deepEqual(
		[outbox.reason, stream.listenerCount("error"), stream.listenerCount("close")],
		["drained", 0, 0],
	);
});

test("a malformed frame that had come before a WebSocket was closed ends no program", async () => {
	const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
	await once(server, "listening");
	const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
	client.write(
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	);
	const [socket]: WebSocket[] = await once(server, "connection");
	assert.ok(socket !== undefined);
	const { _socket: beneath } = socket as WebSocket & { readonly _socket: Socket };
	const outbox = new Outbox(socket);
	// It waits in the socket, as it does while the handler is behind.
	socket.pause();
	client.write(Buffer.alloc(6, 0xff));
	await eventually(
		() => (beneath.readableLength > 0 ? true : undefined),
		() => "the frame",
	);
	outbox.close();
	await new Promise((resolve) => socket.once("close", resolve));
	assert.deepEqual([outbox.reason, socket.listenerCount("error")], ["drained", 0]);
	client.destroy();
	server.close();
	await once(server, "close");
});

test("options that cannot be followed are told", () => {
	const fake = new FakeWebSocket();
	for (const options of [{ bytesMax: 0 }, { messagesMax: 0 }, { handedMax: "x" }, { write: 0 }])
		assert.throws(() => new Outbox(fake, options), OptionError);
	assert.throws(() => new Outbox(fake, { policy: "drop" as OutboxPolicy }), OptionError);
	assert.equal(fake.listenerCount("close"), 0);
});

test("a WebSocket that is not open yet gets its messages when it is", () => {
	const fake = new FakeWebSocket();
	fake.readyState = 0;
	const outbox = new Outbox(fake);
	assert.equal(outbox.send("a"), "queued");
	fake.readyState = 1;
	fake.emit("open");
	assert.deepEqual(fake.got, ["a"]);
	outbox.close();
	assert.equal(fake.listenerCount("open"), 0);
});

/** Both ends of a loopback connection; the client does not read before it is told to. */
async function pair(): Promise<{ socket: Socket; client: Socket; end(): Promise<void> }> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const client = connect((server.address() as AddressInfo).port, "127.0.0.1").pause();
	const [socket] = (await once(server, "connection")) as [Socket];
	const end = async (): Promise<void> => {
		const open = [socket, client].filter(({ closed }) => !closed);
		const closed = open.map((one) => once(one, "close"));
		for (const one of open) one.destroy();
		server.close();
		await Promise.all(closed);
	};
	return { socket, client, end };
}

describe("on a real socket", () => {
	test("a reader that stops makes it drop within its bound, and gets the rest in order when it goes on", async () => {
		const before = descriptorsOf(process.pid);
		const { socket, client, end } = await pair();
		const gaps: Gap[] = [];
		const outbox = new Outbox(socket, { bytesMax: "256KiB", onGap: (gap) => gaps.push(gap) });
		const bytes = 16 * 1024;
		let count = 0;
		// The kernel takes megabytes before it is full; each turn it may take more.
		while (outbox.dropped.messages < 50) {
			outbox.send(String(count++).padEnd(bytes));
			assert.ok(outbox.bytes <= 256 * 1024);
			assert.ok(socket.writableLength <= 64 * 1024, `${socket.writableLength} B with the socket`);
			await new Promise(setImmediate);
		}
		const parts: Buffer[] = [];
		client.on("data", (part: Buffer) => parts.push(part)).resume();
		await outbox.flushed();
		outbox.close();
		await once(client, "close");
		const ids = Buffer.concat(parts).toString().trim().split(/ +/).map(Number);
		assert.equal(ids.length + outbox.dropped.messages, count);
		assert.deepEqual(
			ids,
			[...ids].sort((a, b) => a - b),
		);
		assert.equal(
			gaps.reduce((messages, gap) => messages + gap.messages, 0),
			outbox.dropped.messages,
		);
		await end();
		assert.deepEqual(descriptorsOf(process.pid).length, before.length);
	});

	test("a peer that takes nothing is closed as stall_timeout, and nothing is left on its socket", async () => {
		const { socket, end } = await pair();
		const names = ["close", "error", "drain"];
		const before = names.map((name) => socket.listenerCount(name));
		const outbox = new Outbox(socket, { bytesMax: "8MiB", write: "100ms" });
		const gone = new Promise((resolve) => {
			outbox.onClose(() => socket.once("close", resolve));
		});
		const closed = new Promise<string>((resolve) => outbox.onClose(resolve));
		for (let i = 0; i < 8; i++) outbox.send(Buffer.alloc(1024 * 1024));
		const flushed = assert.rejects(outbox.flushed(), OutboxClosed);
		assert.equal(await closed, "stall_timeout");
		await flushed;
		assert.deepEqual([socket.destroyed, outbox.size, outbox.bytes], [true, 0, 0]);
		await gone;
		assert.deepEqual(
			names.map((name) => socket.listenerCount(name)),
			before,
		);
		assert.deepEqual(Message.retained, { messages: 0, bytes: 0 });
		await end();
	});

	test("a peer that is slow, and takes a long message in parts, is not closed", async () => {
		const { socket, client, end } = await pair();
		const bytes = 16 * 1024 * 1024;
		// Longer than this program may have to wait for a processor.
		const outbox = new Outbox(socket, { bytesMax: bytes, write: "1s" });
		outbox.send(Buffer.alloc(bytes));
		const began = performance.now();
		let got = 0;
		// A part and a pause, for longer in all than the deadline.
		while (got < bytes) {
			const part: Buffer | null = client.read();
			got += part?.length ?? 0;
			assert.equal(client.readableEnded || client.destroyed, false, `closed after ${got} bytes`);
			if (part === null) await Promise.race([once(client, "readable"), once(client, "close")]);
			else if (got < bytes) await new Promise((resolve) => setTimeout(resolve, 6));
		}
		assert.ok(performance.now() - began > 1_000);
		await outbox.flushed();
		assert.equal(outbox.reason, undefined);
		await end();
	});

	test("a peer that resets ends it without an error of the program, and whoever waits is told", async () => {
		const { socket, client, end } = await pair();
		const outbox = new Outbox(socket, { bytesMax: "16MiB" });
		for (let i = 0; i < 16; i++) outbox.send(Buffer.alloc(1024 * 1024));
		const flushed = assert.rejects(
			outbox.flushed(),
			(error: OutboxClosed) => error.reason === "client_reset",
		);
		const closed = once(socket, "close");
		client.resetAndDestroy();
		await flushed;
		await closed.catch(() => once(socket, "close"));
		assert.deepEqual([outbox.send("late"), outbox.size], ["closed", 0]);
		assert.equal(socket.listenerCount("error"), 0);
		await end();
	});

	test("what was sent before the socket was ended still arrives", async () => {
		const { socket, client, end } = await pair();
		const outbox = new Outbox(socket);
		outbox.send("all of it");
		socket.end();
		assert.equal(outbox.send("late"), "closed");
		assert.equal(outbox.reason, "client_closed");
		assert.equal(String(await once(client.resume(), "data")), "all of it");
		await end();
		assert.equal(socket.listenerCount("error"), 0);
	});
});

test("a real WebSocket whose client stops reading retains no more than the bound, and is closed in the end", async () => {
	const before = descriptorsOf(process.pid);
	const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
	await once(server, "listening");
	const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
	const [[socket]] = (await Promise.all([once(server, "connection"), once(client, "open")])) as [
		[WebSocket],
		unknown,
	];
	const outbox = new Outbox(socket, { bytesMax: "512KiB", write: "200ms" });
	client.pause();
	const message = new Message(Buffer.alloc(60 * 1024));
	const closed = new Promise<string>((resolve) => outbox.onClose(resolve));
	while (!outbox.isClosed) {
		outbox.send(message);
		assert.ok(outbox.bytes <= 512 * 1024);
		assert.ok(socket.bufferedAmount <= 65 * 1024, `${socket.bufferedAmount} B with the WebSocket`);
		assert.ok(Message.retained.bytes <= message.bytes, "one message, however often it waits");
		await new Promise(setImmediate);
	}
	assert.equal(await closed, "stall_timeout");
	assert.ok(outbox.dropped.by.evicted.messages > 0);
	client.terminate();
	server.close();
	await eventually(
		() => descriptorsOf(process.pid).length === before.length || undefined,
		() => "the end of all descriptors",
	);
});
