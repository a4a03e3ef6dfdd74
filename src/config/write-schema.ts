/** Build step: `node dist/src/config/write-schema.js sluice.schema.json` writes the JSON Schema of the file. */

import { writeFileSync } from "node:fs";
import { jsonSchema } from "./schema.js";

const [target] = process.argv.slice(2);
if (target === undefined) {
	console.error("usage: write-schema.js <file>");
	process.exitCode = 1;
} else {
	writeFileSync(target, `${JSON.stringify(jsonSchema(), null, "\t")}\n`);
}
