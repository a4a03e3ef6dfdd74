/**
 * Runs the tests (`npm test`): every dist/test/**\/*.test.js in a process of its own, two at a time.
 * Arguments narrow it to files whose path contains one of them: `node dist/test/run.js e2e/relay`.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

/** The tests of the whole road are mostly waiting; more would only make them wait for each other. */
const CONCURRENCY = 2;

/** The slowest file takes a third of a minute; one that waits for ever must not keep the others' results back. */
const FILE_TIMEOUT_MS = 300_000;

const directory = fileURLToPath(new URL(".", import.meta.url));
const filters = process.argv.slice(2);
const files = readdirSync(directory, { recursive: true, encoding: "utf8" })
	.filter((path) => path.endsWith(".test.js"))
	.filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
	.sort()
	.map((path) => join(directory, path));

const scratch = mkdtempSync(join(tmpdir(), "sluice-tests-"));
const notRunFile = join(scratch, "not-run");
writeFileSync(notRunFile, "");
Object.assign(process.env, { SLUICE_NOT_RUN: notRunFile });
// Set when something runs us as a test; run() would then do nothing and call it a success.
Reflect.deleteProperty(process.env, "NODE_TEST_CONTEXT");

let ran = 0;
let failed = 0;
const stream = run({ files, concurrency: CONCURRENCY, timeout: FILE_TIMEOUT_MS });
stream.on("test:pass", ({ skip, file, name }) => {
	// A file reports itself as well, under its path.
	if (skip === undefined && name !== file) ran++;
});
stream.on("test:fail", () => {
	failed++;
});
const report = stream.compose(new spec());
report.pipe(process.stdout);
report.once("end", finish);

function finish(): void {
	const notRun = readFileSync(notRunFile, "utf8");
	rmSync(scratch, { recursive: true });
	// The reporter's last line has no end.
	console.log();
	for (const line of notRun.split("\n")) if (line !== "") console.log(`not run here: ${line}`);
	if (ran + failed === 0) {
		const where = relative(process.cwd(), directory);
		console.error(
			`no test ran${filters.length === 0 ? "" : ` that matches ${filters.join(" ")}`} in ${where}`,
		);
	}
	process.exitCode = failed > 0 || ran === 0 ? 1 : 0;
}
