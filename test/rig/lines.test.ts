import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LineSplitter, linesOf } from "../../src/rig/lines.js";

test("lines come whole, however their bytes are cut, and characters as well", () => {
	const bytes = Buffer.from("first\n\nzwölf €\nrest");
	for (let size = 1; size <= bytes.length; size++) {
		const splitter = new LineSplitter();
		const lines: string[] = [];
		for (let at = 0; at < bytes.length; at += size)
			lines.push(...splitter.take(bytes.subarray(at, at + size)));
		assert.deepEqual(lines, ["first", "", "zwölf €"], `pieces of ${size} bytes`);
		assert.deepEqual(splitter.take("\n"), ["rest"]);
	}
});

test("a file's lines are read block by block, also those longer than a block", (t) => {
	const directory = mkdtempSync(join(tmpdir(), "sluice-rig-"));
	t.after(() => rmSync(directory, { recursive: true }));
	const file = join(directory, "lines");
	const written = Array.from({ length: 50 }, (_, i) => `${i} ${"x".repeat(i * 4_000)}`);
	writeFileSync(file, `${written.join("\n")}\n`);
	const fd = openSync(file, "r");
	t.after(() => closeSync(fd));
	assert.deepEqual([...linesOf(fd)], written);
});
