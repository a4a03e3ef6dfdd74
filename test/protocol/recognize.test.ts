import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
	COMPLETE,
	MALFORMED,
	NEED_MORE,
	PEEK_LIMIT_BYTES,
	PROTOCOL_NAMES,
	REQUEST_LINE_LIMIT_BYTES,
	Recognition,
	recognize,
} from "../../src/protocol/index.js";
import { helloWith, message, record, records, sni } from "./hello-builder.js";
import {
	concat,
	hex,
	latin1,
	type Outcome,
	parseAsAsked,
	parseEverywhere,
	parseGrowing,
	sample,
	sampleNames,
} from "./samples.js";

interface Said {
	protocol: string | undefined;
	name: string | undefined;
}

const recognition = new Recognition();

function parse(bytes: Uint8Array, start: number, end: number): Outcome & { result: Said } {
	const verdict = recognize(bytes, start, end, recognition);
	const name = Buffer.from(recognition.name.subarray(0, recognition.nameLength)).toString("latin1");
	return {
		verdict,
		needBytes: recognition.needBytes,
		cause: recognition.cause,
		result: { protocol: PROTOCOL_NAMES[recognition.protocol], name: name === "" ? undefined : name },
	};
}

function assertSeen(input: string | Uint8Array, protocol: string, name?: string): void {
	const outcome = parseGrowing(parse, typeof input === "string" ? latin1(input) : input);
	assert.equal(outcome.verdict, COMPLETE, `${outcome.cause}: ${JSON.stringify(input)}`);
	assert.deepEqual(outcome.result, { protocol, name }, JSON.stringify(input));
}

function assertRefused(input: string | Uint8Array, protocol: string, cause: string): void {
	const outcome = parseGrowing(parse, typeof input === "string" ? latin1(input) : input);
	assert.deepEqual(
		[outcome.verdict, (outcome.result as Said).protocol, outcome.cause],
		[MALFORMED, protocol, cause],
		JSON.stringify(input),
	);
}

test("every recorded client is recognised by the first bytes it sends", () => {
	for (const protocol of ["tls", "http", "ssh", "h2c"]) {
		const names = sampleNames(`${protocol}-`);
		assert.ok(names.length > 0, protocol);
		for (const name of names) {
			const bytes = sample(name);
			const outcome = parseEverywhere(parse, bytes);
			assert.equal(outcome.verdict, COMPLETE, name);
			assert.equal((outcome.result as Said).protocol, protocol, name);
			assert.deepEqual(parseAsAsked(parse, bytes).outcome, outcome, name);
			for (let length = 0; length < bytes.length; length++) {
				const part = parse(bytes, 0, length);
				assert.notEqual(part.verdict, MALFORMED, `${name} at ${length}`);
				if (part.verdict === COMPLETE) assert.deepEqual(part, outcome, `${name} at ${length}`);
				else assert.ok(part.needBytes > length && part.needBytes <= bytes.length, `${name} at ${length}`);
			}
		}
	}
});

test("nothing yet needs one byte", () => {
	assert.deepEqual(parse(new Uint8Array(0), 0, 0), {
		verdict: NEED_MORE,
		needBytes: 1,
		cause: "",
		result: { protocol: "unknown", name: undefined },
	});
});

