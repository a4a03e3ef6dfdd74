import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Writable } from "node:stream";
import { test } from "node:test";
import {
	encodeFrame,
	FrameBacklogError,
	FrameDecoder,
	FrameTooLargeError,
	FrameWriter,
	FrameWriterClosedError,
	frames,
} from "../../src/guard/frames.js";
import { OptionError } from "../../src/guard/units.js";

/** Counts what reaches it, and takes it when `release` is called, or at once. */
class Sink extends Writable {
	calls = 0;
	readonly taken: Buffer[] = [];
	readonly #slow: boolean;
	readonly #waiting: (() => void)[] = [];

	constructor(slow = false) {
		super();
		this.#slow = slow;
	}

	get bytes(): Buffer {
		return Buffer.concat(this.taken);
	}

	release(): void {
		for (const done of this.#waiting.splice(0)) done();
	}

	override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
		this.#take([chunk], done);
	}

	override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
		this.#take(
			chunks.map(({ chunk }) => chunk),
			done,
		);
	}

	#take(chunks: Buffer[], done: () => void): void {
		this.calls++;
		this.taken.push(...chunks);
		if (this.#slow) this.#waiting.push(done);
		else done();
	}
}

function turn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}

test("a thousand small frames of one turn are one write, and a thousand when each is flushed", async () => {
	for (const [flush, writes] of [
		["tick", 1],
		["immediate", 1000],
	] as const) {
		const sink = new Sink();
		const writer = new FrameWriter(sink, { flush });
		for (let frame = 0; frame < 1000; frame++) assert.equal(writer.write("0123456789"), true);
		await turn();
		assert.deepEqual(writer.counts, { frames: 1000, writes, bytes: 14_000 });
		assert.equal(sink.calls, writes);
		assert.equal([...new FrameDecoder().push(sink.bytes)].length, 1000);
	}
});

test("frames that promises write in the same turn go out together", async () => {
	const sink = new Sink();
	const writer = new FrameWriter(sink);
	await Promise.all(
		Array.from({ length: 10 }, async (_, depth) => {
			for (let step = 0; step < depth; step++) await undefined;
			writer.write("x");
		}),
	);
	await turn();
	assert.equal(sink.calls, 1);
});

test("by hand, nothing goes before flush, or before the high-water mark", async () => {
	const sink = new Sink();
	const writer = new FrameWriter(sink, { flush: "manual", highWaterBytes: 100 });
	writer.write("a".repeat(40));
	writer.write("b".repeat(40));
	await turn();
	assert.equal(sink.calls, 0);
	writer.write("c".repeat(40));
	assert.equal(sink.calls, 1);
	writer.write("d");
	writer.flush();
	writer.flush();
	assert.equal(sink.calls, 2);
	assert.equal(writer.counts.writes, 2);
});

test("a large payload is handed on as it is, behind its prefix, in the same write", async () => {
	const sink = new Sink();
	const payload = Buffer.alloc(50_000, 1);
	new FrameWriter(sink, { flush: "immediate" }).write(payload);
	assert.equal(sink.calls, 1);
	assert.equal(sink.taken[1], payload);
	assert.deepEqual(sink.bytes, encodeFrame(payload));
});

test("what others write between frames keeps its place", async () => {
	const sink = new Sink();
	const writer = new FrameWriter(sink, { prefixBytes: 1 });
	writer.write("a");
	sink.write("-");
	writer.write("b");
	await turn();
	assert.equal(sink.bytes.toString("latin1"), "\x01a-\x01b");
	assert.equal(sink.calls, 1);
});

test("the caller is asked to wait at the mark, and drained resolves when there is room", async () => {
	const sink = new Sink(true);
	const writer = new FrameWriter(sink, { highWaterBytes: 100 });
	assert.equal(writer.write(Buffer.alloc(50)), true);
	await writer.drained();
	assert.equal(writer.write(Buffer.alloc(50)), false);
	let drained = false;
	const waiting = Promise.all([writer.drained(), writer.drained()]).then(() => {
		drained = true;
	});
	await turn();
	assert.equal(drained, false);
	sink.release();
	await waiting;
	assert.ok(writer.bufferedBytes < 100);
	assert.equal(sink.listenerCount("close"), 0);
});

test("who does not wait is stopped: no more than the limit is kept", () => {
	const sink = new Sink(true);
	const writer = new FrameWriter(sink, { highWaterBytes: 100, maxBufferedBytes: 1000 });
	assert.throws(() => {
		for (;;) writer.write(Buffer.alloc(96));
	}, FrameBacklogError);
	assert.equal(writer.bufferedBytes, 1000);
	assert.equal(writer.counts.frames, 10);
});

