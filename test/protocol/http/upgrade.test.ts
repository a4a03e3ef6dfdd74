import assert from "node:assert/strict";
import { test } from "node:test";
import { METHOD_GET } from "../../../src/protocol/http/methods.js";
import { parseRequest, RequestHead } from "../../../src/protocol/http/request.js";
import { parseResponse, ResponseHead } from "../../../src/protocol/http/response.js";
import {
	checkWebSocketRequest,
	isWebSocketResponse,
	NOT_WEBSOCKET,
	offersProtocol,
	WEBSOCKET_MALFORMED,
	WEBSOCKET_VALID,
	WEBSOCKET_VERSION,
} from "../../../src/protocol/http/upgrade.js";
import { COMPLETE } from "../../../src/protocol/index.js";
import { latin1 } from "../samples.js";

const UPGRADE = ["Connection: Upgrade", "Upgrade: websocket"];
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const VERSION = "Sec-WebSocket-Version: 13";

function check(lines: readonly string[], line = "GET /chat HTTP/1.1"): number {
	const bytes = latin1(`${line}\r\nHost: a\r\n${lines.map((field) => `${field}\r\n`).join("")}\r\n`);
	const head = new RequestHead();
	assert.equal(parseRequest(bytes, 0, bytes.length, head), COMPLETE, lines.join(" | "));
	return checkWebSocketRequest(bytes, head);
}

test("a handshake is a GET over 1.1 with both tokens, a key and version 13", () => {
	assert.equal(check([...UPGRADE, KEY, VERSION]), WEBSOCKET_VALID);
	assert.equal(
		check(["connection: keep-alive, UPGRADE", "upgrade: h2c, WebSocket", KEY, VERSION]),
		WEBSOCKET_VALID,
	);
	assert.equal(check([KEY, VERSION]), NOT_WEBSOCKET);
	assert.equal(check(["Upgrade: websocket", KEY, VERSION]), NOT_WEBSOCKET);
	assert.equal(check(["Connection: upgrade", "Upgrade: h2c", "HTTP2-Settings: x"]), NOT_WEBSOCKET);
	assert.equal(check([...UPGRADE, KEY, VERSION], "GET / HTTP/1.0"), NOT_WEBSOCKET);
	assert.equal(check([...UPGRADE, KEY, VERSION], "POST / HTTP/1.1"), WEBSOCKET_MALFORMED);
	assert.equal(check([...UPGRADE, KEY, VERSION, "Content-Length: 5"]), WEBSOCKET_MALFORMED);
	assert.equal(check([...UPGRADE, KEY, VERSION, "Content-Length: 0"]), WEBSOCKET_VALID);
	assert.equal(check([...UPGRADE, KEY, VERSION, "Transfer-Encoding: chunked"]), WEBSOCKET_MALFORMED);
});

test("another version is answered 426, two of them 400", () => {
	assert.equal(check([...UPGRADE, KEY, "Sec-WebSocket-Version: 8"]), WEBSOCKET_VERSION);
	assert.equal(check([...UPGRADE, KEY, "Sec-WebSocket-Version: 13, 8"]), WEBSOCKET_VERSION);
	assert.equal(check([...UPGRADE, KEY]), WEBSOCKET_VERSION);
	assert.equal(check([...UPGRADE, KEY, VERSION, VERSION]), WEBSOCKET_MALFORMED);
});

test("the key is sixteen bytes in base64, once", () => {
	assert.equal(check([...UPGRADE, VERSION]), WEBSOCKET_MALFORMED);
	assert.equal(check([...UPGRADE, VERSION, KEY, KEY]), WEBSOCKET_MALFORMED);
	for (const key of [
		...[
			"",
			"dGhlIHNhbXBsZSBub25jZQ",
			"dGhlIHNhbXBsZSBub25jZQ=",
			"dGhlIHNhbXBsZSBub25jZR==",
			"dGhlIHNhbXBsZSBub25j====",
		],
		...["dGhlIHNhbXBsZSBub25jZQ==, x", "dGhlIHNhbXBsZSBub2_jZQ==", "dGhlIHNhbXBsZSBub25jZQxx"],
	]) {
		assert.equal(check([...UPGRADE, VERSION, `Sec-WebSocket-Key: ${key}`]), WEBSOCKET_MALFORMED, key);
	}
});

test("a 101 is WebSocket's when it says so and carries a digest", () => {
	const accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
	const said = (...lines: string[]) => {
		const bytes = latin1(`HTTP/1.1 101 X\r\n${lines.map((field) => `${field}\r\n`).join("")}\r\n`);
		const head = new ResponseHead();
		assert.equal(parseResponse(bytes, 0, bytes.length, METHOD_GET, head), COMPLETE);
		return isWebSocketResponse(bytes, head);
	};
	assert.equal(said(...UPGRADE, accept), true);
	assert.equal(said(...UPGRADE), false);
	assert.equal(said(...UPGRADE, accept, accept), false);
	assert.equal(said(...UPGRADE, "Sec-WebSocket-Accept: x"), false);
	assert.equal(said("Connection: upgrade", "Upgrade: h2c", accept), false);
});

test("subprotocols are found in lists, whole", () => {
	const head = new RequestHead();
	const bytes = latin1(
		"GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Protocol: soap, MQTT\r\nSec-WebSocket-Protocol: wamp\r\n\r\n",
	);
	assert.equal(parseRequest(bytes, 0, bytes.length, head), COMPLETE);
	for (const [name, isOffered] of [
		["soap", true],
		["mqtt", true],
		["wamp", true],
		["mqt", false],
		["x", false],
	] as const) {
		assert.equal(offersProtocol(bytes, head, latin1(name)), isOffered, name);
	}
});
