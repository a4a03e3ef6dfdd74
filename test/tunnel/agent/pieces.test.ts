/** The small parts of an agent, each by itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bootClock } from "../../../src/parts/boot-clock.js";
import { Backoff } from "../../../src/tunnel/agent/backoff.js";
import { HostHeader } from "../../../src/tunnel/agent/host-header.js";
import { ProxyError, proxyFor } from "../../../src/tunnel/agent/http-proxy.js";

test("it comes back at once the first time, then after longer and longer pauses, up to a bound", () => {
	const highest = new Backoff(30_000, () => 1);
	const waits = [highest.next(60_000), ...Array.from({ length: 8 }, () => highest.next(0))];
	assert.deepEqual(waits, [0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
	assert.equal(highest.next(60_000), 0);
	// It was in, and thrown out again, over and over.
	assert.equal(highest.next(100), 1_000);
	assert.equal(highest.next(100), 2_000);
	const lowest = new Backoff(30_000, () => 0);
	assert.deepEqual([lowest.next(0), lowest.next(0), lowest.next(0, 7_000)], [500, 500, 7_000]);
	assert.equal(new Backoff(1, () => 1).next(0), 500);
});

test("the clock goes on while the machine sleeps, never back, and follows no small correction", () => {
	let monotonic = 1_000;
	let sinceBoot = 50_000;
	const clock = bootClock(
		() => monotonic,
		() => sinceBoot,
	);
	const pass = (awake: number, asleep = 0): number => {
		monotonic += awake;
		sinceBoot += awake + asleep;
		return clock();
	};
	assert.equal(pass(10), 1_010);
	assert.equal(pass(10, 900), 1_020);
	assert.equal(pass(10, -900), 1_030);
	assert.equal(pass(10, 3_600_000), 1_040 + 3_600_000);
	assert.equal(pass(10, -3_600_000), 1_050 + 3_600_000);
	assert.ok(bootClock()() <= bootClock()() + 1);
});

const AT = { host: "gw.example.com", port: 4443 };
const PROXY = "http://proxy:3128";

test("the environment names a proxy, with a user or without", () => {
	assert.equal(proxyFor(AT, {}), undefined);
	assert.deepEqual(proxyFor(AT, { HTTPS_PROXY: PROXY }), { host: "proxy", port: 3128 });
	assert.deepEqual(proxyFor(AT, { https_proxy: "proxy:3128" }), { host: "proxy", port: 3128 });
	assert.deepEqual(proxyFor(AT, { HTTPS_PROXY: "http://us%40er:p%3A@[::1]" }), {
		...{ host: "::1", port: 80 },
		authorization: `Basic ${Buffer.from("us@er:p:").toString("base64")}`,
	});
	for (const bad of ["https://proxy:1", "socks5://proxy:1", "http://"])
		assert.throws(() => proxyFor(AT, { HTTPS_PROXY: bad }), ProxyError, bad);
});

test("NO_PROXY names who is reached without", () => {
	const through = (host: string, list: string): boolean =>
		proxyFor({ host, port: 4443 }, { HTTPS_PROXY: PROXY, NO_PROXY: list }) !== undefined;
	for (const list of [
		"*",
		"gw.example.com",
		"a, .example.com",
		"example.com",
		"EXAMPLE.com",
		"*.example.com",
		"gw.example.com:4443",
	])
		assert.ok(!through("gw.example.com", list), list);
	for (const list of ["", "ample.com", "gw.example.com:443", "other.com", "10.0.0.0/8"])
		assert.ok(through("gw.example.com", list), list);
	assert.ok(!through("10.1.2.3", "10.0.0.0/8"));
	assert.ok(through("11.1.2.3", "10.0.0.0/8,10.0.0.0/99,x/8"));
	assert.ok(!through("fd00::1", "fd00::/8"));
	assert.ok(!through("::1", "::1"));
});

const REQUESTS = [
	"GET /a HTTP/1.1\r\nHost: app.example.com\r\nX: Host: y\r\n\r\n",
	"POST /b HTTP/1.1\r\nhost:app\r\nContent-Length: 9\r\n\r\nHost: no\n",
	"POST /c HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHost:\r\na\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n",
	"POST /d HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"GET /e HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
	"GET /f HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
	"\x81\x85 Host: app GET / HTTP/1.1\r\nHost: app\r\n\r\n",
];

test("the Host of each head is replaced and nothing else, wherever the bytes are cut", () => {
	const stream = Buffer.from(REQUESTS.join(""), "latin1");
	const heads = REQUESTS.slice(0, -1).map((each) =>
		each.replace(/^(.*\r\nhost: *)[^\r]*/i, (_, before: string) => `${before}inner:81`),
	);
	const wanted = [...heads, REQUESTS.at(-1)].join("");
	fc.assert(
		fc.property(fc.array(fc.nat(stream.length), { maxLength: 30 }), (cuts) => {
			const host = new HostHeader("inner:81");
			const ends = [...cuts.sort((a, b) => a - b), stream.length];
			let from = 0;
			let out = "";
			for (const end of ends) {
				out += host.change(Buffer.from(stream.subarray(from, end))).toString("latin1");
				from = end;
			}
			assert.equal(out, wanted);
		}),
	);
});

test("what is no request is not passed on", () => {
	for (const bytes of [
		"GET\r\n\r\n",
		`GET / HTTP/1.1\r\nX: ${"a".repeat(20_000)}`,
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz",
	])
		assert.throws(() => new HostHeader("a").change(Buffer.from(bytes)), bytes.slice(0, 20));
});
