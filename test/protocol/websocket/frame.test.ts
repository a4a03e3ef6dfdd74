import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import * as ws from "ws";
import { COMPLETE, MALFORMED, NEED_MORE } from "../../../src/protocol/index.js";
import {
	Frame,
	HEADER_MAX_BYTES,
	parseFrame,
	unmask,
	writeFrameHeader,
} from "../../../src/protocol/websocket/frame.js";

const MOST = 1 << 20;

/** As the client of `ws` writes it. */
function frame(opcode: number, payload: Uint8Array, fin = true): Uint8Array {
	const options = { fin, opcode, mask: true, readOnly: true, rsv1: false } as const;
	// Not in its types, and exported: what all of its sends go through.
	const { Sender } = ws as unknown as { Sender: { frame(data: Buffer, options: object): Buffer[] } };
	return new Uint8Array(Buffer.concat(Sender.frame(Buffer.from(payload), options)));
}

test("frames of a client read back as they were, whatever stands around them, and no part of one is taken for the whole", () => {
	fc.assert(
		fc.property(
			fc.constantFrom(0x0, 0x1, 0x2, 0x8, 0x9, 0xa),
			fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 65_500, max: 66_000 })),
			fc.nat(20),
			fc.boolean(),
			(opcode, length, before, fin) => {
				const isControl = opcode >= 8;
				const payload = new Uint8Array(randomBytes(isControl ? Math.min(length, 125) : length));
				const bytes = frame(opcode, payload, isControl || fin);
				const memory = new Uint8Array(before + bytes.length + 7).fill(0xee);
				memory.set(bytes, before);
				const out = new Frame();
				assert.equal(parseFrame(memory, before, memory.length, opcode === 0, MOST, out), COMPLETE);
				assert.deepEqual(
					[out.opcode, out.isFinal, out.end, out.payloadBytes],
					[opcode, isControl || fin, before + bytes.length, payload.length],
				);
				for (const cut of [1, 2, 3, 5, HEADER_MAX_BYTES, bytes.length - 1]) {
					if (cut >= bytes.length) continue;
					const part = new Frame();
					assert.equal(parseFrame(memory, before, before + cut, opcode === 0, MOST, part), NEED_MORE);
					assert.ok(part.needBytes > cut && part.needBytes <= bytes.length);
				}
				unmask(memory, out);
				assert.ok(Buffer.from(memory.subarray(out.payloadAt, out.end)).equals(payload));
			},
		),
	);
});

test("what the RFC forbids is told, with the code to close with", () => {
	const key = [1, 2, 3, 4];
	const table: readonly (readonly [
		bytes: readonly number[],
		cause: string,
		isAmid?: boolean,
		code?: number,
	])[] = [
		[[0xc1], "reserved_bits"],
		[[0xa1, 0x80], "reserved_bits"],
		[[0x91, 0x80, ...key], "reserved_bits"],
		[[0x83], "opcode"],
		[[0x87, 0x80], "opcode"],
		[[0x8b, 0x80, ...key], "opcode"],
		[[0x8f], "opcode"],
		[[0x09], "control_fragmented"],
		[[0x08, 0x80, ...key], "control_fragmented"],
		[[0x89, 0xfe], "control_too_long"],
		[[0x88, 0xff], "control_too_long"],
		[[0x81, 0x00], "not_masked"],
		[[0x89, 0x05], "not_masked"],
		[[0x81, 0xfe, 0, 125], "length_not_shortest"],
		[[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], "length_not_shortest"],
		[[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1], "length_too_great"],
		[[0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1], "frame_too_large", false, 1009],
		[[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "frame_too_large", false, 1009],
		[[0x80], "continuation_of_nothing"],
		[[0x00, 0x80], "continuation_of_nothing"],
		[[0x81], "message_interrupted", true],
		[[0x02, 0x80], "message_interrupted", true],
	];
	for (const [bytes, cause, isAmid = false, code = 1002] of table) {
		const out = new Frame();
		const memory = Uint8Array.from(bytes);
		assert.equal(parseFrame(memory, 0, memory.length, isAmid, MOST, out), MALFORMED, cause);
		assert.deepEqual([out.cause, out.closeCode], [cause, code]);
	}
});

test("control frames may come amid a message", () => {
	const out = new Frame();
	for (const opcode of [0x8, 0x9, 0xa])
		assert.equal(parseFrame(frame(opcode, new Uint8Array(3)), 0, 9, true, MOST, out), COMPLETE);
	assert.equal(parseFrame(frame(0, new Uint8Array(3)), 0, 9, true, MOST, out), COMPLETE);
});

test("no bytes make it throw, or read past their end", () => {
	const out = new Frame();
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (bytes, isAmid) => {
			const verdict = parseFrame(bytes, 0, bytes.length, isAmid, MOST, out);
			if (verdict === COMPLETE) assert.ok(out.end <= bytes.length && out.payloadAt <= out.end);
			if (verdict === NEED_MORE) assert.ok(out.needBytes > bytes.length);
		}),
		{ numRuns: 2_000 },
	);
});

test("a server's frame has the shortest header, without a mask", () => {
	const out = new Uint8Array(20);
	for (const [bytes, header] of [
		[0, [0x82, 0]],
		[125, [0x82, 125]],
		[126, [0x82, 126, 0, 126]],
		[65_535, [0x82, 126, 0xff, 0xff]],
		[65_536, [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
		[5_000_000_000, [0x82, 127, 0, 0, 0, 1, 0x2a, 0x05, 0xf2, 0]],
	] as const) {
		const length = writeFrameHeader(out, 3, 0x2, bytes);
		assert.deepEqual([...out.subarray(3, 3 + length)], header);
	}
});
