import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { causeName, HTTP_CAUSES, statusOf } from "../../../src/protocol/http/causes.js";
import {
	FIELD_CONNECTION,
	FIELD_HOST,
	FIELD_IDENTITY,
	FIELD_LOOKALIKE,
	FIELD_TRANSFER_ENCODING,
	FIELD_X_FORWARDED_FOR,
	KNOWN_NAMES,
	NOMINATED,
	OTHER_IDENTITIES,
} from "../../../src/protocol/http/field-names.js";
import {
	CONNECTION_OPTIONS_LIMIT,
	FIELDS_LIMIT,
	MAX_FORWARDS_LIMIT,
} from "../../../src/protocol/http/field-section.js";
import { FRAMING_CHUNKED, FRAMING_LENGTH, FRAMING_NONE } from "../../../src/protocol/http/framing.js";
import { HEAD_BROKEN, HEAD_LIMIT_BYTES, headEnd } from "../../../src/protocol/http/head-end.js";
import {
	METHOD_CONNECT,
	METHOD_GET,
	METHOD_OTHER,
	METHOD_PATCH,
} from "../../../src/protocol/http/methods.js";
import {
	parseRequest,
	RequestHead,
	refusalOfMethod,
	TARGET_ABSOLUTE,
	TARGET_ASTERISK,
	TARGET_AUTHORITY,
	TARGET_ORIGIN,
} from "../../../src/protocol/http/request.js";
import { checkWebSocketRequest, WEBSOCKET_VALID } from "../../../src/protocol/http/upgrade.js";
import { latin1, parseEverywhere, parseGrowing, sample, sampleNames } from "../samples.js";
import {
	COMPLETE,
	MALFORMED,
	NEED_MORE,
	parseRequestOutcome,
	type ReadRequest,
	readRequest,
	refusalOf,
} from "./reading.js";

function withFields(...lines: string[]): string {
	return `GET / HTTP/1.1\r\nHost: a.example\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
}

function withHost(host: string): string {
	return `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
}

test("a request says its method, target, version, fields and where it ends", () => {
	const head = "PATCH /a/b?c=d HTTP/1.1\r\nhost: A.example:8080\r\nX-Y:  z \t\r\n\r\n";
	const read = readRequest(head);
	assert.equal(read.method, METHOD_PATCH);
	assert.equal(read.methodText, "PATCH");
	assert.deepEqual([read.target, read.path, read.targetForm], ["/a/b?c=d", "/a/b?c=d", TARGET_ORIGIN]);
	assert.deepEqual([read.host, read.port, read.authority], ["a.example", 8080, "A.example:8080"]);
	assert.equal(read.versionMinor, 1);
	assert.equal(read.headLength, head.length);
	assert.deepEqual(read.fields, ["host: A.example:8080", "X-Y: z"]);
	assert.deepEqual(read.ids, [FIELD_HOST, 0]);
	assert.equal(read.framing, FRAMING_NONE);
	assert.equal(parseEverywhere(parseRequestOutcome, latin1(`${head}GET / `)).verdict, COMPLETE);
});

test("an IPv6 host has one spelling, however it was written", () => {
	for (const host of ["[::1]", "[0:0:0:0:0:0:0:1]", "[::0001]:80", "[0000::1]"])
		assert.equal(readRequest(withHost(host)).host, "::1", host);
	assert.equal(readRequest(withHost("[2001:DB8:0:0:1:0:0:1]")).host, "2001:db8::1:0:0:1");
});

