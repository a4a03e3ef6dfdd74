/**
 * Runs the main tests (`npm run test:versions`, after a build) under every version of Node that is named here, one
 * after the other: a test must not be slowed down by another version's. The version that runs this is left out, for
 * it has run all tests. The binaries come from npm, as packages that hold nothing else; they bring no install script.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The oldest that package.json allows, and of each later line that is maintained a recent one. */
const VERSIONS = ["20.19.0", "22.23.3", "24.21.0", "26.10.0"];

/** Some 40 MB each. One that hangs must not hold up the check for ever. */
const INSTALL_TIMEOUT_MS = 300_000;

/** Four times what they take on two cores. */
const TESTS_TIMEOUT_MS = 360_000;

/** More than the tests have ever printed. */
const OUTPUT_MAX_BYTES = 256 * 1024 * 1024;

const here = dirname(fileURLToPath(import.meta.url));
const cache = join(here, "../../node_modules/.cache/node-versions");
const platformPackage = `node-linux-${process.arch}`;

let failed = false;
for (const version of VERSIONS) {
	if (version === process.versions.node) console.log(`Node ${version}: it runs this, and has run all tests`);
	else {
		const { well, said } = check(version);
		failed ||= !well;
		console.log(`Node ${version}: ${said}`);
	}
}
process.exitCode = failed ? 1 : 0;

function check(version: string): { well: boolean; said: string } {
	const binary = install(version);
	if (typeof binary !== "string") return { well: false, said: binary.missing };
	const startedMs = performance.now();
	// `node` in a script that a test starts is to be this one as well.
	const PATH = `${dirname(binary)}${delimiter}${process.env["PATH"] ?? ""}`;
	const { status, signal, stdout, stderr } = spawnSync(binary, [join(here, "run.js"), "--main"], {
		encoding: "utf8",
		env: { ...process.env, PATH },
		maxBuffer: OUTPUT_MAX_BYTES,
		timeout: TESTS_TIMEOUT_MS,
	});
	const seconds = `${Math.round((performance.now() - startedMs) / 1000)} s`;
	const passed = /^\S+ pass (\d+)$/m.exec(stdout)?.[1] ?? "no";
	if (status === 0) return { well: true, said: `${passed} tests passed in ${seconds}` };
	process.stdout.write(stdout + stderr);
	return { well: false, said: `the main tests failed after ${seconds} (${signal ?? `status ${status}`})` };
}

/** The path of a binary that says it is this version, or why there is none. */
function install(version: string): string | { missing: string } {
	const directory = join(cache, version);
	const binary = join(directory, "node_modules", platformPackage, "bin/node");
	if (saysVersion(binary, version)) return binary;
	mkdirSync(directory, { recursive: true });
	// Without it npm would take the folder for a part of the project around it.
	writeFileSync(join(directory, "package.json"), '{ "private": true }\n');
	const args = ["install", "--prefix", directory, "--no-save", "--no-package-lock", "--ignore-scripts"];
	const { status, stdout, stderr } = spawnSync(
		"npm",
		[...args, "--no-audit", "--no-fund", `${platformPackage}@${version}`],
		{ cwd: directory, encoding: "utf8", timeout: INSTALL_TIMEOUT_MS },
	);
	if (saysVersion(binary, version)) return binary;
	return {
		missing: `not tested: npm could not install ${platformPackage}@${version} (status ${status}):\n${stdout}${stderr}`,
	};
}

function saysVersion(binary: string, version: string): boolean {
	return spawnSync(binary, ["--version"], { encoding: "utf8" }).stdout === `v${version}\n`;
}
