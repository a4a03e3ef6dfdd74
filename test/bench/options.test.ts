import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../bench/command-line.js";
import { readOptions } from "../../bench/options.js";

/** The checkout that this test was built in. */
const HERE = fileURLToPath(new URL("../../..", import.meta.url));

const ids = (args: readonly string[]): string[] => readOptions(args).systems.map(({ id }) => id);

test("fifteen rounds are the default, and another number can be asked for", () => {
	assert.equal(readOptions([]).rounds, 15);
	assert.equal(readOptions(["--rounds", "7"]).rounds, 7);
	assert.throws(() => readOptions(["--rounds", "0"]), UsageError);
});

test("one row can be run alone, and an unknown one is an error that names those there are", () => {
	assert.deepEqual(
		readOptions(["--only", "sni"]).rows.map(({ id }) => id),
		["sni"],
	);
	assert.throws(() => readOptions(["--only", "sin"]), /unknown row "sin"; there are: request-64, /);
});

test("whoever chooses the reference gets its second instance, too", () => {
	assert.deepEqual(ids(["--systems", "sluice,haproxy"]), [
		"sluice",
		"sluice-logged",
		"haproxy",
		"haproxy-again",
	]);
});

test("an older checkout stands beside this one, with its log off and on", () => {
	assert.deepEqual(ids(["--systems", "sluice", "--against", HERE]), [
		...["sluice", "sluice-before", "sluice-logged", "sluice-before-logged"],
	]);
});

test("a directory without a built checkout is refused, with what to do", () => {
	assert.throws(() => readOptions(["--against", "/nowhere"]), /no built checkout of Sluice \(npm run build/);
});
