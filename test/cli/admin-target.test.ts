/** Where operators' commands ask, where nothing says it. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { nameOf, targetOf } from "../../src/cli/operate/admin-target.js";
import { OperateError } from "../../src/cli/operate/operate-error.js";

test("without a word the file of the folder says where the gateway is, and without that the error says how", (t) => {
	const [before, directory] = [process.cwd(), mkdtempSync(`${tmpdir()}/sluice-target-`)];
	t.after(() => {
		process.chdir(before);
		rmSync(directory, { recursive: true });
	});
	process.chdir(directory);
	if (!existsSync("/etc/sluice/sluice.yaml"))
		assert.throws(
			() => targetOf({}),
			(error) => error instanceof OperateError && /-c FILE, or --admin/.test(error.message),
		);
	writeFileSync("sluice.yaml", "admin: 127.0.0.1:9191\nlisteners: []\nupstreams: { a: b }\n");
	assert.equal(nameOf(targetOf({}).target), "127.0.0.1:9191", "whatever else is wrong with it");
	assert.equal(nameOf(targetOf({ admin: "127.0.0.1:9292" }).target), "127.0.0.1:9292");
});
