import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import type { Config } from "../../src/config/config.js";
import { loadConfigText } from "../../src/config/load.js";
import { jsonSchema } from "../../src/config/schema.js";

const ON = ["on", "true", "yes", '"on"', '"true"', "'yes'"];
const OFF = ["off", "false", "no", '"off"', '"false"', "'no'"];

const withTop = (line: string): string =>
	`listeners: [{ listen: :1, routes: [{ to: a }] }]\nupstreams: { a: 127.0.0.1:2 }\n${line}\n`;
const withListener = (line: string): string =>
	`listeners:\n  - routes: [{ to: a }]\n    listen: :1\n    ${line}\nupstreams: { a: "http://x:1" }\n`.replace(
		'"http://x:1"',
		'{ http: "http://x:1" }',
	);
const withUpstream = (value: string): string =>
	`listeners: [{ listen: :1, routes: [{ to: a }] }]\nupstreams:\n  a: ${value}\n`;

type Place = readonly [name: string, text: (word: string) => string, read: (config: Config) => unknown];

/** Where both can stand. */
const SWITCHES: readonly Place[] = [
	["watch", (word) => withTop(`watch: ${word}`), (config) => config.watch],
	["log.sessions", (word) => withTop(`log: { sessions: ${word} }`), (config) => config.log.sessions],
	["via", (word) => withListener(`via: ${word}`), (config) => config.listeners[0]?.via === "sluice"],
	[
		"upstream tls",
		(word) => withUpstream(`{ addresses: x:1, tls: ${word} }`),
		(config) => config.upstreams[0]?.tls !== null,
	],
	[
		"verify",
		(word) => withUpstream(`{ addresses: x:1, tls: { verify: ${word} } }`),
		(config) => config.upstreams[0]?.tls?.verify,
	],
	[
		"trailers",
		(word) => withUpstream(`{ http: "http://x:1", trailers: ${word} }`),
		(config) => config.upstreams[0]?.http?.trailers,
	],
	[
		"health",
		(word) => withUpstream(`{ addresses: x:1, health: ${word} }`),
		(config) => config.upstreams[0]?.health !== null,
	],
	[
		"backup",
		(word) => withUpstream(`{ addresses: [y:1, { address: x:1, backup: ${word} }] }`),
		(config) => config.upstreams[0]?.addresses[1]?.backup,
	],
	[
		"pool",
		(word) => withUpstream(`{ http: "http://x:1", pool: ${word} }`),
		(config) => config.upstreams[0]?.http?.pool !== null,
	],
];

/** Where off stands beside something else. */
const OFF_ALONE: readonly Place[] = [
	["admin", (word) => withTop(`admin: ${word}`), (config) => config.admin],
	[
		"lifetime",
		(word) => withTop(`timeouts: { lifetime: ${word} }`),
		(config) => config.timeouts.lifetimeMs || null,
	],
	[
		"connections_per_ip",
		(word) => withTop(`limits: { connections_per_ip: ${word} }`),
		(config) => config.limits.connectionsPerIp,
	],
	[
		"request_body_bytes",
		(word) => withTop(`limits: { request_body_bytes: ${word} }`),
		(config) => config.limits.requestBodyBytes,
	],
	[
		"log_requests",
		(word) => withListener(`log_requests: ${word}`),
		(config) => config.listeners[0]?.logRequests || null,
	],
	[
		"proxy_protocol of a listener",
		(word) => withListener(`proxy_protocol: ${word}`),
		(config) => (config.listeners[0]?.proxyProtocol.mode === "off" ? null : "not off"),
	],
	[
		"proxy_protocol of an upstream",
		(word) => withUpstream(`{ http: "http://x:1", proxy_protocol: ${word} }`),
		(config) => (config.upstreams[0]?.proxyProtocol === "off" ? null : "not off"),
	],
];

test("on, true and yes are one word wherever something is switched on, and off, false and no are another", () => {
	for (const [name, text, read] of SWITCHES) {
		for (const word of ON) assert.equal(read(loadConfigText(text(word))), true, `${name}: ${word}`);
		for (const word of OFF) assert.equal(read(loadConfigText(text(word))), false, `${name}: ${word}`);
	}
});

test("false and no mean off where only off is a word", () => {
	for (const [name, text, read] of OFF_ALONE)
		for (const word of OFF) assert.equal(read(loadConfigText(text(word))), null, `${name}: ${word}`);
});

test("rules that look at what was written know all words", () => {
	for (const word of ON)
		assert.throws(
			() => loadConfigText(withUpstream(`{ addresses: [{ address: x:1, backup: ${word} }] }`)),
			/all addresses are backups/,
		);
	for (const word of OFF) {
		loadConfigText(withUpstream(`{ addresses: "unix:/s", tls: { verify: ${word} } }`));
		loadConfigText(withUpstream(`{ http: "http://x:1", tls: ${word} }`));
		loadConfigText(withListener(`log_requests: ${word}`).replace('{ http: "http://x:1" }', "127.0.0.1:2"));
		assert.throws(
			() => loadConfigText(withUpstream(`{ http: "https://x:1", tls: ${word} }`)),
			/"tls: off" contradicts https/,
		);
	}
});

test("the JSON Schema takes every word, too", () => {
	const schema = z.fromJSONSchema(jsonSchema());
	for (const [, text] of SWITCHES) for (const word of [...ON, ...OFF]) schema.parse(parse(text(word)));
	for (const [, text] of OFF_ALONE) for (const word of OFF) schema.parse(parse(text(word)));
});