test("a single frame larger than the backlog's limit is taken when nothing waits", () => {
	const sink = new Sink(true);
	const writer = new FrameWriter(sink, { highWaterBytes: 100, maxBufferedBytes: 1000 });
	assert.equal(writer.write(Buffer.alloc(5000)), false);
	assert.throws(() => writer.write("x"), FrameBacklogError);
});

test("a frame over the limit leaves nothing half written", async () => {
	const sink = new Sink();
	const writer = new FrameWriter(sink, { maxFrameBytes: 4, prefixBytes: 1 });
	writer.write("one");
	assert.throws(() => writer.write("three"), FrameTooLargeError);
	writer.write("two");
	writer.end();
	await once(sink, "finish");
	assert.equal(sink.bytes.toString("latin1"), "\x03one\x03two");
});

test("waiting ends by a signal, and by the stream's end, and leaves no listener", async () => {
	const sink = new Sink(true);
	sink.on("error", () => {});
	const writer = new FrameWriter(sink, { highWaterBytes: 10 });
	writer.write(Buffer.alloc(20));
	const abort = new AbortController();
	const reason = new Error("enough");
	const aborted = writer.drained({ signal: abort.signal });
	abort.abort(reason);
	await assert.rejects(aborted, reason);
	assert.equal(sink.listenerCount("close"), 0);

	const waiting = writer.drained();
	const cause = new Error("line cut");
	sink.destroy(cause);
	await assert.rejects(waiting, FrameWriterClosedError);
	assert.equal(sink.listenerCount("close"), 0);
	assert.equal(writer.write("late"), false);
	await assert.rejects(writer.drained(), { code: "SLUICE_FRAME_WRITER_CLOSED", cause });
});

test("options that cannot be followed are refused by name", () => {
	assert.throws(() => new FrameWriter(new Sink(), { flush: "never" as "tick" }), OptionError);
	assert.throws(
		() => new FrameWriter(new Sink(), { highWaterBytes: 100, maxBufferedBytes: 99 }),
		/maxBufferedBytes/,
	);
});

test("over a real connection: all frames arrive, in order, and a slow reader slows the writer down", async () => {
	const server = createServer();
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const near = connect((server.address() as AddressInfo).port, "127.0.0.1");
	const [far] = (await once(server, "connection")) as [Socket];
	const writer = new FrameWriter(near);
	let waits = 0;
	const sending = (async () => {
		for (let frame = 0; frame < 20_000; frame++) {
			const payload = Buffer.alloc(1000);
			payload.writeUInt32BE(frame);
			if (writer.write(payload)) continue;
			assert.ok(writer.bufferedBytes < 128 * 1024);
			waits++;
			await writer.drained();
		}
		writer.end();
	})();
	let expected = 0;
	for await (const frame of frames(far)) assert.equal(frame.readUInt32BE(), expected++);
	await sending;
	assert.equal(expected, 20_000);
	assert.ok(waits > 0);
	assert.ok(writer.counts.writes < 20_000 / 10);
	near.destroy();
	far.destroy();
	server.close();
});

test("who waits is told when what others wrote to the stream is gone", async () => {
	const done: (() => void)[] = [];
	const stream = new Writable({ write: (_chunk, _encoding, next) => void done.push(next) });
	const writer = new FrameWriter(stream);
	writer.write("ours");
	writer.flush();
	stream.write(Buffer.alloc(128 * 1024));
	const drained = writer.drained();
	done.shift()?.();
	await new Promise((resolve) => setImmediate(resolve));
	done.shift()?.();
	await drained;
	assert.deepEqual(
		[stream.writableLength, stream.listenerCount("drain"), stream.listenerCount("close")],
		[0, 0, 0],
	);
});

test("who waits is told when what others wrote is gone, also where the stream's own mark is higher", async () => {
	const done: (() => void)[] = [];
	const stream = new Writable({
		highWaterMark: 1024 * 1024,
		write: (_chunk, _encoding, next) => void done.push(next),
	});
	const writer = new FrameWriter(stream, { highWaterBytes: 100 });
	// The look at the stream keeps no process alive, as little as its waiters do.
	const alive = setTimeout(() => {}, 10_000);

	stream.write(Buffer.alloc(1000));
	const others = writer.drained();
	await turn();
	done.shift()?.();
	await others;

	writer.write("ours");
	writer.flush();
	stream.write(Buffer.alloc(1000));
	let told = false;
	const behindOurs = writer.drained().then(() => {
		told = true;
	});
	done.shift()?.();
	await turn();
	assert.equal(told, false);
	done.shift()?.();
	await behindOurs;
	clearTimeout(alive);
	assert.deepEqual(
		[stream.writableLength, stream.listenerCount("drain"), stream.listenerCount("close")],
		[0, 0, 0],
	);
});
