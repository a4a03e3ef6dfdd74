import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ChannelPattern, isChannelName } from "../../src/channels/names.js";
import { ConfigError } from "../../src/config/errors.js";
import { coversChannels, parseChannelName, parseChannelPattern } from "../../src/config/hub-values.js";
import { loadConfigText } from "../../src/config/load.js";
import { attempt } from "../../src/config/plain.js";

const PRICES = "{ match: prices, subscribe: public }";
const ROUTE = "{ path: /channels/, to: hub }";

/** A good file whose hub is line 4: `keys` stand before `channels`, `routes` in line 3. */
const hub = (keys = "", channels = PRICES, routes = ROUTE, listener = ""): string =>
	[
		"listeners:",
		`  - listen: 127.0.0.1:443${listener}`,
		`    routes: [${routes}]`,
		`hub: { ${keys}channels: [${channels}] }`,
	].join("\n");

/** The same with tokens. */
const signed = (channels: string, routes = ROUTE): string => hub("keys: k.json, ", channels, routes);

/** The same on a listener that reads no requests. */
const framed = (route: string, listener = ""): string => hub("", PRICES, route, listener);

/** Every problem of the text, and its warnings where there is none. */
function told(text: string): readonly string[] {
	try {
		return loadConfigText(text).warnings.map(({ line, message }) => `${line}: ${message}`);
	} catch (error) {
		if (!(error instanceof ConfigError)) throw error;
		return error.problems.map(({ line, message }) => `${line}: ${message}`);
	}
}

type Case = readonly [text: string, ...expected: (readonly [line: number, message: string])[]];

/** Each text has these problems or warnings and no others, in these words. */
function cases(name: string, table: readonly Case[]): void {
	test(name, () => {
		for (const [text, ...expected] of table)
			assert.deepEqual(
				told(text),
				expected.map(([line, message]) => `${line}: ${message}`),
				text,
			);
	});
}

cases("good files of hubs have no problem", [
	[hub()],
	[hub("", `${PRICES}, { match: "rooms/*", subscribe: public }, { match: "**", subscribe: public }`)],
	[signed("{ match: a, publish: token, presence: who }")],
	[hub("", PRICES, "{ host: push.example.com, to: hub }")],
	[hub("", PRICES, "{ protocol: http, to: hub }, { protocol: ssh, to: reject }")],
	[
		hub("", PRICES, "{ path: [/a/, /b/], subprotocol: sluice-hub.v1, to: hub }").replace(
			", basic_auth: {}",
			"",
		),
	],
	[framed("{ to: hub }")],
	[framed("{ to: hub, channel: prices, timeouts: { stall: 5s, lifetime: 1h } }")],
	[framed("{ protocol: other, to: hub }, { protocol: any, to: hub }")],
	[
		framed("{ sni: a.test, to: hub }", "\n    tls: [{ names: [a.test], cert: a, key: b }]").replace(
			/routes/,
			"routes",
		),
	],
]);

test("a section of the hub has its defaults filled in, and leads to an upstream without addresses", () => {
	const { hub: found, upstreams, listeners } = loadConfigText(hub(), { baseDir: "/etc" });
	assert.deepEqual(found, {
		keysFile: null,
		memoryBytes: 33_554_432,
		heartbeatMs: 30_000,
		deadAfterMs: 90_000,
		retryMs: 5_000,
		origins: null,
		limits: {
			channels: 10_000,
			subscribersPerChannel: 100_000,
			subscriptions: 64,
			messageBytes: 65_536,
			presence: 1_000,
		},
		channels: [
			{
				...{
					match: "prices",
					policy: "drop-oldest",
					subscribe: "public",
					publish: "nobody",
					presence: "off",
				},
				outbox: { messages: 64, bytes: 65_536 },
				replay: { messages: 0, ageMs: 3_600_000 },
				...{ publishPerSecond: null, deliverPerSecond: null },
			},
		],
	});
	assert.deepEqual(
		upstreams.map(({ name, hub, addresses, http, health }) => ({ name, hub, addresses, http, health })),
		[{ name: "hub", hub: true, addresses: [], http: null, health: null }],
	);
	assert.equal(listeners[0]?.routes[0]?.to, "hub");
	const none = loadConfigText("listeners: [{ listen: ':1', routes: [{ to: reject }] }]");
	assert.deepEqual([none.hub, none.upstreams], [null, []]);
});

