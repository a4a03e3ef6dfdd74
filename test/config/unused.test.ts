import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../src/config/errors.js";
import { loadConfigText } from "../../src/config/load.js";

type Expected = readonly (readonly [place: string, part: string])[];

/** The text is good, and has these warnings and no others: `line:column`, and a part of the message. */
function warns(text: string, expected: Expected): void {
	const told = loadConfigText(text).warnings.map(
		({ line, column, message }) => `${line}:${column}: ${message}`,
	);
	assert.equal(told.length, expected.length, `${text}\n---\n${told.join("\n")}`);
	for (const [index, [place, part]] of expected.entries()) {
		const line = told[index] ?? "";
		assert.ok(
			line.startsWith(`${place}: `) && line.includes(part),
			`wanted ${place}: …${part}…\nfound  ${line}`,
		);
	}
}

function cases(name: string, table: readonly (readonly [text: string, ...expected: Expected])[]): void {
	test(name, () => {
		for (const [text, ...expected] of table) warns(text, expected);
	});
}

/** Bytes go to `b`, requests to `w`. Line 1 is the general section; the routes' line is 4, the upstreams' 5. */
const file = (
	general: string,
	listener = "",
	b = "",
	w = "",
	routes = "{ sni: a.test, to: b }, { to: w }",
): string =>
	[
		general === "" ? "# nothing general" : general,
		"listeners:",
		`  - { listen: ":1"${listener},`,
		`      routes: [${routes}] }`,
		`upstreams: { b: { addresses: 10.0.0.1:1${b} }, w: { http: http://10.0.0.2${w} } }`,
	].join("\n");

const bytes = (general: string, listener = "", b = "", route = ""): string =>
	file(general, listener, b, "", `{ to: b${route} }`).replace(/, w: .*/, " }");

const requests = (general: string, listener = "", w = "", route = ""): string =>
	file(general, listener, "", w, `{ to: w${route} }`).replace(/b: .* w:/, "w:");

cases("an upstream that no route leads to is told, by its name", [
	[file("")],
	[file("", "", "", "", "{ to: w }"), ["5:14", 'no route leads to "b": add one with "to: b", or remove']],
	[
		file("", "", "", "", "{ to: reject }"),
		["5:14", 'no route leads to "b"'],
		["5:44", 'no route leads to "w"'],
	],
]);

test("while the file has problems, what does nothing is not told", () => {
	assert.throws(
		() => loadConfigText(file("", "", "", "", "{ to: x }")),
		(error) => error instanceof ConfigError && error.problems.length === 1,
	);
});

cases("a limit of one address above that of all of them is told", [
	[file("limits: { connections: 100, connections_per_ip: 100 }")],
	[file("limits: { connections_per_ip: 100 }")],
	[file("limits: { connections: 10, connections_per_ip: off }")],
	[
		file("limits: { connections: 100, connections_per_ip: 101 }"),
		["1:49", "connections_per_ip (101) never comes: connections (100) is reached before"],
	],
	[
		file("limits: { accepts_per_second: 5, accepts_per_second_per_ip: 6 }"),
		["1:61", "accepts_per_second_per_ip (6) never comes"],
	],
	[
		file("limits: { requests_per_second: 5, requests_per_second_per_ip: 6 }"),
		["1:63", "requests_per_second_per_ip (6) never comes"],
	],
]);

cases("a deadline of bytes that the lifetime always comes before is told where it is written", [
	[bytes("timeouts: { lifetime: 5m }")],
	[bytes("timeouts: { idle: 5m, lifetime: 1h }")],
	[bytes("timeouts: { idle: 5m, lifetime: off }")],
	[
		bytes("timeouts: { idle: 1h, lifetime: 5m }"),
		[
			"1:19",
			"idle (1h) never comes: lifetime (5m, line 1) ends the session before; shorten idle, or lengthen",
		],
	],
	[bytes("timeouts: { idle: 5m, lifetime: 5m }"), ["1:19", "idle (5m) never comes"]],
	[bytes("timeouts: { stall: 1m, lifetime: 30s }"), ["1:20", "stall (1m) never comes"]],
	[bytes("timeouts: { half_closed: 1m, lifetime: 30s }"), ["1:26", "half_closed (1m) never comes"]],
	[bytes("timeouts: { lifetime: 5m }", ", timeouts: { idle: 1h }"), ["3:39", "lifetime (5m, line 1)"]],
	[bytes("timeouts: { lifetime: 5m }", "", ", timeouts: { idle: 1h }"), ["5:60", "idle (1h) never comes"]],
	[
		bytes("timeouts: { idle: 1h }", "", "", ", timeouts: { lifetime: 5m }"),
		["1:19", "lifetime (5m, line 4) ends the session before"],
	],
]);

