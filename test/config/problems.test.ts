import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, formatProblems, type Problem } from "../../src/config/errors.js";
import { loadConfigText } from "../../src/config/load.js";

function problemsOf(text: string): readonly Problem[] {
	try {
		loadConfigText(text, { file: "sluice.yaml" });
	} catch (error) {
		if (error instanceof ConfigError) return error.problems;
		throw error;
	}
	return [];
}

/** The text has these problems and no others, in this order: `line:column`, and a part of the message. */
function has(text: string, expected: readonly (readonly [string, string])[]): void {
	const found = problemsOf(text);
	const told = found.map(({ line, column, message }) => `${line}:${column}: ${message}`);
	assert.equal(told.length, expected.length, `${text}\n---\n${told.join("\n")}`);
	for (const [index, [position, part]] of expected.entries()) {
		const line = told[index] ?? "";
		assert.ok(
			line.startsWith(`${position}: `) && line.includes(part),
			`wanted ${position}: …${part}…\nfound  ${line}`,
		);
	}
}

/** A good file around `routes`, whose first line is line 4, and whose first column is 7. */
const routes = (...lines: string[]): string =>
	[
		"listeners:",
		"  - listen: 127.0.0.1:1",
		"    routes:",
		...lines.map((line) => `      - ${line}`),
		"upstreams: { git: 10.0.0.1:1, web: 10.0.0.2:1 }",
	].join("\n");

/** A good file around `lines`, which begin at line 3. */
const top = (...lines: string[]): string =>
	[
		"listeners: [{ listen: 127.0.0.1:1, routes: [{ to: a }] }]",
		"upstreams: { a: 127.0.0.1:2 }",
		...lines,
	].join("\n");

/** A good file around a listener's `lines`, which begin at line 4, column 5. */
const listener = (...lines: string[]): string =>
	[
		"upstreams: { a: 127.0.0.1:2 }",
		"listeners:",
		"  - routes: [{ to: a }]",
		...lines.map((line) => `    ${line}`),
	].join("\n");

/** A good file around the upstream `a`, whose value begins at line 3, column 6. */
const upstream = (value: string): string =>
	`listeners: [{ listen: 127.0.0.1:1, routes: [{ to: a }] }]\nupstreams:\n  a: ${value}\n`;

type Case = readonly [text: string, ...expected: (readonly [string, string])[]];

function cases(name: string, table: readonly Case[]): void {
	test(name, () => {
		for (const [text, ...expected] of table) has(text, expected);
	});
}

cases("good files have no problem", [
	[routes("{ to: git }")],
	[top()],
	[listener("listen: :1")],
	[upstream("x:1")],
]);

cases("an unknown key is told the nearest one, or where it belongs", [
	[top("limit: {}"), ["3:1", 'unknown key "limit"; did you mean "limits"?']],
	[top("timeouts: { idel: 5s }"), ["3:13", 'unknown key "idel"; did you mean "idle"?']],
	[top("backlog: 5"), ["3:1", '"backlog" belongs in a listener']],
	[top("stall: 5s"), ["3:1", '"stall" belongs under "timeouts"']],
	[top("log: { colour: red }"), ["3:8", "known here: level, format, sessions"]],
	[listener("listen: :1", "rotues: []"), ["5:5", 'unknown key "rotues"; did you mean "routes"?']],
	[routes("{ to: git, snii: x }"), ["4:20", 'did you mean "sni"?']],
	[upstream("{ addresses: x:1, ballance: x }"), ["3:24", 'did you mean "balance"?']],
	[upstream("{ addresses: x:1, health: { raise: 3 } }"), ["3:34", 'did you mean "rise"?']],
	[upstream("{ addresses: x:1, admin: x }"), ["3:24", '"admin" belongs at the top of the file']],
	[upstream("{ addresses: x:1, weight: 3 }"), ["3:24", "addresses: [{ address: 10.0.0.5:443, weight: … }]"]],
	[listener("listen: :1", "backend: web"), ["5:5", "such as routes: [{ to: web }]"]],
	[upstream("{ http: http://x, backup: true }"), ["3:24", '"backup" is said of one address']],
	[routes("{ to: git, weight: 3 }"), ["4:20", '"weight" is said of one address']],
	[
		upstream("{ addresses: x:1, port: 80 }"),
		["3:24", "written with its port, such as addresses: [10.0.0.5:443]"],
	],
	[upstream("{ addresses: x:1, servers: [x:1] }"), ["3:24", "such as addresses: [10.0.0.5:443]"]],
	[listener("listen: :1", "port: 80"), ["5:5", "written in one, such as listen: 0.0.0.0:443"]],
	[listener("listen: :1", "bind: :2"), ["5:5", "such as listen: 0.0.0.0:443"]],
]);

cases("what other programs write is told as it is written here", [
	[routes("{ to: web, protocol: redis }"), ["4:30", "write other"]],
	[routes("{ to: web, protocol: HTTP/2 }"), ["4:30", "inside TLS write alpn: h2"]],
	[routes("{ to: web, protocol: sftp }"), ["4:30", "write ssh"]],
	[routes("{ to: web, protocol: quic }"), ["4:30", '"protocol: quic" comes by UDP']],
	[routes('{ to: web, protocol: "*" }'), ["4:30", "remove it to take every protocol"]],
	[routes("{ to: web, protocol: [tls, redis] }"), ["4:36", "write other"]],
	[routes("{ to: web, path: /api/*/x }"), ["4:26", "write /api/ for all that begin so"]],
	[routes("{ to: web, path: '/api/.*' }"), ["4:26", "write /api/ for all that begin so"]],
	[routes("{ to: web, path: '/users/{id}' }"), ["4:26", "write /users/ for all that begin so"]],
	[routes("{ to: web, path: '~ ^/api' }"), ["4:26", "a path has no patterns"]],
	[routes("{ to: web, sni: https://a.test/x }"), ["4:25", "write a.test alone"]],
	[routes("{ to: web, sni: 'a.test, b.test' }"), ["4:25", "one name stands here"]],
	[routes("{ to: web, sni: .a.test }"), ["4:25", "write *.a.test for all names below it"]],
	[routes("{ to: deny }"), ["4:15", 'write "reject" to close it']],
	[top("timeouts: { idle: 1h30min }"), ["3:19", "write 90m instead of 1h30min"]],
	[top("timeouts: { lifetime: never }"), ["3:23", "write off"]],
	[top("timeouts: { lifetime: -1 }"), ["3:23", "or off, found the number -1"]],
	[top("limits: { connections_per_ip: 10k }"), ["3:31", "write 10000"]],
	[top("limits: { connections_per_ip: unlimited }"), ["3:31", "write off"]],
	[top("limits: { body_bytes_per_second: 1KiB/s }"), ["3:34", "write 1KiB instead of 1KiB/s"]],
	[top("limits: { body_bytes_per_second: 0 }"), ["3:34", "write off"]],
	[top("limits: { request_body_bytes: none }"), ["3:31", "write off"]],
	[top("limits: { when_full: drop }"), ["3:22", "write reset"]],
	[top("watch: enabled"), ["3:8", 'expected true or false, found "enabled": write true']],
	[top("watch: 1"), ["3:8", "expected true or false, found the number 1: write true"]],
	[
		upstream("{ http: http://x, trailers: enabled }"),
		["3:34", 'expected on or off, found "enabled": write on'],
	],
	[upstream("{ addresses: x:1, tls: enabled }"), ["3:29", 'found "enabled": write on']],
	[
		upstream("{ addresses: x:1, health: sometimes }"),
		["3:32", 'expected on, off or a mapping such as { interval: 5s, timeout: 2s }, found "sometimes"'],
	],
	[top("admin: true"), ["3:8", "found true: write 127.0.0.1:9090"]],
	[listener("listen: :1", "trusted: 10.0.0.0/8", "proxy_protocol: require"), ["5:14", "write [10.0.0.0/8]"]],
	[listener("listen: :1", "proxy_protocol: true"), ["5:21", "write require"]],
	[upstream("{ addresses: x:1, balance: leastconn }"), ["3:33", "write least_connections"]],
	[upstream("{ addresses: x:1, proxy_protocol: 2 }"), ["3:40", "write v2"]],
	[upstream("{ http: http://x, health: { path: /h, status: 2xx } }"), ["3:52", "write 200-299"]],
	[upstream("[x:1, y:1]"), ["3:6", "write { addresses: [x:1, y:1] }"]],
	["listeners: { listen: :1, routes: [{ to: reject }] }", ["1:12", 'begin it with "- "']],
	[routes("{ to: $UPSTREAM }"), ["4:15", '"$UPSTREAM" is not replaced here']],
	[top("timeouts: { idle: $IDLE }"), ["3:19", '"$IDLE" is not replaced here']],
	[top("limits: { connections: $(MOST) }"), ["3:24", '"$(MOST)" is not replaced here']],
]);

