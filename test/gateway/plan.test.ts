import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../../src/config/config.js";
import { loadConfigText } from "../../src/config/load.js";
import { NO_CERTIFICATES } from "../../src/gateway/certificates.js";
import {
	addressBytes,
	checkedAddresses,
	planFor,
	policyOf,
	Registry,
	type ResolvedUpstream,
	routeKey,
	splitKey,
	targetText,
} from "../../src/gateway/plan.js";
import { AF_INET, AF_INET6, AF_UNIX } from "../../src/kernel/constants.js";
import { familyAt, portAt } from "../../src/kernel/sockaddr.js";
import { Board } from "../../src/upstream/board.js";
import { Resolver } from "../../src/upstream/resolver.js";

/** What names mean, as the test says. */
async function resolverFor(names: Readonly<Record<string, readonly string[]>>): Promise<Resolver> {
	const resolver = new Resolver(
		{ changed: () => {}, failed: () => {}, recovered: () => {} },
		{
			lookUp: async (host) => ({
				addresses: (names[host] ?? []).map((address) => ({
					address,
					family: address.includes(":") ? 6 : 4,
				})),
			}),
			close: () => {},
		},
	);
	await resolver.follow(new Map(Object.keys(names).map((host) => [host, 60_000])));
	return resolver;
}

interface Placed {
	readonly registry: Registry;
	readonly board: Board;
	resolve(config: Config): ResolvedUpstream[];
}

async function registryWith(names: Readonly<Record<string, readonly string[]>> = {}): Promise<Placed> {
	const board = new Board();
	const registry = new Registry(board, []);
	const resolver = await resolverFor(names);
	return {
		registry,
		board,
		resolve: (config) => {
			registry.keep(config);
			return registry.resolve(config, resolver, NO_CERTIFICATES);
		},
	};
}

const NO_TLS = { certificates: NO_CERTIFICATES, ticketKeys: [] };
const CAPACITY = { connections: 1, descriptors: 1_000 };

const CONFIG = loadConfigText(`
timeouts: { handshake: 1s, connect: 2s, idle: 3m, stall: 4s, half_closed: 5s, lifetime: 6h, drain: 7s, silence: 8ms }
keepalive: { idle: 9s, interval: 10s, probes: 11 }
listeners:
  - listen: 127.0.0.1:8443
    proxy_protocol: require
    trusted: [10.0.0.0/8]
    routes:
      - { sni: git.example.com, to: git }
      - { sni: "*.apps.example.com", alpn: h2, to: apps }
      - { source: 10.0.0.0/8, to: apps }
      - { to: reject }
  - listen: "[::1]:8444"
    routes: [{ sni: git.example.com, to: apps }, { to: git }]
upstreams:
  git: 10.0.0.5:443
  apps:
    addresses: ["[fd00::6]:443", app.internal:8080, "unix:/run/app.sock"]
    balance: source_hash
    proxy_protocol: v2
    health: { interval: 5s, timeout: 2s, fall: 3, rise: 2 }
`);

test("addresses get places on the board, and what a reactor dials", async () => {
	const { resolve } = await registryWith({ "app.internal": ["10.1.0.1", "fd00::1"] });
	const [git, apps] = resolve(CONFIG);
	assert.deepEqual(
		[git, apps].flatMap((upstream) => upstream?.addresses.map(({ board, label }) => [board, label])),
		[
			[0, "10.0.0.5:443"],
			[1, "[fd00::6]:443"],
			[2, "10.1.0.1:8080"],
			[3, "[fd00::1]:8080"],
			[4, "unix:/run/app.sock"],
		],
	);
	assert.deepEqual(
		apps?.plan.addresses.map(({ board, sockaddr }) => [board, familyAt(sockaddr, 0), sockaddr.length]),
		[
			[1, AF_INET6, 28],
			[2, AF_INET, 16],
			[3, AF_INET6, 28],
			[4, AF_UNIX, 2 + "/run/app.sock".length + 1],
		],
	);
	assert.equal(portAt(apps?.plan.addresses[1]?.sockaddr ?? new Uint8Array(4), 0), 8080);
	assert.equal(new Set(apps?.plan.addresses.map(({ hash }) => hash)).size, 4);
	assert.deepEqual([apps?.plan.balance, apps?.plan.proxyProtocol, apps?.plan.slot], ["source_hash", "v2", 1]);
	assert.deepEqual([git?.plan.balance, git?.plan.proxyProtocol, git?.plan.slot], ["round_robin", "off", 0]);
	assert.deepEqual([git?.plan.ejectFailures, git?.plan.ejectForMs], [3, 10_000]);
});

