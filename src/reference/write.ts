/** `npm run reference` writes the pages of `docs/reference/`. Argument: that folder. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { referencePages } from "./pages.js";

const [folder] = process.argv.slice(2);
if (folder === undefined) {
	console.error("usage: write.js <folder>");
	process.exitCode = 1;
} else {
	mkdirSync(folder, { recursive: true });
	for (const { file, text } of referencePages()) writeFileSync(join(folder, file), text);
}
