import assert from "node:assert/strict";
import { test } from "node:test";
import { ANSWER_STATUSES, answer } from "../../../src/protocol/http/answers.js";
import { HTTP_CAUSES } from "../../../src/protocol/http/causes.js";
import { FRAMING_LENGTH, FRAMING_NONE } from "../../../src/protocol/http/framing.js";
import { METHOD_GET, METHOD_HEAD } from "../../../src/protocol/http/methods.js";
import { parseResponse, ResponseHead } from "../../../src/protocol/http/response.js";
import { COMPLETE } from "../../../src/protocol/index.js";

test("every answer is a whole response by our own rules, for GET and for HEAD, keeping and closing", () => {
	const head = new ResponseHead();
	for (const status of ANSWER_STATUSES) {
		for (const closes of [true, false]) {
			const bytes = answer(status, closes, false);
			assert.equal(parseResponse(bytes, 0, bytes.length, METHOD_GET, head), COMPLETE);
			assert.deepEqual([head.statusCode, head.framing, head.keepAlive], [status, FRAMING_LENGTH, !closes]);
			assert.equal(head.headLength + head.contentLength, bytes.length);
			const bare = answer(status, closes, true);
			assert.equal(parseResponse(bare, 0, bare.length, METHOD_HEAD, head), COMPLETE);
			assert.deepEqual([head.framing, head.headLength], [FRAMING_NONE, bare.length]);
			assert.equal(
				Buffer.from(bytes).toString("latin1").startsWith(Buffer.from(bare).toString("latin1")),
				true,
			);
		}
	}
});

test("every cause of a refusal has its answer, and 405 and 426 carry the fields that they must", () => {
	for (const { name, status } of HTTP_CAUSES) {
		if (name !== "none")
			assert.ok(
				ANSWER_STATUSES.some((prepared) => prepared === status),
				name,
			);
	}
	const text = (status: 405 | 426) => Buffer.from(answer(status, true, false)).toString("latin1");
	assert.match(text(405), /\r\nAllow: GET, /);
	assert.match(
		text(426),
		/\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: upgrade, close\r\n/,
	);
});