test("requests of real clients are taken, whichever way the network cuts them", async (t) => {
	const expected: Record<string, Partial<ReadRequest>> = {
		"http-chromium": { host: "chromium.example.com", methodText: "GET", target: "/" },
		"http-curl": { host: "curl.example.com", target: "/path?query=1", framing: FRAMING_NONE },
		"http-curl-chunked": { host: "127.0.0.1", methodText: "POST", framing: FRAMING_CHUNKED },
		"http-curl-connect": { host: "origin.example.com", port: 8443, method: METHOD_CONNECT },
		"http-curl-http1.0": { host: "", versionMinor: 0 },
		"http-curl-post": { host: "127.0.0.1", target: "/form", contentLength: 7 },
		"http-curl-proxy": { host: "origin.example.com", target: "http://origin.example.com/x" },
		"http-curl-upgrade-h2c": { host: "127.0.0.1", wantsUpgrade: true },
		"http-node-websocket": { host: "ws.example.com", target: "/socket", wantsUpgrade: true },
		"http-python": { host: "127.0.0.1", methodText: "GET" },
	};
	assert.deepEqual(sampleNames("http-"), Object.keys(expected).sort(), "each sample has its expectation");
	for (const [name, said] of Object.entries(expected)) {
		await t.test(name, () => {
			const bytes = sample(name);
			const whole = parseEverywhere(parseRequestOutcome, bytes);
			assert.equal(whole.verdict, COMPLETE, whole.cause);
			const result = whole.result as ReadRequest;
			const head = parseGrowing(parseRequestOutcome, bytes.subarray(0, result.headLength));
			assert.deepEqual(head.result, result, "content after the head changes nothing");
			for (const [key, value] of Object.entries(said))
				assert.deepEqual(result[key as keyof ReadRequest], value, key);
		});
	}
});

test("methods are tokens, and those that nobody behind us may know are not answered for", () => {
	const refusal = (method: string, target = "/") =>
		causeName(refusalOfMethod(readRequest(`${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).method));
	assert.equal(readRequest(withFields()).method, METHOD_GET);
	assert.equal(refusal("GET"), "none");
	for (const method of ["PROPFIND", "M-SEARCH", "PURGE"]) {
		assert.equal(readRequest(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`).method, METHOD_OTHER);
		assert.equal(refusal(method), "none");
	}
	for (const method of ["get", "FOO", "GETT", "PRI", "G'T~"]) assert.equal(refusal(method), "method_unknown");
	assert.equal(refusal("CONNECT", "a.example:443"), "method_connect");
	assert.equal(refusal("TRACE"), "method_trace");
	for (const method of ["", "G\0ET", "G(T", " GET", "GET\t"]) {
		assert.equal(refusalOf(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`), "method", method);
	}
});

test("CONNECT names a host and a port, and nothing else does", () => {
	const tunnel = readRequest("CONNECT [::1]:22 HTTP/1.1\r\nHost: field.example:22\r\n\r\n");
	assert.deepEqual([tunnel.host, tunnel.port, tunnel.path], ["::1", 22, ""]);
	assert.deepEqual([tunnel.targetForm, tunnel.authority], [TARGET_AUTHORITY, "[::1]:22"]);
	for (const target of [
		"/",
		"*",
		"a.example",
		"a.example:",
		"http://a.example:80",
		"user@a.example:443",
		"",
	]) {
		assert.equal(refusalOf(`CONNECT ${target} HTTP/1.1\r\nHost: a\r\n\r\n`), "target", target);
	}
});

test("the target is a path, an http URI or, for OPTIONS, an asterisk", () => {
	const absolute = readRequest("GET http://B.example:81/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n");
	assert.deepEqual([absolute.targetForm, absolute.path], [TARGET_ABSOLUTE, "/x?y"]);
	assert.deepEqual([absolute.host, absolute.port, absolute.authority], ["b.example", 81, "B.example:81"]);
	assert.equal(readRequest("GET HTTPS://b?q HTTP/1.1\r\nHost:\r\n\r\n").path, "?q");
	assert.equal(readRequest("GET http://[::1] HTTP/1.1\r\nHost: a\r\n\r\n").host, "::1");
	assert.equal(readRequest("OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n").targetForm, TARGET_ASTERISK);
	for (const target of [
		...["*", "a", "a.example:80", "?q", "", "/a#b", "/\t", "/\0", "/\x7f", "/\xe4", "ftp://a/", "http:/a"],
		...[
			"http:///x",
			"http://u@a/",
			"http://u:p@a/",
			"http://a:x/",
			"http://a:65536/",
			"http://a\\@b/",
			"http://a b/",
		],
	]) {
		const expected = target === "http://a b/" ? "http_version" : "target";
		assert.equal(refusalOf(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`), expected, target);
	}
});

