import assert from "node:assert/strict";
import { isIPv4, isIPv6 } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { formatAddress, parseIpv4, parseIpv6 } from "../../src/protocol/index.js";

test("IPv6 is written as RFC 5952 recommends", () => {
	const cases: [string, string][] = [
		["::", "::"],
		["::1", "::1"],
		["1::", "1::"],
		["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
		["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
		["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
		["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
		["0:0:1:2:3:4:0:0", "::1:2:3:4:0:0"],
		["1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"],
		["0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"],
		["fe80::0abc:00d0", "fe80::abc:d0"],
		["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
		["::ffff:192.0.2.1", "192.0.2.1"],
		["::ffff:c000:0201", "192.0.2.1"],
		["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
	];
	for (const [text, expected] of cases) {
		const bytes = parseIpv6(text);
		assert.ok(bytes, text);
		assert.equal(formatAddress(bytes, 0, 6), expected);
	}
});

test("an address is formatted where it stands; other families are unknown", () => {
	assert.equal(formatAddress(Uint8Array.of(9, 192, 0, 2, 255, 9), 1, 4), "192.0.2.255");
	assert.equal(formatAddress(new Uint8Array(4), 0, 0), "unknown");
});

test("what is no address is undefined, zones included", () => {
	for (const text of [
		"",
		"1.2.3",
		"1.2.3.4.",
		"01.2.3.4",
		"1.2.3.256",
		"1.2.3.4.5",
		"1..2.3",
		" 1.2.3.4",
		"::1",
	]) {
		assert.equal(parseIpv4(text), undefined, text);
	}
	for (const text of [
		"",
		":",
		":::",
		"1",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"1::2::3",
		"1:2:3:4:5:6:7::8",
		":1::",
		"1::2:",
		"12345::",
		"::g",
		"::1.2.3",
		"::1.2.3.4.5",
		"1:2:3:4:5:6:7:1.2.3.4",
		"::1.2.3.4:5",
		"fe80::1%eth0",
		"1.2.3.4",
	]) {
		assert.equal(parseIpv6(text), undefined, text);
	}
});

test("property: the same texts are addresses here and for node:net", () => {
	const almost = fc.stringMatching(/^[0-9a-f:.]{0,24}$/);
	const groups = fc
		.array(fc.oneof(fc.stringMatching(/^[0-9a-fA-F]{1,5}$/), fc.constant(""), fc.ipV4()), { maxLength: 9 })
		.map((parts) => parts.join(":"));
	fc.assert(
		fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), almost, groups), (text) => {
			assert.equal(parseIpv4(text) !== undefined, isIPv4(text), `v4 ${text}`);
			assert.equal(parseIpv6(text) !== undefined, isIPv6(text), `v6 ${text}`);
		}),
		{ numRuns: 3000 },
	);
});

test("property: formatting and parsing give the bytes back", () => {
	const sparse = fc.array(fc.constantFrom(0, 0, 0, 1, 0xab), { minLength: 16, maxLength: 16 });
	fc.assert(
		fc.property(sparse, (values) => {
			const bytes = Uint8Array.from(values);
			assert.deepEqual(parseIpv6(formatAddress(bytes, 0, 6)), bytes);
			assert.deepEqual(parseIpv4(formatAddress(bytes, 0, 4)), bytes.slice(0, 4));
		}),
	);
});