test("a name without an answer leaves an upstream without that address, not without a plan", async () => {
	const { resolve } = await registryWith();
	const [, apps] = resolve(CONFIG);
	assert.deepEqual(
		apps?.addresses.map(({ label }) => label),
		["[fd00::6]:443", "unix:/run/app.sock"],
	);
});

test("an address that an upstream names twice, once by a host name, is one address", async () => {
	const { resolve } = await registryWith({
		"a.internal": ["10.0.0.5", "10.0.0.6"],
		"b.internal": ["10.0.0.6"],
	});
	const config = loadConfigText(`
listeners: [{ listen: 127.0.0.1:1, routes: [{ to: app }] }]
upstreams: { app: { addresses: [10.0.0.5:443, a.internal:443, b.internal:443, b.internal:444] } }
`);
	const [app] = resolve(config);
	// Twice in the plan, it would get twice its share, be dialled again after it refused, and stand twice in the metrics.
	assert.deepEqual(
		app?.plan.addresses.map(({ board }) => board),
		[0, 1, 2],
	);
	assert.deepEqual(
		app?.addresses.map(({ label }) => label),
		["10.0.0.5:443", "10.0.0.6:443", "10.0.0.6:444"],
	);
});

test("one address of two upstreams has a place for each, because their sessions are counted apart", async () => {
	const { resolve } = await registryWith();
	const config = loadConfigText(`
listeners: [{ listen: 127.0.0.1:1, routes: [{ source: 10.0.0.0/8, to: a }, { to: b }] }]
upstreams: { a: 10.0.0.5:443, b: 10.0.0.5:443 }
`);
	assert.deepEqual(
		resolve(config).map(({ plan }) => plan.addresses[0]?.board),
		[0, 1],
	);
});

test("the hash of an address follows from its text alone, wherever it stands in the list", async () => {
	const list = (addresses: string) =>
		loadConfigText(`
listeners: [{ listen: 127.0.0.1:1, routes: [{ to: a }] }]
upstreams: { a: { addresses: [${addresses}], balance: source_hash } }
`);
	const hashes = async (addresses: string) => {
		const [upstream] = (await registryWith()).resolve(list(addresses));
		return new Map(upstream?.addresses.map(({ label }, i) => [label, upstream.plan.addresses[i]?.hash]));
	};
	const forth = await hashes("10.0.0.1:1, 10.0.0.2:1, 10.0.0.3:1");
	const back = await hashes("10.0.0.3:1, 10.0.0.1:1, 10.0.0.2:1");
	assert.equal(new Set(forth.values()).size, 3);
	for (const [label, hash] of forth) assert.equal(back.get(label), hash);
});

test("an address keeps its place while names come and go, with what is known of it", async () => {
	const board = new Board();
	const registry = new Registry(board, []);
	registry.keep(CONFIG);
	const before = registry.resolve(
		CONFIG,
		await resolverFor({ "app.internal": ["10.1.0.1", "10.1.0.2"] }),
		NO_CERTIFICATES,
	);
	const place = before[1]?.addresses.find(({ label }) => label === "10.1.0.2:8080")?.board ?? -1;
	board.setDown(place, true);
	registry.resolve(CONFIG, await resolverFor({ "app.internal": ["10.1.0.3"] }), NO_CERTIFICATES);
	const after = registry.resolve(
		CONFIG,
		await resolverFor({ "app.internal": ["10.1.0.2", "10.1.0.9"] }),
		NO_CERTIFICATES,
	);
	assert.equal(after[1]?.addresses.find(({ label }) => label === "10.1.0.2:8080")?.board, place);
	assert.equal(board.isDown(place), true);
});

