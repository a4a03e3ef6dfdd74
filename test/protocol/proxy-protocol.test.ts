import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
	COMPLETE,
	formatAddress,
	MALFORMED,
	NEED_MORE,
	PROXY_HEADER_LIMIT_BYTES,
	PROXY_V1_LIMIT_BYTES,
	ProxyHeader,
	parseIpv4,
	parseIpv6,
	parseProxyHeader,
	writeProxyV1,
	writeProxyV2,
} from "../../src/protocol/index.js";
import { u16 } from "./hello-builder.js";
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
	version: number;
	isLocal: boolean;
	family: number;
	isDatagram: boolean;
	source: string;
	destination: string;
	headerLength: number;
	tlvs: string;
}

const header = new ProxyHeader();

function parse(bytes: Uint8Array, start: number, end: number): Outcome & { result: Said } {
	const verdict = parseProxyHeader(bytes, start, end, header);
	return {
		verdict,
		needBytes: header.needBytes,
		cause: header.cause,
		result: {
			version: header.version,
			isLocal: header.isLocal,
			family: header.family,
			isDatagram: header.isDatagram,
			source: `${formatAddress(header.sourceAddress, 0, header.family)} ${header.sourcePort}`,
			destination: `${formatAddress(header.destinationAddress, 0, header.family)} ${header.destinationPort}`,
			headerLength: header.headerLength,
			tlvs: Buffer.from(bytes.subarray(header.tlvStart, header.tlvEnd)).toString("hex"),
		},
	};
}

function read(bytes: Uint8Array): Said {
	const outcome = parseGrowing(parse, bytes);
	assert.equal(outcome.verdict, COMPLETE, outcome.cause);
	const said = outcome.result as Said;
	assert.equal(said.headerLength, bytes.length);
	return said;
}

function assertRefused(bytes: Uint8Array, cause: string): void {
	const outcome = parseGrowing(parse, bytes);
	assert.deepEqual(
		[outcome.verdict, outcome.cause],
		[MALFORMED, cause],
		Buffer.from(bytes).toString("latin1"),
	);
}

const SIGNATURE = hex("0d0a0d0a000d0a515549540a");
const IPV4_BLOCK = hex("c0000201 c6336401 dc04 01bb");

function v2(command: number, family: number, ...parts: Uint8Array[]): Uint8Array {
	const body = concat(...parts);
	return concat(SIGNATURE, Uint8Array.of(command, family), u16(body.length), body);
}

function tlv(type: number, value: Uint8Array): Uint8Array {
	return concat(Uint8Array.of(type), u16(value.length), value);
}

test("headers that HAProxy sends are read, and what follows them left alone", () => {
	assert.deepEqual(sampleNames("proxy-"), [
		"proxy-haproxy-v1",
		"proxy-haproxy-v2",
		"proxy-haproxy-v2-crc32c",
	]);
	for (const name of sampleNames("proxy-")) {
		const bytes = sample(name);
		const whole = parseEverywhere(parse, bytes);
		assert.equal(whole.verdict, COMPLETE, whole.cause);
		const said = whole.result as Said;
		assert.deepEqual(read(bytes.subarray(0, said.headerLength)), said);
		assert.equal(said.version, name.includes("v1") ? 1 : 2);
		assert.match(said.source, /^127\.0\.0\.1 \d+$/);
		assert.equal(Buffer.from(bytes).toString("latin1", said.headerLength, said.headerLength + 4), "GET ");
		assert.equal(parseAsAsked(parse, bytes).outcome.verdict, COMPLETE);
	}
});

test("a checksum that HAProxy computed guards the addresses and every TLV", () => {
	const bytes = sample("proxy-haproxy-v2-crc32c");
	const length = parse(bytes, 0, bytes.length).result.headerLength;
	const checksumType = 28; // changed, it is no checksum any more
	for (let i = 16; i < length; i++) {
		if (i === checksumType) continue;
		const changed = bytes.slice(0, length);
		changed[i] = (changed[i] as number) ^ 1;
		assert.notEqual(parse(changed, 0, length).verdict, COMPLETE, `byte ${i} changed unnoticed`);
	}
});

