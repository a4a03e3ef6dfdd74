import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
	COMPLETE,
	MALFORMED,
	NEED_MORE,
	parseRequestHead,
	REQUEST_FIELDS_LIMIT,
	REQUEST_HEAD_LIMIT_BYTES,
	RequestHead,
} from "../../src/protocol/index.js";
import {
	latin1,
	type Outcome,
	parseAsAsked,
	parseEverywhere,
	parseGrowing,
	sample,
	sampleNames,
} from "./samples.js";

interface Said {
	hostName: string | undefined;
	method: string;
	target: string;
	versionMinor: number;
	headBytes: number;
	fieldCount: number;
	isUpgradeWebSocket: boolean;
	contentLength: number;
	isChunked: boolean;
}

const head = new RequestHead();

function parse(bytes: Uint8Array, start: number, end: number): Outcome & { result: Said } {
	const verdict = parseRequestHead(bytes, start, end, head);
	const text = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString("latin1");
	return {
		verdict,
		needBytes: head.needBytes,
		cause: head.cause,
		result: {
			hostName: head.hostName,
			method: text(head.methodStart, head.methodEnd),
			target: text(head.targetStart, head.targetEnd),
			versionMinor: head.versionMinor,
			headBytes: verdict === COMPLETE ? head.headEnd - start : head.headEnd,
			fieldCount: head.fieldCount,
			isUpgradeWebSocket: head.isUpgradeWebSocket,
			contentLength: head.contentLength,
			isChunked: head.isChunked,
		},
	};
}

function read(input: string | Uint8Array): Said {
	const bytes = typeof input === "string" ? latin1(input) : input;
	const outcome = parseGrowing(parse, bytes);
	assert.equal(outcome.verdict, COMPLETE, `${outcome.cause}: ${JSON.stringify(input)}`);
	return outcome.result as Said;
}

function assertRefused(input: string, cause: string): void {
	const outcome = parseGrowing(parse, latin1(input));
	assert.deepEqual([outcome.verdict, outcome.cause], [MALFORMED, cause], JSON.stringify(input));
	assert.equal((outcome.result as Said).hostName, undefined, "half a head must name nothing");
}

/** A request with this Host field. */
function withHost(host: string): string {
	return `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
}

/** A request with these lines after Host. */
function withFields(...lines: string[]): string {
	return `GET / HTTP/1.1\r\nHost: a.example\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
}

test("requests of real clients are read, whichever way the network cuts them", async (t) => {
	const expected: Record<string, Partial<Said>> = {
		"http-chromium": {
			hostName: "chromium.example.com",
			method: "GET",
			target: "/",
			isUpgradeWebSocket: false,
		},
		"http-curl": { hostName: "curl.example.com", target: "/path?query=1", contentLength: -1 },
		"http-curl-chunked": { hostName: "127.0.0.1", method: "POST", isChunked: true },
		"http-curl-connect": {
			hostName: "origin.example.com",
			method: "CONNECT",
			target: "origin.example.com:8443",
		},
		"http-curl-http1.0": { hostName: undefined, versionMinor: 0 },
		"http-curl-post": { hostName: "127.0.0.1", method: "POST", target: "/form", contentLength: 7 },
		"http-curl-proxy": { hostName: "origin.example.com", target: "http://origin.example.com/x" },
		"http-curl-upgrade-h2c": { hostName: "127.0.0.1", isUpgradeWebSocket: false },
		"http-node-websocket": { hostName: "ws.example.com", target: "/socket", isUpgradeWebSocket: true },
		"http-python": { hostName: "127.0.0.1", method: "GET" },
	};
	assert.deepEqual(sampleNames("http-"), Object.keys(expected).sort(), "each sample has its expectation");
	for (const [name, said] of Object.entries(expected)) {
		await t.test(name, () => {
			const bytes = sample(name);
			const whole = parseEverywhere(parse, bytes).result as Said;
			const result = read(bytes.subarray(0, whole.headBytes));
			assert.deepEqual(result, whole, "content after the head changes nothing");
			for (const [key, value] of Object.entries(said))
				assert.deepEqual(result[key as keyof Said], value, key);
		});
	}
});

test("the head ends just past the empty line, wherever the content goes on", () => {
	const request = withFields("Content-Length: 5");
	const outcome = parseEverywhere(parse, latin1(`${request}\r\n\r\nX`));
	assert.equal((outcome.result as Said).headBytes, request.length);
});