test("what the file says of the hub comes before its defaults", () => {
	const limits =
		"limits: { channels: 5, subscribers_per_channel: 6, subscriptions: 7, message: 128KiB, presence: 8 }";
	const general = `keys: k.json, memory: 64MiB, heartbeat: 5s, dead_after: 11s, retry: 1m, ${limits}, `;
	const channel =
		"{ match: a, policy: conflate, outbox: { messages: 9 }, replay: { messages: 10, age: 2h }, publish: public, presence: count, publish_per_second: 11, deliver_per_second: 12 }";
	const { hub: found, places } = loadConfigText(hub(general, channel), { baseDir: "/etc" });
	assert.deepEqual(found, {
		keysFile: "/etc/k.json",
		memoryBytes: 67_108_864,
		heartbeatMs: 5_000,
		deadAfterMs: 11_000,
		retryMs: 60_000,
		origins: null,
		limits: {
			...{ channels: 5, subscribersPerChannel: 6, subscriptions: 7, messageBytes: 131_072, presence: 8 },
		},
		channels: [
			{
				...{ match: "a", policy: "conflate", subscribe: "token", publish: "public", presence: "count" },
				// One message fits.
				outbox: { messages: 9, bytes: 131_072 },
				replay: { messages: 10, ageMs: 7_200_000 },
				...{ publishPerSecond: 11, deliverPerSecond: 12 },
			},
		],
	});
	assert.match(places.get("hub")?.get("/etc/k.json") ?? "", /:4:14$/);
});

test("messages are shorter where the log is small, and the log has whole words", () => {
	const of = (memory: number) => loadConfigText(hub(`memory: ${memory}, `)).hub;
	assert.equal(of(1_048_583)?.memoryBytes, 1_048_576);
	assert.equal(of(1_048_576)?.limits.messageBytes, 16_384);
	assert.equal(of(1_073_741_824)?.limits.messageBytes, 65_536);
});

test("a listener reads requests where a route to the hub is about them, and frames otherwise", () => {
	const reads = (routes: string, upstreams = ""): boolean | undefined =>
		loadConfigText(`${hub("", PRICES, routes)}${upstreams}`).listeners[0]?.readsRequests;
	for (const route of ["path: /a/", "host: a.test", "protocol: http", "subprotocol: x", "protocol: [http]"])
		assert.equal(reads(`{ ${route}, to: hub }`), true, route);
	for (const route of ["source: 10.0.0.0/8, ", "protocol: other, ", "channel: prices, ", ""])
		assert.equal(reads(`{ ${route}to: hub }`), false, route);
	assert.equal(reads("{ protocol: ssh, to: b }, { to: hub }", "\nupstreams: { b: x:1 }"), false);
	assert.equal(reads("{ path: /w/, to: w }, { to: hub }", "\nupstreams: { w: { http: http://x } }"), true);
	assert.equal(
		loadConfigText(framed("{ to: hub, channel: prices }")).listeners[0]?.routes[0]?.channel,
		"prices",
	);
});

test("origins are written as browsers say them", () => {
	const of = (written: string): readonly string[] | null | undefined =>
		loadConfigText(hub(`origins: ${written}, `)).hub?.origins;
	assert.deepEqual(of("'*'"), ["*"]);
	assert.deepEqual(of("https://A.Example.com"), ["https://a.example.com"]);
	assert.deepEqual(of("[https://a.test:443, 'http://a.test:8080', app://Local]"), [
		"https://a.test",
		"http://a.test:8080",
		"app://local",
	]);
});

const NO_PART =
	'a name is made of parts such as rooms/42, of letters, digits and any of ". _ - ~ :", divided by "/"';

