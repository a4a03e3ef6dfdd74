/**
 * The library as somebody gets it: packed, installed into an empty TypeScript project, and there every import and every
 * example is compiled under the strictest settings, declaration files included, and the examples are run.
 */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { entries, ROOT } from "../support/pieces.js";
import { type Outcome, run } from "../support/processes.js";
import { scenario } from "../support/scenario.js";

const EXAMPLES = join(ROOT, "examples/library");

const COMPILER_OPTIONS = {
	target: "es2023",
	lib: ["es2023", "esnext.disposable"],
	module: "nodenext",
	moduleResolution: "nodenext",
	types: ["node"],
	strict: true,
	exactOptionalPropertyTypes: true,
	noUncheckedIndexedAccess: true,
	noPropertyAccessFromIndexSignature: true,
	verbatimModuleSyntax: true,
	skipLibCheck: false,
	outDir: "out",
};

scenario("what npm packs is what every import and example of the library needs", async (scenario) => {
	const project = scenario.directory;
	await succeeds("npm", ["pack", "--ignore-scripts", "--pack-destination", project], ROOT);
	const [tarball = ""] = readdirSync(project);

	writeJson(join(project, "package.json"), { private: true, type: "module" });
	const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
	await succeeds("npm", ["install", ...quiet, join(project, tarball)], project);
	// After npm, which would remove what it has not installed.
	const modules = join(project, "node_modules");
	mkdirSync(join(modules, "@types"), { recursive: true });
	symlinkSync(join(ROOT, "node_modules/@types/node"), join(modules, "@types/node"));

	const examples = readdirSync(EXAMPLES).filter((name) => name.endsWith(".ts"));
	for (const name of examples) copyFileSync(join(EXAMPLES, name), join(project, name));
	const imports = entries().map(({ name }, index) => `export * as entry${index} from "${name}";\n`);
	writeFileSync(join(project, "every-import.ts"), imports.join(""));
	writeJson(join(project, "tsconfig.json"), {
		compilerOptions: COMPILER_OPTIONS,
		files: [...examples, "every-import.ts"],
	});
	await succeeds(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", project], project);

	for (const name of [...examples, "every-import.ts"])
		await succeeds(process.execPath, [join(project, "out", name.replace(/\.ts$/, ".js"))], project);
});

async function succeeds(path: string, args: readonly string[], directory: string): Promise<Outcome> {
	const outcome = await run({ path }, args, { directory });
	assert.equal(outcome.status, 0, `${path} ${args.join(" ")}:\n${outcome.output}`);
	return outcome;
}

function writeJson(path: string, value: unknown): void {
	writeFileSync(path, `${JSON.stringify(value)}\n`);
}