cases("what a template engine was to replace, and words that YAML reads otherwise, are told so", [
	["listeners: {{ .Values.x }}\n", ["1:13", '"{{ .Values.x }}" is not replaced here']],
	["{{- if x }}\nlisteners:\n  - listen: :1\n", ["1:3", "is not replaced here"]],
	["listeners: - listen: :1\n", ["1:12", "a list begins on the line below its key"]],
	["listeners:\n  -listen: :1\n   routes: []\n", ["2:12", "a dash needs a space behind it"]],
	[routes("{ to:web }"), ["4:9", 'the key "to" is missing'], ["4:11", 'write "to: "']],
	[top("\u00a0 log: {}"), ["3:1", "has blanks that are no spaces"]],
]);

cases("a wrong type says what was expected, with an example", [
	[
		top("timeouts: { idle: 5 }"),
		["3:19", "expected a duration such as 5s, found the number 5: write 5s or 5ms"],
	],
	[top('timeouts: { idle: "5" }'), ["3:19", "a duration needs a unit: write 5s or 5ms"]],
	[top("timeouts: { idle: off }"), ["3:19", 'expected a duration such as 5s, found "off"']],
	[top("timeouts: { lifetime: 5 }"), ["3:23", "or off, found the number 5: write 5s or 5ms"]],
	[top("timeouts: { lifetime: never }"), ["3:23", "or off"]],
	[top("timeouts: [5s]"), ["3:11", "expected a mapping (keys and values), found a list"]],
	[top("timeouts:"), ["3:1", "nothing stands here"]],
	[top("limits: { connections: many }"), ["3:24", 'expected a whole number from 1 to 1048576, found "many"']],
	[top("limits: { connections: 0 }"), ["3:24", "expected a whole number from 1"]],
	[top("limits: { connections: 1.5 }"), ["3:24", "expected a whole number from 1"]],
	[top("limits: { buffered_bytes: 1 }"), ["3:27", "expected at least 64KiB, found 1"]],
	[top("limits: { buffered_bytes: 1KiB }"), ["3:27", "expected at least 64KiB, found 1KiB"]],
	[top("limits: { buffered_bytes: true }"), ["3:27", "expected a size such as 64MiB, found true"]],
	[top("keepalive: { idle: 1500ms }"), ["3:20", "expected whole seconds from 1s to 32767s"]],
	[top("keepalive: { interval: 10h }"), ["3:24", "expected whole seconds from 1s to 32767s"]],
	[top("keepalive: { probes: 128 }"), ["3:22", "expected a whole number from 1 to 127"]],
	[top("admin: 9090"), ["3:8", "expected an address such as 127.0.0.1:9090, or off, found the number 9090"]],
	[
		top("admin_hosts: sluice.internal"),
		["3:14", 'expected a list of host names such as [sluice.internal], found "sluice.internal"'],
	],
	[top("admin_hosts: [sluice.internal, 'a:9090']"), ["3:32", '"a:9090" is not a host name']],
	[top("admin: of"), ["3:8", "the port is missing"]],
	[top("log: { level: warning }"), ["3:15", "silent"]],
	[top("log: { level: wran }"), ["3:15", 'did you mean "warn"?']],
	[listener("listen: 443"), ["4:13", "expected an address such as 0.0.0.0:443, found the number 443"]],
	[
		listener("listen: :1", "trusted: 10.0.0.0/8", "proxy_protocol: require"),
		["5:14", "expected a list such as"],
	],
	[listener("listen: :1", "trusted: []", "proxy_protocol: require"), ["5:14", "an empty list trusts nobody"]],
	[listener("listen: :1", "trusted: [10.0.0.0/40]", "proxy_protocol: require"), ["5:15", "from 0 to 32"]],
	[routes("git"), ["4:9", 'expected a mapping (keys and values), found "git"']],
	[routes("{ to: 5 }"), ["4:15", "found the number 5: put it in quotes"]],
	[routes("{ source: office, to: git }"), ["4:19", "expected a block of addresses"]],
	[upstream("443"), ["3:6", "expected host:port such as 10.0.0.5:443, or a mapping"]],
	[upstream("{ addresses: 443 }"), ["3:19", "expected one or more of host:port"]],
	[
		upstream("{ addresses: [x:1, 443] }"),
		[
			"3:25",
			"expected host:port such as 10.0.0.5:443, or a mapping such as { address: 10.0.0.5:443, weight: 3 }, found the number 443",
		],
	],
	[upstream("{ addresses: x:1, health: { interval: 5 } }"), ["3:44", "write 5s or 5ms"]],
	[upstream("{ addresses: x:1, proxy_protocol: require }"), ["3:40", "expected off, v1 or v2"]],
]);

const check = (health: string): string => upstream(`{ http: "http://x:1", health: { ${health} } }`);

cases("an HTTP check that cannot be asked, or that nothing passes, is refused", [
	[check("path: /healthz, status: 200-399, host: app.test:8080")],
	[check("path: /, status: [204, 200-299]")],
	[check("path: healthz"), ["3:44", "beginning with a slash"]],
	[check('path: "/a#b"'), ["3:44", 'without "#"']],
	[check("path: /, status: 100"), ["3:55", "200 to 599"]],
	[check("path: /, status: 20x"), ["3:55", 'found "20x"']],
	[check("path: /, status: 399-200"), ["3:55", "write 200-399"]],
	[check("path: /, status: 200-600"), ["3:55", "200 to 599"]],
	[check("path: /, status: []"), ["3:55", "no status is in an empty list"]],
	[check('path: /, host: "http://app.test"'), ["3:53", "expected a host such as app.internal"]],
	[check('path: /, host: "*.app.test"'), ["3:53", '"*" cannot stand in one']],
	[check("path: /, host: app test"), ["3:53", "a space"]],
	[check("status: 200"), ["3:38", "add path: /healthz"]],
	[check("host: app.test"), ["3:38", "add path: /healthz"]],
	[
		upstream("{ addresses: x:1, health: { path: /healthz, status: 200 } }"),
		["3:34", '"path" is of HTTP checks, and this upstream takes bytes'],
	],
	[upstream("{ addresses: x:1, health: { status: 200 } }"), ["3:34", '"status" is of HTTP checks']],
]);

/** A good file around `share`, whose listener's second line begins at column 5 of line 4. */
const logging = (share: string): string =>
	listener(`log_requests: ${share}`, "listen: :1").replace("a: 127.0.0.1:2", 'a: { http: "http://x:1" }');

