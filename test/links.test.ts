/** Links between the documents lead somewhere: to a file that is there, and to a heading in it. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const pages = [
	"README.md",
	...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
		.filter((name) => name.endsWith(".md"))
		.map((name) => join("docs", name)),
];

/** What is between fences is code. */
function proseOf(page: string): string {
	return readFileSync(join(ROOT, page), "utf8").replace(/^ *```.*?^ *```/gms, "");
}

/** As GitHub names headings: in lower case, without punctuation, words joined by hyphens. */
function anchorsOf(page: string): Set<string> {
	const headings = [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) =>
		text
			.toLowerCase()
			.replace(/[^\p{L}\p{N}\s_-]/gu, "")
			.replaceAll(" ", "-"),
	);
	return new Set(headings);
}

test("links between the documents lead to files and headings that are there", () => {
	assert.ok(pages.length > 10);
	const broken: string[] = [];
	let count = 0;
	for (const page of pages)
		for (const [, target = ""] of proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
			if (/^\w+:/.test(target)) continue;
			count++;
			const [path = "", anchor] = target.split("#");
			const file = path === "" ? page : relative(ROOT, join(ROOT, dirname(page), path));
			const isThere = existsSync(join(ROOT, file));
			if (!isThere || (anchor !== undefined && file.endsWith(".md") && !anchorsOf(file).has(anchor)))
				broken.push(`${page}: ${target}`);
		}
	assert.ok(count > 100);
	assert.deepEqual(broken, []);
});