test("health checks follow the addresses of upstreams that ask for them, and those only", async () => {
	const { resolve } = await registryWith({ "app.internal": ["10.1.0.1"] });
	assert.deepEqual(
		checkedAddresses(resolve(CONFIG)).map(({ board, label, health }) => [board, label, health.fall]),
		[
			[1, "apps [fd00::6]:443", 3],
			[2, "apps 10.1.0.1:8080", 3],
			[3, "apps unix:/run/app.sock", 3],
		],
	);
});

test("a reactor's plan holds its own sockets, the routes in their order, and numbers for everything", async () => {
	const { registry, resolve } = await registryWith();
	const upstreams = resolve(CONFIG);
	const plan = planFor(
		CONFIG,
		registry,
		upstreams,
		7,
		{ connections: 1_234, descriptors: 5_000 },
		NO_TLS,
		(name) => ({ fd: name.length, port: 8_000 + name.length }),
	);
	assert.deepEqual([plan.revision, plan.connections, plan.logSessions], [7, 1_234, true]);
	assert.deepEqual(
		plan.listeners.map(({ slot, fd, proxyRequired, trusted, routes }) => ({
			slot,
			fd,
			proxyRequired,
			trusted: trusted.length,
			routes: routes.map((route) => [route.slot, route.upstream, route.conditions.label]),
		})),
		[
			{
				slot: 0,
				fd: "127.0.0.1:8443".length,
				proxyRequired: true,
				trusted: 1,
				routes: [
					[0, 0, "sni=git.example.com"],
					[1, 1, "sni=*.apps.example.com,alpn=h2"],
					[2, 1, "source=10.0.0.0/8"],
					[3, -1, "*"],
				],
			},
			{
				slot: 1,
				fd: "[::1]:8444".length,
				proxyRequired: false,
				trusted: 0,
				// The same label on another listener is another route.
				routes: [
					[4, 1, "sni=git.example.com"],
					[5, 0, "*"],
				],
			},
		],
	);
	assert.deepEqual(structuredClone(plan), plan, "it goes to a thread by message");
});

test("a route keeps its number over a reload, wherever it moves in the file", async () => {
	const { registry, resolve } = await registryWith();
	planFor(CONFIG, registry, resolve(CONFIG), 1, CAPACITY, NO_TLS, () => ({ fd: 0, port: 0 }));
	const turned = {
		...CONFIG,
		listeners: CONFIG.listeners.map((listener) => ({ ...listener, routes: [...listener.routes].reverse() })),
	};
	const plan = planFor(turned, registry, resolve(turned), 2, CAPACITY, NO_TLS, () => ({ fd: 0, port: 0 }));
	assert.deepEqual(
		plan.listeners.map(({ routes }) => routes.map(({ slot }) => slot)),
		[
			[3, 2, 1, 0],
			[5, 4],
		],
	);
	const names = new Map([...registry.routes.entries()].map(([key, slot]) => [slot, splitKey(key)]));
	assert.deepEqual(names.get(1), ["127.0.0.1:8443", "sni=*.apps.example.com,alpn=h2"]);
});

test("nothing is written for sessions when the log is silent or asks for none", async () => {
	const { registry, resolve } = await registryWith();
	for (const log of [
		{ ...CONFIG.log, sessions: false },
		{ ...CONFIG.log, level: "silent" as const },
	]) {
		const config = { ...CONFIG, log };
		assert.equal(
			planFor(config, registry, resolve(config), 1, CAPACITY, NO_TLS, () => ({ fd: 0, port: 0 })).logSessions,
			false,
		);
	}
});

