/** The tables of docs/configuration.md name keys that there are, and say of none another default than the schema does. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { configSchema, writtenSchema } from "../../src/config/schema.js";
import { sectionsOf } from "../../src/reference/configuration.js";
import type { JsonSchema } from "../../src/reference/json-schema.js";
import { defaultOf } from "../../src/reference/written-values.js";

const guide = readFileSync(new URL("../../../docs/configuration.md", import.meta.url), "utf8");

interface Stated {
	/** `## Limits`: the first part of the keys' places. */
	readonly chapter: string;
	readonly key: string;
	readonly default: string;
}

/** Of tables with a column of defaults. */
function statedIn(text: string): Stated[] {
	const stated: Stated[] = [];
	let chapter = "";
	let column = -1;
	for (const line of text.split("\n")) {
		chapter = /^## (.+)$/.exec(line)?.[1]?.toLowerCase() ?? chapter;
		const cells = line
			.slice(1, -1)
			.split("|")
			.map((cell) => cell.trim());
		if (!line.startsWith("|")) column = -1;
		else if (cells[0] === "key") column = cells.indexOf("default");
		else if (column > 0)
			for (const [, key = ""] of (cells[0] ?? "").matchAll(/`([a-z_]+)`/g))
				stated.push({ chapter, key, default: cells[column] ?? "" });
	}
	return stated;
}

const keys = sectionsOf(writtenSchema(configSchema) as JsonSchema, "").flatMap(({ path, schema }) =>
	Object.entries(schema.properties ?? {}).map(([key, value]) => ({
		chapter: path === "" ? "top level" : (/^\w+/.exec(path)?.[0] ?? ""),
		key,
		default: defaultOf(value, schema.required?.includes(key) === true),
	})),
);

test("each key of the guide is there, and has the default that the guide says", () => {
	const stated = statedIn(guide);
	assert.ok(stated.length > 100, String(stated.length));
	const wrong: string[] = [];
	for (const { chapter, key, default: said } of stated) {
		const named = keys.filter((each) => each.key === key && each.chapter === chapter);
		// In words both say more than can be compared.
		const isPlain = /^(`[^`]+`|required)$/.test(said);
		if (named.length === 0) wrong.push(`${chapter}: no key ${key}`);
		else if (isPlain && !named.some((each) => each.default === said.replaceAll('"', "")))
			wrong.push(`${chapter}: ${key} is ${named.map((each) => each.default).join(" or ")}, not ${said}`);
	}
	assert.deepEqual(wrong, []);
});
