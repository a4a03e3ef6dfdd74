import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { check } from "../../src/cli/check.js";

const directory = mkdtempSync(join(tmpdir(), "sluice-check-"));
after(() => rmSync(directory, { recursive: true }));

/** What `check` returns: good news is for standard output, problems are for standard error. */
function run(text: string | null): { code: number; out: string; err: string; file: string } {
	const file = join(directory, text === null ? "absent.yaml" : "sluice.yaml");
	if (text !== null) writeFileSync(file, text);
	const { status, text: said } = check(file);
	return { code: status, out: status === 0 ? said : "", err: status === 0 ? "" : said, file };
}

test("a good file is counted", () => {
	const { code, out, err, file } = run(
		"listeners: [{ listen: :1, routes: [{ sni: x, to: a }, { to: reject }] }]\nupstreams: { a: x:1 }\n",
	);
	assert.deepEqual(
		{ code, out, err },
		{
			code: 0,
			out: `${file}: ok (1 listener, 2 routes, 1 upstream)\ndead peers: found after 90s of silence, or 90s after the first byte that stays unacknowledged\n`,
			err: "",
		},
	);
});

test("all problems go to standard error, and the exit code is 2", () => {
	const { code, out, err, file } = run("listeners: []\nwatch: 5\n");
	assert.equal(code, 2);
	assert.equal(out, "");
	assert.match(err, /:1:12: without a listener.*\n.*\n.*\n.*:2:8: expected true or false/);
	assert.ok(err.startsWith(file));
});

test("a file that cannot be read is exit code 1", () => {
	const { code, out, err, file } = run(null);
	assert.deepEqual(
		{ code, out, err },
		{ code: 1, out: "", err: `${file}: no such file: name one with -c\n` },
	);
});
