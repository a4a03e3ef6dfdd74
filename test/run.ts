/**
 * Runs the tests (`npm test`): every dist/test/**\/*.test.js in a process of its own, several at a time. Files named
 * `*.long.test.js`, such as soaks and whole drills, are for `npm run test:long`, which is this with `--long`. With
 * `--main` (`npm run test:main`) it runs what is named in MAIN: enough for one more version of Node.
 * Arguments narrow it to files whose path contains one of them: `node dist/test/run.js e2e/relay`.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import { cpuWithEndedNs } from "../src/rig/proc.js";

/** One more than the two cores on which this must pass: the tests of the whole road are mostly waiting. */
const CONCURRENCY = 3;

/** One that waits for ever must not keep the others' results back. */
const FILE_TIMEOUT_MS = 1_200_000;

/**
 * The same with `--main`: four times what the slowest of these takes on two cores, and well within what
 * `npm run test:versions` grants a version, so that the report names the file that hangs.
 */
const MAIN_FILE_TIMEOUT_MS = 120_000;

/** What a run tells about its slowest files. */
const SLOWEST = 10;

/**
 * They are started first, in this order, so that none of them is left to run alone at the end. The list of the slowest
 * files at the end of a run shows what belongs here.
 */
const FIRST = [
	"e2e/drill",
	"e2e/operate-gateway",
	"e2e/tunnel-recovery",
	"e2e/examples",
	"guard/guard-bodies",
	"e2e/tls-upstreams",
	"e2e/http-connections",
	"e2e/failover",
	"guard/without-koffi",
	"simulation/simulation",
	"guard/frameworks/socket-io",
	"e2e/http-slow-readers",
	"guard/frameworks/ws",
	"e2e/tls-handshakes",
	"e2e/drain",
	"guard/guard",
	"bench/library",
	"e2e/tls-files",
];

/**
 * What depends on the Node that runs it, for `npm run test:versions`: system calls and the OpenSSL inside the `node`
 * binary, threads and shared memory, processes that replace themselves, and one test or more of each thing the gateway
 * does on the way of a connection. Left out are parsers, configuration and simulation, which are plain computation,
 * drills, and of several tests about one subject the slower ones. It is to last no longer than a minute and a half.
 * A name that ends in a slash is a whole folder.
 */
const MAIN = [
	"guard/",
	"kernel/",
	"leaks/",
	"hub/keys",
	"hub/tokens",
	"layers",
	"tunnel/agent/",
	"tunnel/inspector/",
	"e2e/anew",
	"e2e/cli",
	"e2e/datagrams",
	"e2e/deadlines",
	"e2e/drain",
	"e2e/http",
	"e2e/http-bodies",
	"e2e/http-drain",
	"e2e/http-framing",
	"e2e/http-pipelining",
	"e2e/http-pool",
	"e2e/http-websocket",
	"e2e/ledger",
	"e2e/limits",
	"e2e/limits-reload",
	"e2e/metrics",
	"e2e/no-descriptors",
	"e2e/proxy-protocol",
	"e2e/relay-bytes",
	"e2e/relay-endings",
	"e2e/reload",
	"e2e/signals",
	"e2e/tls-handshakes",
	"e2e/tls-routing",
	"e2e/tls-termination",
	"e2e/tls-upstreams",
	"e2e/tunnel-agent",
	"e2e/when-full",
	"e2e/without-koffi",
	"e2e/ws",
	"gateway/after-stop",
	"gateway/descriptors",
	"gateway/exit",
	"gateway/failed-reactor",
	"gateway/ledger-traffic",
	"gateway/log",
	"gateway/program-as-text",
	"reactor/reactor",
	"reactor/tls-edges",
	"reactor/tls-heads",
	"reactor/tls-reload",
];

const directory = fileURLToPath(new URL(".", import.meta.url));
const { long, main, filters } = readArguments(process.argv.slice(2));
const there = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((path) =>
	path.endsWith(".test.js"),
);
for (const [list, names] of Object.entries({ FIRST, MAIN }))
	for (const name of names)
		if (!there.some((path) => isNamed(path, name)))
			throw new Error(`${list} names ${name}, and there is no such file`);
