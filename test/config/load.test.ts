import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConfigFileError } from "../../src/config/errors.js";
import { loadConfigFile, loadConfigText } from "../../src/config/load.js";

const MINIMAL = "listeners: [{ listen: 127.0.0.1:1, routes: [{ to: a }] }]\nupstreams: { a: 127.0.0.1:2 }\n";

test("what the file does not say has a default", () => {
	assert.deepEqual(loadConfigText(MINIMAL), {
		file: null,
		admin: null,
		reactors: null,
		limits: {
			connections: null,
			whenFull: "wait",
			connectionsPerIp: null,
			acceptsPerSecond: null,
			acceptsPerSecondPerIp: null,
			bufferedBytes: 67_108_864,
			fdReserve: 64,
			memoryBytes: null,
			requestsPerConnection: 1_000,
			bodyBytesPerSecond: 1_024,
		},
		timeouts: {
			handshakeMs: 5_000,
			connectMs: 5_000,
			idleMs: 600_000,
			stallMs: 30_000,
			halfClosedMs: 30_000,
			lifetimeMs: 0,
			drainMs: 30_000,
			silenceMs: 300,
			requestHeadMs: 10_000,
			responseHeadMs: 60_000,
			keepAliveMs: 75_000,
		},
		keepalive: { idleSeconds: 30, intervalSeconds: 10, probes: 6, userTimeoutMs: 90_000 },
		sockets: { unsentBytes: 65_536, sendBytes: null, receiveBytes: null },
		ledger: { intervalMs: 10_000 },
		log: { level: "info", format: "auto", sessions: true },
		watch: false,
		listeners: [
			{
				name: "127.0.0.1:1",
				host: "127.0.0.1",
				port: 1,
				backlog: 4096,
				connections: null,
				proxyProtocol: { mode: "off", trusted: [] },
				forwardedTrusted: [],
				routes: [
					{
						sni: null,
						host: null,
						alpn: null,
						protocol: null,
						source: null,
						path: null,
						to: "a",
						label: "*",
					},
				],
			},
		],
		upstreams: [
			{
				name: "a",
				addresses: [{ kind: "ip", address: "127.0.0.1", family: 4, port: 2 }],
				http: null,
				balance: "round_robin",
				proxyProtocol: "off",
				health: null,
				eject: { failures: 3, forMs: 10_000 },
				resolveMs: 30_000,
			},
		],
	});
});

