import assert from "node:assert/strict";
import { test } from "node:test";
import { answerToClose, writeClose } from "../../../src/protocol/websocket/close-frame.js";
import { isUtf8 } from "../../../src/protocol/websocket/utf8.js";

const payload = (code: number, reason: string | readonly number[] = ""): Uint8Array =>
	Uint8Array.from([code >> 8, code & 0xff, ...Buffer.from(reason as string)]);

test("a close is answered with its own code, and one that is none with what it breaks", () => {
	const table: readonly (readonly [bytes: Uint8Array, code: number])[] = [
		[new Uint8Array(0), 1005],
		[Uint8Array.of(3), 1002],
		...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map(
			(code) => [payload(code, "bye"), code] as const,
		),
		...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map(
			(code) => [payload(code), 1002] as const,
		),
		[payload(1000, "κόσμε"), 1000],
		[payload(1000, [0xce, 0xba, 0xed, 0xa0, 0x80]), 1007],
		[payload(1000, [0xc3]), 1007],
	];
	for (const [bytes, code] of table) {
		const memory = Uint8Array.from([9, 9, ...bytes, 9]);
		assert.equal(answerToClose(memory, 2, 2 + bytes.length), code, `${bytes}`);
	}
});

test("a close is written whole, and its reason is cut between two characters", () => {
	const out = new Uint8Array(200).fill(9);
	assert.deepEqual([...out.subarray(5, 5 + writeClose(out, 5, 1005))], [0x88, 0]);
	const length = writeClose(out, 5, 4408, "too slow");
	assert.deepEqual([...out.subarray(5, 5 + length)], [0x88, 10, 0x11, 0x38, ...Buffer.from("too slow")]);
	const long = writeClose(out, 0, 1001, "ü".repeat(100));
	assert.ok(long <= 127 && long >= 126);
	assert.equal(out[1], long - 2);
	assert.ok(isUtf8(out, 4, long));
	assert.equal(out[long], 9);
});
