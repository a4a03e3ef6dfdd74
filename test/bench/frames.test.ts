import assert from "node:assert/strict";
import { test } from "node:test";
import { readFrame, TEXT, writeFrame } from "../../bench/websockets/frames.js";

/** RFC 6455, section 5.7: a masked "Hello". */
const HELLO = Buffer.from("818537fa213d7f9f4d5158", "hex");

test("the masked example of RFC 6455 is read, and its unmasked one written", () => {
	assert.deepEqual(readFrame(HELLO), { opcode: TEXT, payload: Buffer.from("Hello"), bytes: 11 });
	assert.equal(writeFrame(TEXT, Buffer.from("Hello")).toString("hex"), "810548656c6c6f");
});

test("a frame that has not come whole is waited for, byte by byte", () => {
	for (let length = 0; length < HELLO.length; length++)
		assert.equal(readFrame(HELLO.subarray(0, length)), null);
});

test("a longer message has a longer head", () => {
	const text = Buffer.alloc(300, "x");
	assert.equal(writeFrame(TEXT, text).length, 304);
	const masked = Buffer.concat([Buffer.from("81fe012c00000000", "hex"), text]);
	assert.deepEqual(readFrame(masked), { opcode: TEXT, payload: text, bytes: 308 });
});