cases("a share of requests to log is one that makes sense, where there are requests", [
	[logging("0.5")],
	[
		logging("on"),
		["4:19", 'expected off, all, or a share of the requests from 0.000001 to 1 such as 0.01, found "on"'],
	],
	[logging("0"), ["4:19", "found the number 0"]],
	[logging("1.5"), ["4:19", "found the number 1.5"]],
	[logging("true"), ["4:19", "expected off, all"]],
	[listener("listen: :1", "log_requests: all"), ["5:5", '"log_requests" does nothing here']],
	[listener("listen: :1", "log_requests: off")],
	[routes("{ path: /a, to: git }").replace("127.0.0.1:1", "127.0.0.1:1\n    log_requests: all")],
	[routes("{ subprotocol: mqtt, to: git }").replace("127.0.0.1:1", "127.0.0.1:1\n    log_requests: all")],
]);

cases("what other programs write is told what to write here", [
	[upstream("fd00::5:443"), ["3:6", 'Write "[fd00::5]:443" for port 443 of fd00::5']],
	[upstream("$A_HOST:1"), ["3:6", `is not replaced here: write \${A_HOST}`]],
	[upstream("/run/app.sock"), ["3:6", 'a socket path is written "unix:/run/app.sock"']],
	[upstream("https://a.b"), ["3:6", "requests go to http: [https://a.b]"]],
	[upstream('"a:1, b:1"'), ["3:6", "write several as a list"]],
	[upstream("a.b:https"), ["3:6", "write 443"]],
	[routes("{ protocol: https, to: git }"), ["4:21", "its first bytes are TLS; write tls, or sni: NAME"]],
	[routes("{ protocol: websocket, to: git }"), ["4:21", "begin as http"]],
	[routes("{ protocol: grpc, to: git }"), ["4:21", "write alpn: h2"]],
	[routes("{ protocol: smtp, to: git }"), ["4:21", "write any"]],
	[routes("{ path: /api*, to: git }"), ["4:17", "write /api/ for all that begin so"]],
	[routes("{ path: /api/**, to: git }"), ["4:17", "write /api/ for all that begin so"]],
	[routes("{ source: 10.0.0.5/8, to: git }"), ["4:19", "write 10.0.0.0/8 for the whole block, or 10.0.0.5"]],
	[listener("listen: 443"), ["4:13", "write 0.0.0.0:443"]],
	[top("admin: 9090"), ["3:8", "write 127.0.0.1:9090"]],
	[top("timeouts: { idle: 1h30m }"), ["3:19", "write 90m instead of 1h30m"]],
	[top("timeouts: { lifetime: 0s }"), ["3:23", "write off instead of 0s"]],
	[top("timeouts: { lifetime: 0 }"), ["3:23", "found the number 0: write off"]],
	[top("limits: { connections: 10k }"), ["3:24", "write 10000"]],
	[top("limits: { connections: 1_000 }"), ["3:24", "write 1000"]],
	[top("log: { level: warning }"), ["3:15", "write warn"]],
]);

cases("a missing key is told at the place it is missing from", [
	["upstreams: {}", ["1:1", 'the key "listeners" is missing']],
	[listener("backlog: 5"), ["3:5", 'the key "listen" is missing: expected an address such as 0.0.0.0:443']],
	[routes("{ sni: a.b }"), ["4:9", 'the key "to" is missing: expected the name of an upstream, reject']],
	[
		upstream("{}"),
		[
			"3:6",
			"an upstream needs addresses: [host:port] for bytes, http: [URL] for requests, or udp: [host:port] for datagrams",
		],
	],
	["", ["1:1", "the file is empty"]],
	["# nothing yet", ["1:1", "the file is empty"]],
	["sluice", ["1:1", "expected a mapping"]],
]);

cases("lists that must not be empty say why", [
	["listeners: []\nupstreams: {}", ["1:12", "without a listener there is nothing to do"]],
	["listeners: [{ listen: :1, routes: [] }]", ["1:35", "a listener without routes takes no connection"]],
	[upstream("{ addresses: [] }"), ["3:19", "an upstream without addresses can take no connection"]],
]);

cases("names that no client can send are refused", [
	[routes('{ sni: "*.*.com", to: git }'), ["4:16", "a wildcard stands once"]],
	[routes('{ sni: "a b.com", to: git }'), ["4:16", "a space cannot stand in one"]],
	[routes("{ sni: 10.0.0.1, to: git }"), ["4:16", "RFC 6066"]],
	[routes("{ host: a.com:80, to: git }"), ["4:17", "write a.com instead"]],
	[routes('{ alpn: "", to: git }'), ["4:17", 'expected a protocol name such as h2, found ""']],
	[routes(`{ alpn: ${"a".repeat(256)}, to: git }`), ["4:17", "at most 255 bytes"]],
	[routes("{ sni: Git.Example.com., to: git }")],
]);

cases("conditions that exclude each other are refused", [
	[
		routes("{ sni: a.b, protocol: ssh, to: git }"),
		["4:31", '"sni" holds for tls only: remove "protocol: ssh"'],
	],
	[routes("{ sni: a.b, protocol: any, to: git }"), ["4:31", '"sni" holds for tls only']],
	[routes("{ host: a.b, protocol: h2c, to: git }"), ["4:32", '"host" holds for http only']],
	[routes("{ alpn: h2, protocol: other, to: git }"), ["4:31", '"alpn" holds for tls only']],
	[routes("{ sni: a.b, subprotocol: mqtt, to: git }"), ["4:21", "write two routes"]],
	[routes("{ subprotocol: mqtt, protocol: tls, to: git }"), ["4:40", '"subprotocol" holds for http only']],
	[routes('{ subprotocol: "a, b", to: git }'), ["4:24", "expected one subprotocol such as mqtt"]],
	[routes("{ subprotocol: mqtt, path: /a, host: a.b, protocol: http, to: git }")],
	[routes("{ sni: a.b, host: a.b, to: git }"), ["4:11", "write two routes"]],
	[routes("{ alpn: h2, host: a.b, to: git }"), ["4:11", "write two routes"]],
	[routes("{ sni: a.b, alpn: h2, protocol: tls, to: git }", "{ host: a.b, protocol: http, to: git }")],
	[routes("{ protocol: ssh, source: 10.0.0.0/8, to: git }")],
]);

/** As `routes`, with `web` taking requests. */
const requestRoutes = (...lines: string[]): string =>
	routes(...lines).replace("web: 10.0.0.2:1", "web: { http: http://10.0.0.2 }");

cases("fields that a route may not touch, or that HTTP cannot carry, are refused where they stand", [
	[
		requestRoutes(
			"{ to: web, request_headers: { set: { X-A: b c, X-B: '' }, remove: [Cookie] }, response_headers: { remove: [Server] } }",
		),
	],
	[
		requestRoutes("{ to: web, request_headers: { set: { Host: a } } }"),
		["4:46", 'set "host" of the upstream'],
	],
	[
		requestRoutes("{ to: web, request_headers: { remove: [X-A, transfer_encoding] } }"),
		["4:53", "frames the message"],
	],
	[requestRoutes("{ to: web, response_headers: { set: { Connection: x } } }"), ["4:47", "one connection"]],
	[
		requestRoutes("{ to: web, request_headers: { set: { X-Forwarded-Proto: '1' } } }"),
		["4:46", '"forwarded_trusted"'],
	],
	[requestRoutes("{ to: web, response_headers: { set: { Via: x } } }"), ["4:47", '"via" of the listener']],
	[requestRoutes("{ to: web, response_headers: { set: { a b: x } } }"), ["4:47", "use letters, digits"]],
	[requestRoutes('{ to: web, response_headers: { set: { X: "a\\r\\nb" } } }'), ["4:50", "on one line"]],
	[requestRoutes('{ to: web, response_headers: { set: { X: " a" } } }'), ["4:50", "spaces only inside"]],
	[requestRoutes("{ to: web, response_headers: { set: { X: ü } } }"), ["4:50", "visible ASCII"]],
	[requestRoutes("{ to: web, response_headers: { set: { X: 1 } } }"), ["4:50", "put it in quotes"]],
	[requestRoutes("{ to: web, response_headers: { remove: X } }"), ["4:48", "a list such as"]],
	[requestRoutes("{ to: web, response_headers: { sett: {} } }"), ["4:40", 'did you mean "set"?']],
	[
		requestRoutes("{ to: web, response_headers: { set: { X-A: a, x_a: b }, remove: [x.a] } }"),
		["4:55", "named twice"],
		["4:74", "named twice"],
	],
	[
		requestRoutes(`{ to: web, request_headers: { set: { X: ${"x".repeat(4_096)} } } }`),
		["4:44", "at most 4096"],
	],
	[
		requestRoutes(
			"{ sni: a, to: git, request_headers: { remove: [X] } }",
			"{ to: reject, response_headers: {} }",
		),
		["4:28", '"git" takes none: name an upstream with "http"'],
		["5:23", '"reject" takes none'],
	],
]);

