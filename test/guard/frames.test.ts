import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import fc from "fast-check";
import {
	encodeFrame,
	FrameDecoder,
	FrameDecoderStream,
	FrameEncoderStream,
	FrameFormat,
	FrameLengthError,
	type FrameOptions,
	FrameTooLargeError,
	FrameTruncatedError,
	framePieces,
	frames,
} from "../../src/guard/frames.js";
import { OptionError } from "../../src/guard/units.js";

const WIDTHS = [1, 2, 3, 4, 6, 8] as const;

const shapes: fc.Arbitrary<FrameOptions> = fc.record({
	prefixBytes: fc.constantFrom(...WIDTHS),
	byteOrder: fc.constantFrom("big" as const, "little" as const),
	lengthIncludesPrefix: fc.boolean(),
});

const payloads = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 12 });

/** The bytes in pieces, cut where the numbers (of a thousand) say. */
function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
	const at = cuts.map((cut) => Math.floor((cut * bytes.length) / 1000)).sort((a, b) => a - b);
	return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length));
}

const cuts = fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 40 });

function texts(found: Iterable<Uint8Array>): string[] {
	return [...found].map((frame) => Buffer.from(frame).toString("hex"));
}

function turn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}

/** Two ends of one connection. */
async function connection(): Promise<{ near: Socket; far: Socket; close(): void }> {
	const server = createServer({ allowHalfOpen: true });
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const near = connect((server.address() as AddressInfo).port, "127.0.0.1");
	const [[far]] = (await Promise.all([once(server, "connection"), once(near, "connect")])) as [
		[Socket],
		unknown,
	];
	return {
		near,
		far,
		close() {
			near.destroy();
			far.destroy();
			server.close();
		},
	};
}

test("what was framed, cut anywhere, comes out the same: every width, byte order and way to count", () => {
	fc.assert(
		fc.property(shapes, payloads, cuts, fc.boolean(), (shape, sent, where, pin) => {
			const decoder = new FrameDecoder({ ...shape, pin });
			const wire = Buffer.concat(sent.map((payload) => encodeFrame(payload, shape)));
			const found: Buffer[] = [];
			for (const chunk of split(wire, where)) found.push(...decoder.push(chunk));
			decoder.end();
			assert.deepEqual(texts(found), texts(sent));
			assert.equal(decoder.bufferedBytes, 0);
		}),
	);
});

test("chunks may be pushed first and read later, with the same outcome", () => {
	fc.assert(
		fc.property(shapes, payloads, cuts, (shape, sent, where) => {
			const decoder = new FrameDecoder(shape);
			for (const chunk of split(Buffer.concat(sent.map((payload) => encodeFrame(payload, shape))), where))
				decoder.push(chunk);
			decoder.end();
			assert.deepEqual(texts(decoder), texts(sent));
		}),
	);
});

test("the bytes are those of network byte order, unless said otherwise", () => {
	const rows: [FrameOptions, string][] = [
		[{}, "000000026869"],
		[{ prefixBytes: 1 }, "026869"],
		[{ prefixBytes: 2, byteOrder: "little" }, "02006869"],
		[{ prefixBytes: 3 }, "0000026869"],
		[{ prefixBytes: 6, byteOrder: "little" }, "0200000000006869"],
		[{ prefixBytes: 8 }, "00000000000000026869"],
		[{ lengthIncludesPrefix: true }, "000000066869"],
	];
	for (const [options, wire] of rows) {
		assert.equal(encodeFrame("hi", options).toString("hex"), wire);
		assert.equal(Buffer.concat(framePieces(Buffer.from("hi"), options)).toString("hex"), wire);
	}
});

test("two pieces copy nothing", () => {
	const payload = Buffer.alloc(100_000);
	assert.equal(framePieces(payload)[1], payload);
});

