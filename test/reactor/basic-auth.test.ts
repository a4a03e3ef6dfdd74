import assert from "node:assert/strict";
import { test } from "node:test";
import { hashOf, type PasswordEntry } from "../../src/config/passwords.js";
import { BasicAuth } from "../../src/reactor/plan/basic-auth.js";

const entry = (user: string, password: string): PasswordEntry => ({ user, hash: hashOf(user, password) });
const admits = (auth: BasicAuth, text: string): boolean => auth.admits(Buffer.from(text));

test("who is in each list, with the password of each, is let in, and nobody else", () => {
	const alice = entry("alice", "first");
	const one = new BasicAuth([[alice, entry("zo\u00eb", "\u00fcber:all")]]);
	for (const good of ["alice:first", "zo\u00eb:\u00fcber:all"]) assert.ok(admits(one, good), good);
	for (const bad of [
		"alice:",
		"alice:First",
		"alice:first ",
		"bob:first",
		":first",
		":",
		"",
		"alice",
		"Alice:first",
	])
		assert.ok(!admits(one, bad), bad);
	const both = new BasicAuth([
		[alice, entry("bob", "second")],
		[entry("bob", "second"), entry("alice", "other")],
	]);
	assert.ok(admits(both, "bob:second"));
	for (const bad of ["alice:first", "alice:other", "bob:first"]) assert.ok(!admits(both, bad), bad);
	// Names that objects have.
	for (const name of ["__proto__", "constructor"]) assert.ok(!admits(one, `${name}:x`));
});