test("the host is canonical: no port, no final dot, no brackets, lower case", () => {
	const cases: [string, string | undefined][] = [
		["www.example.com", "www.example.com"],
		["WWW.Example.COM", "www.example.com"],
		["www.example.com:8080", "www.example.com"],
		["www.example.com.:8080", "www.example.com"],
		["www.example.com:", "www.example.com"],
		["  www.example.com \t", "www.example.com"],
		["under_score.example", "under_score.example"],
		["192.0.2.1:80", "192.0.2.1"],
		["[2001:DB8::1]:443", "2001:db8::1"],
		["[::1]", "::1"],
		["localhost:65535", "localhost"],
		["", undefined],
	];
	for (const [field, host] of cases) assert.equal(read(withHost(field)).hostName, host, field);
});

test("a Host field of any other shape is refused", () => {
	const label = "a".repeat(63);
	for (const field of [
		".",
		"a..b",
		".a",
		"a b",
		"a\tb",
		"user@a.example",
		"user:pass@a.example",
		"a.example:80:80",
		"a.example:65536",
		"a.example:123456",
		"a.example:8x",
		"a.example:-1",
		":80",
		"::1",
		"[::1",
		"[::1]x",
		"[::1%25eth0]",
		"[v1.x]",
		"[]",
		"[1.2.3.4]",
		"a.example/",
		"http://a.example",
		"a.example,b.example",
		"a.example, b.example",
		"a%2eexample",
		"*.example",
		"exämple",
		`${label}a.example`,
		`${label}.${label}.${label}.${label}`,
	]) {
		assertRefused(withHost(field), "host_invalid");
	}
});

