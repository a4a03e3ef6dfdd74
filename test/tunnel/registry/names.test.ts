import assert from "node:assert/strict";
import { test } from "node:test";
import { Delays } from "../../../src/tunnel/registry/delays.js";
import { nameFor } from "../../../src/tunnel/registry/names.js";

const AGENT = {
	...{
		id: "a",
		publicKeys: [],
		ports: null,
		shared: false,
		connections: null,
		bytesPerSecond: null,
		basicAuth: null,
	},
	...{ names: ["app", "dev-*"], domains: ["shop.example.org", "*.example.net", "deep.er.example.com"] },
};

test("a name is folded into one spelling, and has the host that visitors ask for", () => {
	for (const [written, name, host] of [
		["app", "app", "app.example.com"],
		["APP", "app", "app.example.com"],
		["app.example.com", "app", "app.example.com"],
		["App.Example.Com.", "app", "app.example.com"],
		["dev-", null, null],
		["dev-1", "dev-1", "dev-1.example.com"],
		["dev", null, null],
		["apps", null, null],
		["shop.example.org", "shop.example.org", "shop.example.org"],
		["x.shop.example.org", null, null],
		["a.example.net", "a.example.net", "a.example.net"],
		["a.b.example.net", null, null],
		["example.net", null, null],
		["deep.er.example.com", "deep.er.example.com", "deep.er.example.com"],
		["example.com", null, null],
		["app.example.com.evil.org", null, null],
		["*", null, null],
		["dev-*", null, null],
		["", null, null],
		["dev-\u0000", null, null],
		[`dev-${"x".repeat(60)}`, null, null],
	] as const) {
		const found = nameFor(AGENT, "example.com", "http", written);
		if (name === null) assert.equal(typeof found, "string", written);
		else assert.deepEqual(found, { name, host }, written);
	}
});

test("tunnels of datagrams have names of their own, by a port or by a host", () => {
	for (const domain of ["example.com", null])
		assert.deepEqual(nameFor(AGENT, domain, "udp", "app"), { name: "app/udp", host: null });
	assert.match(
		String(nameFor(AGENT, null, "udp", "shop.example.org")),
		/a udp tunnel is reached by its port/,
	);
	assert.deepEqual(nameFor(AGENT, "example.com", "quic", "App.example.com"), {
		name: "app/udp",
		host: "app.example.com",
	});
	const asked = { ...AGENT, basicAuth: [{ user: "a", hash: "b" }] };
	assert.match(String(nameFor(asked, "example.com", "quic", "app")), /those of a quic tunnel cannot be/);
});

test("a tcp tunnel has a label and no host, with a domain or without", () => {
	for (const domain of ["example.com", null])
		assert.deepEqual(nameFor(AGENT, domain, "tcp", "app"), { name: "app", host: null });
	assert.match(String(nameFor(AGENT, null, "tcp", "shop.example.org")), /is a host name/);
	assert.match(String(nameFor(AGENT, null, "http", "app")), /no domain/);
	assert.deepEqual(nameFor(AGENT, null, "tls", "shop.example.org"), {
		...{ name: "shop.example.org", host: "shop.example.org" },
	});
});

test("what is said of a name that was refused cannot spoil a log", () => {
	assert.doesNotMatch(
		String(nameFor(AGENT, null, "http", `\u001b[31m\n${"x".repeat(500)}`)),
		/[^\x20-\x7e]|x{65}/,
	);
});

test("wrong logins make an address wait, each time twice as long up to a minute, and strangers do not", () => {
	let now = 0;
	const delays = new Delays(() => now);
	const waits: number[] = [];
	for (let attempt = 0; attempt < 8; attempt++) {
		waits.push(delays.wrong("10.0.0.1"));
		assert.equal(delays.left("10.0.0.1"), waits.at(-1));
		now += waits.at(-1) ?? 0;
		assert.equal(delays.left("10.0.0.1"), 0);
	}
	assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
	assert.equal(delays.left("10.0.0.2"), 0);
	now += 600_000;
	assert.equal(delays.wrong("10.0.0.1"), 1_000, "after a quiet time it begins anew");
	delays.wrong("2001:db8::1");
	assert.equal(delays.left("2001:db8::2"), 1_000, "one customer has a /64");
	for (let index = 0; index < 10_000; index++) delays.wrong(`10.1.${index >> 8}.${index & 255}`);
	assert.ok(delays.size <= 4_096);
});