test("version 1 lines are read", () => {
	const cases: [string, Partial<Said>][] = [
		[
			"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
			{ family: 4, source: "192.0.2.1 56324", destination: "198.51.100.1 443" },
		],
		[
			"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n",
			{ source: "0.0.0.0 0", destination: "255.255.255.255 65535" },
		],
		["PROXY TCP6 2001:DB8::1 ::1 1 2\r\n", { family: 6, source: "2001:db8::1 1", destination: "::1 2" }],
		["PROXY TCP6 :: :: 1 1\r\n", { family: 6, isLocal: false }],
		[
			`PROXY TCP6 ${"ffff:".repeat(8).slice(0, -1)} ${"ffff:".repeat(8).slice(0, -1)} 65535 65535\r\n`,
			{ headerLength: 104 },
		],
		["PROXY UNKNOWN\r\n", { isLocal: true, family: 0, source: "unknown 0" }],
		[
			`PROXY UNKNOWN ${"ffff:".repeat(8).slice(0, -1)} ${"ffff:".repeat(8).slice(0, -1)} 65535 65535\r\n`,
			{ isLocal: true, headerLength: PROXY_V1_LIMIT_BYTES },
		],
	];
	for (const [line, expected] of cases) {
		const said = read(latin1(line));
		for (const [key, value] of Object.entries(expected))
			assert.deepEqual(said[key as keyof Said], value, line);
	}
});

