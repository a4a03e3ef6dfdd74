/** The reference in `docs/reference/` is what the code gives. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { configSchema, sectionKeys, writtenSchema } from "../../src/config/schema.js";
import { REASONS } from "../../src/parts/reasons.js";
import { type Field, fieldsOf, type JsonSchema } from "../../src/reference/json-schema.js";
import { referencePages } from "../../src/reference/pages.js";
import { agentSchema } from "../../src/tunnel/agent/schema.js";

const FOLDER = fileURLToPath(new URL("../../../docs/reference/", import.meta.url));

const pages = referencePages();

for (const { file, text } of pages)
	test(`docs/reference/${file} is what the code gives`, () => {
		let written = "";
		try {
			written = readFileSync(join(FOLDER, file), "utf8");
		} catch (error) {
			assert.equal((error as NodeJS.ErrnoException).code, "ENOENT");
		}
		const lines = text.split("\n");
		const old = written.split("\n");
		const at = lines.findIndex((line, index) => line !== old[index]);
		assert.ok(
			text === written,
			`docs/reference/${file} is not what the code gives, from line ${at + 1} on: run "npm run reference"\n` +
				`in the file: ${old[at] ?? "nothing"}\nby the code: ${lines[at] ?? "nothing"}`,
		);
	});

test("no page stands in the folder that nobody writes", () => {
	assert.deepEqual(readdirSync(FOLDER).sort(), pages.map(({ file }) => file).sort());
});

test("each row of each table has as many cells as its heads, and none is empty", () => {
	let rows = 0;
	for (const { file, text } of pages) {
		let heads = 0;
		for (const line of text.split("\n")) {
			if (!line.startsWith("|")) {
				heads = 0;
				continue;
			}
			const cells = line
				.slice(1, -1)
				.split(/(?<!\\)\|/)
				.map((each) => each.trim());
			heads ||= cells.length;
			rows++;
			assert.equal(cells.length, heads, `${file}: ${line}`);
			assert.ok(
				cells.every((each) => each !== ""),
				`${file}: an empty cell in ${line}`,
			);
		}
	}
	assert.ok(rows > 5);
});

test("each close reason has a sentence, and one that says what to do", () => {
	const text = pages.find(({ file }) => file === "reasons.md")?.text ?? "";
	for (const reason of REASONS)
		assert.match(
			text,
			new RegExp(`^## ${reason}\n\n[A-Z\`].+\\.\n\n\\*\\*What to do:\\*\\* [A-Z\`].+\\.$`, "m"),
		);
});

test("keys of the configuration that close reasons name are there", () => {
	const text = pages.find(({ file }) => file === "reasons.md")?.text ?? "";
	const named = [...text.matchAll(/`([a-z_]+)\.([a-z_]+)`/g)];
	assert.ok(named.length > 10);
	for (const [place, section = "", key = ""] of named)
		assert.ok(sectionKeys().get(section)?.includes(key), `${place} is no key`);
});

test("each key of the configuration, and of an agent's file, has a description", () => {
	for (const [file, schema] of Object.entries({ "sluice.yaml": configSchema, "tunnels.yaml": agentSchema })) {
		const fields: readonly Field[] = fieldsOf(writtenSchema(schema) as JsonSchema);
		assert.ok(fields.length > 20);
		const without = fields.filter((field) => (field.schema.description ?? "").length < 10);
		assert.deepEqual(
			without.map(({ path }) => path),
			[],
			`${file}: give these keys a description where their schema is (src/config/schema-….ts, src/tunnel/agent/schema.ts)`,
		);
	}
});

test("all keys of the configuration are in the reference, each mapping in a table of its own", () => {
	const text = pages.find(({ file }) => file === "configuration.md")?.text ?? "";
	const tables = text
		.split(/^## /m)
		.map((section) => [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, key]) => key));
	const shown = new Set(tables.map((keys) => keys.join(" ")));
	for (const [place, keys] of sectionKeys()) assert.ok(shown.has(keys.join(" ")), place || "the top level");
});
