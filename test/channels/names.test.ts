import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ChannelPattern, formatId, isChannelName, parseId } from "../../src/channels/names.js";

test("a channel's name has parts, and none of them is empty", () => {
	for (const name of ["prices", "rooms/42", "a:b~c._-/D9", "x".repeat(128)])
		assert.ok(isChannelName(name), name);
	for (const name of ["", "/", "a/", "/a", "a//b", "a b", "é", "a*", "a?b", "x".repeat(129), "a\nb"])
		assert.ok(!isChannelName(name), name);
});

test("a pattern is for one part, or for the rest", () => {
	const table: readonly (readonly [pattern: string, is: readonly string[], isNot: readonly string[]])[] = [
		["prices", ["prices"], ["prices/a", "price", "Prices"]],
		["rooms/*", ["rooms/1", "rooms/x"], ["rooms", "rooms/1/2"]],
		["*", ["a"], ["a/b"]],
		["a/*/c", ["a/b/c"], ["a/c", "a/b/b/c"]],
		["a/**", ["a/b", "a/b/c"], ["a", "b/c"]],
		["**", ["a", "a/b"], []],
	];
	for (const [text, is, isNot] of table) {
		const pattern = ChannelPattern.parse(text);
		for (const name of is) assert.equal(pattern?.matches(name), true, `${text} ${name}`);
		for (const name of isNot) assert.equal(pattern?.matches(name), false, `${text} ${name}`);
	}
	for (const text of ["", "a/", "**/a", "a*", "a/***", "a b"])
		assert.equal(ChannelPattern.parse(text), undefined);
});

test("an id reads back as it was written, and nothing else is one", () => {
	fc.assert(
		fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (epoch, sequence) => {
			assert.deepEqual(parseId(formatId({ epoch, sequence })), { epoch, sequence });
		}),
	);
	for (const text of ["", "a", ":", "a:", ":b", "A:1", "1:2:3", "1: 2", "-1:2", "zzzzzzzzzzz:1", "1.5:2"])
		assert.equal(parseId(text), undefined, text);
});
