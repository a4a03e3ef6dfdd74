import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../bench/command-line.js";
import { benchQuic, QUIC_USAGE } from "../../bench/quic/main.js";

test("the bench of Initials opens what it times, and says a number for each row", () => {
	const said = benchQuic(["--quick", "--rounds", "1"]);
	assert.ok(typeof said !== "string");
	const ids = said.report.rows.map(({ id }) => id);
	assert.deepEqual(ids, ["evp", "evp-open", "node", "node-open", "recognised", "chromium"]);
	for (const { id, us } of said.report.rows) {
		assert.ok(us !== null && us.median > 0, id);
		assert.ok(said.markdown.includes(`| \`${id}\` |`));
	}
	assert.match(said.markdown, /A quick run: its numbers prove nothing/);
});

test("its options are those that its usage names", () => {
	assert.equal(benchQuic(["--help"]), QUIC_USAGE);
	assert.throws(() => benchQuic(["--rounds", "0"]), UsageError);
	assert.throws(() => benchQuic(["--only", "evp"]), UsageError);
});