test("a frame over the limit is refused at each width, by the encoder and as soon as the prefix is there", () => {
	for (const prefixBytes of WIDTHS) {
		for (const byteOrder of ["big", "little"] as const) {
			for (const lengthIncludesPrefix of [false, true]) {
				const shape = { prefixBytes, byteOrder, lengthIncludesPrefix };
				const [longest] = framePieces(Buffer.alloc(100), { ...shape, maxFrameBytes: 100 });
				const [tooLong] = framePieces(Buffer.alloc(101), { ...shape, maxFrameBytes: 101 });
				const limited = { ...shape, maxFrameBytes: 100 };
				assert.throws(() => encodeFrame(Buffer.alloc(101), limited), FrameTooLargeError);
				assert.throws(() => framePieces(Buffer.alloc(101), limited), FrameTooLargeError);
				assert.equal(new FrameDecoder(limited).push(longest).read(), undefined);
				const decoder = new FrameDecoder(limited);
				assert.equal(decoder.push(tooLong.subarray(0, -1)).read(), undefined);
				assert.throws(() => decoder.push(tooLong.subarray(-1)).read(), {
					code: "SLUICE_FRAME_TOO_LARGE",
					frameBytes: 101,
					maxFrameBytes: 100,
				});
				assert.equal(decoder.partialCapacityBytes, 0);
			}
		}
	}
});

test("the largest numbers that a prefix can say are over the limit, and not taken for small ones", () => {
	for (const prefixBytes of [4, 6, 8] as const)
		for (const byteOrder of ["big", "little"] as const)
			assert.throws(
				() => new FrameDecoder({ prefixBytes, byteOrder }).push(Buffer.alloc(prefixBytes, 0xff)).read(),
				FrameTooLargeError,
			);
});

test("a narrow prefix lowers the limit to what it can say", () => {
	assert.equal(new FrameFormat({ prefixBytes: 1 }).maxFrameBytes, 255);
	assert.equal(new FrameFormat({ prefixBytes: 2, lengthIncludesPrefix: true }).maxFrameBytes, 65_533);
	assert.equal(new FrameFormat().maxFrameBytes, 1024 * 1024);
	assert.throws(() => encodeFrame(Buffer.alloc(256), { prefixBytes: 1 }), FrameTooLargeError);
});

test("a length that should include its prefix and is less than it is a fault", () => {
	const decoder = new FrameDecoder({ lengthIncludesPrefix: true });
	assert.throws(() => decoder.push(Buffer.from([0, 0, 0, 3])).read(), FrameLengthError);
});

test("frames before a fault are read first, and the fault is thrown again ever after", () => {
	const decoder = new FrameDecoder({ maxFrameBytes: 4 });
	const wire = Buffer.concat([
		encodeFrame("one"),
		encodeFrame("two"),
		encodeFrame("three"),
		encodeFrame("four"),
	]);
	const found: string[] = [];
	assert.throws(() => {
		for (const frame of decoder.push(wire)) found.push(frame.toString());
	}, FrameTooLargeError);
	assert.deepEqual(found, ["one", "two"]);
	assert.throws(() => decoder.push(encodeFrame("five")).read(), FrameTooLargeError);
	assert.throws(() => decoder.end(), FrameTooLargeError);
	assert.equal(decoder.bufferedBytes, 0);
});

test("an end within a frame is told from an end between two, at every byte", () => {
	const wire = encodeFrame("payload");
	for (let arrived = 0; arrived <= wire.length; arrived++) {
		const decoder = new FrameDecoder();
		for (const _ of decoder.push(wire.subarray(0, arrived)));
		if (arrived === 0 || arrived === wire.length) decoder.end();
		else
			assert.throws(() => decoder.end(), {
				code: "SLUICE_FRAME_TRUNCATED",
				frameBytes: arrived < 4 ? undefined : 7,
				arrivedBytes: arrived < 4 ? arrived : arrived - 4,
			});
	}
});