cases("how much a request may carry is a size, or off", [
	[requestRoutes("{ to: web, request_body_bytes: 1MiB }")],
	[requestRoutes("{ to: web, request_body_bytes: off }")],
	[requestRoutes("{ to: web, request_body_bytes: 1M }"), ["4:40", "1MiB"]],
	[requestRoutes("{ to: web, request_body_bytes: 0 }"), ["4:40", "expected at least 1B"]],
	[requestRoutes("{ to: git, request_body_bytes: 1MiB }"), ["4:20", '"git" takes none']],
	[
		top("limits: { request_body_bytes: true }"),
		["3:31", "expected a size such as 10MiB, or off, found true"],
	],
]);

test("what a route does with requests is no condition: a route behind it may still be dead", () => {
	has(requestRoutes("{ to: web, request_headers: { remove: [X] } }", "{ host: a, to: web }"), [
		["5:9", "the one on line 4 takes everything"],
	]);
});

cases("a route to nowhere is told the nearest upstream", [
	[routes("{ to: gti }"), ["4:15", 'unknown upstream "gti"; did you mean "git"?']],
	[routes("{ to: rejct }"), ["4:15", 'did you mean "reject"?']],
	[routes("{ to: elsewhere }"), ["4:15", 'unknown upstream "elsewhere": define it under "upstreams"']],
	[routes("{ to: constructor }"), ["4:15", 'unknown upstream "constructor"']],
	["listeners: [{ listen: :1, routes: [{ to: a }] }]", ["1:42", 'unknown upstream "a"']],
	["listeners: [{ listen: :1, routes: [{ to: reject }] }]"],
]);

cases("a route that nothing reaches is told which one is in the way", [
	[
		routes("{ sni: a.b, to: git }", "{ to: web }", "{ host: a.b, to: git }", "{ protocol: ssh, to: git }"),
		["6:9", "the one on line 5 takes everything"],
	],
	[
		routes("{ protocol: any, to: web }", "{ to: git }", "{ sni: a.b, to: git }"),
		["5:9", "the one on line 4 takes everything"],
	],
	[routes("{ to: web }", "{ protocol: any, to: git }"), ["5:9", "the one on line 4 takes everything"]],
	[routes("{ sni: a.b, to: git }", "{ sni: A.B, to: web }"), ["5:9", "(sni=a.b) takes all that it could"]],
	[
		routes('{ sni: "*.b", to: git }', "{ sni: x.a.b, alpn: h2, to: web }"),
		["5:9", "the one on line 4 (sni=*.b)"],
	],
	[routes('{ host: "*.b", to: git }', '{ host: "*.a.b", to: web }'), ["5:9", "the one on line 4 (host=*.b)"]],
	[routes("{ protocol: tls, to: git }", "{ sni: a.b, to: web }"), ["5:9", "(protocol=tls)"]],
	[routes("{ subprotocol: mqtt, to: git }", "{ subprotocol: MQTT, to: web }"), ["5:9", "(subprotocol=mqtt)"]],
	[
		routes('{ host: "*.b", path: /a/, to: git }', "{ host: x.b, path: /a/b, subprotocol: mqtt, to: web }"),
		["5:9", "(host=*.b,path=/a/)"],
	],
	[
		routes(
			'{ host: "*.b", subprotocol: mqtt, to: git }',
			"{ host: x.b, path: /a, subprotocol: mqtt, to: web }",
		),
		["5:9", "(host=*.b,subprotocol=mqtt)"],
	],
	[routes("{ protocol: http, to: git }", "{ subprotocol: mqtt, to: web }"), ["5:9", "(protocol=http)"]],
	[routes("{ protocol: http, to: git }", "{ host: a.b, to: web }"), ["5:9", "(protocol=http)"]],
	[
		routes("{ source: 10.0.0.0/8, to: git }", "{ source: 10.0.0.0/8, sni: a.b, to: web }"),
		["5:9", "(source=10.0.0.0/8)"],
	],
	[
		routes("{ sni: a.b, source: 10.0.0.0/8, to: git }", "{ source: 10.0.0.0/8, sni: a.b, to: web }"),
		["5:9", "(sni=a.b,source=10.0.0.0/8)"],
	],
]);

cases("a route that something may reach is left alone", [
	[routes("{ sni: a.b, to: git }", '{ sni: "*.b", to: web }', "{ sni: b, to: web }", "{ to: git }")],
	[routes("{ sni: a.b, alpn: h2, to: git }", "{ sni: a.b, to: web }", "{ protocol: tls, to: web }")],
	[routes("{ sni: a.b, to: git }", "{ host: a.b, to: git }", "{ protocol: http, to: web }")],
	[routes("{ subprotocol: a, path: /x, to: git }", "{ subprotocol: b, to: git }", "{ path: /x, to: web }")],
	// A silent client passes every route that would have to hear it first.
	[routes("{ sni: a.b, to: git }", "{ to: web }", "{ protocol: any, to: git }")],
	[routes("{ source: 10.0.0.0/8, to: git }", "{ protocol: any, source: 10.0.0.0/8, to: git }")],
	[routes("{ protocol: any, source: 10.0.0.0/8, to: git }", "{ to: web }")],
]);

const binds = (...addresses: string[]): string =>
	[
		"upstreams: { a: 127.0.0.1:2 }",
		"listeners:",
		...addresses.map((address) => `  - { listen: "${address}", routes: [{ to: a }] }`),
	].join("\n");

cases("two listeners on one address are refused, however it is written", [
	[binds("0.0.0.0:443", "0.0.0.0:443"), ["4:15", "already taken by the listener on line 3"]],
	[binds("[::1]:443", "[0:0::1]:443"), ["4:15", "already taken by the listener on line 3"]],
	[binds("*:443", "0.0.0.0:443"), ["4:15", "already taken by the listener on line 3"]],
	[binds("0.0.0.0:443", ":443"), ["4:15", "already taken by the listener on line 3"]],
	[binds(":443", "[::]:443"), ["4:15", "already taken by the listener on line 3"]],
	[
		`${binds("127.0.0.1:9090")}\nadmin: localhost:9090`,
		["3:15", "already taken by the admin pages on line 4"],
	],
	[binds("0.0.0.0:443", "[::]:443", "0.0.0.0:80", "127.0.0.1:0", "127.0.0.1:0")],
]);