test("Host comes exactly once in HTTP/1.1, at most once in HTTP/1.0", () => {
	assertRefused("GET / HTTP/1.1\r\n\r\n", "host_missing");
	assertRefused("GET / HTTP/1.1\r\nX: y\r\n\r\n", "host_missing");
	assertRefused("GET http://a.example/ HTTP/1.1\r\n\r\n", "host_missing");
	assertRefused(withFields("Host: a.example"), "host_duplicate");
	assertRefused(withFields("hOSt: b.example"), "host_duplicate");
	assertRefused("GET / HTTP/1.1\r\nHost:\r\nHost: a.example\r\n\r\n", "host_duplicate");
	assertRefused("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "host_duplicate");
	assert.equal(read("GET / HTTP/1.0\r\n\r\n").hostName, undefined);
	assert.equal(read("GET / HTTP/1.0\r\nHost: old.example\r\n\r\n").hostName, "old.example");
});

test("an authority in the target replaces the Host field", () => {
	const cases: [string, string][] = [
		["GET http://Target.example/ HTTP/1.1\r\nHost: field.example\r\n\r\n", "target.example"],
		["GET HTTP://target.example:8080?q HTTP/1.1\r\nHost: field.example\r\n\r\n", "target.example"],
		["GET https://target.example HTTP/1.1\r\nHost:\r\n\r\n", "target.example"],
		["GET http://[2001:db8::A]:80/ HTTP/1.1\r\nHost: field.example\r\n\r\n", "2001:db8::a"],
		["GET http://target.example/http://x@y/ HTTP/1.0\r\n\r\n", "target.example"],
		["CONNECT target.example:443 HTTP/1.1\r\nHost: field.example\r\n\r\n", "target.example"],
		["CONNECT [::1]:22 HTTP/1.1\r\nHost: field.example:22\r\n\r\n", "::1"],
	];
	for (const [request, host] of cases) assert.equal(read(request).hostName, host, request);
	assertRefused("GET http://a.example/ HTTP/1.1\r\nHost: b c\r\n\r\n", "host_invalid");
});

test("targets of no known form are refused", () => {
	for (const line of [
		"GET * HTTP/1.1",
		"GET a.example HTTP/1.1",
		"GET a.example:80 HTTP/1.1",
		"GET ?q HTTP/1.1",
		"GET  / HTTP/1.1",
		"GET /a#b HTTP/1.1",
		"GET /\t HTTP/1.1",
		"GET /\x00 HTTP/1.1",
		"GET /\x7f HTTP/1.1",
		"GET /ä HTTP/1.1",
		"GET http:///path HTTP/1.1",
		"GET http://user@a.example/ HTTP/1.1",
		"GET http://user:pass@a.example/ HTTP/1.1",
		"GET http://a.example:x/ HTTP/1.1",
		"GET http://a.example\\@b.example/ HTTP/1.1",
		"GET ftp://a.example/ HTTP/1.1",
		"GET http:/a HTTP/1.1",
		"CONNECT / HTTP/1.1",
		"CONNECT a.example HTTP/1.1",
		"CONNECT a.example: HTTP/1.1",
		"CONNECT http://a.example:80 HTTP/1.1",
		"CONNECT user@a.example:443 HTTP/1.1",
		"CONNECT * HTTP/1.1",
		"GET / \r\n",
	]) {
		const cause = line.endsWith(" HTTP/1.1") ? "target" : "http_version";
		assertRefused(`${line}\r\nHost: a.example\r\n\r\n`, cause);
	}
	assert.equal(read("OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n").target, "*");
	assert.equal(read("GET //a.example/..%2f HTTP/1.1\r\nHost: b\r\n\r\n").hostName, "b");
	assert.equal(read("G'T~ /{|}\"<> HTTP/1.1\r\nHost: b\r\n\r\n").target, '/{|}"<>');
});

test("methods and versions are what the grammar says", () => {
	for (const line of [
		" GET / HTTP/1.1",
		"\tGET / HTTP/1.1",
		"G\x00T / HTTP/1.1",
		"GET\t/ HTTP/1.1",
		"G(T / HTTP/1.1",
		"\n",
	]) {
		assertRefused(`${line}\r\nHost: a\r\n\r\n`, "method");
	}
	for (const line of [
		"GET / HTTP/1.2",
		"GET / HTTP/2.0",
		"GET / http/1.1",
		"GET / HTTP/1.10",
		"GET / HTTP/1.1 ",
		"GET / HTTP/11",
		"GET /  HTTP/1.1",
		"GET / X",
		"GET / HTTP/1.",
	]) {
		assertRefused(`${line}\r\nHost: a\r\n\r\n`, "http_version");
	}
});

test("one empty line may come first, not two", () => {
	const said = read(`\r\n${withHost("a.example")}`);
	assert.deepEqual([said.method, said.hostName], ["GET", "a.example"]);
	assertRefused(`\r\n\r\n${withHost("a.example")}`, "method");
	assertRefused(`\n${withHost("a.example")}`, "method");
	assertRefused(`\rGET / HTTP/1.1\r\n`, "bare_cr");
});

test("lines end in CR LF and in nothing else", () => {
	assertRefused("GET / HTTP/1.1\nHost: a\n\n", "bare_lf");
	assertRefused("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", "bare_lf");
	assertRefused("GET / HTTP/1.1\r\nHost: a\r\n\n", "bare_lf");
	assertRefused("GET / HTTP/1.1\rHost: a\r\n\r\n", "bare_cr");
	assertRefused("GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", "bare_cr");
	assertRefused("GET / HTTP/1.1\r\nHost: a\r\n\rX", "bare_cr");
	assertRefused("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "bare_cr");
});

test("fields that two readers could take differently are refused", () => {
	const cases: [string, string][] = [
		["field_name", "X : y"],
		["field_name", "X\t: y"],
		["field_name", ": y"],
		["field_name", "X"],
		["field_name", "X y: z"],
		["field_name", "X\x00: z"],
		["field_name", "Xä: z"],
		["field_name", "(X): z"],
		["field_name", "Host\x0b: b.example"],
		["folded_field", " folded: y"],
		["folded_field", "\tfolded"],
		["field_value", "X: a\x00b"],
		["field_value", "X: a\x7fb"],
		["field_value", "X: a\x1bb"],
		["field_value", "X: a\x0bb"],
	];
	for (const [cause, line] of cases) assertRefused(withFields(line), cause);
	assertRefused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", "folded_field");
	assert.equal(read(withFields("X:", "Y: \t ", "Z:a\tb", "V: \xe4")).fieldCount, 5);
});

test("one length, once: what request smuggling is made of is refused", () => {
	const cases: [string, string[]][] = [
		["content_length", ["Content-Length: 5", "Content-Length: 5"]],
		["content_length", ["Content-Length: 5", "content-length: 6"]],
		["content_length", ["Content-Length: 5, 5"]],
		["content_length", ["Content-Length: +5"]],
		["content_length", ["Content-Length: -5"]],
		["content_length", ["Content-Length: 0x5"]],
		["content_length", ["Content-Length: 5 5"]],
		["content_length", ["Content-Length:"]],
		["content_length", ["Content-Length: 9999999999999999"]],
		["transfer_encoding", ["Transfer-Encoding: gzip"]],
		["transfer_encoding", ["Transfer-Encoding: chunked, identity"]],
		["transfer_encoding", ["Transfer-Encoding: xchunked"]],
		["transfer_encoding", ["Transfer-Encoding: chunked,"]],
		["transfer_encoding", ["Transfer-Encoding:"]],
		["transfer_encoding", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]],
		["both_lengths", ["Content-Length: 5", "Transfer-Encoding: chunked"]],
		["both_lengths", ["Transfer-Encoding: chunked", "Content-Length: 0"]],
	];
	for (const [cause, lines] of cases) assertRefused(withFields(...lines), cause);
	assertRefused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "transfer_encoding");
	assert.equal(read(withFields("Content-Length: 0")).contentLength, 0);
	assert.equal(read(withFields("content-length:  00042 ")).contentLength, 42);
	assert.equal(read(withFields("Transfer-Encoding: Chunked")).isChunked, true);
});