const all = there
	.filter((path) => !main || MAIN.some((name) => isNamed(path, name)))
	.filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
	.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
const files = all.filter((path) => isLong(path) === long).map((path) => join(directory, path));
const left = long || main ? 0 : all.length - files.length;

const scratch = mkdtempSync(join(tmpdir(), "sluice-tests-"));
const notRunFile = join(scratch, "not-run");
writeFileSync(notRunFile, "");
Object.assign(process.env, { SLUICE_NOT_RUN: notRunFile });
// Set when something runs us as a test; run() would then do nothing and call it a success.
Reflect.deleteProperty(process.env, "NODE_TEST_CONTEXT");

let ran = 0;
let failed = 0;
/** Of each file that has ended. */
const durations: { readonly file: string; readonly ms: number }[] = [];
const startedMs = performance.now();
// Without files run() would look for some itself, and find the long ones.
if (files.length === 0) finish();
else {
	const stream = run({
		files,
		concurrency: CONCURRENCY,
		timeout: main ? MAIN_FILE_TIMEOUT_MS : FILE_TIMEOUT_MS,
	});
	stream.on("test:pass", ({ skip, file, name }) => {
		// A file reports itself as well, under its path.
		if (skip === undefined && name !== file) ran++;
	});
	stream.on("test:fail", () => {
		failed++;
	});
	stream.on("test:complete", ({ name, details }) => {
		const file = resolve(name);
		if (files.includes(file)) durations.push({ file: relative(directory, file), ms: details.duration_ms });
	});
	const report = stream.compose(new spec());
	report.pipe(process.stdout);
	report.once("end", finish);
}

function readArguments(args: readonly string[]): {
	long: boolean;
	main: boolean;
	filters: readonly string[];
} {
	const filters = args.filter((arg) => !arg.startsWith("-"));
	const unknown = args.find((arg) => arg.startsWith("-") && !["--long", "--main"].includes(arg));
	if (unknown !== undefined) {
		console.error(`${unknown}: not an option; there are only --long, --main, and parts of paths`);
		process.exit(2);
	}
	return { long: args.includes("--long"), main: args.includes("--main"), filters };
}

function isNamed(path: string, name: string): boolean {
	return name.endsWith("/") ? path.startsWith(name) : path === `${name}.test.js`;
}

function isLong(path: string): boolean {
	return path.endsWith(".long.test.js");
}

function rank(path: string): number {
	const place = FIRST.indexOf(path.replace(/\.test\.js$/, ""));
	return place < 0 ? FIRST.length : place;
}

function finish(): void {
	const notRun = readFileSync(notRunFile, "utf8");
	rmSync(scratch, { recursive: true });
	// The reporter's last line has no end.
	console.log();
	for (const line of notRun.split("\n")) if (line !== "") console.log(`not run here: ${line}`);
	tellDurations();
	if (left > 0)
		console.log(`${left} ${left === 1 ? "file" : "files"} of long tests not run: npm run test:long`);
	if (ran + failed === 0) {
		const where = relative(process.cwd(), directory);
		const kind = long ? "long test" : "test";
		console.error(
			`no ${kind} ran${filters.length === 0 ? "" : ` that matches ${filters.join(" ")}`} in ${where}`,
		);
	}
	process.exitCode = failed > 0 || ran === 0 ? 1 : 0;
}

function tellDurations(): void {
	const slowest = durations.toSorted((a, b) => b.ms - a.ms).slice(0, SLOWEST);
	if (slowest.length === 0) return;
	const seconds = (ms: number): string => (ms / 1000).toFixed(1).padStart(7);
	const cpuMs = cpuWithEndedNs(process.pid) / 1e6;
	console.log(
		`${seconds(performance.now() - startedMs)} s in all, and ${seconds(cpuMs).trim()} s of CPU; the slowest files:`,
	);
	for (const { file, ms } of slowest) console.log(`${seconds(ms)} s ${file}`);
}