test("deadlines and keepalive reach the reactor as they stand in the file", () => {
	const [listener] = CONFIG.listeners;
	assert.ok(listener);
	assert.deepEqual(policyOf(CONFIG, listener.deadlines, null, null), {
		handshakeMs: 1_000,
		connectMs: 2_000,
		idleMs: 180_000,
		quicIdleMs: 180_000,
		stallMs: 4_000,
		halfClosedMs: 5_000,
		lifetimeMs: 6 * 3_600_000,
		silenceMs: 8,
		requestHeadMs: 10_000,
		responseHeadMs: 60_000,
		keepAliveMs: 75_000,
		bodyBytesPerSecond: 1_024,
		keepaliveIdleSeconds: 9,
		keepaliveIntervalSeconds: 10,
		keepaliveProbes: 11,
		userTimeoutMs: 119_000,
		unsentBytes: 65_536,
		sendBufferBytes: 0,
		receiveBufferBytes: 0,
		rates: null,
		places: null,
	});
});

test("a key gives its two parts back", () => {
	assert.deepEqual(splitKey(routeKey("[::1]:443", "sni=a,alpn=h2")), ["[::1]:443", "sni=a,alpn=h2"]);
});

test("a target is written as it would be configured", () => {
	assert.equal(targetText({ kind: "ip", address: "10.0.0.1", family: 4, port: 1 }), "10.0.0.1:1");
	assert.equal(targetText({ kind: "ip", address: "::1", family: 6, port: 65_535 }), "[::1]:65535");
	assert.equal(targetText({ kind: "unix", path: "/a b" }), "unix:/a b");
});

test("bytes of an address, and of nothing else", () => {
	assert.deepEqual([...addressBytes("1.2.3.4")], [1, 2, 3, 4]);
	assert.deepEqual([...addressBytes("::1")], [...new Array<number>(15).fill(0), 1]);
	assert.throws(() => addressBytes("localhost"), TypeError);
});

test("what holds for requests reaches the reactor in the form that it uses", async () => {
	const config = loadConfigText(`
limits: { requests_per_second_per_ip: 5, request_body_bytes: 1KiB }
listeners:
  - { listen: ":1", via: edge-1, routes: [{ subprotocol: mqtt, to: bytes }] }
  - listen: ":2"
    routes: [{ host: a, to: web, request_body_bytes: off }, { to: web }]
  - { listen: ":3", routes: [{ to: bytes }] }
upstreams: { web: { http: http://10.0.0.1, host: app.internal }, bytes: "10.0.0.2:1" }
`);
	const { registry, resolve } = await registryWith();
	const upstreams = resolve(config);
	const { listeners } = planFor(config, registry, upstreams, 1, CAPACITY, NO_TLS, () => ({ fd: 3, port: 0 }));
	assert.deepEqual(
		listeners.map(({ readsRequests }) => readsRequests),
		[true, true, false],
		"a condition of requests, an upstream of requests, neither",
	);
	const text = (bytes: Uint8Array | null | undefined) => (bytes ? Buffer.from(bytes).toString() : bytes);
	assert.deepEqual(
		upstreams.map(({ plan }) => text(plan.host)),
		["app.internal", null],
	);
	assert.deepEqual(
		listeners.map(({ http }) => text(http.via)),
		["edge-1", null, null],
	);
	const { requestsPerSecond, requestsPerSecondPerSource, requestBodyBytes } = listeners[1]?.http ?? {};
	assert.deepEqual(
		[requestsPerSecond, requestsPerSecondPerSource, requestBodyBytes],
		[Number.POSITIVE_INFINITY, 5, 1_024],
	);
	assert.deepEqual(
		listeners[1]?.routes.map(({ conditions }) => conditions.requests?.bodyBytes),
		[null, undefined],
	);
});

test("a request that names no host gets the first address as clients write it, without the port that its scheme implies", async () => {
	const urls = ["http://10.0.0.1", "http://10.0.0.1:81", "https://[fd00::1]", "http+unix:/run/a.sock"];
	const { resolve } = await registryWith();
	const config = loadConfigText(`
listeners: [{ listen: ":1", routes: [{ to: u0 }] }]
upstreams:
${urls.map((url, index) => `  u${index}: { http: "${url}" }`).join("\n")}
`);
	assert.deepEqual(
		resolve(config).map(({ plan }) => Buffer.from(plan.authority).toString()),
		["10.0.0.1", "10.0.0.1:81", "[fd00::1]", "localhost"],
	);
});