cases("a listener whose address lies in another's is refused, because the kernel would", [
	[binds("0.0.0.0:443", "127.0.77.1:443"), ["4:15", "line 3 (0.0.0.0:443 takes 127.0.77.1:443 too)"]],
	[binds("127.0.77.1:443", "0.0.0.0:443"), ["4:15", "line 3 (0.0.0.0:443 takes 127.0.77.1:443 too)"]],
	[binds("[::]:443", "[::1]:443"), ["4:15", "line 3 ([::]:443 takes [::1]:443 too)"]],
	[binds("[::1]:443", ":443"), ["4:15", "line 3 (*:443 takes [::1]:443 too)"]],
	[binds("*:443", "10.0.0.1:443"), ["4:15", "line 3 (*:443 takes 10.0.0.1:443 too)"]],
	[
		`${binds("0.0.0.0:9090")}\nadmin: 127.0.0.1:9090`,
		["3:15", "the admin pages on line 4 (0.0.0.0:9090 takes 127.0.0.1:9090 too)"],
	],
	[
		`${binds("[::1]:9090")}\nadmin: { listen: "[::]:9090", insecure: true }`,
		["3:15", "the admin pages on line 4 ([::]:9090 takes [::1]:9090 too)"],
	],
	[`${binds("[::1]:9090", "[::]:80")}\nadmin: localhost:9090`],
	[binds("0.0.0.0:443", "[::]:443", "[::]:80", "127.0.0.1:80", "127.0.0.2:80")],
]);

/** What can be followed, but is not what was meant: `line:column`, and a part of the message. */
function warns(text: string, expected: readonly (readonly [string, string])[]): void {
	const { warnings } = loadConfigText(text, { file: "sluice.yaml" });
	const told = warnings
		.map(({ line, column, message }) => `${line}:${column}: ${message}`)
		// What does nothing is looked at in a file of its own.
		.filter((line) => !/no route (leads to|takes)/.test(line));
	assert.equal(told.length, expected.length, `${text}\n---\n${told.join("\n")}`);
	for (const [index, [position, part]] of expected.entries())
		assert.ok(told[index]?.startsWith(`${position}: `) && told[index].includes(part), told[index]);
}

test("an upstream that is the gateway's own listener is told, where addresses show it", () => {
	const loop = (listen: string, address: string): string =>
		`listeners: [{ listen: "${listen}", routes: [{ to: a }] }]\nupstreams:\n  a: ${address}\n`;
	const told = [["3:6", "this is the gateway's own listener on line 1"]] as const;
	for (const [listen, address] of [
		["127.0.0.1:443", "127.0.0.1:443"],
		["0.0.0.0:443", "127.0.0.9:443"],
		["*:443", "'[::1]:443'"],
		[":443", "0.0.0.0:443"],
		["[::]:443", "'[::1]:443'"],
		["127.0.0.1:443", "localhost:443"],
		["127.0.0.1:443", "0.0.0.0:443"],
	] as const)
		warns(loop(listen, address), told);
	warns(loop("0.0.0.0:80", "{ http: [http://127.0.0.1:81, http://127.0.0.1] }"), [
		["3:36", "this is the gateway's own listener on line 1"],
	]);
	for (const [listen, address] of [
		["127.0.0.1:443", "127.0.0.2:443"],
		["0.0.0.0:443", "'[::1]:443'"],
		["[::]:443", "127.0.0.1:443"],
		["127.0.0.5:443", "0.0.0.0:443"],
		["0.0.0.0:443", "192.0.2.1:443"],
		["0.0.0.0:443", "app.internal:443"],
		["127.0.0.1:0", "127.0.0.1:1"],
		["0.0.0.0:443", "unix:/443"],
	] as const)
		warns(loop(listen, address), []);
});

/** A listener that has a certificate for `names`, with one route to `web` (requests) or `git` (bytes), at line 4. */
const terminating = (names: string, route: string): string =>
	[
		"listeners:",
		"  - listen: 127.0.0.1:1",
		...(names === "" ? ["    backlog: 5"] : [`    tls: [{ names: [${names}], cert: c, key: k }]`]),
		`    routes: [${route}]`,
		"upstreams: { git: 10.0.0.1:1, web: { http: http://10.0.0.2 } }",
	].join("\n");

cases("TLS that nobody here can read does not lead to an upstream of requests", [
	[terminating("a.b", "{ sni: a.b, to: web }")],
	[terminating("'*.b'", "{ sni: a.b, to: web }")],
	[terminating("'*'", "{ sni: a.b, to: web }, { protocol: tls, to: web }")],
	[terminating("", "{ sni: a.b, to: web }"), ["4:30", "add a certificate for a.b"]],
	[terminating("c.b, '*.a.b'", "{ sni: a.b, to: web }"), ["4:30", "add a certificate for a.b"]],
	[terminating("'*.b'", "{ sni: x.a.b, to: web }"), ["4:32", "add a certificate for x.a.b"]],
	[terminating("", "{ sni: a.b, to: git }, { to: web }")],
]);

test("routes whose names are patterns are told of, and others of the pattern may be served", () => {
	warns(terminating("", "{ sni: '*.b', to: web }, { alpn: h2, to: web }, { protocol: tls, to: web }"), [
		["4:32", 'what "sni: *.b" takes is TLS that this listener cannot read'],
		["4:55", 'what "alpn: h2" takes'],
		["4:83", 'what "protocol: tls" takes'],
	]);
	warns(terminating("x.a.b", "{ sni: '*.b', to: web }, { alpn: h2, to: web }"), []);
	warns(terminating("'*.a.b'", "{ sni: '*.b', to: web }"), []);
	warns(terminating("'*.c'", "{ sni: '*.b', to: web }"), [["4:32", "cannot read"]]);
	warns(terminating("", "{ protocol: ssh, to: web }, { protocol: http, to: web }"), [
		["4:35", '"protocol: ssh" is none: name an upstream with addresses'],
	]);
});

cases("what the hello asks for and what is inside stand in one route where TLS is terminated", [
	[terminating("a.b", "{ sni: a.b, host: a.b, to: web }")],
	[terminating("'*.b'", "{ sni: a.b, host: c.d, path: /x, protocol: http, to: web }")],
	[terminating("a.b", "{ sni: '*.b', subprotocol: mqtt, to: web }, { alpn: http/1.1, path: /, to: web }")],
	[terminating("a.b", "{ sni: a.b, protocol: ssh, to: git }, { sni: a.b, protocol: any, to: git }")],
	[
		terminating("a.b", "{ sni: c.b, host: c.b, to: git }"),
		["4:16", "write two routes, or add a certificate"],
	],
	[
		terminating(
			"a.b",
			"{ sni: a.b, host: a.b, protocol: tls, to: git }, { host: c.d, protocol: tls, to: git }",
		),
	],
	[
		terminating("a.b", "{ sni: a.b, to: git }, { sni: a.b, host: x.y, to: git }"),
		["4:37", "(sni=a.b) takes all that it could"],
	],
	[
		terminating("a.b", "{ host: '*.y', to: git }, { sni: a.b, host: x.y, to: git }"),
		["4:40", "(host=*.y) takes all that it could"],
	],
	[
		terminating("a.b", "{ protocol: http, to: git }, { sni: a.b, path: /, to: git }"),
		["4:43", "(protocol=http)"],
	],
]);

cases("PROXY headers are believed from somebody, or not looked for", [
	[listener("listen: :1", "proxy_protocol: require"), ["5:21", 'needs "trusted": anyone could forge']],
	[listener("listen: :1", "trusted: [10.0.0.0/8]"), ["5:5", 'add "proxy_protocol: require"']],
	[
		listener("listen: :1", "proxy_protocol: off", "trusted: [10.0.0.0/8]"),
		["6:5", 'add "proxy_protocol: require"'],
	],
	[listener("listen: :1", "proxy_protocol: require", "trusted: [0.0.0.0/0]")],
]);

/** A listener with the entries of `tls`, which begin at line 5, column 11. */
const secure = (...entries: string[]): string => listener("listen: :1", `tls: [${entries.join(", ")}]`);

