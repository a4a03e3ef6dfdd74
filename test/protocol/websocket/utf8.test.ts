import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isUtf8, UTF8_WHOLE, UTF8_WRONG, utf8 } from "../../../src/protocol/websocket/utf8.js";

function isText(bytes: Uint8Array): boolean {
	try {
		new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
		return true;
	} catch {
		return false;
	}
}

test("it is judged as TextDecoder does, wherever it is cut", () => {
	const bytes = fc.oneof(
		fc.uint8Array({ maxLength: 12 }),
		fc.string({ unit: "binary", maxLength: 12 }).map((text) => new TextEncoder().encode(text)),
		// Many bytes that begin or go on within a character.
		fc.array(fc.integer({ min: 0x7e, max: 0xff }), { maxLength: 6 }).map((values) => Uint8Array.from(values)),
	);
	fc.assert(
		fc.property(bytes, fc.nat(12), fc.nat(12), (text, one, two) => {
			const [first, second] = [Math.min(one, two, text.length), Math.min(Math.max(one, two), text.length)];
			let state = utf8(UTF8_WHOLE, text, 0, first);
			state = utf8(state, text, first, second);
			state = utf8(state, text, second, text.length);
			assert.equal(state === UTF8_WHOLE, isText(text));
			assert.equal(isUtf8(text, 0, text.length), isText(text));
		}),
		{ numRuns: 1_500 },
	);
});

test("every character is good, and its first bytes alone may become so", () => {
	for (const code of [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff]) {
		const bytes = new TextEncoder().encode(String.fromCodePoint(code));
		for (let cut = 1; cut < bytes.length; cut++) {
			const state = utf8(UTF8_WHOLE, bytes, 0, cut);
			assert.ok(state !== UTF8_WHOLE && state !== UTF8_WRONG);
		}
		assert.ok(isUtf8(bytes, 0, bytes.length));
	}
});

test("a fault is found with the byte that makes it one", () => {
	for (const bytes of [
		[0x80],
		[0xc0],
		[0xc1],
		[0xe0, 0x9f],
		[0xed, 0xa0],
		[0xf0, 0x8f],
		[0xf4, 0x90],
		[0xf5],
		[0xff],
		[0xc3, 0x28],
		[0xe2, 0x82, 0x28],
		[0xf0, 0x9f, 0x98, 0x41],
	]) {
		const text = Uint8Array.from(bytes);
		assert.notEqual(utf8(UTF8_WHOLE, text, 0, text.length - 1), UTF8_WRONG);
		assert.equal(utf8(UTF8_WHOLE, text, 0, text.length), UTF8_WRONG);
	}
});