test("what the file says is what holds", () => {
	const config = loadConfigText(`
admin: 127.0.0.1:9090
reactors: 2
limits:
  { connections: 9000, when_full: reset, connections_per_ip: 100, accepts_per_second: 5000,
    accepts_per_second_per_ip: 200, buffered_bytes: 1MiB, fd_reserve: 10, memory: 2GiB,
    requests_per_connection: 50, body_bytes_per_second: 2KiB }
timeouts: { handshake: 1s, connect: 2s, idle: 3m, stall: 4s, half_closed: 5s, lifetime: 6h, drain: 7s, silence: 8ms, request_head: 9s, response_head: 10s, keep_alive: 11s }
keepalive: { idle: 9s, interval: 10s, probes: 11, user_timeout: 12s }
sockets: { unsent: 64KiB, send_buffer: 1MiB, receive_buffer: auto }
ledger: { interval: 13s }
log: { level: warn, format: json, sessions: false }
watch: true
listeners:
  - listen: :443
    backlog: 12
    connections: 500
    proxy_protocol: require
    trusted: [10.1.0.0/8, "::1"]
    forwarded_trusted: [10.2.0.0/16]
    routes:
      - { host: a.b, path: /api/, to: c }
      - { sni: Git.Example.com., alpn: h2, source: 10.1.2.3/8, to: b }
      - { to: reject }
upstreams:
  b:
    addresses: [app.internal:443, unix:sock/b]
    balance: source_hash
    proxy_protocol: v1
    health: { interval: 1s, timeout: 1s, fall: 2, rise: 1 }
    eject: { failures: 1, for: 2s }
    resolve: 3s
  c:
    http: [http://10.0.0.7, "http://[::1]:3000/"]
    pool: { connections: 7, idle: 8s, age: 9m, requests: 10 }
`);
	assert.deepEqual(config.admin, { host: "127.0.0.1", port: 9090 });
	assert.equal(config.reactors, 2);
	assert.deepEqual(config.limits, {
		connections: 9_000,
		whenFull: "reset",
		connectionsPerIp: 100,
		acceptsPerSecond: 5_000,
		acceptsPerSecondPerIp: 200,
		bufferedBytes: 1_048_576,
		fdReserve: 10,
		memoryBytes: 2 ** 31,
		requestsPerConnection: 50,
		bodyBytesPerSecond: 2_048,
	});
	assert.deepEqual(config.timeouts, {
		handshakeMs: 1_000,
		connectMs: 2_000,
		idleMs: 180_000,
		stallMs: 4_000,
		halfClosedMs: 5_000,
		lifetimeMs: 21_600_000,
		drainMs: 7_000,
		silenceMs: 8,
		requestHeadMs: 9_000,
		responseHeadMs: 10_000,
		keepAliveMs: 11_000,
	});
	assert.deepEqual(config.keepalive, {
		idleSeconds: 9,
		intervalSeconds: 10,
		probes: 11,
		userTimeoutMs: 12_000,
	});
	assert.deepEqual(config.sockets, { unsentBytes: 65_536, sendBytes: 1_048_576, receiveBytes: null });
	assert.deepEqual(config.ledger, { intervalMs: 13_000 });
	assert.deepEqual(config.log, { level: "warn", format: "json", sessions: false });
	assert.equal(config.watch, true);
	assert.deepEqual(config.listeners, [
		{
			name: ":443",
			host: "*",
			port: 443,
			backlog: 12,
			connections: 500,
			proxyProtocol: {
				mode: "require",
				trusted: [
					{ family: 4, bytes: [10, 0, 0, 0], prefixLength: 8 },
					{ family: 6, bytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], prefixLength: 128 },
				],
			},
			forwardedTrusted: [{ family: 4, bytes: [10, 2, 0, 0], prefixLength: 16 }],
			routes: [
				{
					sni: null,
					host: "a.b",
					alpn: null,
					protocol: null,
					source: null,
					path: "/api/",
					to: "c",
					label: "host=a.b,path=/api/",
				},
				{
					sni: "git.example.com",
					host: null,
					alpn: "h2",
					protocol: null,
					path: null,
					source: { family: 4, bytes: [10, 0, 0, 0], prefixLength: 8 },
					to: "b",
					label: "sni=git.example.com,alpn=h2,source=10.0.0.0/8",
				},
				{
					sni: null,
					host: null,
					alpn: null,
					protocol: null,
					source: null,
					path: null,
					to: null,
					label: "*",
				},
			],
		},
	]);
	assert.deepEqual(config.upstreams, [
		{
			name: "b",
			addresses: [
				{ kind: "name", host: "app.internal", port: 443 },
				{ kind: "unix", path: join(process.cwd(), "sock/b") },
			],
			http: null,
			balance: "source_hash",
			proxyProtocol: "v1",
			health: { intervalMs: 1_000, timeoutMs: 1_000, fall: 2, rise: 1 },
			eject: { failures: 1, forMs: 2_000 },
			resolveMs: 3_000,
		},
		{
			name: "c",
			addresses: [
				{ kind: "ip", address: "10.0.0.7", family: 4, port: 80 },
				{ kind: "ip", address: "::1", family: 6, port: 3_000 },
			],
			http: { pool: { idleMs: 8_000, ageMs: 540_000, requests: 10, connections: 7 } },
			balance: "round_robin",
			proxyProtocol: "off",
			health: null,
			eject: { failures: 3, forMs: 10_000 },
			resolveMs: 30_000,
		},
	]);
});

