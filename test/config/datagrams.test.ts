import assert from "node:assert/strict";
import { test } from "node:test";
import { parseProbe, parseServerId, parseUdpEndpoint } from "../../src/config/datagram-values.js";
import { loadConfigText } from "../../src/config/load.js";
import { file } from "./datagram-files.js";

test("a listener on UDP and its upstreams have their defaults filled in", () => {
	const { listeners, upstreams } = loadConfigText(file({}));
	const [first] = listeners;
	assert.ok(first);
	const { name, host, port, datagrams, deadlines } = first;
	assert.deepEqual({ name, host, port }, { name: "0.0.0.0:53/udp", host: "0.0.0.0", port: 53 });
	assert.deepEqual(datagrams, { unknownVersions: "reject" });
	assert.deepEqual([deadlines.timeouts.idleMs, deadlines.quicIdleMs], [30_000, 120_000]);
	assert.deepEqual(upstreams[0]?.datagrams, { responses: null });
	assert.equal(upstreams[0].http, null);
	assert.equal(upstreams[0].health, null);
	assert.deepEqual(upstreams[0].addresses, [
		{
			...{ kind: "ip", address: "10.0.0.53", family: 4, port: 53 },
			...{ weight: 1, backup: false, maxConnections: null },
		},
	]);
});

test("what a file says of datagrams is what holds", () => {
	const { listeners, upstreams, limits } = loadConfigText(`
limits: { half_hellos: 20 }
listeners:
  - listen: "*:443/udp"
    unknown_versions: route
    connections: 5
    accepts_per_second: 6
    routes:
      - { sni: [A.test, "*.b.test"], alpn: h3, protocol: quic, source: 10.0.0.0/8, to: a, connections: 7, sessions_per_second: 8 }
      - { protocol: [dtls, other], to: reject }
      - { protocol: any, to: b }
  - { listen: "*:443", routes: [{ to: reject }] }
upstreams:
  a:
    udp: [{ address: 10.0.0.5:443, server_id: "0a01", weight: 2, backup: no }, { address: "[fd00::1]:443", server_id: "0AfF", max_connections: 9 }]
    proxy_protocol: v2
    balance: source_hash
  b: { udp: app.internal:53, responses: 2, health: { interval: 1s, send: "hex:00 0f FF" }, resolve: 9s, eject: { failures: 1 } }
`);
	assert.equal(limits.halfHellos, 20);
	const [first, second] = listeners;
	assert.deepEqual(first?.datagrams, { unknownVersions: "route" });
	assert.deepEqual([first.name, first.host, first.port], ["*:443/udp", "*", 443]);
	assert.deepEqual([first.connections, first.acceptsPerSecond], [5, 6]);
	assert.deepEqual(
		first.routes.map(({ label, to }) => [label, to]),
		[
			["sni=a.test|*.b.test,alpn=h3,protocol=quic,source=10.0.0.0/8", "a"],
			["protocol=dtls|other", null],
			["protocol=any", "b"],
		],
	);
	assert.equal(second?.datagrams, undefined);
	const [a, b] = upstreams;
	assert.deepEqual(
		a?.addresses.map(({ serverId }) => serverId),
		[Uint8Array.of(0x0a, 0x01), Uint8Array.of(0x0a, 0xff)],
	);
	assert.deepEqual([a.addresses[0]?.weight, a.addresses[1]?.maxConnections], [2, 9]);
	assert.deepEqual([a.proxyProtocol, a.balance], ["v2", "source_hash"]);
	assert.deepEqual(b?.datagrams, { responses: 2 });
	assert.deepEqual(b.health, {
		...{ intervalMs: 1_000, timeoutMs: 1_000, fall: 3, rise: 2, http: null },
		datagram: Uint8Array.of(0x00, 0x0f, 0xff),
	});
	assert.deepEqual([b.resolveMs, b.eject.failures], [9_000, 1]);
});

