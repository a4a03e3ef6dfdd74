import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isSignature, newToken, readToken, signBytes, TokenError } from "../../src/tunnel/keys.js";

test("a token holds an id and a key whose signatures its public key verifies", () => {
	const identity = readToken(newToken("laptop-1.office_A"));
	assert.equal(identity.id, "laptop-1.office_A");
	const bytes = Buffer.from("what is signed");
	const signature = signBytes(identity, bytes);
	assert.ok(isSignature(identity.publicKey, bytes, signature));
	assert.ok(!isSignature(identity.publicKey, Buffer.from("something else"), signature));
	assert.ok(!isSignature(readToken(newToken("laptop")).publicKey, bytes, signature));
	assert.ok(!isSignature(identity.publicKey.subarray(1), bytes, signature));
});

test("a token with blanks around it, as files have them, is taken", () => {
	const token = newToken("a");
	assert.deepEqual(readToken(` ${token}\n`).publicKey, readToken(token).publicKey);
});

test("a token with any character changed, lost or added is told from a good one, and its error shows none of it", () => {
	const token = newToken("laptop");
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const place = fc.nat(token.length - 1);
	const letter = fc.constantFrom(...letters);
	const check = (bad: string): void => {
		if (bad === token) return;
		assert.throws(
			() => readToken(bad),
			(error) => error instanceof TokenError && !error.message.includes(token.slice(12, 30)),
		);
	};
	fc.assert(fc.property(place, letter, (at, by) => check(token.slice(0, at) + by + token.slice(at + 1))));
	fc.assert(fc.property(place, letter, (at, by) => check(token.slice(0, at) + by + token.slice(at))));
	for (let at = 0; at < token.length; at++) check(token.slice(0, at) + token.slice(at + 1));
	for (const bad of ["", "sluice1_", "sluice2_abc", "laptop"]) check(bad);
});

test("an id that is none has no token", () => {
	for (const id of ["", "a b", "-a", "ä", "a".repeat(65), "a\n"])
		assert.throws(() => newToken(id), TokenError, id);
});