test("health checks may be switched on without a number", () => {
	const health = (text: string) =>
		loadConfigText(
			`listeners: [{ listen: 127.0.0.1:1, routes: [{ to: a }] }]\nupstreams: { a: { addresses: x:1, health: ${text} } }\n`,
		).upstreams[0]?.health;
	const usual = { intervalMs: 5_000, timeoutMs: 2_000, fall: 3, rise: 2 };
	assert.deepEqual(health("on"), usual);
	assert.deepEqual(health("{}"), usual);
	assert.equal(health("off"), null);
	assert.deepEqual(health("{ interval: 1s }"), { ...usual, intervalMs: 1_000, timeoutMs: 1_000 });
});

test("a shorter handshake shortens the silence it contains", () => {
	const { timeouts } = loadConfigText(`${MINIMAL}timeouts: { handshake: 200ms }\n`);
	assert.equal(timeouts.silenceMs, 100);
});

test("aliases stand for what they name", () => {
	const config = loadConfigText(`
listeners:
  - listen: 127.0.0.1:1
    routes: &routes
      - { source: &office 10.0.0.0/8, to: a }
      - { protocol: any, source: *office, to: reject }
  - { listen: 127.0.0.1:2, routes: *routes }
upstreams: { a: 127.0.0.1:2 }
`);
	assert.deepEqual(config.listeners[0]?.routes, config.listeners[1]?.routes);
});

test("relative sockets are relative to the file, and the file is named absolutely", (context) => {
	const directory = mkdtempSync(join(tmpdir(), "sluice-config-"));
	context.after(() => rmSync(directory, { recursive: true }));
	const file = join(directory, "sluice.yaml");
	writeFileSync(file, MINIMAL.replace("127.0.0.1:2", '"unix:run/app.sock"'));
	const config = loadConfigFile(file);
	assert.equal(config.file, file);
	assert.deepEqual(config.upstreams[0]?.addresses, [{ kind: "unix", path: join(directory, "run/app.sock") }]);
});

test("a file that cannot be read is another error than a wrong one", (context) => {
	const directory = mkdtempSync(join(tmpdir(), "sluice-config-"));
	context.after(() => rmSync(directory, { recursive: true }));
	const binary = join(directory, "binary");
	writeFileSync(binary, Buffer.from([0xff, 0xfe, 0x00, 0xd8]));
	const huge = join(directory, "huge");
	writeFileSync(huge, Buffer.alloc(17 * 1_048_576, "#"));
	const closed = join(directory, "closed");
	writeFileSync(closed, MINIMAL);
	chmodSync(closed, 0);
	for (const [file, message] of [
		[join(directory, "absent"), /no such file/],
		[directory, /is a directory/],
		[binary, /not a UTF-8 text/],
		[huge, /larger than/],
		// Root reads everything.
		...(process.getuid?.() === 0 ? [] : [[closed, /permission denied/] as const]),
	] as const) {
		assert.throws(
			() => loadConfigFile(file),
			(error) => {
				assert.ok(error instanceof ConfigFileError);
				assert.equal(error.file, file);
				assert.match(error.message, message);
				return true;
			},
		);
	}
});

test("ten thousand routes load, and all of them wrong are all told", () => {
	const routes = (to: string): string =>
		Array.from(
			{ length: 10_000 },
			(_, i) => `      - { sni: host${i}.example.com, to: ${to}${i % 100} }\n`,
		).join("");
	const upstreams = Array.from({ length: 100 }, (_, i) => `  up${i}: 10.0.0.${i}:443\n`).join("");
	const text = (to: string): string =>
		`listeners:\n  - listen: 127.0.0.1:1\n    routes:\n${routes(to)}upstreams:\n${upstreams}`;
	assert.equal(loadConfigText(text("up")).listeners[0]?.routes.length, 10_000);
	assert.throws(
		() => loadConfigText(text("elsewhere")),
		(error) => {
			assert.ok(error instanceof Error && "problems" in error && Array.isArray(error.problems));
			assert.equal(error.problems.length, 10_000);
			return true;
		},
	);
});