test("an announced megabyte costs what arrives of it, at most twice, and the frame has memory of its own length", () => {
	const bytes = 1024 * 1024;
	const [prefix] = framePieces(Buffer.alloc(bytes));
	const decoder = new FrameDecoder();
	assert.equal(decoder.push(prefix).read(), undefined);
	assert.equal(decoder.partialCapacityBytes, 0);
	assert.equal(decoder.push(Buffer.alloc(1)).read(), undefined);
	assert.equal(decoder.partialCapacityBytes, 1);
	let arrived = 1;
	for (const step of [1, 1, 7, 1000, 65_536, 65_536, 500_000]) {
		assert.equal(decoder.push(Buffer.alloc(step)).read(), undefined);
		arrived += step;
		assert.equal(decoder.bufferedBytes, arrived);
		assert.ok(decoder.partialCapacityBytes <= 2 * arrived);
	}
	const frame = decoder.push(Buffer.alloc(bytes - arrived)).read();
	assert.equal(frame?.length, bytes);
	assert.equal(frame?.buffer.byteLength, bytes);
});

test("a small frame does not hold the chunk that it came in; a large one is a view of it", () => {
	const chunk = Buffer.concat([encodeFrame(Buffer.alloc(20, 1)), encodeFrame(Buffer.alloc(60_000, 2))]);
	const [small, large] = [...new FrameDecoder().push(chunk)];
	assert.equal(small?.buffer.byteLength, 20);
	assert.equal(large?.buffer, chunk.buffer);
});

test("no frame holds more than twice its length, however it was cut, and with `pin` no whole frame is copied", () => {
	fc.assert(
		fc.property(payloads, cuts, (sent, where) => {
			const wire = Buffer.concat(sent.map((payload) => encodeFrame(payload)));
			const decoder = new FrameDecoder();
			for (const chunk of split(wire, where))
				for (const frame of decoder.push(chunk)) assert.ok(frame.buffer.byteLength <= 2 * frame.length);
			for (const frame of new FrameDecoder({ pin: true }).push(wire))
				if (frame.length > 0) assert.equal(frame.buffer, wire.buffer);
		}),
	);
});

test("what is neither bytes nor text is refused, also by the stream, which takes any object", async () => {
	for (const wrong of [7, {}, new Uint16Array(2), undefined] as unknown as Buffer[]) {
		assert.throws(() => encodeFrame(wrong), OptionError);
		assert.throws(() => framePieces(wrong), OptionError);
	}
	const encoder = new FrameEncoderStream();
	encoder.write({ message: "hello" });
	const [error] = await once(encoder, "error");
	assert.ok(error instanceof OptionError);
});

