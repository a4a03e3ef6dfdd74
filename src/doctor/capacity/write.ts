/** `npm run capacity`: measures this machine and writes the page. With `--recorded` it is made anew of what it was made from: the code has changed, and not the machine. */
import { readFileSync, writeFileSync } from "node:fs";
import { capacityPage, recordedIn } from "./page.js";
import { record } from "./record.js";

const [file, option] = process.argv.slice(2);
if (file === undefined || (option !== undefined && option !== "--recorded")) {
	console.error("usage: write.js <file> [--recorded]");
	process.exitCode = 1;
} else {
	const recorded = option === undefined ? await record() : recordedIn(readFileSync(file, "utf8"));
	writeFileSync(file, capacityPage(recorded));
}