cases("values of the hub say what was expected", [
	[
		hub("", ""),
		[4, "without an entry there is no channel: write one such as { match: prices, subscribe: public }"],
	],
	[
		hub("", "{ subscribe: public }"),
		[4, 'the key "match" is missing: expected a channel such as prices, or "rooms/*"'],
	],
	[
		hub("", "{ match: rooms/#, subscribe: public }"),
		[4, '"rooms/#": all that follow are "**" here, and a single part is "*"'],
	],
	[
		hub("", "{ match: rooms/+, subscribe: public }"),
		[4, '"rooms/+": a part that may be anything is "*" here'],
	],
	[
		hub("", "{ match: room*, subscribe: public }"),
		[4, '"room*": a star is for a whole part of a name, such as "rooms/*"'],
	],
	[
		hub("", "{ match: '**/a', subscribe: public }"),
		[4, '"**/a": "**" is for all that follow, and stands at the end: write * here'],
	],
	[
		hub("", "{ match: /rooms/, subscribe: public }"),
		[4, '"/rooms/" has an empty part: a slash stands only between two, write rooms'],
	],
	[hub("", "{ match: 'a b', subscribe: public }"), [4, `"a b" is no channel: ${NO_PART}`]],
	[hub("", "{ match: '', subscribe: public }"), [4, 'expected a channel such as prices, found ""']],
	[
		hub("", `{ match: ${"a".repeat(129)}, subscribe: public }`),
		[4, `"${"a".repeat(129)}" is too long for a channel: at most 128 characters`],
	],
	[
		hub("", "{ match: a, subscribe: public, policy: drop }"),
		[4, 'expected drop-oldest, drop-newest, conflate or disconnect, found "drop": write drop-oldest'],
	],
	[hub("", "{ match: a, subscribe: all }"), [4, 'expected public or token, found "all": write public']],
	[
		hub("", "{ match: a, subscribe: public, publish: off }"),
		[4, 'expected nobody, public or token, found "off": write nobody'],
	],
	[
		hub("", "{ match: a, subscribe: public, presence: on }"),
		[4, 'expected off, count or who, found "on": write count, or who'],
	],
	[hub("", "{ match: a, subscribe: public, outbox: { bytes: 2GiB } }"), [4, "expected at most 1GiB"]],
	[hub("memory: 1KiB, "), [4, "expected at least 1MiB, found 1KiB"]],
	[hub("memory: 2GiB, "), [4, "expected at most 1GiB"]],
	[hub("heartbeat: 5ms, "), [4, "expected at least 100ms"]],
	[hub("limits: { message: 2MiB }, "), [4, "expected at most 1MiB"]],
	[
		hub("limits: { channels: 2000000 }, "),
		[4, "expected a whole number from 1 to 1000000, found the number 2000000"],
	],
	[
		hub("origins: [a.test], "),
		[4, 'expected an origin such as https://example.com, found "a.test": write https://a.test'],
	],
	[
		hub("origins: https://a.test/x, "),
		[4, '"https://a.test/x": an origin has no path; write https://a.test'],
	],
	[
		hub("origins: ['https://*.a.test'], "),
		[4, '"https://*.a.test": an origin has no patterns; write each one, or "*" alone for all'],
	],
	[
		hub("origins: wss://a.test, "),
		[4, '"wss://a.test": it is the page that has the origin; write https://a.test'],
	],
	[hub("origins: 'https://a b', "), [4, '"https://a b" is no origin, such as https://example.com']],
	[hub("origins: ['*', https://a.test], "), [4, '"*" is for all origins: remove it, or remove the others']],
	[
		framed("{ to: hub, channel: a/ }"),
		[3, '"a/" has an empty part: a slash stands only between two, write a'],
	],
	[
		framed("{ to: hub, channel: a/* }"),
		[3, '"a/*" is for several channels, and one stands here: write its whole name'],
	],
]);

