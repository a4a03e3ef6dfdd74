import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeResponse } from "../../src/drill/response.js";

const HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n";

test("a response is the expected one when all of its body has come, and nothing else", () => {
	for (const [text, verdict] of [
		["", "incomplete"],
		[HEAD, "incomplete"],
		[`${HEAD}\r\nhel`, "incomplete"],
		[`${HEAD}\r\nhello`, "kept"],
		[`${HEAD}Connection: close\r\n\r\nhello`, "last"],
		[`${HEAD}connection:close\r\n\r\nhel`, "incomplete"],
	] as const)
		assert.equal(judgeResponse(text, "hello"), verdict, text);
});

test("any other response is a failure, and says which", () => {
	for (const [text, failure] of [
		["HTTP/1.1 503 Service Unavailable\r\n\r\n", "answered with 503"],
		["HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", "answered with 408"],
		[`${HEAD}\r\nworld`, "the answer of another"],
		[`${HEAD}\r\nhello, and more`, "the answer of another"],
		["SSH-2.0-x\r\n\r\n", "no response of HTTP/1.1"],
	] as const)
		assert.deepEqual(judgeResponse(text, "hello"), { failure }, text);
});