cases("a certificate has names, a file and a key", [
	[secure("{ names: [a.b], cert: c, key: k }", '{ names: ["*.b", "*"], cert: c, key: k, alpn: [] }')],
	[listener("listen: :1", "tls: []"), ["5:10", "an empty list terminates nothing: remove the key"]],
	[listener("listen: :1", "tls: on"), ["5:10", "expected a list such as [{ names: [www.example.com]"]],
	[secure("{ names: [a.b], cert: c }"), ["5:11", 'the key "key" is missing: expected the file of a private']],
	[secure("{ cert: c, key: k }"), ["5:11", 'the key "names" is missing: expected a list such as']],
	[secure("{ names: [], cert: c, key: k }"), ["5:20", "shown to nobody: write at least one"]],
	[
		secure('{ names: [a.b], cert: "", key: k }'),
		["5:33", "expected the file of a certificate such as www.pem"],
	],
	[secure("{ names: [10.0.0.1], cert: c, key: k }"), ["5:21", 'RFC 6066, section 3 forbids it); write "*"']],
	[secure('{ names: ["*.*.b"], cert: c, key: k }'), ["5:21", "a wildcard stands once"]],
	[secure('{ names: [a.b], cert: c, key: k, alpn: [""] }'), ["5:51", 'such as http/1.1, found ""']],
	[secure("{ names: [a.b], cert: c, key: k, ca: x }"), ["5:44", 'unknown key "ca" here; "ca" belongs under']],
]);

cases("a name has one certificate", [
	[
		secure("{ names: [a.b], cert: c, key: k }", "{ names: [x.y, A.B.], cert: d, key: l }"),
		["5:61", 'the certificate on line 5 is shown for "a.b" already: remove one of the two'],
	],
	[secure('{ names: ["*", "*"], cert: c, key: k }'), ["5:26", 'is shown for "*" already']],
	[secure('{ names: ["*.b", a.b, b], cert: c, key: k }')],
]);

cases("an upstream is spoken to through TLS or in the open, and all of it", [
	[
		upstream('{ http: ["https://a", "http://b"] }'),
		["3:14", "http:// and https:// do not mix in one upstream: make them two"],
	],
	[upstream("{ http: https://a, tls: off }"), ["3:25", '"tls: off" contradicts https://: remove one']],
	[upstream("{ http: http://a, tls: on }"), ["3:24", "write https:// instead of http://"]],
	[upstream("{ addresses: x:1, tls: 5 }"), ["3:29", "expected on, off or a mapping such as { ca:"]],
	[upstream("{ addresses: x:1, tls: { cert: c } }"), ["3:31", '"cert" does nothing without "key": add it']],
	[upstream("{ addresses: x:1, tls: { key: k } }"), ["3:31", '"key" does nothing without "cert": add it']],
	[
		upstream("{ addresses: unix:/s, tls: on }"),
		["3:6", "a socket path is no name that a certificate could be for"],
	],
	[upstream('{ http: "https+unix:/s" }'), ["3:6", "add tls: { server_name: … }"]],
	[upstream("{ addresses: unix:/s, tls: { server_name: a.b } }")],
	[upstream("{ addresses: unix:/s, tls: { verify: false } }")],
	[upstream("{ addresses: unix:/s, tls: off }")],
	[upstream('{ http: ["https://a", "https://b:8443"], tls: { ca: c, cert: d, key: k } }')],
	[upstream("{ addresses: x:1, tls: { server_name: 10.0.0.1 } }")],
	[upstream("{ addresses: x:1, tls: { server_name: a b } }"), ["3:44", "a space cannot stand in one"]],
	[upstream("{ http: https://a/x }"), ["3:14", "write https://a, without"]],
]);

cases("the subject of client certificates goes into a field", [
	[top("tls: { reload: 5s, client_subject_header: X-Client-Subject }")],
	[top('tls: { client_subject_header: "a b" }'), ["3:31", "expected a field name such as X-Client-Subject"]],
	[top("tls: { reload: 5 }"), ["3:16", "write 5s or 5ms"]],
	[top("tls: [{ names: [a.b] }]"), ["3:6", "expected a mapping"]],
]);

cases("type-length-values stand in headers of version 2 only", [
	[upstream("{ addresses: x:1, proxy_protocol: v2, proxy_tlvs: [sni, alpn, tls] }")],
	[
		upstream("{ addresses: x:1, proxy_protocol: v1, proxy_tlvs: [sni] }"),
		["3:44", 'write "proxy_protocol: v2"'],
	],
	[upstream("{ addresses: x:1, proxy_protocol: v2, proxy_tlvs: sni }"), ["3:56", "write [sni]"]],
]);

cases("a route may answer by itself", [
	[routes("{ path: /a, to: { redirect: https } }", "{ to: { status: 503, body: later } }")],
	[
		routes("{ to: { redirect: http } }"),
		["4:27", "expected https, or an address such as https://www.example.com"],
	],
	[routes("{ to: { redirect: https, status: 200 } }"), ["4:42", "expected one of 301, 302, 303, 307, 308"]],
	[routes("{ to: { status: 99 } }"), ["4:25", "from 200 to 599"]],
	[routes("{ to: { body: x } }"), ["4:15", "it does not say what is answered"]],
	[routes("{ to: { status: 503 }, timeouts: { idle: 1s } }"), ["4:32", '"timeouts" does nothing here']],
	[routes("{ protocol: ssh, to: { status: 503 } }"), ["4:30", "only requests of HTTP/1.1 can be answered"]],
	[routes("{ to: 503 }"), ["4:15", "put it in quotes, or write { status: 503 }"]],
]);

cases("a condition may have several values, and none that another route takes already", [
	[routes('{ sni: [a.b, "*.c.d"], source: [10.0.0.0/8, "fd00::/8"], to: git }', "{ to: web }")],
	[routes("{ path: [/a, /b/], to: reject }")],
	[routes("{ sni: [], to: git }"), ["4:16", "an empty list fits nothing"]],
	[routes("{ sni: [a.b, c d], to: git }"), ["4:22", "a space cannot stand in one"]],
	[
		routes("{ sni: { a: b }, to: git }"),
		["4:16", "expected a server name such as git.example.com, or a list"],
	],
	[
		routes("{ sni: a.b, to: git }", "{ sni: [c.d, a.b], to: web }"),
		["5:22", "no connection reaches this value: the route on line 4 (sni=a.b) takes all that it could"],
	],
	[
		routes("{ sni: [a.b, c.d], to: git }", "{ sni: [c.d, a.b], to: web }"),
		["5:9", "no connection reaches this route"],
	],
	[routes("{ sni: [a.b, c.d], source: [10.0.0.0/8], to: git }", "{ sni: [c.d, a.b], to: web }")],
	[routes("{ protocol: [ssh, tls], sni: a.b, to: git }"), ["4:21", '"sni" holds for tls only']],
	[routes("{ timeouts: { idle: 1h }, to: git }", "{ to: web }"), ["5:9", "no connection reaches this route"]],
]);

cases("deadlines that contradict each other are refused", [
	[top("timeouts: { silence: 5s }"), ["3:22", "silence must be shorter than handshake (5s)"]],
	[top("timeouts: { silence: 1s, handshake: 1s }"), ["3:22", "silence must be shorter than handshake (1s)"]],
	[top("keepalive: { user_timeout: 30s }"), ["3:28", "longer than timeouts.stall (30s)"]],
	[top("timeouts: { stall: 10s }\nkeepalive: { user_timeout: 20s }")],
	[upstream("{ addresses: x:1, timeouts: { stall: 2m, idle: 1h, lifetime: off } }")],
	[
		upstream("{ addresses: x:1, timeouts: { response_head: 2m } }"),
		["3:36", '"response_head" holds for requests, and "a" takes none'],
	],
	[upstream("{ addresses: x:1, timeouts: { handshake: 2m } }"), ["3:36", 'unknown key "handshake"']],
	[upstream("{ addresses: x:1, timeouts: { idle: 2 } }"), ["3:42", "write 2s or 2ms"]],
	[
		upstream("{ addresses: x:1, health: { timeout: 6s } }"),
		["3:43", "timeout must not be longer than interval (5s)"],
	],
	[upstream("{ addresses: x:1, health: { interval: 1s, timeout: 1001ms } }"), ["3:57", "(1s)"]],
]);