cases("what does not go together under hub is told with what to do", [
	[
		hub("heartbeat: 2m, "),
		[
			4,
			"dead_after (90s) must be longer than the heartbeat (2m), whose answer it waits for: healthy subscribers would be closed otherwise",
		],
	],
	[
		hub("heartbeat: 10s, dead_after: 10s, "),
		[
			4,
			"dead_after (10s) must be longer than the heartbeat (10s), whose answer it waits for: healthy subscribers would be closed otherwise",
		],
	],
	[
		hub("limits: { message: 1MiB }, "),
		[
			4,
			"message (1MiB) is more than 1/64 of hub.memory (32MiB), and one would displace what others wait for: raise hub.memory to 64MiB, or lower this",
		],
	],
	[
		hub("", "{ match: a, subscribe: public, outbox: { bytes: 1KiB } }"),
		[4, "an outbox of 1KiB has no room for a message of 64KiB: raise this, or lower hub.limits.message"],
	],
	[hub("limits: { message: 1KiB }, ", "{ match: a, subscribe: public, outbox: { bytes: 1KiB } }")],
	[
		hub("", "{ match: a, subscribe: public, replay: { age: 1h } }"),
		[4, '"age" does nothing without "messages": add how many may be resumed from, such as messages: 1000'],
	],
	[
		hub("", "{ match: a }"),
		[
			4,
			'without "keys" nobody has a token: write "subscribe: public", so that everybody may subscribe, or name a JWK Set under hub.keys',
		],
	],
	[
		hub("", "{ match: a, subscribe: token, publish: token }"),
		[
			4,
			'"subscribe: token" needs keys that tokens are signed with: name a JWK Set under hub.keys, or write public',
		],
		[
			4,
			'"publish: token" needs keys that tokens are signed with: name a JWK Set under hub.keys, or write nobody',
		],
	],
	[
		hub("", `{ match: "rooms/*", subscribe: public },\n  { match: rooms/1, subscribe: public }`),
		[
			5,
			"no channel comes to this entry: the one on line 4 (rooms/*) matches all that it could; move this one up, or remove it",
		],
	],
	[
		hub("", `${PRICES},\n ${PRICES}`),
		[5, '"prices" stands on line 4 already, and the first match holds: remove one of the two'],
	],
]);

cases("routes that lead to the hub are held to what subscribers are", [
	[
		hub().replace(/\nhub.*/, ""),
		[
			3,
			'"to: hub" needs a section for the channels, at the top of the file: hub: { channels: [{ match: prices, subscribe: public }] }',
		],
	],
	[
		hub("", PRICES, "{ path: /channels, to: hub }"),
		[3, "what follows this path is a channel, so that it ends in a slash: write /channels/"],
	],
	[
		hub("", PRICES, "{ path: [/a/, /b], to: hub }"),
		[3, "what follows this path is a channel, so that it ends in a slash: write /b/"],
	],
	[
		hub("", PRICES, "{ path: /channels/, to: hub, channel: prices }"),
		[
			3,
			'this listener reads requests, whose path says the channel (/channels/prices): remove "channel"; or give connections of devices a listener of their own, without host, path and "protocol: http"',
		],
	],
	[
		hub("", PRICES, `${ROUTE}, { to: reject, channel: prices }`),
		[3, '"channel" is of routes to the hub: write "to: hub", or remove "channel"'],
	],
	[
		framed("{ to: hub, channel: other }"),
		[
			3,
			'no entry under hub.channels matches "other", so that there is no such channel: add one, or name another',
		],
	],
	[
		hub("", PRICES, "{ path: /a/, to: hub, request_body_bytes: 1KiB }"),
		[
			3,
			'"request_body_bytes" does nothing here: the hub answers itself, and nothing goes on to an upstream; remove it',
		],
	],
	[
		hub("", PRICES, "{ path: /a/, to: hub, timeouts: { idle: 1h, connect: 1s } }"),
		[
			3,
			'"idle" does nothing here: subscribers may say nothing for ever: hub.heartbeat and hub.dead_after find subscribers that are gone; remove it',
		],
		[3, '"connect" does nothing here: the hub answers itself, and nothing goes on to an upstream; remove it'],
	],
	[
		hub("", PRICES, "{ path: /a/, to: hub }, { protocol: other, to: hub }"),
		[
			3,
			'this listener reads requests of HTTP/1.1, and "protocol: other" is none: remove it, or give devices that speak framed TCP a listener of their own',
		],
	],
	[
		framed("{ protocol: ssh, to: hub }"),
		[3, 'the hub speaks framed TCP here, and "protocol: ssh" is none: remove it'],
	],
	[
		framed("{ sni: a.test, to: hub }"),
		[
			3,
			'what "sni: a.test" takes is TLS that this listener cannot read, and so the hub neither: add a certificate under "tls" of the listener',
		],
	],
	[
		framed("{ to: hub }", "/udp"),
		[
			3,
			"subscribers of the hub come by TCP, and this listener takes datagrams: move the route to a listener without /udp",
		],
	],
	[
		`${hub()}\nupstreams: { hub: x:1 }`,
		[
			5,
			'"hub" is where routes lead to the channels of the section "hub": give the upstream another name, such as "hub-server", here and in its routes',
		],
	],
]);