test("versions after 1.1 are read as 1.1, others than 1.x answered 505, nonsense 400", () => {
	for (const version of ["HTTP/1.2", "HTTP/1.9"]) {
		assert.equal(readRequest(`GET / ${version}\r\nHost: a\r\n\r\n`).versionMinor, 1, version);
	}
	for (const version of ["HTTP/2.0", "HTTP/0.9", "HTTP/3.0"]) {
		assert.equal(refusalOf(`GET / ${version}\r\nHost: a\r\n\r\n`), "http_version_unsupported", version);
	}
	for (const version of [
		"http/1.1",
		"HTTP/1.10",
		"HTTP/11",
		"HTTP/1.1 ",
		" HTTP/1.1",
		"HTTP/1.",
		"X",
		"HTTP/1.x",
	]) {
		assert.equal(refusalOf(`GET / ${version}\r\nHost: a\r\n\r\n`), "http_version", version);
	}
});

test("one empty line may come before a request, not two", () => {
	assert.equal(readRequest(`\r\n${withFields()}`).headLength, withFields().length + 2);
	assert.equal(refusalOf(`\r\n\r\n${withFields()}`), "method");
	assert.equal(refusalOf(`\n${withFields()}`), "method");
	assert.equal(refusalOf(`\r${withFields()}`), "bare_cr");
});

