/** What clients of the hub say, read from JSON. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NoMessage, readSaid, SaidFault } from "../../src/hub/said.js";

const text = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

function binary(header: unknown, content: string): Uint8Array {
	const bytes = text(header);
	const length = Buffer.alloc(4);
	length.writeUInt32BE(bytes.length);
	return Buffer.concat([length, bytes, Buffer.from(content)]);
}

test("each type has its fields, and what is not known is ignored", () => {
	assert.deepEqual(
		readSaid(text({ type: "subscribe", channel: "a", after: "k:1", last: true, ref: 7, more: 1 }), true),
		{
			...{ type: "subscribe", channel: "a", after: "k:1", last: true, ref: 7 },
		},
	);
	assert.deepEqual(
		readSaid(text({ type: "publish", channel: "a", data: "x", key: "k", priority: "low" }), true),
		{
			...{ type: "publish", channel: "a", data: "x", key: "k", priority: "low", ref: undefined },
		},
	);
	const said = readSaid(binary({ type: "publish", channel: "a", ref: "r" }, "bytes"), false);
	assert.ok(said.type === "publish" && said.data instanceof Uint8Array);
	assert.deepEqual([Buffer.from(said.data).toString(), said.ref], ["bytes", "r"]);
});

for (const [name, said, code] of [
	["no channel", { type: "subscribe" }, "bad_message"],
	["a channel that is none", { type: "unsubscribe", channel: 7 }, "bad_message"],
	["data that is no string", { type: "publish", channel: "a", data: 7 }, "bad_message"],
	[
		"a priority that there is not",
		{ type: "publish", channel: "a", data: "", priority: "high" },
		"bad_message",
	],
	["a version that there is not", { type: "hello", version: 2 }, "bad_message"],
	["a type that there is not", { type: "dance" }, "unknown_type"],
	["a ref that is too long", { type: "presence", channel: "a", ref: "x".repeat(65) }, "bad_message"],
] as const)
	test(`${name}: ${code}`, () => {
		assert.throws(
			() => readSaid(text(said), true),
			(error) => error instanceof SaidFault && error.code === code,
		);
	});

test("what is no JSON object is no message, and nothing else is thrown", () => {
	for (const bytes of [Buffer.from("[]"), Buffer.from("null"), Buffer.from("{"), Buffer.from([0xff])])
		assert.throws(() => readSaid(bytes, true), NoMessage);
	assert.throws(() => readSaid(Buffer.from([0, 0, 0, 9, 1]), false), NoMessage);
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (bytes, isText) => {
			try {
				readSaid(bytes, isText);
			} catch (error) {
				assert.ok(error instanceof NoMessage || error instanceof SaidFault);
			}
		}),
	);
	fc.assert(
		fc.property(fc.jsonValue(), (value) => {
			try {
				readSaid(text(value), true);
			} catch (error) {
				assert.ok(error instanceof NoMessage || error instanceof SaidFault);
			}
		}),
	);
});