cases("what an upstream is told as Host is a host, and only requests have one", [
	...["app.internal", "app.internal:8080", "10.0.0.1", '"[::1]:80"', "App.Internal."].map(
		(host): Case => [upstream(`{ http: http://x, host: ${host} }`)],
	),
	...[
		"http://x",
		"a b",
		"a:",
		"a:0",
		"a:65536",
		"user@a",
		'"::1"',
		'"[a]"',
		'""',
		'"a\\r\\nX: y"',
		"*.a",
	].map((host): Case => [upstream(`{ http: http://x, host: ${host} }`), ["3:30", ""]]),
	[upstream("{ addresses: x:1, host: a }"), ["3:24", '"host" holds for "http" only']],
]);

const EXPOSED = 'would cross the network in the open: write admin: { listen: "0.0.0.0:9090", tls:';
const PAIR = "tls: { cert: a.pem, key: a.key }";

cases("the admin port is in the open on loopback and Unix sockets alone, unless that is spelled out", [
	[top("admin: 0.0.0.0:9090"), ["3:8", EXPOSED]],
	[top("admin: { listen: 0.0.0.0:9090 }"), ["3:18", EXPOSED]],
	[top("admin: { listen: 0.0.0.0:9090, insecure: false }"), ["3:18", '"insecure: true" instead of "tls"']],
	[top("admin: { listen: 0.0.0.0:9090, insecure: true }")],
	[top(`admin: { listen: 0.0.0.0:9090, ${PAIR} }`)],
	[top(`admin: { listen: 127.0.0.1:9090, ${PAIR} }`)],
	[top(`admin: { listen: 10.0.0.5:9090, ${PAIR}, insecure: true }`), ["3:67", 'nothing beside "tls"']],
	[top("admin: { listen: localhost:9090, insecure: true }"), ["3:34", "does nothing on loopback"]],
	[top("admin: { tls: { cert: a.pem, key: a.key } }"), ["3:8", 'the key "listen" is missing']],
	[top("admin: { listen: 127.0.0.1:1234, tls: { cert: a.pem } }"), ["3:39", 'the key "key" is missing']],
	[top("admin: { listen: off }"), ["3:18", "expected an address such as 127.0.0.1:9090"]],
]);

cases("the admin port's Unix socket has permissions, and no TLS", [
	[top("admin: unix:/run/sluice/admin.sock")],
	[top('admin: { listen: unix:/run/sluice/admin.sock, mode: "0660" }')],
	[top('admin: { listen: unix:admin.sock, mode: "660" }')],
	[top("admin: { listen: unix:/run/a.sock, mode: 0660 }"), ["3:42", 'in quotes, such as "0660"']],
	[top('admin: { listen: unix:/run/a.sock, mode: "0o660" }'), ["3:42", 'in quotes, such as "0660"']],
	[top('admin: { listen: unix:/run/a.sock, mode: "rw-" }'), ["3:42", 'in quotes, such as "0660"']],
	[top(`admin: { listen: unix:/run/a.sock, ${PAIR} }`), ["3:36", '"tls" does nothing on a Unix socket']],
	[top("admin: { listen: unix:/run/a.sock, insecure: true }"), ["3:36", "does nothing on a Unix socket"]],
	[
		top('admin: { listen: 127.0.0.1:9090, mode: "0660" }'),
		["3:34", "permissions are those of a Unix socket"],
	],
	[top(`admin: unix:/run/${"x".repeat(110)}`), ["3:8", "is longer than 107 bytes"]],
	[top("admin: /run/a.sock"), ["3:8", 'is written "unix:/run/a.sock"']],
]);

cases("a name for Via is a token", [
	[listener("listen: :1", "via: edge-1")],
	[listener("listen: :1", "via: on")],
	[listener("listen: :1", "via: a b"), ["5:10", "on, off or a name such as edge-1"]],
	[listener("listen: :1", "via: true")],
	[listener("listen: :1", "via: 5"), ["5:10", "on, off or a name such as edge-1, found the number 5"]],
]);

cases("upstreams are named, and their addresses differ", [
	[
		upstream("[x:1]"),
		["3:6", "expected host:port such as 10.0.0.5:443, or a mapping with addresses, found a list"],
	],
	[top().replace("a: 127", "reject: 1:1, a: 127"), ["2:14", '"reject" is what routes use']],
	[top().replace("a: 127", '"a b": x:1, a: 127'), ["2:14", '"a b" is no name for an upstream']],
	[upstream("{ addresses: [1.2.3.4:5, x:1, 1.2.3.4:5] }"), ["3:36", "stands in the list already"]],
	[upstream(`"unix:/${"a".repeat(107)}"`), ["3:6", "longer than 107 bytes"]],
	[upstream(`"unix:/${"a".repeat(106)}"`)],
]);

cases("addresses have weights, limits and backups", [
	[
		upstream(
			"{ addresses: [{ address: x:1, weight: 3, max_connections: 100 }, { address: y:1, backup: true }] }",
		),
	],
	[upstream("{ addresses: { address: x:1, weight: 256 } }")],
	[upstream("{ http: [http://x, { url: http://y, weight: 2 }], pool: off }")],
	[upstream("{ addresses: [{ address: x:1, weight: 0 }] }"), ["3:44", "a whole number from 1 to 256"]],
	[upstream("{ addresses: [{ address: x:1, weight: 257 }] }"), ["3:44", "a whole number from 1 to 256"]],
	[upstream("{ addresses: [{ address: x:1, backup: 2 }] }"), ["3:44", "true or false, found the number 2"]],
	[
		upstream("{ addresses: [{ address: x:1, max_connections: 0 }] }"),
		["3:53", "a whole number from 1 to 1048576"],
	],
	[upstream("{ addresses: [{ address: x:1, wieght: 1 }] }"), ["3:36", 'did you mean "weight"']],
	[upstream("{ addresses: [{ address: x }] }"), ["3:31", "the port is missing"]],
	[upstream("{ addresses: [{ weight: 1 }] }"), ["3:20", 'the key "address" is missing']],
	[upstream("{ http: [{ url: x:1 }] }"), ["3:22", "a URL such as http://10.0.0.7:3000"]],
	[upstream("{ addresses: [x:1, { address: x:1, weight: 2 }] }"), ["3:36", "stands in the list already"]],
	[
		upstream("{ addresses: [{ address: x:1, backup: true }, { address: y:1, backup: true }] }"),
		["3:36", "all addresses are backups"],
	],
	[upstream("{ http: { url: http://x, backup: true } }"), ["3:31", "all addresses are backups"]],
	[upstream("{ http: [http://x, { url: https://y }] }"), ["3:14", "http:// and https:// do not mix"]],
	[upstream("{ addresses: x:1, pool: off }"), ["3:24", '"pool" holds for "http" only']],
	[upstream("{ http: http://x, pool: none }"), ["3:30", "on, off or a mapping"]],
]);

