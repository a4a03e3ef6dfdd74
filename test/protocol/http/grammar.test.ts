import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IS_VALUE, skip, skipValue, viewOf } from "../../../src/protocol/http/grammar.js";

/** Where bytes[start, limit) stops being a value, found one by one. */
function endOfValue(bytes: Uint8Array, start: number, limit: number): number {
	let position = start;
	while (position < limit && IS_VALUE[bytes[position] ?? 0] === 1) position++;
	return position;
}

test("property: a value ends at the first byte that none may hold, whatever stands around it", () => {
	// Mostly letters, with the bytes at which one term or another of the comparison could go wrong.
	const byte = fc.oneof(
		{ weight: 6, arbitrary: fc.constant(0x61) },
		{ weight: 2, arbitrary: fc.constantFrom(0x1f, 0x20, 0x7e, 0x80, 0x9f, 0xa0, 0xff, 0x09) },
		{ weight: 1, arbitrary: fc.constantFrom(0x00, 0x01, 0x08, 0x0a, 0x0d, 0x7f) },
		{ weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
	);
	fc.assert(
		fc.property(fc.array(byte, { maxLength: 40 }), fc.nat(8), fc.nat(8), (content, before, behind) => {
			// Within a larger array, of which nothing outside may be looked at.
			const whole = new Uint8Array(before + content.length + behind).fill(0x0d);
			whole.set(content, before);
			const bytes = whole.subarray(before);
			for (let start = 0; start <= content.length; start++) {
				const expected = endOfValue(bytes, start, content.length);
				assert.equal(skipValue(viewOf(bytes), bytes, start, content.length), expected);
				assert.equal(skip(bytes, start, content.length, IS_VALUE), expected);
			}
		}),
		{ numRuns: 2_000 },
	);
});

test("a value is read alike with each pair of bytes in each place", () => {
	for (let first = 0; first < 256; first++) {
		for (let second = 0; second < 256; second++) {
			const bytes = Uint8Array.of(0x61, first, second, 0x61, second, 0x61, 0x61, first, 0x0d, 0x0a);
			const expected = endOfValue(bytes, 0, bytes.length);
			assert.equal(skipValue(viewOf(bytes), bytes, 0, bytes.length), expected, `${first}, ${second}`);
		}
	}
});
