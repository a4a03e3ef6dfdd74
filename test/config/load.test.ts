import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { ConfigFileError } from "../../src/config/errors.js";
import { loadConfigFile, loadConfigText } from "../../src/config/load.js";

const MINIMAL = "listeners: [{ listen: 127.0.0.1:1, routes: [{ to: a }] }]\nupstreams: { a: 127.0.0.1:2 }\n";

/** What holds for addresses of which the file says no more than where they are. */
const ALIKE = { weight: 1, backup: false, maxConnections: null };

/** Without a rate of bytes. */
const ANY_RATE = { all: null, perIp: null, perSession: null };

test("what the file does not say has a default", () => {
	// Of the file, and not of what it stands for.
	const { parts: _, ...config } = loadConfigText(MINIMAL);
	assert.deepEqual(config, {
		file: null,
		warnings: [],
		places: new Map(),
		admin: null,
		adminHosts: [],
		adminTokens: { full: null, read: null },
		reactors: null,
		limits: {
			connections: null,
			whenFull: "wait",
			connectionsPerIp: null,
			acceptsPerSecond: null,
			acceptsPerSecondPerIp: null,
			bufferedBytes: 67_108_864,
			halfHellos: 1_024,
			fdReserve: 64,
			memoryBytes: null,
			requestsPerConnection: 1_000,
			requestsPerSecond: null,
			requestsPerSecondPerIp: null,
			requestBodyBytes: null,
			bodyBytesPerSecond: 1_024,
			byteRates: ANY_RATE,
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
		tls: { reloadMs: 10_000, clientSubjectHeader: null },
		watch: false,
		listeners: [
			{
				name: "127.0.0.1:1",
				host: "127.0.0.1",
				port: 1,
				backlog: 4096,
				...{ connections: null, acceptsPerSecond: null, requestsPerSecond: null, byteRates: ANY_RATE },
				deadlines: {
					timeouts: {
						...{ handshakeMs: 5_000, connectMs: 5_000, idleMs: 600_000, stallMs: 30_000 },
						...{ halfClosedMs: 30_000, lifetimeMs: 0, drainMs: 30_000, silenceMs: 300 },
						...{ requestHeadMs: 10_000, responseHeadMs: 60_000, keepAliveMs: 75_000 },
					},
					userTimeoutMs: 90_000,
				},
				proxyProtocol: { mode: "off", trusted: [] },
				forwardedTrusted: [],
				paths: "match",
				logRequests: 0,
				via: null,
				readsRequests: false,
				certificates: [],
				routes: [
					{
						sni: null,
						host: null,
						alpn: null,
						protocol: null,
						source: null,
						path: null,
						subprotocol: null,
						to: "a",
						answer: null,
						deadlines: null,
						...{ connections: null, sessionsPerSecond: null, requestsPerSecond: null, byteRates: ANY_RATE },
						requests: null,
						label: "*",
					},
				],
			},
		],
		tunnels: null,
		hub: null,
		upstreams: [
			{
				name: "a",
				addresses: [{ kind: "ip", address: "127.0.0.1", family: 4, port: 2, ...ALIKE }],
				http: null,
				tls: null,
				timeouts: {},
				balance: "round_robin",
				proxyProtocol: "off",
				proxyTlvs: [],
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
admin_hosts: [Sluice.Internal., b]
reactors: 2
limits:
  { connections: 9000, when_full: reset, connections_per_ip: 100, accepts_per_second: 5000,
    accepts_per_second_per_ip: 200, buffered_bytes: 1MiB, half_hellos: 99, fd_reserve: 10, memory: 2GiB,
    requests_per_connection: 50, requests_per_second: 60, requests_per_second_per_ip: 7, request_body_bytes: 8MiB, body_bytes_per_second: 2KiB,
    bytes_per_second: 9MiB, bytes_per_second_per_ip: 3MiB, bytes_per_second_per_session: 1MiB }
timeouts: { handshake: 1s, connect: 2s, idle: 3m, stall: 4s, half_closed: 5s, lifetime: 6h, drain: 7s, silence: 8ms, request_head: 9s, response_head: 10s, keep_alive: 11s }
keepalive: { idle: 9s, interval: 10s, probes: 11, user_timeout: 12s }
sockets: { unsent: 64KiB, send_buffer: 1MiB, receive_buffer: auto }
ledger: { interval: 13s }
log: { level: warn, format: json, sessions: false }
tls: { reload: 14s, client_subject_header: X-Client-Subject }
watch: true
listeners:
  - listen: :443
    backlog: 12
    connections: 500
    accepts_per_second: 40
    requests_per_second: 41
    bytes_per_second_per_session: off
    proxy_protocol: require
    trusted: [10.0.0.0/8, "::1"]
    forwarded_trusted: [10.2.0.0/16]
    paths: strict
    via: edge-1
    tls:
      - { names: [WWW.Example.com., "*.example.com"], cert: tls/www.pem, key: /tls/www.key }
      - names: ["*"]
        cert: tls/any.pem
        key: tls/any.key
        client_ca: tls/clients.pem
        ocsp: tls/any.ocsp
        alpn: [h2, http/1.1]
    routes:
      - { host: a.b, path: /api/, subprotocol: MQTT, to: c, body_bytes_per_second: off, request_headers: { set: { X-A: b }, remove: [X-C] }, response_headers: {} }
      - { sni: Git.Example.com., alpn: h2, source: 10.0.0.0/8, to: b, connections: 42, sessions_per_second: 43, requests_per_second: 44, bytes_per_second: 2MiB, bytes_per_second_per_ip: 2KiB }
      - { to: reject }
upstreams:
  b:
    addresses: [app.internal:443, unix:sock/b]
    balance: source_hash
    proxy_protocol: v1
    tls: { verify: false, server_name: B.internal, ca: tls/ca.pem, cert: tls/me.pem, key: /tls/me.key }
    health: { interval: 1s, timeout: 1s, fall: 2, rise: 1 }
    eject: { failures: 1, for: 2s }
    resolve: 3s
  c:
    http: [http://10.0.0.7, { url: "http://[::1]:3000/", weight: 3, max_connections: 9 }]
    host: app.internal:8080
    trailers: on
    pool: { connections: 7, idle: 8s, age: 9m, requests: 10 }
`);
	assert.deepEqual(config.admin, { kind: "ip", host: "127.0.0.1", port: 9090, tls: null });
	assert.deepEqual(config.adminHosts, ["sluice.internal", "b"]);
	assert.equal(config.reactors, 2);
	assert.deepEqual(config.limits, {
		connections: 9_000,
		whenFull: "reset",
		connectionsPerIp: 100,
		acceptsPerSecond: 5_000,
		acceptsPerSecondPerIp: 200,
		bufferedBytes: 1_048_576,
		halfHellos: 99,
		fdReserve: 10,
		memoryBytes: 2 ** 31,
		requestsPerConnection: 50,
		requestsPerSecond: 60,
		requestsPerSecondPerIp: 7,
		requestBodyBytes: 8_388_608,
		bodyBytesPerSecond: 2_048,
		byteRates: { all: 9 * 2 ** 20, perIp: 3 * 2 ** 20, perSession: 2 ** 20 },
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
	assert.deepEqual(config.tls, { reloadMs: 14_000, clientSubjectHeader: "X-Client-Subject" });
	assert.equal(config.watch, true);
	const rates = { all: null, perIp: 3 * 2 ** 20, perSession: null };
	assert.deepEqual(config.listeners, [
		{
			name: ":443",
			host: "*",
			port: 443,
			backlog: 12,
			...{ connections: 500, acceptsPerSecond: 40, requestsPerSecond: 41, byteRates: rates },
			deadlines: { timeouts: config.timeouts, userTimeoutMs: 12_000 },
			proxyProtocol: {
				mode: "require",
				trusted: [
					{ family: 4, bytes: [10, 0, 0, 0], prefixLength: 8 },
					{ family: 6, bytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], prefixLength: 128 },
				],
			},
			forwardedTrusted: [{ family: 4, bytes: [10, 2, 0, 0], prefixLength: 16 }],
			paths: "strict",
			logRequests: 0,
			via: "edge-1",
			readsRequests: true,
			certificates: [
				{
					names: ["www.example.com", "*.example.com"],
					certFile: resolve("tls/www.pem"),
					keyFile: "/tls/www.key",
					clientCaFile: null,
					ocspFile: null,
					// Requests are read on this listener.
					alpn: ["http/1.1"],
				},
				{
					names: ["*"],
					certFile: resolve("tls/any.pem"),
					keyFile: resolve("tls/any.key"),
					clientCaFile: resolve("tls/clients.pem"),
					ocspFile: resolve("tls/any.ocsp"),
					alpn: ["h2", "http/1.1"],
				},
			],
			routes: [
				{
					sni: null,
					host: ["a.b"],
					alpn: null,
					protocol: null,
					source: null,
					path: ["/api/"],
					subprotocol: ["mqtt"],
					to: "c",
					answer: null,
					deadlines: null,
					...{ connections: null, sessionsPerSecond: null, requestsPerSecond: null, byteRates: rates },
					requests: {
						requestHeaders: { set: { "X-A": "b" }, remove: ["X-C"] },
						responseHeaders: { set: {}, remove: [] },
						bodyBytes: 8_388_608,
						bodyBytesPerSecond: 0,
					},
					label: "host=a.b,path=/api/,subprotocol=mqtt",
				},
				{
					sni: ["git.example.com"],
					host: null,
					alpn: ["h2"],
					protocol: null,
					path: null,
					subprotocol: null,
					source: [{ family: 4, bytes: [10, 0, 0, 0], prefixLength: 8 }],
					to: "b",
					answer: null,
					deadlines: null,
					...{ connections: 42, sessionsPerSecond: 43, requestsPerSecond: 44 },
					byteRates: { all: 2 ** 21, perIp: 2_048, perSession: null },
					requests: null,
					label: "sni=git.example.com,alpn=h2,source=10.0.0.0/8",
				},
				{
					sni: null,
					host: null,
					alpn: null,
					protocol: null,
					source: null,
					path: null,
					subprotocol: null,
					to: null,
					answer: null,
					deadlines: null,
					...{ connections: null, sessionsPerSecond: null, requestsPerSecond: null, byteRates: rates },
					requests: null,
					label: "*",
				},
			],
		},
	]);
	assert.deepEqual(config.upstreams, [
		{
			name: "b",
			addresses: [
				{ kind: "name", host: "app.internal", port: 443, ...ALIKE },
				{ kind: "unix", path: join(process.cwd(), "sock/b"), ...ALIKE },
			],
			http: null,
			tls: {
				verify: false,
				serverName: "b.internal",
				caFile: resolve("tls/ca.pem"),
				identity: { certFile: resolve("tls/me.pem"), keyFile: "/tls/me.key" },
			},
			timeouts: {},
			balance: "source_hash",
			proxyProtocol: "v1",
			proxyTlvs: [],
			health: { intervalMs: 1_000, timeoutMs: 1_000, fall: 2, rise: 1, http: null },
			eject: { failures: 1, forMs: 2_000 },
			resolveMs: 3_000,
		},
		{
			name: "c",
			addresses: [
				{ kind: "ip", address: "10.0.0.7", family: 4, port: 80, ...ALIKE },
				{ kind: "ip", address: "::1", family: 6, port: 3_000, weight: 3, backup: false, maxConnections: 9 },
			],
			http: {
				host: "app.internal:8080",
				trailers: true,
				pool: { idleMs: 8_000, ageMs: 540_000, requests: 10, connections: 7 },
			},
			tls: null,
			timeouts: {},
			balance: "round_robin",
			proxyProtocol: "off",
			proxyTlvs: [],
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
	const usual = { intervalMs: 5_000, timeoutMs: 2_000, fall: 3, rise: 2, http: null };
	assert.deepEqual(health("on"), usual);
	assert.deepEqual(health("{}"), usual);
	assert.equal(health("off"), null);
	assert.deepEqual(health("{ interval: 1s }"), { ...usual, intervalMs: 1_000, timeoutMs: 1_000 });
});

test("an HTTP check asks for its path, of the upstream's first host, and takes 2xx and 3xx", () => {
	const http = (urls: string, text: string) =>
		loadConfigText(
			`listeners: [{ listen: 127.0.0.1:1, routes: [{ to: a }] }]\nupstreams: { a: { http: ${urls}, health: { path: "/up?x=1"${text} } } }\n`,
		).upstreams[0]?.health?.http;
	const usual = { path: "/up?x=1", host: "app.test", statuses: [{ from: 200, to: 399 }] };
	assert.deepEqual(http('["http://App.test", "http://10.0.0.1:81"]', ""), usual);
	for (const [url, host] of [
		["http://app.test:3000", "app.test:3000"],
		["http://10.0.0.1:81", "10.0.0.1:81"],
		["http://[fd00::1]", "[fd00::1]"],
		["http://[fd00::1]:81", "[fd00::1]:81"],
		["https://app.test", "app.test"],
		["https://app.test:80", "app.test:80"],
		["http+unix:/run/app.sock", "localhost"],
	] as const)
		assert.equal(http(`"${url}"`, "")?.host, host);
	assert.equal(http('"http://app.test", host: sent.test', "")?.host, "sent.test");
	for (const host of ["www.test", "www.test:81", "10.0.0.2", "[::1]", "[::1]:81"])
		assert.equal(http("http://app.test", `, host: "${host}"`)?.host, host);
	for (const [status, statuses] of [
		["204", [{ from: 204, to: 204 }]],
		['"204"', [{ from: 204, to: 204 }]],
		["200-204", [{ from: 200, to: 204 }]],
		[
			"[200, 300-399]",
			[
				{ from: 200, to: 200 },
				{ from: 300, to: 399 },
			],
		],
	] as const)
		assert.deepEqual(http("http://app.test", `, status: ${status}`)?.statuses, statuses);
});

test("lines of requests are written for none, for all, or for a share of them", () => {
	const share = (text: string) =>
		loadConfigText(
			`listeners: [{ listen: 127.0.0.1:1, log_requests: ${text}, routes: [{ to: a }] }]\nupstreams: { a: { http: "http://x:1" } }\n`,
		).listeners[0]?.logRequests;
	for (const [text, expected] of [
		["off", 0],
		["all", 1],
		["1", 1],
		["0.01", 0.01],
		["0.000001", 0.000001],
	] as const)
		assert.equal(share(text), expected, text);
});

test("TLS to an upstream is switched on by its URL, by a word or by saying how", () => {
	const tls = (value: string) =>
		loadConfigText(
			`listeners: [{ listen: 127.0.0.1:1, routes: [{ to: a }] }]\nupstreams: { a: { ${value} } }\n`,
		).upstreams[0]?.tls;
	const usual = { verify: true, serverName: null, caFile: null, identity: null };
	assert.deepEqual(tls("http: https://a.internal"), usual);
	assert.deepEqual(tls("addresses: x:1, tls: on"), usual);
	assert.deepEqual(tls("addresses: x:1, tls: {}"), usual);
	assert.deepEqual(tls("http: https://10.0.0.1, tls: { server_name: a.internal }"), {
		...usual,
		serverName: "a.internal",
	});
	assert.equal(tls("addresses: x:1, tls: off"), null);
	assert.equal(tls("http: http://a.internal"), null);
});

test("ALPN is offered by default where requests are read, and nowhere else", () => {
	const alpn = (upstream: string, conditions = "") =>
		loadConfigText(
			`listeners: [{ listen: 127.0.0.1:1, tls: [{ names: ["*"], cert: c, key: k }], routes: [{ ${conditions} to: a }] }]\nupstreams: { a: ${upstream} }\n`,
		).listeners[0]?.certificates[0]?.alpn;
	assert.deepEqual(alpn("{ http: http://127.0.0.1:2 }"), ["http/1.1"]);
	assert.deepEqual(alpn("127.0.0.1:2"), []);
	assert.deepEqual(alpn("127.0.0.1:2", "host: a.b,"), []);
	assert.deepEqual(alpn("127.0.0.1:2", "path: /a,"), ["http/1.1"]);
	assert.deepEqual(alpn("127.0.0.1:2", "subprotocol: mqtt,"), ["http/1.1"]);
});

test("a listener's timeouts come before the general ones, an upstream's before these, and a route's before all", () => {
	const { listeners, upstreams } = loadConfigText(`
timeouts: { idle: 1m, stall: 2m, connect: 3s, lifetime: 1h }
keepalive: { idle: 10s, interval: 5s, probes: 4 }
listeners:
  - listen: 127.0.0.1:1
    timeouts: { idle: 2m, handshake: 200ms, lifetime: 2h }
    routes:
      - { sni: a.test, to: plain }
      - { sni: b.test, to: own }
      - { sni: c.test, to: own, timeouts: { idle: 4m, lifetime: off } }
      - { sni: d.test, to: plain, timeouts: { stall: 10s } }
  - { listen: 127.0.0.1:2, routes: [{ to: plain }] }
upstreams:
  plain: 127.0.0.1:2
  own: { addresses: 127.0.0.1:3, timeouts: { idle: 3m, half_closed: 9s } }
`);
	const [first, second] = listeners;
	assert.ok(first && second);
	const { timeouts, userTimeoutMs } = first.deadlines;
	assert.deepEqual(
		[timeouts.handshakeMs, timeouts.silenceMs, timeouts.idleMs, timeouts.stallMs, timeouts.lifetimeMs],
		[200, 100, 120_000, 120_000, 7_200_000],
	);
	assert.equal(userTimeoutMs, 0, "probes would come before stall");
	assert.deepEqual([second.deadlines.timeouts.idleMs, second.deadlines.timeouts.silenceMs], [60_000, 300]);
	const [plain, own, routed, quick] = first.routes.map(({ deadlines }) => deadlines);
	assert.equal(plain, null);
	assert.deepEqual(own, {
		timeouts: { ...timeouts, idleMs: 180_000, halfClosedMs: 9_000 },
		userTimeoutMs: 0,
	});
	assert.deepEqual(routed, {
		timeouts: { ...timeouts, idleMs: 240_000, halfClosedMs: 9_000, lifetimeMs: 0 },
		userTimeoutMs: 0,
	});
	assert.deepEqual(quick, { timeouts: { ...timeouts, stallMs: 10_000 }, userTimeoutMs: 30_000 });
	assert.deepEqual(upstreams[1]?.timeouts, { idleMs: 180_000, halfClosedMs: 9_000 });
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
	assert.deepEqual(config.upstreams[0]?.addresses, [
		{ kind: "unix", path: join(directory, "run/app.sock"), ...ALIKE },
	]);
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
