/** Datagrams as frames on a line: every length, every cut, and whatever else may come. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FrameDecoder } from "../../../src/guard/frames/decoder.js";
import {
	datagramOfFrame,
	FRAME_CUT,
	FRAME_TOO_LONG,
	LENGTH_BYTES,
	LINE_DATAGRAM_MAX_BYTES,
	LINE_FRAME_MAX_BYTES,
	writeFrameLength,
} from "../../../src/protocol/tunnel/index.js";

function frameOf(datagram: Uint8Array): Buffer {
	const frame = Buffer.alloc(LENGTH_BYTES + datagram.length);
	frame.set(datagram, writeFrameLength(frame, 0, datagram.length));
	return frame;
}

/** What a stream that has come so far holds: its datagrams, and what is left of it. */
function read(bytes: Uint8Array): { datagrams: Buffer[]; left: Uint8Array; fault: boolean } {
	const datagrams: Buffer[] = [];
	let at = 0;
	for (;;) {
		const length = datagramOfFrame(bytes, at, bytes.length);
		if (length < 0) return { datagrams, left: bytes.subarray(at), fault: length === FRAME_TOO_LONG };
		datagrams.push(Buffer.from(bytes.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length)));
		at += LENGTH_BYTES + length;
	}
}

test("a frame is its datagram's length and the datagram; every part of it waits for the rest", () => {
	assert.deepEqual(frameOf(Buffer.from("abc")), Buffer.of(0, 3, 0x61, 0x62, 0x63));
	for (const length of [0, 1, 2, 255, 256, 1_200, LINE_DATAGRAM_MAX_BYTES]) {
		const frame = Buffer.concat([Buffer.of(9, 9), frameOf(Buffer.alloc(length, 7)), Buffer.of(9)]);
		const end = frame.length - 1;
		assert.equal(datagramOfFrame(frame, 2, end), length);
		assert.equal(datagramOfFrame(frame, 2, end + 1), length, "what stands behind it is another frame's");
		for (let cut = 2; cut < end; cut++)
			assert.equal(datagramOfFrame(frame, 2, cut), FRAME_CUT, `${length}, ${cut}`);
	}
	assert.equal(frameOf(Buffer.alloc(LINE_DATAGRAM_MAX_BYTES)).length, LINE_FRAME_MAX_BYTES);
});

test("a length beyond the longest is a fault as soon as it is there, and is never written", () => {
	for (let length = LINE_DATAGRAM_MAX_BYTES + 1; length <= 0xffff; length++) {
		const bytes = Buffer.of(length >> 8, length & 0xff);
		assert.equal(datagramOfFrame(bytes, 0, 2), FRAME_TOO_LONG, String(length));
	}
	for (let first = 0; first <= 0xff; first++)
		assert.equal(datagramOfFrame(Buffer.of(first), 0, 1), first >= 0x80 ? FRAME_TOO_LONG : FRAME_CUT);
	for (let length = 0; length <= LINE_DATAGRAM_MAX_BYTES; length++) {
		const bytes = Buffer.alloc(2);
		writeFrameLength(bytes, 0, length);
		assert.equal(bytes.readUInt16BE(0), length);
	}
	assert.throws(() => writeFrameLength(Buffer.alloc(2), 0, LINE_DATAGRAM_MAX_BYTES + 1), RangeError);
});

test("however a stream is cut, its datagrams are the same, and the other reader says so, too", () => {
	const datagrams = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 });
	fc.assert(
		fc.property(datagrams, fc.array(fc.nat(30), { maxLength: 40 }), (sent, cuts) => {
			const stream = Buffer.concat(sent.map(frameOf));
			const decoder = new FrameDecoder({ prefixBytes: 2, maxFrameBytes: LINE_DATAGRAM_MAX_BYTES });
			const got: Buffer[] = [];
			const others: Buffer[] = [];
			let left: Uint8Array = Buffer.alloc(0);
			let at = 0;
			for (const cut of [...cuts, stream.length]) {
				const piece = stream.subarray(at, at + cut);
				at = Math.min(stream.length, at + cut);
				const found = read(Buffer.concat([left, piece]));
				assert.equal(found.fault, false);
				got.push(...found.datagrams);
				({ left } = found);
				for (const frame of decoder.push(Buffer.from(piece))) others.push(Buffer.from(frame));
			}
			assert.equal(left.length, 0);
			assert.deepEqual(
				got,
				sent.map((each) => Buffer.from(each)),
			);
			assert.deepEqual(others, got);
		}),
	);
});

test("whatever comes is read within its bounds, to its end or to its fault", () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
			const { datagrams, left, fault } = read(bytes);
			const whole = datagrams.reduce((sum, { length }) => sum + LENGTH_BYTES + length, 0);
			assert.equal(whole + left.length, bytes.length);
			assert.equal(fault, left.length > 0 && datagramOfFrame(left, 0, left.length) === FRAME_TOO_LONG);
		}),
	);
});