test("version 1 lines that do not exactly match the protocol are refused", () => {
	const cases: [string, string][] = [
		["no_proxy_header", "GET / HTTP/1.1\r\n"],
		["no_proxy_header", "PROXYTCP4"],
		["no_proxy_header", "proxy TCP4"],
		["no_proxy_header", "\x16\x03\x01"],
		["transport", "PROXY \r\n......."],
		["transport", "PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n"],
		["transport", "PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n"],
		["transport", "PROXY UNKNOWNX\r\n"],
		["transport", "PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n"],
		["address", "PROXY TCP4\r\n......"],
		["address", "PROXY TCP4 1.1.1.1\r\n"],
		["address", "PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n"],
		["address", "PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n"],
		["address", "PROXY TCP4 ::1 ::1 1 2\r\n"],
		["address", "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n"],
		["port", "PROXY TCP4 1.1.1.1 2.2.2.2\r\n"],
		["port", "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n"],
		["port", "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n"],
		["port", "PROXY TCP4 1.1.1.1 2.2.2.2 1 02\r\n"],
		["port", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n"],
		["port", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n"],
		["port", "PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n"],
		["line_end", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n"],
		["line_end", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\rx"],
		["line_too_long", `PROXY UNKNOWN ${"x".repeat(92)}\r\n`],
		["line_too_long", `PROXY UNKNOWN ${"x".repeat(200)}`],
	];
	for (const [cause, line] of cases) assertRefused(latin1(line), cause);
});

test("version 2 headers are read", () => {
	const ipv6 = concat(new Uint8Array(15), hex("01"), hex("20010db8"), new Uint8Array(12), hex("0001 0002"));
	const cases: [Uint8Array, Partial<Said>][] = [
		[v2(0x21, 0x11, IPV4_BLOCK), { family: 4, source: "192.0.2.1 56324", destination: "198.51.100.1 443" }],
		[v2(0x21, 0x12, IPV4_BLOCK), { family: 4, isDatagram: true }],
		[v2(0x21, 0x21, ipv6), { family: 6, source: "::1 1", destination: "2001:db8:: 2" }],
		[v2(0x21, 0x11, IPV4_BLOCK, tlv(2, latin1("a.example"))), { tlvs: "020009612e6578616d706c65" }],
		[v2(0x21, 0x11, IPV4_BLOCK, tlv(4, new Uint8Array(0))), { tlvs: "040000" }],
		[v2(0x20, 0x00), { isLocal: true, family: 0, tlvs: "" }],
		// LOCAL: everything but the length is ignored, even a family that does not exist.
		[v2(0x20, 0xff, hex("0102030405")), { isLocal: true, family: 0, tlvs: "" }],
		[v2(0x20, 0x11, IPV4_BLOCK), { isLocal: true, family: 0, source: "unknown 0" }],
		[v2(0x21, 0x00), { isLocal: true }],
		[v2(0x21, 0x00, hex("0102030405")), { isLocal: true, tlvs: "" }],
		[v2(0x21, 0x10, IPV4_BLOCK), { isLocal: true }],
		[v2(0x21, 0x31, new Uint8Array(216), tlv(4, hex("00"))), { isLocal: true, family: 0, tlvs: "04000100" }],
	];
	for (const [bytes, expected] of cases) {
		const said = read(bytes);
		assert.equal(said.version, 2);
		for (const [key, value] of Object.entries(expected))
			assert.deepEqual(said[key as keyof Said], value, key);
	}
});

test("version 2 headers with anything unassigned or ill-fitting are refused", () => {
	const ssl = (...subTlvs: Uint8Array[]) => tlv(0x20, concat(hex("01 00000000"), ...subTlvs));
	assert.equal(read(v2(0x21, 0x11, IPV4_BLOCK, ssl(tlv(0x21, latin1("TLSv1.3"))))).family, 4);
	const cases: [string, Uint8Array][] = [
		["no_proxy_header", hex("0d0a0d0a01")],
		["no_proxy_header", latin1("\r\nGET / HTTP/1.1\r\n")],
		["version", concat(SIGNATURE, hex("11"))],
		["version", concat(SIGNATURE, hex("31"))],
		["command", v2(0x22, 0x11, IPV4_BLOCK)],
		["family", v2(0x21, 0x41, IPV4_BLOCK)],
		["family", v2(0x21, 0x13, IPV4_BLOCK)],
		["address_length", v2(0x21, 0x11, IPV4_BLOCK.subarray(1))],
		["address_length", v2(0x21, 0x21, IPV4_BLOCK)],
		["address_length", v2(0x21, 0x31, new Uint8Array(215))],
		["header_too_long", concat(SIGNATURE, hex("2111 ffff"))],
		["tlv_length", v2(0x21, 0x11, IPV4_BLOCK, hex("00"))],
		["tlv_length", v2(0x21, 0x11, IPV4_BLOCK, hex("04 0001"))],
		["tlv_length", v2(0x21, 0x11, IPV4_BLOCK, tlv(4, hex("00")), hex("0400"))],
		["tlv_length", v2(0x21, 0x11, IPV4_BLOCK, tlv(0x20, hex("01000000")))],
		["tlv_length", v2(0x21, 0x11, IPV4_BLOCK, ssl(hex("21 0009 00")))],
		["tlv_length", v2(0x21, 0x11, IPV4_BLOCK, tlv(3, hex("000000")))],
		["checksum", v2(0x21, 0x11, IPV4_BLOCK, tlv(3, hex("00000000")))],
		["checksum", v2(0x21, 0x11, IPV4_BLOCK, tlv(3, hex("00000000")), tlv(3, hex("00000000")))],
	];
	for (const [cause, bytes] of cases) assertRefused(bytes, cause);
});

test("the longest header is 4 KiB", () => {
	const of = (bytes: number) => v2(0x21, 0x11, IPV4_BLOCK, tlv(4, new Uint8Array(bytes - 16 - 12 - 3)));
	assert.equal(parseEverywhere(parse, of(PROXY_HEADER_LIMIT_BYTES)).verdict, COMPLETE);
	assert.equal(parseEverywhere(parse, of(PROXY_HEADER_LIMIT_BYTES + 1)).cause, "header_too_long");
});

const out = new Uint8Array(5000);
const NOTHING = new Uint8Array(0);

test("version 1 is written as HAProxy writes it", () => {
	const source = parseIpv4("192.0.2.1") ?? NOTHING;
	const destination = parseIpv4("198.51.100.10") ?? NOTHING;
	const length = writeProxyV1(out, 3, 4, source, 56324, destination, 0);
	assert.equal(
		Buffer.from(out.subarray(3, 3 + length)).toString("latin1"),
		"PROXY TCP4 192.0.2.1 198.51.100.10 56324 0\r\n",
	);
	const unknown = writeProxyV1(out, 0, 0, NOTHING, 0, NOTHING, 0);
	assert.equal(Buffer.from(out.subarray(0, unknown)).toString("latin1"), "PROXY UNKNOWN\r\n");
	const mapped = parseIpv6("::ffff:192.0.2.1") ?? NOTHING;
	const six = writeProxyV1(out, 0, 6, mapped, 1, mapped, 65535);
	assert.equal(
		Buffer.from(out.subarray(0, six)).toString("latin1"),
		"PROXY TCP6 ::ffff:c000:201 ::ffff:c000:201 1 65535\r\n",
	);
	assert.throws(() => writeProxyV1(new Uint8Array(106), 0, 4, source, 1, destination, 2), RangeError);
});

test("a checksum is computed anew when TLVs are passed on with other addresses", () => {
	const bytes = sample("proxy-haproxy-v2-crc32c");
	const incoming = parse(bytes, 0, bytes.length).result;
	const before = [header.tlvStart, header.tlvEnd] as const;
	const source = parseIpv6("2001:db8::5") ?? NOTHING;
	const length = writeProxyV2(out, 7, 6, source, 5, source, 6, bytes, ...before);
	const said = read(out.slice(7, 7 + length));
	assert.deepEqual([said.source, said.destination], ["2001:db8::5 5", "2001:db8::5 6"]);
	assert.equal(said.tlvs.length, incoming.tlvs.length);
	assert.notEqual(said.tlvs, incoming.tlvs);
	// The unique id, which came after the checksum, is untouched.
	assert.ok(said.tlvs.includes(incoming.tlvs.slice(14)));
});

test("a header without TLVs carries no checksum, and LOCAL carries nothing", () => {
	const source = parseIpv4("192.0.2.1") ?? NOTHING;
	assert.equal(writeProxyV2(out, 0, 4, source, 1, source, 2), 28);
	assert.deepEqual(out.slice(0, 28), v2(0x21, 0x11, hex("c0000201 c0000201 0001 0002")));
	assert.equal(writeProxyV2(out, 0, 0, NOTHING, 0, NOTHING, 0, tlv(4, hex("00"))), 16);
	assert.deepEqual(out.slice(0, 16), v2(0x20, 0));
});

test("a header that would not fit is never written in part", () => {
	const source = parseIpv4("192.0.2.1") ?? NOTHING;
	assert.throws(() => writeProxyV2(new Uint8Array(51), 0, 4, source, 1, source, 2), RangeError);
	assert.throws(() => writeProxyV2(out, out.length - 51, 4, source, 1, source, 2), RangeError);
	assert.throws(() => writeProxyV2(out, 0, 4, source, 1, source, 2, hex("04 0009 00")), RangeError);
	const long = concat(tlv(4, new Uint8Array(40000)), tlv(4, new Uint8Array(40000)));
	assert.throws(() => writeProxyV2(new Uint8Array(90000), 0, 4, source, 1, source, 2, long), RangeError);
});

test("property: what is written is read back, in both versions", () => {
	const address = fc.uint8Array({ minLength: 16, maxLength: 16 });
	const port = fc.nat(65535);
	const tlvs = fc.array(
		fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, 0x30, 0xe0), fc.uint8Array({ maxLength: 40 })),
		{ maxLength: 4 },
	);
	fc.assert(
		fc.property(
			fc.constantFrom(4 as const, 6 as const),
			address,
			port,
			address,
			port,
			tlvs,
			(family, from, fromPort, to, toPort, list) => {
				const expected = [
					`${formatAddress(from, 0, family)} ${fromPort}`,
					`${formatAddress(to, 0, family)} ${toPort}`,
				];
				const first = writeProxyV1(out, 9, family, from, fromPort, to, toPort);
				assert.ok(first <= PROXY_V1_LIMIT_BYTES);
				const one = parse(out, 9, 9 + first);
				assert.deepEqual([one.verdict, one.result.source, one.result.destination], [COMPLETE, ...expected]);

				const passed = concat(...list.map(([type, value]) => tlv(type, value)));
				const second = writeProxyV2(out, 0, family, from, fromPort, to, toPort, passed);
				const two = parse(out, 0, second);
				assert.deepEqual(
					[two.verdict, two.result.source, two.result.destination],
					[COMPLETE, ...expected],
					two.cause,
				);
				assert.equal(two.result.headerLength, second);
			},
		),
		{ numRuns: 300 },
	);
});

test("property: mutated headers never throw or depend on what lies around them", () => {
	const originals = [
		...sampleNames("proxy-").map(sample),
		v2(0x21, 0x31, new Uint8Array(216), tlv(4, hex("00"))),
		latin1("PROXY TCP6 2001:db8::1 ::1 1 2\r\n"),
	];
	fc.assert(
		fc.property(
			fc.constantFrom(...originals),
			fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { minLength: 1, maxLength: 4 }),
			(original, changes) => {
				const bytes = original.slice();
				for (const [index, value] of changes) bytes[index % bytes.length] = value;
				const outcome = parseGrowing(parse, bytes);
				if (outcome.verdict === NEED_MORE) assert.ok(outcome.needBytes <= PROXY_HEADER_LIMIT_BYTES);
			},
		),
		{ numRuns: 1000 },
	);
});
