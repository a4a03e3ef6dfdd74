import assert from "node:assert/strict";
import { test } from "node:test";
import { numbered, numberIn } from "../../src/rig/subscribers/numbered.js";
import { clientFrame, PING, readServerFrame, TEXT } from "../../src/rig/subscribers/server-frames.js";

const out = { opcode: 0, payloadAt: 0, end: 0 };

/** RFC 6455, section 5.7: an unmasked "Hello". */
const HELLO = Buffer.from("810548656c6c6f", "hex");

test("the unmasked example of RFC 6455 is read, and waited for byte by byte", () => {
	for (let length = 0; length < HELLO.length; length++)
		assert.equal(readServerFrame(HELLO, 0, length, out), false);
	assert.equal(readServerFrame(HELLO, 0, HELLO.length, out), true);
	assert.deepEqual(out, { opcode: TEXT, payloadAt: 2, end: 7 });
});

test("longer lengths stand in two and in eight bytes", () => {
	const longer = Buffer.concat([Buffer.from("827e0100", "hex"), Buffer.alloc(256)]);
	assert.equal(readServerFrame(longer, 0, longer.length, out), true);
	assert.deepEqual([out.payloadAt, out.end], [4, 260]);
	const longest = Buffer.concat([Buffer.from("827f0000000000010000", "hex"), Buffer.alloc(65_536)]);
	assert.equal(readServerFrame(longest, 0, longest.length - 1, out), false);
	assert.equal(readServerFrame(longest, 0, longest.length, out), true);
	assert.deepEqual([out.payloadAt, out.end], [10, 65_546]);
});

test("what is masked, in fragments or compressed is an error", () => {
	for (const bytes of ["8180", "0105", "c105"])
		assert.throws(() => readServerFrame(Buffer.from(bytes, "hex"), 0, 2, out), /not a whole message/);
});

test("clients mask with zeros", () => {
	assert.equal(Buffer.from(clientFrame(PING, Buffer.from("hi"))).toString("hex"), "8982000000006869");
	assert.equal(clientFrame(TEXT, Buffer.alloc(126)).length, 126 + 8);
	assert.throws(() => clientFrame(TEXT, Buffer.alloc(65_536)), RangeError);
});

test("a number is found however it is wrapped, and nowhere else", () => {
	const text = numbered(4_711, 200);
	assert.equal(text.length, 200);
	for (const wrapped of [text, `{"type":"message","id":"k3f9z2:1c","data":"${text}"}`]) {
		const bytes = Buffer.from(wrapped);
		assert.equal(numberIn(bytes, 0, bytes.length), 4_711);
	}
	const none = Buffer.from(`{"type":"gap","missed":3}${text}`);
	assert.equal(numberIn(none, 0, none.length - text.length), -1);
	assert.throws(() => numbered(1, 9), RangeError);
	assert.throws(() => numbered(1e8, 200), RangeError);
});
