/** A helper for tests: says `begun`, then what it is told, each twice; ends when it is told to. */
import { linesOf } from "../../src/rig/lines.js";

process.stdout.write(`${JSON.stringify("begun")}\n`);
for (const line of linesOf(0)) {
	if (line === '"end"') process.exit(3);
	process.stdout.write(`${line}\n${line}\n`);
}
