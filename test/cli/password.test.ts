import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { printedPassword } from "../../src/cli/password.js";
import { macOf, readHash } from "../../src/config/passwords.js";

interface Printed {
	readonly name: string;
	readonly hash: string;
	readonly password?: string;
}

function isOf({ name, hash }: Printed, password: string): boolean {
	const { salt, mac } = readHash(hash);
	return macOf(salt, Buffer.from(`${name}:${password}`)).equals(mac);
}

test("a password is made, and printed with what the file has of it", async () => {
	const printed = JSON.parse(await printedPassword("alice", { json: true })) as Printed;
	assert.equal(printed.name, "alice");
	assert.ok(isOf(printed, printed.password ?? ""));
	const text = await printedPassword("alice", {});
	assert.match(text, /^password: \S{24}\n/);
	assert.match(text, /\n {2}basic_auth: \{ alice: pw1_\S{64} \}\n/);
	assert.match(await printedPassword("on", {}), /basic_auth: \{ "on": pw1_/);
	assert.match(await printedPassword("it's", {}), /--basic-auth 'it'\\''s:pw1_/);
});

test("one that somebody has chosen comes from standard input, is long, and is not shown", async () => {
	const chosen = async (...chunks: string[]): Promise<string> =>
		printedPassword(
			"bob",
			{ stdin: true, json: true },
			Readable.from(chunks.map((each) => Buffer.from(each))),
		);
	const text = await chosen("a long and ", "winding road\r\nmore");
	assert.ok(isOf(JSON.parse(text) as Printed, "a long and winding road"));
	assert.doesNotMatch(text, /winding/);
	await assert.rejects(chosen("short\n"), /at least 16 characters/);
	await assert.rejects(chosen(), /at least 16 characters/);
	await assert.rejects(printedPassword("a:b", {}), /a name has no ":"/);
});
