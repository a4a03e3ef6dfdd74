/** The code that docs/leaks.md quotes is the code that these tests run. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../support/pieces.js";

const PATTERNS = join(ROOT, "test/leaks/patterns");

/** What stands between the marks of a module, one region after the other. */
function quotable(name: string): string {
	const text = readFileSync(join(PATTERNS, `${name}.ts`), "utf8");
	return [...text.matchAll(/^\/\/ #region \w+\n(.*?)^\/\/ #endregion$/gms)]
		.map(([, region = ""]) => region)
		.join("\n");
}

test("each block of the guide is what its module runs, and each module is quoted once", () => {
	const guide = readFileSync(join(ROOT, "docs/leaks.md"), "utf8");
	const quoted: string[] = [];
	for (const [, name = "", block = ""] of guide.matchAll(/^```ts ?([\w-]*)\n(.*?)^```$/gms)) {
		assert.notEqual(name, "", "a block says which module it is of");
		assert.equal(block, quotable(name), `docs/leaks.md has other code than patterns/${name}.ts`);
		quoted.push(name);
	}
	const modules = readdirSync(PATTERNS).map((file) => file.replace(/\.ts$/, ""));
	assert.deepEqual(quoted.toSorted(), modules.toSorted());
	assert.equal(modules.length, 10);
});
