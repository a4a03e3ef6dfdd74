/** What tunnels that are open make of a configuration's routes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../../src/config/address.js";
import type { RouteConfig } from "../../src/config/config.js";
import { loadConfigText } from "../../src/config/load.js";
import { hashOf } from "../../src/config/passwords.js";
import { withTunnels } from "../../src/gateway/tunnels/expand.js";
import type { OpenTunnel } from "../../src/tunnel/gateway/interfaces.js";

const HASH = hashOf("alice", "a password of a route");

function tunnel(number: number, more: Partial<OpenTunnel> = {}): OpenTunnel {
	return {
		...{ number, slot: number, identity: "pair", epoch: 1, kind: "http", name: "app", host: "app.a.test" },
		...{ port: null, plain: false, allow: null, connections: null, bytesPerSecond: null, basicAuth: [] },
		...more,
	};
}

/** Routes of the first listener, and of those that are made. */
function routes(route: string, ...open: readonly OpenTunnel[]): readonly (readonly RouteConfig[])[] {
	const config = loadConfigText(
		[
			`listeners: [{ listen: 127.0.0.1:80, routes: [{ ${route} }] }]`,
			"tunnels: { listen: 127.0.0.1:1, insecure: true, domain: a.test, ports: 9-19, agents: [] }",
		].join("\n"),
	);
	return withTunnels(config, open).listeners.map(({ routes }) => routes);
}

test("a name that agents share lets pass what each of them lets pass", () => {
	const allow = (...blocks: readonly string[]) => blocks.map(parseCidr);
	const lists = [[{ user: "a", hash: "1" }], [{ user: "b", hash: "2" }]];
	const [[held, ...refusals] = []] = routes(
		`host: "*.a.test", source: 10.0.0.0/8, to: tunnels, bytes_per_second: 1MiB, basic_auth: { alice: ${HASH} }`,
		tunnel(1, { allow: allow("10.1.0.0/16", "192.0.2.0/24"), bytesPerSecond: 5_000, basicAuth: lists }),
		tunnel(2, { allow: allow("10.1.2.0/24"), bytesPerSecond: 9_000, basicAuth: [[...(lists[0] ?? [])]] }),
	);
	assert.deepEqual(held?.source, allow("10.1.2.0/24"));
	assert.equal(held?.byteRates.all, 5_000);
	assert.deepEqual(held?.basicAuth, [[{ user: "alice", hash: HASH }], ...lists]);
	assert.equal(held?.label, "host=app.a.test,source=10.1.2.0/24");
	// Also who asks for a name that nobody holds is asked.
	for (const { basicAuth } of refusals) assert.deepEqual(basicAuth, [[{ user: "alice", hash: HASH }]]);
	const [[none] = []] = routes(
		'host: "*.a.test", to: tunnels',
		tunnel(1, { allow: allow("10.0.0.0/8") }),
		tunnel(2, { allow: allow("192.0.2.0/24") }),
	);
	assert.equal(none?.noTunnel, true);
});

test("a port that agents share is for those whom each lets in, with the places of all", () => {
	const tcp = { kind: "tcp", host: null, port: 9 } as const;
	const of = (...open: readonly OpenTunnel[]) => routes('host: "*.a.test", to: tunnels', ...open)[2]?.[0];
	const one = of(
		tunnel(1, { ...tcp, connections: 5, allow: [parseCidr("10.0.0.0/8")] }),
		tunnel(2, { ...tcp, connections: 2, allow: [parseCidr("10.0.0.0/9")], bytesPerSecond: 2_048 }),
	);
	assert.deepEqual(one?.source, [parseCidr("10.0.0.0/9")]);
	assert.deepEqual([one?.connections, one?.byteRates.all], [7, 2_048]);
	assert.equal(of(tunnel(1, { ...tcp, connections: 5 }), tunnel(2, tcp))?.connections, null);
	assert.equal(one?.deadlines?.timeouts.idleMs, 3_600_000);
});

test("where a route asks for a password, it leads to no tunnel that cannot be asked", () => {
	const tls = tunnel(1, { kind: "tls" });
	const leads = (route: string): boolean =>
		routes(route, tls)[0]?.some(({ to }) => to === "tunnels:app") ?? false;
	assert.ok(leads("to: tunnels"));
	assert.ok(!leads(`to: tunnels, basic_auth: { alice: ${HASH} }`));
});

test("visitors who send datagrams come to a port that tcp may have as well, or by a name to listeners on UDP alone", () => {
	const config = loadConfigText(
		[
			"listeners:",
			'  - { listen: 127.0.0.1:80, routes: [{ sni: "*.a.test", to: tunnels }] }',
			'  - { listen: 127.0.0.1:80/udp, routes: [{ sni: "*.a.test", alpn: h3, to: tunnels }, { to: tunnels }] }',
			"tunnels: { listen: 127.0.0.1:1, insecure: true, domain: a.test, ports: 9-19, agents: [] }",
		].join("\n"),
	);
	const { listeners, upstreams } = withTunnels(config, [
		tunnel(1, { kind: "udp", name: "dns", host: null, port: 9, connections: 5 }),
		tunnel(2, { kind: "tcp", name: "ssh", host: null, port: 9 }),
		tunnel(3, { kind: "udp", name: "dns", host: null, port: 9, connections: 6, identity: "other" }),
		tunnel(4, { kind: "quic", name: "h3", host: "h3.a.test" }),
		tunnel(5, { kind: "tls", name: "tls", host: "tls.a.test" }),
	]);
	assert.deepEqual(
		listeners.map(({ name, datagrams, routes }) => [
			name,
			datagrams !== undefined,
			routes.map(({ to }) => to),
		]),
		[
			["127.0.0.1:80", false, ["tunnels:tls", null]],
			["127.0.0.1:80/udp", true, ["tunnels:h3", "tunnels:h3", null, null]],
			["127.0.0.1:1", false, []],
			["127.0.0.1:9/udp", true, ["tunnels:dns"]],
			["127.0.0.1:9", false, ["tunnels:ssh"]],
		],
	);
	const [, quic, , udp] = listeners;
	assert.deepEqual(
		quic?.routes.map(({ sni, protocol, alpn }) => [sni, protocol, alpn]),
		[
			[["h3.a.test"], ["quic"], ["h3"]],
			[["h3.a.test"], ["quic"], null],
			[["*.a.test"], null, ["h3"]],
			[null, null, null],
		],
	);
	const [route] = udp?.routes ?? [];
	assert.equal(route?.connections, 11);
	assert.deepEqual([route?.deadlines?.timeouts.idleMs, route?.deadlines?.quicIdleMs], [30_000, 120_000]);
	const of = (name: string) => upstreams.find((each) => each.name === name);
	assert.deepEqual(
		["tunnels:dns", "tunnels:h3", "tunnels:ssh"].map((name) => of(name)?.datagrams !== undefined),
		[true, true, false],
	);
	assert.equal(of("tunnels:dns")?.agents?.length, 2);
});
