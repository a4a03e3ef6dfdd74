/** What the documents and the README name is there: commands and their options, metrics, paths of the API. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { OPERATIONS } from "../../src/admin/api.js";
import { FAMILIES } from "../../src/admin/families/families.js";
import { program } from "../../src/cli/program.js";
import { GUARD_FAMILIES } from "../../src/guard/counts.js";
import { AGENT_FAMILIES } from "../../src/tunnel/agent/figures.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

const pages = [
	"README.md",
	...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
		.filter((name) => name.endsWith(".md"))
		.map((name) => join("docs", name)),
];

const commands = new Map(program.commands.map((command) => [command.name(), command]));

/** Commands in code: of a line in a block, or between backquotes; up to a pipe, a comment or the end. */
function typed(page: string): string[] {
	const text = readFileSync(join(ROOT, page), "utf8");
	const blocks = [...text.matchAll(/^ *```\w*\n(.*?)^ *```/gms)].flatMap(([, block = ""]) =>
		block.split("\n"),
	);
	const spans = [...text.replace(/^ *```.*?^ *```/gms, "").matchAll(/`([^`\n]+)`/g)].map(
		([, span = ""]) => span,
	);
	const starts = /^ *(?:\$ )?(?:sudo |npx )?(sluice [a-z].*?)(?: \| | {2}#| # |; |$)/;
	return [...blocks, ...spans].flatMap((line) => starts.exec(line)?.[1] ?? []);
}

test("commands and options that the documents name are there", () => {
	const wrong: string[] = [];
	let options = 0;
	for (const page of pages)
		for (const line of typed(page)) {
			const [, name = "", ...rest] = line.split(/ +/);
			const command = commands.get(name);
			if (command === undefined) {
				wrong.push(`${page}: no command ${name} in "${line}"`);
				continue;
			}
			for (const word of rest) {
				const flag = /^(--[a-z][a-z-]*|-[a-z])(?:=|$)/.exec(word)?.[1];
				if (flag === undefined) continue;
				options++;
				if (!command.options.some(({ long, short }) => flag === long || flag === short))
					wrong.push(`${page}: no option ${flag} in "${line}"`);
			}
		}
	assert.ok(options > 100, `${options}`);
	assert.deepEqual(wrong, []);
});

test("the guide to tunnels has every option of sluice tunnel, and no other", () => {
	const guide = readFileSync(join(ROOT, "docs/tunnels.md"), "utf8");
	const section = /^## Flags$(.*?)^## /ms.exec(guide)?.[1] ?? "";
	const rows = section.split("\n").filter((line) => line.startsWith("| `"));
	const named = rows.flatMap((row) =>
		[...(row.split("|")[1] ?? "").matchAll(/`(--[a-z-]+)/g)].map(([, flag]) => flag),
	);
	const flags = commands.get("tunnel")?.options.map(({ long }) => long) ?? [];
	assert.deepEqual(named.sort(), flags.filter((flag) => flag !== "--config").sort());
});

test("metrics that the documents name are there", () => {
	const families = new Set(Object.keys({ ...FAMILIES, ...GUARD_FAMILIES, ...AGENT_FAMILIES }));
	const wrong: string[] = [];
	let count = 0;
	// `sluice_hub_…` stands for several.
	for (const page of pages)
		for (const [, name = ""] of readFileSync(join(ROOT, page), "utf8").matchAll(
			/`(sluice_[a-z_]*[a-z])(?![\w…*.-]|_[…*])/g,
		)) {
			count++;
			if (!families.has(name.replace(/_(bucket|sum|count)$/, "")) && !families.has(name))
				wrong.push(`${page}: ${name}`);
		}
	assert.ok(count > 20, String(count));
	assert.deepEqual(wrong, []);
});

test("paths of the API that the documents name are there", () => {
	const patterns = OPERATIONS.map(
		({ path }) => new RegExp(`^${path.replace("{id}", "(?:\\d+|ID|\\{id\\})").replace("{channel}", ".+")}$`),
	);
	const wrong: string[] = [];
	let count = 0;
	// The inspector of an agent, in tunnels.md, has an API of its own.
	for (const page of pages.filter((each) => each !== "docs/tunnels.md"))
		for (const [, path = ""] of readFileSync(join(ROOT, page), "utf8").matchAll(
			/(?<![\w./])(?:https?:\/\/[\w.:]+)?(\/api\/[\w/{}]+)(?![\w….])/g,
		)) {
			count++;
			if (!patterns.some((pattern) => pattern.test(path))) wrong.push(`${page}: ${path}`);
		}
	assert.ok(count > 50, String(count));
	assert.deepEqual(wrong, []);
});
