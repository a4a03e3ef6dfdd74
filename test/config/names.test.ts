import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHostPattern, parseServerName } from "../../src/config/names.js";

test("names are folded as clients send them", () => {
	for (const [text, name] of [
		["git.example.com", "git.example.com"],
		["Git.Example.COM.", "git.example.com"],
		["*.Apps.example.com", "*.apps.example.com"],
		["_dmarc.x_y.example", "_dmarc.x_y.example"],
		["xn--bcher-kva.example", "xn--bcher-kva.example"],
		["localhost", "localhost"],
	] as const) {
		assert.equal(parseServerName(text), name);
		assert.equal(parseHostPattern(text), name);
	}
});

test("a Host header may be an IP address", () => {
	assert.equal(parseHostPattern("10.0.0.1"), "10.0.0.1");
	assert.equal(parseHostPattern("[2001:DB8::1]"), "2001:db8::1");
	assert.equal(parseHostPattern("::1"), "::1");
});

test("a bad server name says why", () => {
	for (const [text, message] of [
		["10.0.0.1", /RFC 6066/],
		["[::1]", /RFC 6066/],
		["::1", /RFC 6066/],
		["*", /write "protocol: tls"/],
		["*.*.com", /a wildcard stands once/],
		["git.*.com", /a wildcard stands once/],
		["*git.example.com", /a wildcard stands once/],
		["*.", /it is empty/],
		["", /it is empty/],
		[".", /it is empty/],
		["a..b", /two dots in a row/],
		["git example.com", /a space cannot stand/],
		["git/example.com", /"\/" cannot stand/],
		["git.example.com:443", /write git\.example\.com alone/],
		["bücher.example", /write xn--bcher-kva\.example/],
		["10.0.0.300", /ends in a number/],
		[`${"a".repeat(64)}.com`, /longer than 63/],
		[`${"a.".repeat(127)}com`, /longer than 253/],
	] as const) {
		assert.throws(() => parseServerName(text), { name: "InvalidValue", message }, text);
	}
});

test("a host stands without its port", () => {
	assert.throws(() => parseHostPattern("www.example.com:8080"), /write www\.example\.com instead/);
	assert.throws(() => parseHostPattern("*"), /write "protocol: http"/);
});