test("a signal that never comes gathers no listeners, however long the loop", async () => {
	const { signal } = new AbortController();
	const source = Readable.from(Array.from({ length: 100 }, () => encodeFrame("x")));
	for await (const _ of frames(source, { signal })) assert.ok(getEventListeners(signal, "abort").length <= 1);
	await turn();
	assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("options that cannot be followed are refused by name", () => {
	assert.throws(() => new FrameFormat({ prefixBytes: 5 as 4 }), OptionError);
	assert.throws(() => new FrameFormat({ byteOrder: "middle" as "big" }), /byteOrder/);
	assert.throws(() => frames(Readable.from([]), { maxFrameBytes: "a lot" }), /maxFrameBytes/);
});

test("streams carry payloads through a socket, in both sizes", async () => {
	const { near, far, close } = await connection();
	const sent = ["a", "", "b".repeat(100_000), "c", "d".repeat(17_000)];
	const found: string[] = [];
	await Promise.all([
		pipeline(Readable.from(sent.map((text) => Buffer.from(text))), new FrameEncoderStream(), near),
		pipeline(far, new FrameDecoderStream(), async (source: AsyncIterable<Buffer>) => {
			for await (const frame of source) found.push(frame.toString());
			far.end();
		}),
	]);
	assert.deepEqual(found, sent);
	close();
});

test("a stream takes a chunk of tiny frames apart only as fast as they are read", async () => {
	const decoder = new FrameDecoderStream({ prefixBytes: 1 });
	const taken = new Promise<void>((resolve) => decoder.write(Buffer.alloc(10_000), () => resolve()));
	decoder.end();
	await turn();
	assert.ok(decoder.readableLength <= decoder.readableHighWaterMark);
	let count = 0;
	for await (const frame of decoder) {
		assert.equal(frame.length, 0);
		assert.ok(decoder.readableLength <= decoder.readableHighWaterMark);
		count++;
	}
	assert.equal(count, 10_000);
	await taken;
});

test("streams fail with the typed error", async () => {
	const rows: [Buffer, new (...values: never[]) => Error][] = [
		[encodeFrame("12345"), FrameTooLargeError],
		[encodeFrame("1234").subarray(0, 6), FrameTruncatedError],
	];
	for (const [wire, fault] of rows)
		await assert.rejects(
			pipeline(Readable.from([wire]), new FrameDecoderStream({ maxFrameBytes: 4 }), async (source) => {
				for await (const _ of source);
			}),
			fault,
		);
	const encoder = new FrameEncoderStream({ maxFrameBytes: 4 });
	encoder.write("12345");
	const [error] = await once(encoder, "error");
	assert.ok(error instanceof FrameTooLargeError);
});

test("a loop over a socket's frames ends with the socket, and answers can still be written", async () => {
	const { near, far, close } = await connection();
	near.end(Buffer.concat([encodeFrame("one"), encodeFrame("two")]));
	const found: string[] = [];
	for await (const frame of frames(far)) found.push(frame.toString());
	assert.deepEqual(found, ["one", "two"]);
	assert.equal(far.destroyed, false);
	far.end(encodeFrame("answer"));
	for await (const frame of frames(near)) found.push(frame.toString());
	assert.equal(found[2], "answer");
	close();
});

test("leaving the loop early, or a fault in it, destroys the socket and leaves no listener", async () => {
	for (const options of [{}, { maxFrameBytes: 4 }]) {
		const { near, far, close } = await connection();
		const listeners = far.listenerCount("readable");
		near.write(Buffer.concat([encodeFrame("one"), encodeFrame("three")]));
		const found: string[] = [];
		try {
			for await (const frame of frames(far, options)) {
				found.push(frame.toString());
				if (options.maxFrameBytes === undefined) break;
			}
		} catch (error) {
			assert.ok(error instanceof FrameTooLargeError);
		}
		assert.deepEqual(found, ["one"]);
		assert.equal(far.destroyed, true);
		await once(far, "close");
		assert.equal(far.listenerCount("readable"), listeners);
		close();
	}
});

test("a loop that waits ends by its signal, with the signal's reason", async () => {
	const { far, close } = await connection();
	const abort = new AbortController();
	const reason = new Error("enough");
	const loop = (async () => {
		for await (const _ of frames(far, { signal: abort.signal }));
	})();
	setImmediate(() => abort.abort(reason));
	await assert.rejects(loop, reason);
	assert.equal(far.destroyed, true);
	close();
});

test("a source that is only iterable is read, and told when the loop is left", async () => {
	let released = 0;
	async function* source(): AsyncGenerator<Uint8Array> {
		try {
			yield new Uint8Array([0, 0, 0]);
			yield new Uint8Array([1, 65, 0, 0, 0, 1, 66]);
		} finally {
			released++;
		}
	}
	for await (const frame of frames(source())) {
		assert.equal(frame.toString(), "A");
		break;
	}
	assert.equal(released, 1);
});

test("a source that ends within a frame, or fails, ends the loop with that", async () => {
	const cut = new PassThrough();
	cut.end(encodeFrame("one").subarray(0, 5));
	await assert.rejects(async () => {
		for await (const _ of frames(cut));
	}, FrameTruncatedError);
	const failing = new PassThrough();
	failing.destroy(new Error("line cut"));
	await assert.rejects(async () => {
		for await (const _ of frames(failing));
	}, /line cut/);
});

test("a frame that was encoded holds no more memory than its own", () => {
	const format = new FrameFormat({ prefixBytes: 2 });
	for (const payload of ["hello", Buffer.from("hello")]) {
		const frame = encodeFrame(payload, format);
		assert.equal(frame.buffer.byteLength, 7);
		const [prefix, body] = framePieces(payload, format);
		assert.equal(prefix.buffer.byteLength, 2);
		assert.equal(Buffer.concat([prefix, body]).toString("latin1"), "\0\x05hello");
		if (typeof payload === "string") assert.equal(body.buffer.byteLength, 5);
		else assert.equal(body, payload);
	}
});
