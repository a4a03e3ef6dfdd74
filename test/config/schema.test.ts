import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonSchema, sectionKeys } from "../../src/config/schema.js";

interface Part {
	readonly description?: string;
	readonly properties?: Readonly<Record<string, Part>>;
	readonly additionalProperties?: boolean | Part;
	readonly items?: Part;
	readonly anyOf?: readonly Part[];
	readonly default?: unknown;
}

/** Every key of the schema with its own part, whatever stands between. */
function* keys(part: Part, place = ""): Generator<[string, Part]> {
	for (const [key, value] of Object.entries(part.properties ?? {})) {
		yield [`${place}${key}`, value];
		yield* keys(value, `${place}${key}.`);
	}
	for (const option of part.anyOf ?? []) yield* keys(option, place);
	if (part.items !== undefined) yield* keys(part.items, `${place}*.`);
	if (typeof part.additionalProperties === "object") yield* keys(part.additionalProperties, `${place}*.`);
}

test("every key of the JSON Schema says what it does", () => {
	const all = [...keys(jsonSchema())];
	assert.ok(all.length > 40, String(all.length));
	for (const [place, part] of all) assert.ok((part.description ?? "").length > 10, place);
});

test("defaults in the JSON Schema are written as in the file", () => {
	const all = new Map(keys(jsonSchema()));
	for (const [place, value] of [
		["admin", "off"],
		["timeouts.idle", "10m"],
		["timeouts.lifetime", "off"],
		["timeouts.silence", "300ms"],
		["limits.buffered_bytes", "64MiB"],
		["keepalive.probes", 6],
		["limits.half_hellos", 1_024],
		["listeners.*.backlog", 4096],
		["listeners.*.unknown_versions", "reject"],
		["upstreams.*.eject.for", "10s"],
		["upstreams.*.tls", "off"],
		["upstreams.*.tls.verify", true],
		["tls.reload", "10s"],
		["tunnels.lines", 8],
		["tunnels.dead_after", "45s"],
		["tunnels.plain_lines", "on"],
	] as const) {
		assert.equal(all.get(place)?.default, value, place);
	}
});

test("the JSON Schema refuses unknown keys in every section", () => {
	const sections = sectionKeys();
	assert.deepEqual(
		[...sections.keys()].sort(),
		[
			"",
			"admin",
			"admin.tls",
			"admin_tokens",
			"hub",
			"hub.channels.*",
			"hub.channels.*.outbox",
			"hub.channels.*.replay",
			"hub.limits",
			"keepalive",
			"ledger",
			"limits",
			"sockets",
			"listeners.*",
			"listeners.*.routes.*",
			"listeners.*.routes.*.request_headers",
			"listeners.*.routes.*.response_headers",
			"listeners.*.routes.*.timeouts",
			"listeners.*.routes.*.to",
			"listeners.*.timeouts",
			"listeners.*.tls.*",
			"log",
			"timeouts",
			"tls",
			"tunnels",
			"tunnels.agents.*",
			"tunnels.timeouts",
			"tunnels.tls",
			"upstreams.*",
			"upstreams.*.addresses",
			"upstreams.*.addresses.*",
			"upstreams.*.eject",
			"upstreams.*.health",
			"upstreams.*.http",
			"upstreams.*.http.*",
			"upstreams.*.pool",
			"upstreams.*.timeouts",
			"upstreams.*.tls",
			"upstreams.*.udp",
			"upstreams.*.udp.*",
		].sort(),
	);
	const visit = (part: Part): void => {
		if (part.properties !== undefined) assert.equal(part.additionalProperties, false);
	};
	visit(jsonSchema());
	for (const [, part] of keys(jsonSchema())) visit(part);
});

test("the JSON Schema is the same each time, and plain JSON", () => {
	assert.deepEqual(JSON.parse(JSON.stringify(jsonSchema())), jsonSchema());
	assert.equal(JSON.stringify(jsonSchema()), JSON.stringify(jsonSchema()));
	const { $schema } = jsonSchema();
	assert.equal($schema, "https://json-schema.org/draft/2020-12/schema");
});