test("a listener, an upstream or a route that says idle says it of QUIC too, and the general timeouts say it of neither", () => {
	const idles = (general: string, keys: string, upstream: string, route: string) => {
		const { listeners } = loadConfigText(
			`timeouts: { ${general} }
listeners:
  - { listen: ":1/udp", ${keys} routes: [{ protocol: quic, to: a${route} }] }
  - { listen: ":1", routes: [{ to: b }] }
upstreams: { a: { udp: 10.0.0.1:1${upstream} }, b: 10.0.0.1:1 }`,
		);
		return [listeners[0]?.deadlines, listeners[0]?.routes[0]?.deadlines].map(
			(each) => each && [each.timeouts.idleMs, each.quicIdleMs, each.timeouts.lifetimeMs],
		);
	};
	const H = 3_600_000;
	const usual = [30_000, 120_000, 0];
	for (const [general, keys, upstream, route, ofListener, ofRoute] of [
		["idle: 1h", "", "", "", usual, null],
		["idle: 1h, lifetime: 1h", "", "", "", [30_000, 120_000, H], null],
		["", "timeouts: { idle: 5s },", "", "", [5_000, undefined, 0], null],
		["", "", ", timeouts: { idle: 6s }", "", usual, [6_000, undefined, 0]],
		["", "", ", timeouts: { idle: 6s }", ", timeouts: { idle: 7s }", usual, [7_000, undefined, 0]],
		["", "", "", ", timeouts: { lifetime: 1h }", usual, [30_000, 120_000, H]],
		[
			"",
			"timeouts: { idle: 5s },",
			"",
			", timeouts: { lifetime: 1h }",
			[5_000, undefined, 0],
			[5_000, undefined, H],
		],
		["", "timeouts: { lifetime: 1h },", "", "", [30_000, 120_000, H], null],
	] as const)
		assert.deepEqual(
			idles(general, keys, upstream, route),
			[ofListener, ofRoute],
			[general, keys, upstream, route].join(" | "),
		);
});

test("a health check's text is sent as it stands, and bytes as hex digits", () => {
	for (const [text, bytes] of [
		["ping", [0x70, 0x69, 0x6e, 0x67]],
		["é", [0xc3, 0xa9]],
		["hex:00ff", [0x00, 0xff]],
		["HEX: 00 ff\n0A ", [0x00, 0xff, 0x0a]],
		["hexadecimal", [...Buffer.from("hexadecimal")]],
	] as const)
		assert.deepEqual([...parseProbe(text)], bytes, text);
	assert.equal(parseProbe("x".repeat(1_200)).length, 1_200);
	assert.equal(parseProbe(`hex:${"00".repeat(1_200)}`).length, 1_200);
	for (const [text, message] of [
		["", /nothing would be sent/],
		["hex:", /nothing would be sent/],
		["hex:0", /two hex digits each/],
		["hex:0g", /two hex digits each/],
		["hex:0x00", /two hex digits each/],
		["x".repeat(1_201), /at most 1200 bytes can be sent, and these are 1201/],
		["é".repeat(601), /these are 1202/],
		[`hex:${"00".repeat(1_201)}`, /these are 1201/],
	] as const)
		assert.throws(() => parseProbe(text), { name: "InvalidValue", message }, text);
});

test("a server ID is 1 to 15 bytes in hex", () => {
	assert.deepEqual([...parseServerId("0aFF")], [0x0a, 0xff]);
	assert.equal(parseServerId("ab".repeat(15)).length, 15);
	for (const [text, message] of [
		["", /expected hex digits such as "0a01", found ""/],
		["xyz", /expected hex digits/],
		["0x0a01", /write "0a01"/],
		["0a:01", /write "0a01"/],
		["0a 01", /write "0a01"/],
		["a01", /a byte is two hex digits.*write "0a01"/],
		["ab".repeat(16), /1 to 15 bytes, and these are 16/],
	] as const)
		assert.throws(() => parseServerId(text), { name: "InvalidValue", message }, text);
});

test("datagrams go to an address or a name", () => {
	const ip = { kind: "ip", address: "10.0.0.5", family: 4, port: 443 };
	assert.deepEqual(parseUdpEndpoint("10.0.0.5:443"), ip);
	assert.deepEqual(parseUdpEndpoint("App.internal:53"), { kind: "name", host: "app.internal", port: 53 });
	for (const [text, message] of [
		["10.0.0.5:443/udp", /stands alone: write 10\.0\.0\.5:443$/],
		["unix:/run/app.sock", /an IP address or a host name with a port/],
		["/run/app.sock", /an IP address or a host name with a port/],
		["udp://10.0.0.5:443", /remove "udp:\/\/"/],
		["10.0.0.5", /port is missing/],
		["10.0.0.5:0", /a port from 1/],
		["https://a.test", /requests go to http/],
	] as const)
		assert.throws(() => parseUdpEndpoint(text), { name: "InvalidValue", message }, text);
});
