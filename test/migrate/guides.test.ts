/** What the guides of docs/migrate say of Sluice is so: its keys, reasons, metrics and commands are there, and what they show is the example. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadConfigText } from "../../src/config/load.js";
import { jsonSchema } from "../../src/config/schema.js";
import { MAIN } from "../../src/rig/gateway.js";
import { AGENT_KEYS, CHECK_KEYS, TUNNEL_KEYS } from "../../src/tunnel/agent/schema.js";
import { blocksOf } from "../support/guide.js";
import { exampleText } from "../support/migration.js";
import { ROOT } from "../support/pieces.js";

const pages = readdirSync(join(ROOT, "docs/migrate")).map((name) => `docs/migrate/${name}`);
const examples = readdirSync(join(ROOT, "examples/migrate"));
const guides = pages.filter((page) => !page.endsWith("change-over.md"));

const keys = new Set<string>();
JSON.stringify(jsonSchema(), (_, value) => {
	for (const key of Object.keys((value?.properties as object | undefined) ?? {})) keys.add(key);
	return value;
});

for (const key of [...AGENT_KEYS, ...TUNNEL_KEYS, ...CHECK_KEYS]) keys.add(key);

/** Of tables with such a heading, the cells of the second column. */
function secondColumn(page: string, heading: RegExp): string[] {
	const cells: string[] = [];
	let inside = false;
	for (const line of readFileSync(join(ROOT, page), "utf8").split("\n")) {
		const [, first = "", second = ""] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
		if (!line.startsWith("|")) inside = false;
		else if (inside) cells.push(second);
		else inside = heading.test(`${first}|${second}`);
	}
	return cells.filter((cell) => !cell.startsWith("---"));
}

const marked = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);

test("each example stands in its guide as it is, and every configuration there is good", () => {
	assert.ok(guides.length >= 2 && examples.length >= 2 * guides.length);
	const shown = new Set<string>();
	for (const page of pages)
		for (const { language, text } of blocksOf(page)) {
			shown.add(text);
			if (language === "yaml" && /^listeners:/m.test(text))
				assert.deepEqual(loadConfigText(text, { file: page }).warnings, [], page);
		}
	for (const name of examples) assert.ok(shown.has(exampleText(name)), `no guide shows ${name}`);
});

test("tables of directives name keys that there are", () => {
	let count = 0;
	for (const page of guides)
		for (const cell of secondColumn(page, /^[^|]+\|Sluice$/)) {
			// Metrics and commands have tables of their own.
			if (/^`sluice[_ ]/.test(cell)) continue;
			for (const text of marked(cell)) {
				// `timeouts.idle`, `balance: round_robin`, `to: { redirect: https }`: keys stand before a colon, or alone.
				const words = /[:{]/.test(text)
					? [...text.matchAll(/([a-z_]+):/g)].map(([, word = ""]) => word)
					: (/^[a-z_.]+$/.exec(text)?.[0].split(".") ?? []);
				for (const word of words) {
					count++;
					assert.ok(keys.has(word) || VALUES.has(word), `${page}: ${text} names ${word}`);
				}
			}
		}
	assert.ok(count > 100);
});

/** What may stand beside the key that it is a value of. */
const VALUES = new Set(["least_connections", "source_hash", "round_robin"]);

test("reasons, metrics and fields of the log that guides name are those of Sluice", () => {
	const told = ["operations.md", "reference/metrics.md", "reference/reasons.md"]
		.map((name) => readFileSync(join(ROOT, "docs", name), "utf8"))
		.join("");
	let count = 0;
	for (const page of pages) {
		const cells = [...secondColumn(page, /\|reason$/), ...secondColumn(page, /\|field$/)];
		const metrics = readFileSync(join(ROOT, page), "utf8").match(/`sluice_\w+`/g) ?? [];
		for (const name of [...cells.flatMap(marked), ...metrics.map((name) => name.slice(1, -1))]) {
			count++;
			assert.ok(told.includes(`\`${name}\``), `${page}: ${name}`);
		}
	}
	assert.ok(count > 50);
});

test("commands that guides name are those of sluice", () => {
	const { stdout } = spawnSync(process.execPath, [MAIN, "--help"], { encoding: "utf8" });
	const named = new Set<string>();
	for (const page of pages)
		for (const [, command = ""] of readFileSync(join(ROOT, page), "utf8").matchAll(
			/(?:`|^)sluice ([a-z-]+)/gm,
		))
			named.add(command);
	assert.ok(named.size > 8);
	for (const command of named) assert.match(stdout, new RegExp(`^  ${command}\\b`, "m"));
});