test("names are canonical, and the name's bytes are those of the protocol seen", () => {
	assertSeen(helloWith(sni("WWW.Example.com.")), "tls", "www.example.com");
	assertSeen("GET / HTTP/1.1\r\nHost: WWW.Example.com.:80\r\n\r\n", "http", "www.example.com");
	assertSeen(helloWith(), "tls");
	assertSeen("GET / HTTP/1.0\r\n\r\n", "http");
	assertSeen("\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "http", "a.example");
});

test("bytes that begin as TLS are TLS for good", () => {
	assertRefused(hex("16 0301 0000"), "tls", "record_empty");
	assertRefused(helloWith(sni("a b")), "tls", "server_name_invalid");
	assertRefused(record(message({}, 2)), "tls", "message_type");
	const pieces = records(message({}), 30);
	pieces[36] = 4; // the major version of the second record
	assertRefused(pieces, "tls", "record_version");
});

test("a first byte of TLS with another major version behind it is other, and alone tells nothing", () => {
	for (const second of [0x00, 0x02, 0x04, 0x16, 0xff]) assertSeen(Uint8Array.of(0x16, second), "other");
	assertSeen("\x16GET / HTTP/1.1\r\n", "other");
	const alone = parse(Uint8Array.of(0x16), 0, 1);
	assert.deepEqual([alone.verdict, alone.result.protocol, alone.needBytes], [NEED_MORE, "unknown", 2]);
});

test("an SSLv2 hello, TLS of another record type, and binary protocols are other", () => {
	// SSLv2 CLIENT-HELLO that offers up to TLS 1.0, as OpenSSL 0.9.8 sent it.
	assertSeen(hex("802e 01 0301 0015 0000 0010 010080 0700c0"), "other");
	assertSeen(hex("15 0301 0002 0228"), "other");
	assertSeen(hex("00000008 04d2162f"), "other"); // PostgreSQL SSLRequest
	assertSeen(hex("10 1a 0004 4d515454"), "other"); // MQTT CONNECT
	assertSeen(hex("05 01 00"), "other"); // SOCKS5
	assertSeen("\0", "other");
	assertSeen("\xff", "other");
	assertSeen("*1\r\n$4\r\nPING\r\n", "other"); // Redis
	assertSeen("get / HTTP/1.1\r\n", "other");
	assertSeen(" GET / HTTP/1.1\r\n", "other");
	assertSeen("\n", "other");
	assertSeen("\rX", "other");
	assertSeen("\r\n\r\nGET / HTTP/1.1\r\n", "other");
	assertSeen("\r\n\r\n\0\r\nQUIT\n", "other"); // a PROXY header where none is expected
});

test("words that are no request line are other, as soon as that is certain", () => {
	for (const line of [
		"EHLO mail.example\r\n",
		"HELO x\n",
		"USER anonymous\r\n",
		"NICK someone\r\n",
		"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
		"INVITE sip:bob@example.com SIP/2.0\r\n",
		"OPTIONS rtsp://example.com/media RTSP/1.0\r\n",
		'CONNECT {"verbose":false}\r\n',
		"GET /\r\n",
		"GET\r\n",
		"GET \r\n",
		"QUIT\r\n",
		"A b\n",
		`${"A".repeat(25)}`,
		"STARTTLS\n",
	]) {
		assertSeen(line, "other");
	}
});

test("SSH is known by four bytes, and by no fewer", () => {
	assertSeen("SSH-", "ssh");
	assertSeen("SSH-2.0-x\r\n", "ssh");
	for (const prefix of ["S", "SS", "SSH"])
		assert.equal(parse(latin1(prefix), 0, prefix.length).verdict, NEED_MORE);
	assertSeen("SSX\r\n", "other");
	assertSeen("SSH\r\n", "other");
	assertSeen("SSH / HTTP/1.1\r\nHost: a\r\n\r\n", "http", "a");
	assertSeen("\r\nSSH-2.0-x\r\n", "other");
});

test("the HTTP/2 preface is h2c, and almost the preface is refused", () => {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	assertSeen(preface, "h2c");
	assertSeen(sample("h2c-curl").subarray(0, 24), "h2c");
	assert.equal(parse(latin1(preface), 0, 15).needBytes, 24);
	assertRefused("PRI * HTTP/2.0\r\n\r\nSX", "h2c", "h2_preface");
	assertRefused("PRI * HTTP/2.0\n", "h2c", "h2_preface");
	assertRefused("PRI * HTTP/2.1\r\n", "http", "target");
	assertRefused("PRI * HTTP/1.1\r\nHost: a\r\n\r\n", "http", "target");
	assertRefused(`\r\n${preface}`, "http", "target");
	assertSeen("PRI x\r\n", "other");
});

test("a request line with a version is HTTP for good", () => {
	for (const [line, cause] of [
		["GET / HTTP/2.0\r\n", "http_version_unsupported"],
		["GET / HTTP/1\r\n", "http_version"],
		["GET / http/1.1\r\n", "http_version"],
		["GET / HTTP/1.1x\r\n", "http_version"],
		["FOO /bar HTTP/3\r\n", "http_version"],
		["FOO bar HTTP/1.1\r\n", "target"],
		["GET / HTTP/1.1 \r\n", "http_version"],
		["GET / HTTP/1.1\n", "bare_lf"],
		["GET /\tHTTP/1.1\r\n", "target"],
		["GET  / HTTP/1.1\r\n", "target"],
		["GET HTTP/1.1\r\n", "target"],
		["GET /\0 HTTP/1.1\r\n", "target"],
		["GET / HTTP/1.1\r\n\r\n", "host_missing"],
		["GET / HTTP/1.1\r\nHost:\r\n\r\n", "host_invalid"],
		["GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "host_duplicate"],
		["POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "transfer_coding_unknown"],
	] as const) {
		assertRefused(line, "http", cause);
	}
});

test("requests that only a relay passes on are named like any other", () => {
	assertSeen("CONNECT A.example:443 HTTP/1.1\r\nHost: b.example\r\n\r\n", "http", "a.example");
	assertSeen("SOURCE /stream HTTP/1.0\r\nHost: radio.example\r\n\r\n", "http", "radio.example");
});

test("a first line without end is refused for known methods, other for the rest", () => {
	const long = "a".repeat(REQUEST_LINE_LIMIT_BYTES);
	assert.equal((parseEverywhere(parse, latin1(`EHLO ${long}`)).result as Said).protocol, "other");
	// The end of the line counts only within the limit, so that the answer does not depend on how bytes arrive.
	assert.equal(
		(parseEverywhere(parse, latin1(`FOO /${long} HTTP/1.1\r\n`)).result as Said).protocol,
		"other",
	);
	const rest = " HTTP/1.1\r\nHost: a\r\n\r\n";
	assert.equal(parseEverywhere(parse, latin1(`GET /${long}${rest}`)).verdict, COMPLETE);
	assert.equal(parseEverywhere(parse, latin1(`GET /${long}\r\n`)).cause, "target");
	assert.equal(parseEverywhere(parse, latin1(`GET /${long}${long}`)).cause, "target_too_long");
});

test("no input makes it ask for more than the peek limit", () => {
	const long = [
		records(message({ extensions: [sni("a.example")], trailing: new Uint8Array(0) }), 1),
		concat(hex("16 0301 4000 01 003ffc"), new Uint8Array(20000)),
		concat(hex("16 0301 0001 01 16 0301 0001 00 16 0301 0001 3f 16 0301 0001 fc"), new Uint8Array(20000)),
		latin1(`GET / HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(20000)}`),
		latin1(`GET /${"a".repeat(20000)}`),
		latin1("A ".repeat(10000)),
	];
	for (const bytes of long) {
		for (let length = 0; length <= bytes.length; length += 37) {
			const outcome = parse(bytes, 0, length);
			assert.ok(outcome.needBytes <= PEEK_LIMIT_BYTES, `${outcome.needBytes} at ${length}`);
			if (length >= PEEK_LIMIT_BYTES) assert.notEqual(outcome.verdict, NEED_MORE);
		}
	}
});

test("property: any bytes, and any change to real ones, give one answer however they arrive", () => {
	const originals = ["tls-", "http-", "ssh-", "h2c-", "proxy-"].flatMap((prefix) =>
		sampleNames(prefix).map(sample),
	);
	const changed = fc
		.tuple(
			fc.constantFrom(...originals),
			fc.array(fc.tuple(fc.nat(64), fc.nat(255)), { maxLength: 3 }),
			fc.integer({ min: 1, max: 300 }),
		)
		.map(([original, changes, length]) => {
			const bytes = original.slice(0, length);
			for (const [index, value] of changes) bytes[index % bytes.length] = value;
			return bytes;
		});
	const words = fc
		.array(
			fc.constantFrom(
				"GET",
				"SSH-",
				"PRI * HTTP/2.0",
				" ",
				"/",
				"HTTP/1.1",
				"\r\n",
				"\r",
				"\n",
				"Host: a",
				"EHLO",
			),
			{
				maxLength: 10,
			},
		)
		.map((parts) => latin1(parts.join("")));
	fc.assert(
		fc.property(fc.oneof(changed, words, fc.uint8Array({ maxLength: 60 })), (bytes) => {
			parseGrowing(parse, bytes);
		}),
		{ numRuns: 1500 },
	);
});
