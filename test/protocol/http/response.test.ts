import assert from "node:assert/strict";
import { test } from "node:test";
import {
	FRAMING_CHUNKED,
	FRAMING_CLOSE,
	FRAMING_LENGTH,
	FRAMING_NONE,
} from "../../../src/protocol/http/framing.js";
import { METHOD_CONNECT, METHOD_GET, METHOD_HEAD } from "../../../src/protocol/http/methods.js";
import { readResponse, responseRefusalOf } from "./reading.js";

function response(status: string, ...lines: string[]): string {
	return `HTTP/1.1 ${status}\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
}

test("a response says its status, reason, fields and where it ends", () => {
	const text = response("404 Not  Found\xe4", "Content-Length: 7", "X:y ");
	const read = readResponse(text, METHOD_GET);
	assert.deepEqual([read.statusCode, read.reason, read.versionMinor], [404, "Not  Found\xe4", 1]);
	assert.deepEqual(read.fields, ["Content-Length: 7", "X: y"]);
	assert.equal(read.headLength, text.length);
	assert.deepEqual([read.framing, read.contentLength, read.keepAlive], [FRAMING_LENGTH, 7, true]);
});

test("an empty reason may come with its space or without", () => {
	assert.equal(readResponse("HTTP/1.1 200 \r\n\r\n", METHOD_GET).reason, "");
	assert.equal(readResponse("HTTP/1.1 200\r\n\r\n", METHOD_GET).reason, "");
});

test("how a response is framed depends on status, method and fields, in this order", () => {
	const length = "Content-Length: 5";
	const chunked = "Transfer-Encoding: chunked";
	const cases: [string, string[], number, number, boolean][] = [
		["200 OK", [], METHOD_GET, FRAMING_CLOSE, false],
		["200 OK", [length], METHOD_GET, FRAMING_LENGTH, true],
		["200 OK", [chunked], METHOD_GET, FRAMING_CHUNKED, true],
		["200 OK", [length, "Connection: close"], METHOD_GET, FRAMING_LENGTH, false],
		["200 OK", [], METHOD_HEAD, FRAMING_NONE, true],
		["200 OK", [length], METHOD_HEAD, FRAMING_NONE, true],
		["304 Not Modified", [], METHOD_GET, FRAMING_NONE, true],
		["204 No Content", [], METHOD_GET, FRAMING_NONE, true],
		["204 No Content", ["Content-Length: 0"], METHOD_GET, FRAMING_NONE, true],
		["205 Reset Content", [], METHOD_GET, FRAMING_CLOSE, false],
		["100 Continue", [], METHOD_GET, FRAMING_NONE, true],
		["103 Early Hints", ["Link: x"], METHOD_HEAD, FRAMING_NONE, true],
		["200 OK", [length], METHOD_CONNECT, FRAMING_NONE, false],
		["407 Who", [length], METHOD_CONNECT, FRAMING_LENGTH, true],
		["999 ?", [length], METHOD_GET, FRAMING_LENGTH, true],
	];
	for (const [status, lines, method, framing, keepAlive] of cases) {
		const read = readResponse(response(status, ...lines), method);
		assert.deepEqual([read.framing, read.keepAlive], [framing, keepAlive], `${status} ${lines} ${method}`);
		assert.equal(read.contentLength, framing === FRAMING_LENGTH ? 5 : 0);
		assert.equal(read.isInterim, status.startsWith("1"));
	}
});

test("what an upstream leaves ambiguous is refused", () => {
	const cases: [string, string, string[]][] = [
		["both_lengths", "200 OK", ["Content-Length: 5", "Transfer-Encoding: chunked"]],
		["content_length", "200 OK", ["Content-Length: 5", "Content-Length: 5"]],
		["content_length", "200 OK", ["Content-Length: 5, 5"]],
		["transfer_encoding", "200 OK", ["Transfer-Encoding: identity"]],
		["transfer_coding_unknown", "200 OK", ["Transfer-Encoding: gzip, chunked"]],
		["unexpected_upgrade", "101 Switching", []],
		["unexpected_upgrade", "101 Switching", ["Upgrade: websocket"]],
		["unexpected_upgrade", "101 Switching", ["Connection: upgrade"]],
		["folded_field", "200 OK", ["X: y", " Content-Length: 5"]],
		["bare_lf", "200 OK", ["X: y\nContent-Length: 5"]],
		["field_name", "200 OK", ["Content-Length : 5"]],
		["host_duplicate", "200 OK", ["Host: a", "Host: a"]],
	];
	for (const [cause, status, lines] of cases) {
		assert.equal(responseRefusalOf(response(status, ...lines), METHOD_GET), cause, `${status} ${lines}`);
	}
	for (const line of [
		...[
			"HTTP/1.1 99 X",
			"HTTP/1.1 1000 X",
			"HTTP/1.1 2x0 X",
			"HTTP/1.1 200OK",
			"HTTP/1.1  200 OK",
			"HTTP/1.1 099 X",
		],
		...[
			"HTTP/1.1 200\tOK",
			"HTTP/1.1 200 O\0K",
			"HTTP/11 200 OK",
			"http/1.1 200 OK",
			"ICY 200 OK",
			" HTTP/1.1 200 OK",
		],
		...["HTTP/1.1", "\r\nHTTP/1.1 200 OK", "HTTP/1.1 20\r\n OK"],
	]) {
		assert.equal(responseRefusalOf(`${line}\r\n\r\n`, METHOD_GET), "status_line", line);
	}
	assert.equal(responseRefusalOf("HTTP/2.0 200 OK\r\n\r\n", METHOD_GET), "http_version_unsupported");
	assert.equal(responseRefusalOf("HTTP/1.1 200 OK\nX: y\r\n\r\n", METHOD_GET), "bare_lf");
	assert.equal(responseRefusalOf("HTTP/1.1 200 OK\rX: y\r\n\r\n", METHOD_GET), "bare_cr");
});

test("an answer without a body ends at its empty line, whatever it says; if it says so, its connection is not kept", () => {
	const sayings = [
		["Content-Length: 5"],
		["Transfer-Encoding: chunked"],
		["Content-Length: 5", "Transfer-Encoding: chunked"],
		["Transfer-Encoding: gzip, chunked"],
		["Transfer-Encoding: identity"],
		["Content-Length: 5", "Content-Length: 5"],
		["Content-Length: x"],
	];
	const statuses: [string, number][] = [
		["100 Continue", METHOD_GET],
		["103 Early Hints", METHOD_GET],
		["204 No Content", METHOD_GET],
		["304 Not Modified", METHOD_GET],
		["200 OK", METHOD_HEAD],
		["404 Not Found", METHOD_HEAD],
	];
	for (const [status, method] of statuses)
		for (const lines of sayings) {
			const text = response(status, ...lines);
			const read = readResponse(text, method);
			// What GET would have had.
			const keeps =
				lines.join() === "Content-Length: 5" && (status.startsWith("304") || method === METHOD_HEAD);
			assert.deepEqual(
				[read.framing, read.contentLength, read.headLength, read.keepAlive],
				[FRAMING_NONE, 0, text.length, keeps],
				`${status} ${lines}`,
			);
			assert.equal(read.keepsLength, keeps, `${status} ${lines}`);
		}
	const upgrade = ["Upgrade: websocket", "Connection: upgrade"];
	for (const lines of sayings)
		assert.ok(readResponse(response("101 Switching", ...upgrade, ...lines), METHOD_GET).isUpgrade);
});

test("an option of Connection may carry what belongs into Keep-Alive, which may say how long", () => {
	const cases: [string[], boolean, number][] = [
		[["Connection: keep-alive; timeout=5"], true, -1],
		[["Connection: Keep-Alive, timeout=600"], true, -1],
		[["Connection: keep-alive ; max=9, x"], true, -1],
		[["Connection: close; timeout=5"], false, -1],
		[["Keep-Alive: timeout=5"], true, 5],
		[["Keep-Alive: max=100, Timeout=15"], true, 15],
		[["Keep-Alive: timeout=5; max=100"], true, 5],
		[["Keep-Alive: timeout=0"], true, 0],
		[["Keep-Alive: timeout=99999999999999999999"], true, 86_400],
		[["Keep-Alive: timeout=x, timeout=, timeout"], true, -1],
		[["Keep-Alive: 5"], true, -1],
	];
	for (const [lines, keepAlive, seconds] of cases) {
		const read = readResponse(response("200 OK", "Content-Length: 0", ...lines), METHOD_GET);
		assert.deepEqual([read.keepAlive, read.keepAliveSeconds], [keepAlive, seconds], lines.join());
	}
	for (const value of ['"close"', 'clo"se', "close@x", "; close", "clo\xe9se"])
		assert.equal(
			responseRefusalOf(response("200 OK", `Connection: ${value}`), METHOD_GET),
			"connection_option",
			value,
		);
});

test("NTLM and Negotiate, in any case and among other challenges, authenticate the connection", () => {
	for (const [value, binds] of [
		["NTLM", true],
		["negotiate YIIGhg==", true],
		["nTlM TlRMTVNTUAAB", true],
		['Basic realm="x", Negotiate', true],
		['Digest qop="auth",NTLM', true],
		["Basic realm=x", false],
		["Bearer NTLMv2token", false],
		["", false],
	] as const)
		for (const name of ["WWW-Authenticate", "proxy-authenticate"]) {
			const text = response("401 Unauthorized", "Content-Length: 0", `${name}: ${value}`);
			assert.equal(readResponse(text, METHOD_GET).bindsConnection, binds, text);
		}
	const two = response("401 Unauthorized", "WWW-Authenticate: Basic", "WWW-Authenticate: NTLM");
	assert.ok(readResponse(two, METHOD_GET).bindsConnection);
});

test("101 ends HTTP on the connection, for 1.1 only", () => {
	const text = response("101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade");
	const read = readResponse(text, METHOD_GET);
	assert.deepEqual(
		[read.isUpgrade, read.isInterim, read.framing, read.keepAlive],
		[true, false, FRAMING_NONE, false],
	);
	assert.equal(responseRefusalOf(text.replace("1.1", "1.0"), METHOD_GET), "unexpected_upgrade");
});

test("in HTTP/1.0 there are no chunks, and a connection is kept only by word", () => {
	const chunked = response("200 OK", "Transfer-Encoding: chunked");
	assert.equal(responseRefusalOf(chunked.replace("1.1", "1.0"), METHOD_GET), "transfer_encoding_http10");
	const plain = response("200 OK", "Content-Length: 5");
	assert.equal(readResponse(plain.replace("1.1", "1.0"), METHOD_GET).keepAlive, false);
	const kept = response("200 OK", "Content-Length: 5", "Connection: keep-alive");
	assert.equal(readResponse(kept.replace("1.1", "1.0"), METHOD_GET).keepAlive, true);
});

test("a minor version that is not known is spoken to as 1.1", () => {
	const read = readResponse("HTTP/1.2 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", METHOD_GET);
	assert.deepEqual([read.versionMinor, read.framing, read.keepAlive], [1, FRAMING_CHUNKED, true]);
});