cases("a deadline that comes somewhere is not told", [
	[file("timeouts: { idle: 1h, lifetime: 5m }", "", ", timeouts: { lifetime: off }")],
	[
		file(
			"timeouts: { idle: 1h }",
			"",
			"",
			"",
			"{ sni: a.test, to: b, timeouts: { lifetime: 5m } }, { sni: b.test, to: b }, { to: w }",
		),
	],
	[file("timeouts: { response_head: 3m, idle: 2m }", "", "", ", timeouts: { idle: 1h }")],
	[bytes("timeouts: { idle: 1h, lifetime: 5m }", "", "", ", timeouts: { lifetime: off }")],
]);

cases("deadlines of requests that another one always comes before are told", [
	[requests("timeouts: { response_head: 3m, idle: 3m }")],
	[requests("timeouts: { idle: 30s }")],
	[requests("timeouts: { keep_alive: 1h, idle: 1m }")],
	[
		requests("timeouts: { response_head: 3m, idle: 2m }"),
		["1:28", "response_head (3m) never comes: idle (2m, line 1) ends the session before"],
	],
	[
		requests("timeouts: { response_head: 1h }"),
		["1:28", "response_head (1h) never comes: idle (10m, the default) ends"],
	],
	[requests("timeouts: { idle: 1m, stall: 30s, lifetime: 31s, response_head: 31s }")],
	[
		requests("timeouts: { idle: 1m, stall: 30s, lifetime: 30s }"),
		["1:19", "idle (1m) never comes: lifetime (30s, line 1)"],
	],
	[
		requests("timeouts: { lifetime: 10m, keep_alive: 10m }"),
		["1:40", "keep_alive (10m) never comes: lifetime (10m, line 1)"],
	],
	[
		requests("timeouts: { lifetime: 10m }", ", timeouts: { request_head: 11m }"),
		["3:47", "request_head (11m) never comes"],
	],
	[requests("", "", ", timeouts: { response_head: 11m }"), ["5:69", "response_head (11m) never comes"]],
	[requests("", "", ", timeouts: { response_head: 11m }", ", timeouts: { idle: 12m }")],
]);

/** The certificate's names begin at 3:22, and the routes at 4:16. */
const terminating = (names: string, routes: string): string =>
	[
		"listeners:",
		"  - listen: :1",
		`    tls: [{ names: [${names}], cert: c, key: k }]`,
		`    routes: [${routes}]`,
		"upstreams: { w: { http: http://10.0.0.2 }, b: 10.0.0.1:1 }",
	].join("\n");

const BYTES = "{ sni: b.test, to: b }";

cases("a name whose TLS ends here and that no route takes is told", [
	[terminating("a.test", `{ host: a.test, to: w }, ${BYTES}`)],
	[terminating("a.test", `{ sni: a.test, to: w }, ${BYTES}`)],
	[terminating("a.test", `{ path: /x, to: w }, ${BYTES}`)],
	[terminating('"*"', `${BYTES}, { sni: a.test, to: w }`)],
	[terminating('"*.a.test"', `${BYTES}, { host: x.a.test, to: w }`)],
	[terminating("x.a.test", `${BYTES}, { host: "*.a.test", to: w }`)],
	[terminating("a.test", `${BYTES}, { host: [c.test, a.test], protocol: http, to: w }`)],
	[terminating("a.test", `{ host: a.test, to: reject }, ${BYTES}, { to: w }`)],
	[
		terminating("a.test, www.a.test", `{ host: a.test, to: w }, ${BYTES}`),
		[
			"3:29",
			'no route takes "www.a.test": TLS for it ends here, and leads nowhere; add a route with "host: www',
		],
	],
	[
		terminating("c.test, a.test", `{ host: a.test, to: w }, ${BYTES}, { to: reject }`),
		["3:21", 'no route takes "c.test"'],
	],
]);

cases("a host that no certificate covers is told where TLS ends, unless requests in the open are meant", [
	[terminating("a.test", `{ host: a.test, to: w }, { host: "*.b.test", to: w }, ${BYTES}`)],
	[terminating('"*"', `{ host: x.test, to: w }, ${BYTES}`)],
	[terminating('"*.test"', `{ host: x.test, to: w }, ${BYTES}`)],
	[terminating("a.test", `{ host: a.test, to: w }, { host: x.test, protocol: http, to: w }, ${BYTES}`)],
	[
		terminating("a.test", `{ host: a.test, to: w }, { host: x.test, path: /x, to: w }, ${BYTES}`),
		[
			"4:47",
			'no certificate of this listener covers "x.test": clients that ask for it by TLS never reach this route',
		],
	],
	[terminating("a.test", `{ host: [a.test, x.test], to: w }, ${BYTES}`), ["4:31", 'covers "x.test"']],
]);