test("a WebSocket upgrade is GET over 1.1 with both fields, in any list and case", () => {
	const upgrade = (method: string, version: string, ...lines: string[]) =>
		read(`${method} / ${version}\r\nHost: a\r\n${lines.join("\r\n")}\r\n\r\n`).isUpgradeWebSocket;
	assert.equal(upgrade("GET", "HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket"), true);
	assert.equal(
		upgrade("GET", "HTTP/1.1", "UPGRADE: h2c, WebSocket", "connection: keep-alive ,\tupgrade"),
		true,
	);
	assert.equal(
		upgrade("GET", "HTTP/1.1", "Connection: keep-alive", "Connection: upgrade", "Upgrade: websocket"),
		true,
	);
	assert.equal(upgrade("POST", "HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket"), false);
	assert.equal(upgrade("GET", "HTTP/1.0", "Connection: Upgrade", "Upgrade: websocket"), false);
	assert.equal(upgrade("GET", "HTTP/1.1", "Upgrade: websocket"), false);
	assert.equal(upgrade("GET", "HTTP/1.1", "Connection: Upgrade", "Upgrade: h2c"), false);
	assert.equal(upgrade("GET", "HTTP/1.1", "Connection: upgraded", "Upgrade: websocket"), false);
	assert.equal(upgrade("GET", "HTTP/1.1", "Connection: up grade", "Upgrade: websocket"), false);
	assert.equal(upgrade("GET", "HTTP/1.1", "Connection: upgrade upgrade", "Upgrade: websocket"), false);
	assert.equal(upgrade("GET", "HTTP/1.1", "Connection: upgrade", "Upgrade: websocket2"), false);
});

test("heads beyond the limits are refused, heads at the limits are taken", () => {
	const lines = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: y`);
	assert.equal(read(withFields(...lines(REQUEST_FIELDS_LIMIT - 1))).fieldCount, REQUEST_FIELDS_LIMIT);
	assertRefused(withFields(...lines(REQUEST_FIELDS_LIMIT)), "too_many_fields");

	const padding = REQUEST_HEAD_LIMIT_BYTES - withFields("X: ").length;
	const longest = latin1(withFields(`X: ${"y".repeat(padding)}`));
	assert.equal(longest.length, REQUEST_HEAD_LIMIT_BYTES);
	assert.equal(parseEverywhere(parse, longest).verdict, COMPLETE);
	assert.ok(parse(longest, 0, longest.length - 1).needBytes <= REQUEST_HEAD_LIMIT_BYTES);
	const longer = latin1(withFields(`X: ${"y".repeat(padding + 1)}`));
	assert.equal(parseEverywhere(parse, longer).cause, "head_too_large");
	assert.equal(parseEverywhere(parse, latin1(`GET /${"a".repeat(20000)}`)).cause, "head_too_large");
});

test("asking for exactly needBytes always moves on and ends", () => {
	for (const name of sampleNames("http-")) {
		const { outcome, calls } = parseAsAsked(parse, sample(name));
		assert.equal(outcome.verdict, COMPLETE);
		assert.ok(calls < 200, `${calls} calls`);
	}
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
				const outcome = parseGrowing(parse, bytes);
				if (outcome.verdict === NEED_MORE) assert.ok(outcome.needBytes <= REQUEST_HEAD_LIMIT_BYTES);
			},
		),
		{ numRuns: 1000 },
	);
});

test("property: a well-formed request gives back what it was made of", () => {
	const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}$/);
	const value = fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/);
	const host = fc.stringMatching(/^[a-z0-9]{1,20}(\.[a-z0-9_-]{1,20}){0,3}$/);
	const special = /^(host|content-length|transfer-encoding|connection|upgrade)$/i;
	fc.assert(
		fc.property(
			token.filter((method) => method !== "CONNECT"),
			fc.stringMatching(/^\/[!"$-~]{0,30}$/),
			host,
			fc.array(
				fc.tuple(
					token.filter((name) => !special.test(name)),
					value,
				),
				{ maxLength: 8 },
			),
			(method, target, name, fields) => {
				const lines = fields.map(([field, content]) => `${field}:${content}\r\n`).join("");
				const said = read(`${method} ${target} HTTP/1.1\r\n${lines}Host: ${name}\r\n\r\n`);
				assert.deepEqual([said.method, said.target, said.hostName], [method, target, name]);
				assert.equal(said.fieldCount, fields.length + 1);
			},
		),
		{ numRuns: 300 },
	);
});
