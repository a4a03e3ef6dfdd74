import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { JoinedLines } from "../../src/cli/tunnel/joined-lines.js";
import { LogWriter } from "../../src/gateway/log-writer.js";

class CountingWriter extends LogWriter {
	writes = 0;

	override write(line: string): void {
		this.writes++;
		super.write(line);
	}
}

test("lines of a moment are one write, all in their order, and more than a page of them are not held", async (t) => {
	const directory = mkdtempSync(join(tmpdir(), "sluice-tests-"));
	const file = join(directory, "lines");
	const fd = openSync(file, "w");
	t.after(() => {
		closeSync(fd);
		rmSync(directory, { recursive: true });
	});
	const writer = new CountingWriter(fd, () => {});
	const lines = new JoinedLines(writer);
	const first = Array.from({ length: 100 }, (_, i) => `line ${i}\n`);
	for (const line of first) lines.write(line);
	assert.equal(writer.writes, 0);
	await lines.flush();
	assert.equal(writer.writes, 1);
	const page = `${"x".repeat(65_536)}\n`;
	lines.write(page);
	assert.equal(writer.writes, 2);
	await lines.flush();
	assert.equal(writer.writes, 2);
	assert.equal(readFileSync(file, "latin1"), first.join("") + page);
});