cases("YAML that cannot be read is told where", [
	["listeners:\n\t- listen: :1", ["2:1", "a tab cannot indent in YAML: write spaces"]],
	["listeners:\n  - listen: :1\n    routes:\n\t- to: a", ["4:1", "a tab cannot indent"]],
	['listeners: [{ listen: "x }]', ["1:28", 'a quote (") is opened on line 1 and not closed']],
	["listeners:\n  - listen: 'x\n    routes: []\n", ["4:1", "a quote (') is opened on line 2"]],
	["a: 1\n---\nb: 2", ["2:1", "one file is one configuration"]],
	["listeners:\n  - listen: :1\n   routes: []", ["3:1", "the indentation does not fit"]],
	["listeners:\n  - listen: :1\n      routes: []", ["2:13", "the indentation does not fit"]],
	["upstreams:\n  a: x:1\n b: y:1", ["3:1", "the indentation does not fit"]],
	["listeners:\n  - listen:443\n    routes: []", ["2:5", '"listen" is no key so: write "listen: "']],
	["listeners: [{ listen: :1 routes: [] }]", ["1:23", "a comma is missing"]],
	["listeners: [{ listen: :1 ]", ["1:26", '"{" is opened before and not closed: add "}"']],
	["log: 'it's'", ["1:10", "this stands behind a value that has ended"]],
	['log: "a\\qb"', ["1:8", "a backslash begins an escape"]],
	["log: @x", ["1:6", 'begins with "@" stands in quotes']],
	["a: b: c", ["1:4", "two keys on one line"]],
	[listener("listen: [::1]:443"), ["4:18", 'must stand in quotes: "[::1]:443"']],
	[listener("listen: *:443"), ["4:13", 'put it in quotes, "*:443"']],
	[routes("{ sni: *.b.com, to: git }"), ["4:16", 'put it in quotes, "*.b.com"']],
	[top("? [a]", ": b"), ["3:3", "a key is a plain word"]],
	[top("__proto__: 1"), ["3:1", "a key is a plain word"]],
	[top("admin: !secret x"), ["3:8", "is a tag to YAML"]],
	["a: &a [*a]", ["1:8", "put it in quotes"]],
]);

cases("a key that stands twice is told where it stood first, along with all else", [
	[
		top("watch: true", "log: { level: loud }", "watch: 5"),
		["4:15", "expected debug"],
		["5:1", "line 3"],
		["5:8", "true or false"],
	],
	[upstream("x:1\n  a: y:1"), ["4:3", '"a" is already given on line 3: remove one of the two']],
]);

test("aliases that multiply are refused", () => {
	const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
	for (let i = 1; i < 8; i++) lines.push(`a${i}: &a${i} [${`*a${i - 1}, `.repeat(10)}]`);
	has(lines.join("\n"), [["1:1", "more than 100000 aliases"]]);
});

test("an alias is checked where it is used, and told where it is written", () => {
	const text = top("x: &x { idel: 5s }", "timeouts: *x");
	has(text, [
		["3:1", 'unknown key "x"'],
		["3:9", 'unknown key "idel"'],
	]);
});

test("tables that are full say so", () => {
	const many = (count: number, line: (index: number) => string): string =>
		Array.from({ length: count }, (_, index) => line(index)).join("\n");
	has(
		`upstreams: { a: x:1 }\nlisteners:\n${many(257, (i) => `- { listen: ":${i + 1}", routes: [{ to: a }] }`)}`,
		[["3:1", "more than 256 listeners"]],
	);
	const addresses = Array.from({ length: 4_096 }, (_, i) => `x:${i + 1}`).join(", ");
	has(upstream(`x:1\n  b: { addresses: [${addresses}] }`), [
		["4:6", "more than 4096 addresses over all upstreams"],
	]);
	const route = many(32_769, (i) => `  - { sni: h${i}, to: a }`);
	has(
		`upstreams: { a: x:1 }\nlisteners:\n- listen: :1\n  routes:\n${route}\n- listen: :2\n  routes:\n${route}`,
		[["32776:3", "more than 65536 routes over all listeners"]],
	);
});

test("all problems of a file are told at once, in its order", () => {
	has(
		[
			"rotues: []",
			"timeouts: { idle: 5, connect: 1.5s }",
			"listeners:",
			"  - listen: 0.0.0.0:443",
			"    proxy_protocol: require",
			"    routes:",
			"      - { sni: 10.0.0.1, to: gti }",
			"      - { to: git }",
			"      - { to: git }",
			"  - listen: :443",
			"    routes: []",
			"upstreams:",
			"  git: { addresses: [], balance: round_robbin }",
		].join("\n"),
		[
			["1:1", '"routes" belongs in a listener'],
			["2:19", "write 5s or 5ms"],
			["2:31", "write 1500ms"],
			["5:21", 'needs "trusted"'],
			["7:16", "RFC 6066"],
			["7:30", 'did you mean "git"?'],
			["9:9", "the one on line 8 takes everything"],
			["10:13", "already taken by the listener on line 4"],
			["11:13", "a listener without routes"],
			["13:21", "an upstream without addresses"],
			["13:34", 'did you mean "round_robin"?'],
		],
	);
});

test("the design's own example is told what it does not define, and nothing else", () => {
	has(DESIGN_EXAMPLE, [
		["28:30", 'unknown upstream "bastion"'],
		["31:35", 'unknown upstream "internal"'],
	]);
});

test("problems name the value, and print as a compiler would", () => {
	const text = routes("{ to: git }", "{ sni: a.b, to: gti }").replace(
		"{ to: git }",
		"{ protocol: ssh, to: git }",
	);
	const [problem] = problemsOf(text);
	assert.equal(problem?.path, "listeners[0].routes[1].to");
	assert.equal(problem.file, "sluice.yaml");
	assert.equal(
		formatProblems(new ConfigError(problemsOf(text))),
		[
			'sluice.yaml:5:25: unknown upstream "gti"; did you mean "git"?',
			"  5 |       - { sni: a.b, to: gti }",
			"    |                         ^",
		].join("\n"),
	);
});

test("a long line is cut around its caret, and control characters do not reach the terminal", () => {
	const [first, second] = formatProblems(
		new ConfigError([
			{
				file: "f",
				line: 1,
				column: 500,
				path: "",
				message: "m",
				excerpt: `${"\u001b".repeat(499)}X${"y".repeat(500)}`,
			},
		]),
	)
		.split("\n")
		.slice(1);
	assert.ok(first !== undefined && second !== undefined && first.length < 120);
	assert.equal(first[second.indexOf("^")], "X");
	assert.doesNotMatch(first, /\p{Cc}/u);
});

const DESIGN_EXAMPLE = `admin: 127.0.0.1:9090            # dashboard, /metrics, /api, /healthz, /readyz
reactors: 2                      # default: one per core
limits:
  connections: 9000              # sessions, all listeners; default: what the descriptor limit allows
  connections_per_ip: 1000       # IPv6: per /64
  accepts_per_second: 5000
  accepts_per_second_per_ip: 200
  buffered_bytes: 64MiB
  fd_reserve: 64
timeouts:
  handshake: 5s                  # until the connection can be routed, TLS included
  connect: 5s                    # until an upstream accepts
  idle: 10m                      # no byte in either direction
  stall: 30s                     # bytes waiting, and the reader takes none
  half_closed: 30s               # one direction ended
  lifetime: off
  drain: 30s
keepalive: { idle: 30s, interval: 10s, probes: 6 }   # a dead peer is gone in 90 s
listeners:
  - listen: 0.0.0.0:443          # 0.0.0.0:443/udp for QUIC
    backlog: 4096
    proxy_protocol: off          # or: require, with trusted: [10.0.0.0/8]
    tls:                         # names that are terminated here; all others pass through
      - { names: [www.example.com], cert: www.pem, key: www.key }
    routes:
      - { sni: git.example.com, to: git }
      - { sni: "*.apps.example.com", alpn: h2, to: apps }
      - { protocol: ssh, to: bastion }
      - { host: www.example.com, path: /api/, to: api }
      - { host: www.example.com, to: www }
      - { source: 10.0.0.0/8, to: internal }
      - { to: reject }           # no condition: everything else
upstreams:
  git: 10.0.0.5:443              # bytes (relay)
  apps:
    addresses: [10.0.0.6:443, app.internal:443]
    balance: least_connections   # round_robin, source_hash
    proxy_protocol: v2           # sent to the upstream
    health: { interval: 5s, timeout: 2s, fall: 3, rise: 2 }
  www: { http: ["http://10.0.0.7:3000", "http://10.0.0.8:3000"] }   # requests (exchange)
  api: { http: ["https://api.internal"] }
`;
