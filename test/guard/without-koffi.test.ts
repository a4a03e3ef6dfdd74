/** Each piece of the library stands alone: where koffi cannot be resolved, and without any other piece or package. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { describe } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { pieces, ROOT } from "../support/pieces.js";
import { run } from "../support/processes.js";
import { scenario } from "../support/scenario.js";
import { WITHOUT_KOFFI } from "../support/without-koffi.js";

const SIZES = "docs/library/size.md";

/** Less than what a dependency brings, and more than what one fix does. */
const SIZE_TOLERANCE = 0.2;

const all = pieces();

for (const { name, file } of all) {
	scenario(`${name} can be imported where koffi is not installed`, async () => {
		const code = `
const piece = await import(${JSON.stringify(String(pathToFileURL(file)))});
if (Object.keys(piece).length === 0) throw new Error("nothing is exported");`;
		const flags = [...WITHOUT_KOFFI, "--input-type=module", "--eval", code];
		const { status, output } = await run({ path: process.execPath }, flags);
		assert.deepEqual([status, output], [0, ""]);
	});

	scenario(
		`${name} loads no other piece and no package, and is as small as ${SIZES} says`,
		async (scenario) => {
			const files = await loadedBy(file, scenario.directory);
			assert.ok(files.includes(file), files.join(", "));
			const others = all.filter((other) => other.file !== file && files.includes(other.file));
			assert.deepEqual(others, [], `${name} loads other pieces`);
			const packages = files.filter((path) => !path.startsWith(`${ROOT}dist/src/`));
			// Optional, and only to tell descriptors apart; what it does without is tested above.
			const strange = packages.filter(
				(path) => name !== "sluice/guard" || !path.includes("/node_modules/koffi/"),
			);
			assert.deepEqual(strange, [], `${name} loads packages`);

			const own = files.filter((path) => !packages.includes(path));
			const bytes = own.reduce((sum, path) => sum + statSync(path).size, 0);
			const row = `| \`${name}\` | ${own.length} | ${Math.round(bytes / 1000)} kB |`;
			const said = new RegExp(`^\\| \`${name}\` \\| \\d+ \\| (\\d+) kB \\|$`, "m").exec(read(SIZES))?.[1];
			assert.ok(said !== undefined, `${SIZES} has no row for it; it would be\n${row}`);
			assert.ok(
				Math.abs(bytes / 1000 - Number(said)) <= Math.max(1, SIZE_TOLERANCE * Number(said)),
				`${SIZES} says ${said} kB; now it is\n${row}`,
			);
		},
	);
}

// They mostly wait for deadlines, so all at a time.
describe("where koffi is not installed", { concurrency: true }, () => {
	for (const { name, file } of all) {
		const tests = fileURLToPath(new URL(`${basename(file, ".js")}.test.js`, import.meta.url));
		scenario(`${name} does what its tests ask`, async () => {
			const { status, output } = await run({ path: process.execPath }, [...WITHOUT_KOFFI, tests]);
			assert.equal(status, 0, output);
		});
	}
});

/** The files that a process loads when it imports one. V8 lists them, however they were asked for. */
async function loadedBy(file: string, directory: string): Promise<string[]> {
	const coverage = join(directory, "loaded");
	const { status, output } = await run({ path: process.execPath }, [file], {
		env: { NODE_V8_COVERAGE: coverage },
	});
	assert.deepEqual([status, output], [0, ""]);
	const urls = readdirSync(coverage).flatMap((name) => {
		const { result } = JSON.parse(readFileSync(join(coverage, name), "utf8")) as {
			result: readonly { readonly url: string }[];
		};
		return result.map(({ url }) => url);
	});
	return [...new Set(urls.filter((url) => url.startsWith("file:")).map((url) => fileURLToPath(url)))];
}

function read(path: string): string {
	return readFileSync(join(ROOT, path), "utf8");
}
