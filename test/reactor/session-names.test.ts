/** Which name the log gives a session that has said two of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Secured } from "./tls-peers.js";

const LONG = `${"a-name-that-no-row-has-room-for.".repeat(3)}example`;
const SHORT = "a.example";

for (const [outside, inside] of [
	[LONG, SHORT],
	[SHORT, LONG],
] as const)
	test(`a session whose hello asks for a name of ${outside.length} bytes and whose request for one of ${inside.length} has the latter`, (t) => {
		const secured = new Secured(t, { entries: [{ names: [outside] }], routes: [{ host: inside }] });
		const { harness } = secured;
		const client = secured.client({ serverName: outside, verify: false });
		client.say(`GET / HTTP/1.1\r\nHost: ${inside}\r\n\r\n`);
		client.push();
		harness.reset(secured.accept());
		client.end();
		harness.turnUntil(() => harness.live === 0, "the session's end");
		assert.deepEqual(
			harness.records().map(({ name }) => name),
			[inside],
		);
	});
