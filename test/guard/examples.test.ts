/** Every example of the library runs, ends by itself, and has nothing to complain about. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../support/pieces.js";
import { run } from "../support/processes.js";
import { scenario } from "../support/scenario.js";

const EXAMPLES = join(ROOT, "dist/examples/library");

const names = readdirSync(EXAMPLES).filter((name) => name.endsWith(".js"));
for (const name of names)
	scenario(
		`examples/library/${name.replace(/\.js$/, ".ts")} ends by itself, and says something`,
		async () => {
			const { status, stdout, stderr } = await run({ path: process.execPath }, [join(EXAMPLES, name)]);
			assert.deepEqual([status, stderr], [0, ""]);
			assert.notEqual(stdout, "");
		},
	);
