import assert from "node:assert/strict";
import { test } from "node:test";
import { basicCredentials } from "../../../src/protocol/http/basic-auth.js";
import { parseRequest, RequestHead } from "../../../src/protocol/http/request.js";
import { COMPLETE } from "../../../src/protocol/index.js";

function found(...fields: string[]): string | undefined {
	const text = `GET / HTTP/1.1\r\nHost: a\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n`;
	// As in a reactor.
	const bytes = new Uint8Array(new SharedArrayBuffer(4_096));
	bytes.set(Buffer.from(text, "latin1"));
	const head = new RequestHead();
	assert.equal(parseRequest(bytes, 0, text.length, head), COMPLETE, text);
	return basicCredentials(bytes, head)?.toString();
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

test("name and password are read from the one field that says them", () => {
	const good = `Authorization: Basic ${base64("alice:se:cret")}`;
	assert.equal(found(good), "alice:se:cret");
	assert.equal(found(`authorization:bAsIc   ${base64("a:")}`), "a:");
	assert.equal(found("X: y", good, "Cookie: z"), "alice:se:cret");
	assert.equal(found(`Authorization: Basic ${base64("zo\u00eb:\u00fc")}`), "zo\u00eb:\u00fc");
	for (const none of [
		[],
		["Authorization: Basic"],
		["Authorization: Basic "],
		[`Authorization: Basic${base64("a:b")}`],
		[`Authorization: Bearer ${base64("a:b")}`],
		[`Authorization: Basic ${base64("no colon")}`],
		["Authorization: Basic !!!"],
		[`Authorization: Basic ${base64(`a:${"x".repeat(1_024)}`)}`],
		[`Proxy-Authorization: Basic ${base64("a:b")}`],
		// Which of them counts, nobody says.
		[good, good],
		[good, "Authorization: Bearer x"],
		// It ends here.
		[good, "Connection: authorization"],
	])
		assert.equal(found(...none), undefined, none.join());
});