const HASH = "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHRzYWx0$c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0";

test("a password is asked for by requests, and not in frames", () => {
	const asked = (route: string): readonly string[] =>
		told(framed(`{ ${route}to: hub, basic_auth: { a: "${HASH}" } }`)).filter((each) =>
			each.includes("reads none"),
		);
	assert.deepEqual(asked("path: /a/, "), []);
	assert.equal(asked("").length, 1);
});

cases("what does nothing under hub is a warning", [
	[
		`${hub("", PRICES, "{ to: reject }")}`,
		[
			4,
			"no route leads to the hub, so that nobody can subscribe: add one such as { path: /channels/, to: hub }",
		],
	],
	[
		signed(PRICES),
		[
			4,
			'nothing asks for a token: all channels are public, and none tells who is there; remove "keys", or write "subscribe: token"',
		],
	],
	[signed("{ match: a, subscribe: public, presence: who }")],
	[
		hub("", "{ match: a, subscribe: public, presence: who }"),
		[4, "who somebody is stands in his token, and there are no hub.keys: write count"],
	],
	[
		hub("memory: 8MiB, ", "{ match: a, subscribe: public, outbox: { bytes: 8MiB } }"),
		[
			4,
			"an outbox of 8MiB is never full: what would wait in it is gone from hub.memory (8MiB) before; lower this, or raise hub.memory",
		],
	],
	[
		signed("{ match: a }").replace("127.0.0.1", "0.0.0.0"),
		[
			3,
			'tokens come in the open here: add a certificate under "tls" of the listener, or let a proxy with TLS stand in front and name it in "forwarded_trusted"',
		],
	],
	[hub().replace("127.0.0.1", "0.0.0.0")],
	[
		hub("", PRICES, "{ path: /a/, to: hub, timeouts: { stall: 5s, lifetime: 4s } }"),
		[
			3,
			"stall (5s) never comes: lifetime (4s, line 3) ends the session before; shorten stall, or lengthen lifetime",
		],
	],
]);

const part = fc.constantFrom("a", "b", "a.b", "*", "**", "", "#", "a*");
const written = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));

test("names and patterns of channels are those that the hub goes by", () => {
	const check = (text: string): void => {
		assert.equal(attempt(text, parseChannelName) !== null, isChannelName(text), text);
		assert.equal(attempt(text, parseChannelPattern) !== null, ChannelPattern.parse(text) !== undefined, text);
	};
	fc.assert(fc.property(written, check));
	fc.assert(fc.property(fc.string(), check));
	for (const length of [128, 129]) check("a".repeat(length));
});

test("one pattern covers another when it matches every name that the other does", () => {
	const pattern = written.filter((text) => ChannelPattern.parse(text) !== undefined);
	const names = [
		"a",
		"b",
		"x",
		"a/a",
		"a/b",
		"a/x",
		"x/b",
		"x/y",
		"a/b/a",
		"a/b/x",
		"x/y/z",
		"a/b/a/b",
		"w/x/y/z",
	];
	// Enough parts for what no pattern of the test names, and of every length that one has, and one more.
	const all = [...names, ...["z/a/b/a.b", "a.b", "a.b/a", "a/a.b", "v/w/x/y/z", "a/b/a/b/a"]];
	fc.assert(
		fc.property(pattern, pattern, (earlier, later) => {
			if (!coversChannels(earlier, later)) return;
			const [over, under] = [ChannelPattern.parse(earlier), ChannelPattern.parse(later)];
			for (const name of all)
				assert.ok(
					under?.matches(name) !== true || over?.matches(name) === true,
					`${earlier} ${later} ${name}`,
				);
		}),
	);
	for (const [earlier, later] of [
		["**", "a"],
		["**", "*"],
		["a/**", "a/*/b"],
		["a/**", "a/**"],
		["*", "a"],
		["a/*", "a/b"],
	] as const)
		assert.ok(coversChannels(earlier, later), `${earlier} ${later}`);
	for (const [earlier, later] of [
		["a/**", "a"],
		["*", "**"],
		["a/*", "a/**"],
		["a", "*"],
		["*/b", "a/*"],
		["a/*/**", "a/**"],
	] as const)
		assert.ok(!coversChannels(earlier, later), `${earlier} ${later}`);
});