test("Host comes once, is valid, and is empty only where there is nothing to name", () => {
	assert.equal(refusalOf("GET / HTTP/1.1\r\n\r\n"), "host_missing");
	assert.equal(refusalOf("GET http://a.example/ HTTP/1.1\r\n\r\n"), "host_missing");
	assert.equal(refusalOf(withFields("hOST: a.example")), "host_duplicate");
	assert.equal(refusalOf("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), "host_duplicate");
	assert.equal(refusalOf(withHost("")), "host_invalid");
	assert.equal(readRequest("GET / HTTP/1.0\r\n\r\n").host, "");
	assert.equal(readRequest("GET / HTTP/1.0\r\nHost:\r\n\r\n").host, "");
	assert.equal(refusalOf("GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n"), "host_invalid");

	const label = "a".repeat(63);
	const valid: [string, string, number][] = [
		["WWW.Example.COM", "www.example.com", -1],
		["a.example.:80", "a.example", 80],
		["a.example:", "a.example", -1],
		["x_y", "x_y", -1],
		["192.0.2.1:80", "192.0.2.1", 80],
		["[2001:DB8::1]:443", "2001:db8::1", 443],
		[`${label}.${label}`, `${label}.${label}`, -1],
		["a:65535", "a", 65535],
	];
	for (const [text, host, port] of valid) {
		const read = readRequest(withHost(text));
		assert.deepEqual([read.host, read.port, read.authority], [host, port, text]);
	}
	for (const host of [
		...[
			".",
			"a..b",
			".a",
			"a b",
			"a\tb",
			"u@a",
			"a:80:80",
			"a:65536",
			"a:8x",
			"a:-1",
			":80",
			"::1",
			"[::1",
			"[::1]x",
		],
		...[
			"[::1%25eth0]",
			"[]",
			"[1.2.3.4]",
			"a/",
			"http://a",
			"a,b",
			"a, b",
			"a%2e",
			"*",
			"\xe4",
			`${label}a`,
			"a;b",
		],
	]) {
		assert.equal(refusalOf(withHost(host)), "host_invalid", host);
	}
});

test("request smuggling: two lengths, or one that two readers could measure differently", () => {
	const cases: [string, string[]][] = [
		["both_lengths", ["Content-Length: 5", "Transfer-Encoding: chunked"]],
		["both_lengths", ["Transfer-Encoding: chunked", "Content-Length: 5"]],
		["both_lengths", ["Transfer-Encoding: chunked", "Content-Length: 0"]],
		["content_length", ["Content-Length: 5", "Content-Length: 5"]],
		["content_length", ["Content-Length: 5", "content-length: 6"]],
		["content_length", ["Content-Length: 5, 5"]],
		["content_length", ["Content-Length: 5,"]],
		["content_length", ["Content-Length: +5"]],
		["content_length", ["Content-Length: -5"]],
		["content_length", ["Content-Length: 0x5"]],
		["content_length", ["Content-Length: 5_0"]],
		["content_length", ["Content-Length: 5 5"]],
		["content_length", ["Content-Length: 5.0"]],
		["content_length", ["Content-Length: 1e1"]],
		["content_length", ["Content-Length:"]],
		["content_length", ["Content-Length: 5\t"]],
		["content_length", ["Content-Length: 5 \t "]],
		["content_length", ["Content-Length: 9007199254740993"]],
		["content_length", ["Content-Length: 18446744073709551621"]],
		["transfer_encoding", ["Transfer-Encoding: identity"]],
		["transfer_encoding", ["Transfer-Encoding: gzip"]],
		["transfer_encoding", ["Transfer-Encoding: chunked, identity"]],
		["transfer_encoding", ["Transfer-Encoding: chunked, chunked"]],
		["transfer_encoding", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]],
		["transfer_encoding", ["Transfer-Encoding: chunked", "Transfer-Encoding: x"]],
		["transfer_encoding", ["Transfer-Encoding: x", "Transfer-Encoding: chunked"]],
		["transfer_encoding", ["Transfer-Encoding: xchunked"]],
		["transfer_encoding", ["Transfer-Encoding: chunkedx"]],
		["transfer_encoding", ["Transfer-Encoding: chunked,"]],
		["transfer_encoding", ["Transfer-Encoding: ,chunked"]],
		["transfer_encoding", ['Transfer-Encoding: "chunked"']],
		["transfer_encoding", ["Transfer-Encoding: chunked;q=1"]],
		["transfer_encoding", ["Transfer-Encoding: chunked\t"]],
		["transfer_encoding", ["Transfer-Encoding:"]],
		["transfer_coding_unknown", ["Transfer-Encoding: gzip, chunked"]],
		["field_value", ["Transfer-Encoding: \x0bchunked"]],
		["field_value", ["Transfer-Encoding: chunked\0"]],
		["field_name", ["Transfer-Encoding : chunked"]],
		["field_name", ["Content-Length : 5"]],
		["field_name", ["Transfer-Encoding\0: chunked"]],
		["field_name", ["\x0bTransfer-Encoding: chunked"]],
		["folded_field", [" Transfer-Encoding: chunked"]],
		["folded_field", ["Transfer-Encoding:", " chunked"]],
		["folded_field", ["Transfer-Encoding:", "\tchunked"]],
		["bare_lf", ["X: y\nTransfer-Encoding: chunked"]],
		["bare_cr", ["X: y\rTransfer-Encoding: chunked"]],
		["bare_cr", ["X: y\r\r"]],
		["bare_lf", ["X: y\n"]],
		["connection_option", ["Content-Length: 5", "Connection: Content-Length"]],
		["connection_option", ["Connection: host"]],
		["connection_option", ["Connection: a b"]],
		["connection_option", ["Connection: close q"]],
		["connection_option", ["Connection: ;close"]],
		["connection_option", ['Connection: "close"']],
		["connection_option", ["Content-Length: 5", "Connection: Content-Length;q=1"]],
	];
	for (const [cause, lines] of cases) {
		assert.equal(refusalOf(withFields(...lines)), cause, lines.join(" | "));
	}
	assert.equal(
		refusalOf("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
		"transfer_encoding_http10",
	);
	assert.equal(refusalOf("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), "folded_field");
	assert.equal(refusalOf("GET / HTTP/1.1\nHost: a\r\n\r\n"), "bare_lf");
	assert.equal(refusalOf("GET / HTTP/1.1\rHost: a\r\n\r\n"), "bare_cr");
	assert.equal(refusalOf(`${withFields().slice(0, -2)}\n`), "bare_lf");
	assert.equal(refusalOf(`${withFields().slice(0, -2)}\rX`), "bare_cr");
	for (const line of ["X", ": y", "X y: z", "X\xe4: y", "(X): y"]) {
		assert.equal(refusalOf(withFields(line)), "field_name", line);
	}
	for (const byte of ["\0", "\x01", "\x0b", "\x1b", "\x7f"]) {
		assert.equal(refusalOf(withFields(`X: a${byte}b`)), "field_value", byte);
	}
});

test("the body is framed by a length, by chunks, or there is none", () => {
	const length = readRequest(withFields("content-length:  00042 "));
	assert.deepEqual([length.framing, length.contentLength], [FRAMING_LENGTH, 42]);
	assert.equal(readRequest(withFields("Content-Length: 999999999999999")).contentLength, 999999999999999);
	assert.equal(readRequest(withFields("TRANSFER-ENCODING:Chunked ")).framing, FRAMING_CHUNKED);
	const named = readRequest(withFields("Transfer-Encoding: chunked", "Connection: Transfer-Encoding"));
	assert.deepEqual([named.framing, named.ids[1]], [FRAMING_CHUNKED, FIELD_TRANSFER_ENCODING]);
	const lookalike = readRequest(withFields("Content_Length: 5", "Transfer_Encoding: chunked"));
	assert.equal(lookalike.framing, FRAMING_NONE);
	assert.deepEqual(lookalike.ids.slice(1), [FIELD_LOOKALIKE, FIELD_LOOKALIKE]);
});

test("the connection is kept as version and Connection say, and close wins", () => {
	const keeps = (minor: number, ...lines: string[]) =>
		readRequest(`GET / HTTP/1.${minor}\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`)
			.keepAlive;
	assert.equal(keeps(1), true);
	assert.equal(keeps(0), false);
	assert.equal(keeps(0, "Connection: Keep-Alive"), true);
	assert.equal(keeps(1, "Connection: CLOSE"), false);
	assert.equal(keeps(1, "Connection: x ,\tclose\t,"), false);
	assert.equal(keeps(1, "Connection: closed"), true);
	assert.equal(keeps(1, "Connection: keep-alive, close"), false);
	assert.equal(keeps(0, "Connection: close", "Connection: keep-alive"), false);
	// Parameters say nothing, nor does one that follows a comma.
	assert.equal(keeps(1, "Connection: keep-alive; timeout=5"), true);
	assert.equal(keeps(0, "Connection: Keep-Alive ;timeout=5, max=100"), true);
	assert.equal(keeps(0, "Connection: timeout=5, max = 100"), false);
	assert.equal(keeps(1, "Connection: close;q=1"), false);
	assert.equal(keeps(1, "Keep-Alive: close", "Proxy-Connection: close"), true);
});

test("100 is expected only by 1.1, and only with a body to come", () => {
	const expects = (minor: number, ...lines: string[]) =>
		readRequest(`POST / HTTP/1.${minor}\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`)
			.expectContinue;
	assert.equal(expects(1, "Expect: 100-Continue", "Content-Length: 1"), true);
	assert.equal(expects(1, "Transfer-Encoding: chunked", "Expect: x, 100-continue"), true);
	assert.equal(expects(1, "Expect: 100-continue", "Content-Length: 0"), false);
	assert.equal(expects(1, "Expect: 100-continued", "Content-Length: 1"), false);
	assert.equal(expects(0, "Expect: 100-continue", "Content-Length: 1"), false);
});

test("what a Connection option takes out decides nothing, and what decides cannot be taken out", () => {
	const expecting = ["Expect: 100-continue", "Content-Length: 1"];
	for (const connection of ["Connection: Expect", "Connection: close, EXPECT;x"]) {
		assert.equal(readRequest(withFields(...expecting, connection)).expectContinue, false);
		assert.equal(readRequest(withFields(connection, ...expecting)).expectContinue, false);
	}
	for (const name of ["Host", "content-length"])
		assert.equal(refusalOf(withFields(`Connection: ${name}`)), "connection_option");
	const kept = [
		"Transfer-Encoding: chunked",
		"X-Forwarded-For: 1",
		"Forwarded: for=x",
		"X-Real-IP: 1",
		"Via: 1.1 x",
	];
	const connection = `Connection: ${kept.map((line) => line.split(":")[0]).join(", ")}`;
	const read = readRequest(withFields(...kept, connection));
	assert.equal(read.framing, FRAMING_CHUNKED);
	assert.deepEqual(
		read.ids.filter((id) => id >= NOMINATED),
		[],
	);
	const socket = [
		"Upgrade: websocket",
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	];
	const head = new RequestHead();
	const check = (text: string) => {
		assert.equal(parseRequest(latin1(text), 0, text.length, head), COMPLETE);
		return checkWebSocketRequest(latin1(text), head);
	};
	assert.equal(check(withFields(...socket, "Connection: upgrade")), WEBSOCKET_VALID);
	for (const name of ["Sec-WebSocket-Key", "Sec-WebSocket-Version"])
		assert.notEqual(check(withFields(...socket, `Connection: upgrade, ${name}`)), WEBSOCKET_VALID, name);
});

test("Max-Forwards counts for OPTIONS, and is one number", () => {
	const count = (method: string, ...lines: string[]) =>
		readRequest(`${method} / HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`)
			.maxForwards;
	assert.equal(count("OPTIONS"), -1);
	assert.equal(count("OPTIONS", "max-forwards: 0"), 0);
	assert.equal(count("OPTIONS", "Max-Forwards: 007"), 7);
	assert.equal(count("OPTIONS", "Max-Forwards: 99999999999999999999999"), MAX_FORWARDS_LIMIT);
	assert.equal(count("OPTIONS", "Max-Forwards: 0", "Connection: max-forwards"), -1);
	assert.equal(count("OPTIONS", "Max-Forwards: x", "Connection: max-forwards"), -1);
	assert.equal(count("GET", "Max-Forwards: 0"), -1);
	assert.equal(count("GET", "Max-Forwards: x"), -1);
	for (const lines of [["-1"], [""], ["1, 1"], ["1", "1"], ["x"]]) {
		const fields = lines.map((value) => `Max-Forwards: ${value}\r\n`).join("");
		assert.equal(refusalOf(`OPTIONS * HTTP/1.1\r\nHost: a\r\n${fields}\r\n`), "max_forwards", fields);
	}
});

test("fields that a Connection option names are marked, wherever they stand", () => {
	const read = readRequest(withFields("X-A: 1", "Connection: x-a, close, X-B", "X-B: 2", "X-C: 3", "x-a: 4"));
	assert.deepEqual(read.ids.slice(1), [NOMINATED, FIELD_CONNECTION, NOMINATED, 0, NOMINATED]);
	const options = (count: number) => Array.from({ length: count }, (_, index) => `x-${index}`).join(",");
	readRequest(withFields(`Connection: ${options(CONNECTION_OPTIONS_LIMIT)}`));
	assert.equal(
		refusalOf(withFields(`Connection: ${options(CONNECTION_OPTIONS_LIMIT + 1)}`)),
		"connection_option",
	);
});

test("names that say who the client is are known in every spelling", () => {
	const read = readRequest(
		withFields("x-forwarded-FOR: 1", "X_Forwarded_For: 1", "X-Forwarded-Port: 1", "X_Forwarded-X: 1"),
	);
	assert.deepEqual(read.ids.slice(1), [
		FIELD_X_FORWARDED_FOR,
		FIELD_LOOKALIKE,
		FIELD_IDENTITY,
		FIELD_IDENTITY,
	]);
	for (const name of OTHER_IDENTITIES) {
		const [id, spelled] = readRequest(
			withFields(`${name.toUpperCase()}: 1`, `${name.replaceAll("-", "_")}: 1`),
		).ids.slice(1);
		assert.deepEqual([id, spelled], [FIELD_IDENTITY, FIELD_LOOKALIKE], name);
	}
	assert.equal(
		new Set(KNOWN_NAMES.map((bytes) => Buffer.from(bytes).toString("latin1"))).size,
		KNOWN_NAMES.length,
	);
	assert.deepEqual(
		readRequest(withFields("X-Forwarded-: 1", "XX-Forwarded-For: 1", "Hos: x")).ids.slice(1),
		[0, 0, 0],
	);
});

test("heads at the limits are taken, heads beyond are refused", () => {
	const lines = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: y`);
	assert.equal(readRequest(withFields(...lines(FIELDS_LIMIT - 1))).fields.length, FIELDS_LIMIT);
	assert.equal(refusalOf(withFields(...lines(FIELDS_LIMIT))), "too_many_fields");
	const padding = HEAD_LIMIT_BYTES - withFields("X: ").length;
	const longest = latin1(withFields(`X: ${"y".repeat(padding)}`));
	assert.equal(parseEverywhere(parseRequestOutcome, longest).verdict, COMPLETE);
	const longer = latin1(withFields(`X: ${"y".repeat(padding + 1)}`));
	assert.equal(parseEverywhere(parseRequestOutcome, longer).cause, "head_too_large");
	assert.equal(
		parseEverywhere(parseRequestOutcome, latin1(`GET /${"a".repeat(20000)}`)).cause,
		"target_too_long",
	);
	assert.equal(statusOf(HTTP_CAUSES.findIndex(({ name }) => name === "target_too_long")), 414);
});

test("a head that comes byte by byte is looked at once, from where the last look ended", () => {
	const head = new RequestHead();
	const bytes = latin1(`\r\n${withFields("X: y", "Cookie: z")}`);
	assert.equal(parseRequest(bytes, 0, 1, head), NEED_MORE);
	let from = head.scanFrom;
	for (let length = 2; length < bytes.length; length++) {
		const found = headEnd(bytes, 0, length, from);
		assert.ok(found < 0 && ~found >= from && ~found >= length - 1, `${found} at ${length}`);
		from = ~found;
	}
	assert.equal(headEnd(bytes, 0, bytes.length, from), bytes.length);
	assert.equal(parseRequest(bytes, 0, bytes.length, head), COMPLETE);
	for (const broken of ["GET / HTTP/1.1\nH", "GET / HTTP/1.1\rH", "\nGET"]) {
		assert.equal(headEnd(latin1(broken), 0, broken.length, 0), HEAD_BROKEN, JSON.stringify(broken));
	}
	const endless = latin1("a".repeat(HEAD_LIMIT_BYTES + 1));
	assert.equal(headEnd(endless, 0, HEAD_LIMIT_BYTES - 1, 0), ~(HEAD_LIMIT_BYTES - 1));
	assert.equal(headEnd(endless, 0, HEAD_LIMIT_BYTES, HEAD_LIMIT_BYTES - 1), HEAD_BROKEN);
});

test("every cause has a name of its own and a status", () => {
	assert.equal(new Set(HTTP_CAUSES.map(({ name }) => name)).size, HTTP_CAUSES.length);
	for (const [index, { status }] of HTTP_CAUSES.entries()) {
		assert.equal(statusOf(index), status);
		if (index > 0) assert.ok([400, 405, 414, 431, 501, 505].includes(status));
	}
	const head = new RequestHead();
	assert.equal(parseRequest(latin1("GET / HTTP/2.0\r\n"), 0, 16, head), MALFORMED);
	assert.equal(head.status, 505);
});

test("property: mutated requests never throw, hang, or depend on what lies around them", () => {
	const originals = sampleNames("http-").map(sample);
	const telling = fc.constantFrom(...latin1("\r\n :,@[]#\0\t\x7f\x80HT"));
	fc.assert(
		fc.property(
			fc.constantFrom(...originals),
			fc.array(fc.tuple(fc.nat(500), fc.oneof(telling, fc.nat(255))), { minLength: 1, maxLength: 4 }),
			(original, changes) => {
				const bytes = original.slice();
				for (const [index, value] of changes) bytes[index % bytes.length] = value;
				const outcome = parseGrowing(parseRequestOutcome, bytes);
				if (outcome.verdict === NEED_MORE) assert.ok(outcome.needBytes <= HEAD_LIMIT_BYTES);
			},
		),
		{ numRuns: 500 },
	);
});
