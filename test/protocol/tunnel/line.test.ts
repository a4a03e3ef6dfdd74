import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { COMPLETE, MALFORMED, NEED_MORE } from "../../../src/protocol/index.js";
import {
	isAgentId,
	isLineProof,
	LINE_GREETING_BYTES,
	lineGreeting,
	lineProof,
	lineUse,
	loginToSign,
	NO_EXPORTER,
	readLineGreeting,
} from "../../../src/protocol/tunnel/index.js";

const id = Buffer.alloc(16, 1);
const key = Buffer.alloc(32, 2);
const nonce = Buffer.alloc(16, 3);

test("a greeting is read, and every part of it waits for the rest", () => {
	const greeting = lineGreeting(id);
	assert.equal(greeting.length, LINE_GREETING_BYTES);
	for (let end = 0; end < greeting.length; end++)
		assert.equal(readLineGreeting(greeting, 0, end), NEED_MORE, String(end));
	assert.equal(readLineGreeting(greeting, 0, greeting.length), COMPLETE);
	const amid = Buffer.concat([Buffer.from("xx"), greeting, Buffer.from("yy")]);
	assert.equal(readLineGreeting(amid, 2, 2 + greeting.length), COMPLETE);
});

test("what does not begin as a line is no line, from its first wrong byte on", () => {
	const greeting = lineGreeting(id);
	for (let wrong = 0; wrong < 4; wrong++) {
		const bytes = Buffer.from(greeting);
		bytes[wrong] = 0xff;
		for (let end = wrong + 1; end <= bytes.length; end++)
			assert.equal(readLineGreeting(bytes, 0, end), MALFORMED);
	}
});

test("a proof is an HMAC over prefix, ticket and nonce, and any bit that differs makes it wrong", () => {
	const proof = lineProof(key, id, nonce);
	const bytes = Buffer.concat([Buffer.from("sluice-line-v1\0"), id, nonce]);
	assert.deepEqual(proof, createHmac("sha256", key).update(bytes).digest());
	assert.ok(isLineProof(proof, key, id, nonce));
	fc.assert(
		fc.property(fc.nat(proof.length * 8 - 1), (bit) => {
			const wrong = Buffer.from(proof);
			wrong[bit >> 3] = (wrong[bit >> 3] ?? 0) ^ (1 << (bit & 7));
			assert.ok(!isLineProof(wrong, key, id, nonce));
		}),
	);
	assert.ok(!isLineProof(proof.subarray(1), key, id, nonce));
	assert.ok(!isLineProof(proof, key, nonce, nonce));
	assert.ok(!isLineProof(proof, key, id, id));
});

test("the first byte says what a line is for", () => {
	for (let byte = 0; byte < 256; byte++) {
		const letter = /[A-Za-z]/.test(String.fromCharCode(byte));
		const use = byte === 0 ? "canary" : byte === 0x0d ? "visitor" : letter ? "requests" : undefined;
		assert.equal(lineUse(Uint8Array.of(9, byte), 1), use, String(byte));
	}
});

test("what is signed begins with a text of its own, and holds session, challenge and id", () => {
	const bytes = loginToSign(NO_EXPORTER, Buffer.alloc(32, 4), "läp");
	assert.equal(bytes.subarray(0, 23).toString("latin1"), "sluice-tunnel-login-v1\0");
	assert.deepEqual(bytes.subarray(23, 55), Buffer.alloc(32));
	assert.deepEqual(bytes.subarray(55, 87), Buffer.alloc(32, 4));
	assert.equal(bytes.subarray(87).toString(), "läp");
});

test("an id is a short plain word", () => {
	for (const good of ["a", "laptop", "Laptop-1.office_2", "9", "a".repeat(64)]) assert.ok(isAgentId(good));
	for (const bad of ["", ".a", "-a", "_a", "a b", "a\n", "é", "a".repeat(65)])
		assert.ok(!isAgentId(bad), bad);
});
