/** `sluice run` executes itself anew at its start: what a parent, a service manager or an operator sees of it stays as it was. */
import assert from "node:assert/strict";
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { MAIN } from "../../src/rig/gateway.js";
import { descriptorsOf } from "../support/descriptors.js";
import { run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { Changes, eventually } from "../support/waiting.js";

const OWN_FLAG = "--max-semi-space-size=1";
const [SIGUSR1_FLAG = ""] = ["--disable-sigusr1"].filter((flag) =>
	process.allowedNodeEnvironmentFlags.has(flag),
);

/** With these nothing is left to be chosen. */
const ALL_CHOSEN = {
	MALLOC_ARENA_MAX: "1",
	MALLOC_TRIM_THRESHOLD_: "131072",
	NODE_OPTIONS: `${OWN_FLAG} ${SIGUSR1_FLAG}`,
};

interface Options {
	readonly environment?: Readonly<Record<string, string>>;
	/** A module that is loaded before the command, each time that the process is executed. */
	readonly preloaded?: string;
	/** What is started, and is Node. */
	readonly node?: string;
	/** What it runs, instead of the command itself. */
	readonly script?: string;
	readonly descriptors?: readonly (number | "ignore" | "ipc")[];
}

/** Starts `sluice run`, and waits until it is ready. It must end with 0. */
async function started(scenario: Scenario, options: Options = {}): Promise<ChildProcess & { pid: number }> {
	const file = join(scenario.directory, "anew.yaml");
	writeFileSync(file, "listeners: [{ listen: 127.0.0.1:0, routes: [{ to: reject }] }]");
	const { preloaded, node = process.execPath, script = MAIN, environment, descriptors = [] } = options;
	const flags =
		preloaded === undefined ? [] : [`--import=data:text/javascript,${encodeURIComponent(preloaded)}`];
	const { NODE_OPTIONS: _, ...own } = process.env;
	const how: SpawnOptions = {
		stdio: ["ignore", "pipe", "pipe", ...descriptors],
		env: { ...own, ...environment },
	};
	const child = spawn(node, [...flags, script, "run", "-c", file], how);
	let said = "";
	const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
	scenario.defer(async () => {
		child.kill("SIGTERM");
		const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
		assert.equal(await ended, 0, said);
		clearTimeout(late);
	});
	const changes = new Changes();
	for (const stream of [child.stdout, child.stderr])
		stream?.setEncoding("utf8").on("data", (text: string) => {
			said += text;
			changes.announce();
		});
	await changes.until(
		() => said.includes('"message":"ready"') || undefined,
		() => `it is not ready:\n${said}`,
	);
	assert.ok(child.pid !== undefined);
	return Object.assign(child, { pid: child.pid });
}

/** What a process was executed with. */
function seen(pid: number): { words: string[]; environment: Map<string, string> } {
	const read = (name: string): string[] =>
		readFileSync(`/proc/${pid}/${name}`, "utf8").split("\0").slice(0, -1);
	const pairs = read("environ").map((text): [string, string] => {
		const [name = "", ...value] = text.split("=");
		return [name, value.join("=")];
	});
	return { words: read("cmdline"), environment: new Map(pairs) };
}

function wasExecutedAnew(pid: number): boolean {
	return seen(pid).environment.has("SLUICE_EXECUTED");
}

/** A module that writes into a file who the process is, and at SIGWINCH, what a program that is started from it finds. */
function telling(scenario: Scenario): {
	preloaded: string;
	told: (what: string) => Record<string, unknown>[];
} {
	const file = join(scenario.directory, "told");
	const preloaded = `
import { appendFileSync, readFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { execFileSync } from "node:child_process";
const tell = (what, facts) => isMainThread && appendFileSync(${JSON.stringify(file)}, JSON.stringify({ what, ...facts }) + "\\n");
const status = readFileSync("/proc/self/status", "latin1");
const read = (name) => new RegExp("^" + name + ":\\\\s*(.*)$", "m").exec(status)[1];
tell("start", {
	pid: process.pid, parent: process.ppid, words: process.argv, title: process.title, directory: process.cwd(),
	name: read("Name"), blocked: read("SigBlk"), ignored: read("SigIgn"), caught: read("SigCgt"),
	group: readFileSync("/proc/self/cgroup", "latin1"), limits: readFileSync("/proc/self/limits", "latin1"),
});
process.on("SIGWINCH", () => tell("child", { environment: execFileSync("env", { encoding: "utf8" }).split("\\n") }));`;
	const lines = (): string[] => (existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : []);
	return {
		preloaded,
		told: (what) =>
			lines()
				.map((line) => JSON.parse(line) as Record<string, unknown>)
				.filter((each) => each["what"] === what),
	};
}

/** The one signal of which Node itself makes something else when it is given the flag: it stays blocked at first. */
function withoutUsr1(facts: Record<string, unknown> | undefined): Record<string, unknown> {
	const cleared = (mask: unknown): bigint =>
		BigInt(`0x${String(mask)}`) & ~(1n << BigInt(constants.signals.SIGUSR1 - 1));
	return { ...facts, blocked: cleared(facts?.["blocked"]), caught: cleared(facts?.["caught"]) };
}

scenario("the process that was started is the one that serves, executed anew once", async (scenario) => {
	const { preloaded, told } = telling(scenario);
	const { pid } = await started(scenario, { preloaded });
	const [first, second, ...others] = told("start");
	assert.deepEqual(others, []);
	assert.equal(first?.["pid"], pid);
	assert.deepEqual(withoutUsr1(second), withoutUsr1(first));
	const { words, environment } = seen(pid);
	assert.equal(words[0], process.execPath);
	assert.ok(words.includes(OWN_FLAG));
	assert.deepEqual(words.slice(words.indexOf(MAIN)), [
		MAIN,
		"run",
		"-c",
		join(scenario.directory, "anew.yaml"),
	]);
	assert.equal(environment.get("MALLOC_ARENA_MAX"), "1");
	assert.equal(environment.get("SLUICE_EXECUTED")?.split(",")[0], String(pid));
});

scenario("programs that are started from it find the environment that it was given", async (scenario) => {
	const { preloaded, told } = telling(scenario);
	const environment = {
		MALLOC_TRIM_THRESHOLD_: "400000",
		// Inherited from another process: it says nothing about this one.
		SLUICE_EXECUTED: "1,HOME",
		HOME: "/somewhere",
	};
	const child = await started(scenario, { preloaded, environment });
	child.kill("SIGWINCH");
	const [found] = await eventually(
		() => (told("child").length > 0 ? told("child") : undefined),
		() => "nothing was told",
	);
	const names = /^(MALLOC_.*|SLUICE_EXECUTED|HOME)=/;
	const inherited = (found?.["environment"] ?? []) as string[];
	assert.deepEqual(inherited.filter((text) => names.test(text)).sort(), [
		"HOME=/somewhere",
		"MALLOC_TRIM_THRESHOLD_=400000",
	]);
	assert.equal(seen(child.pid).environment.get("MALLOC_ARENA_MAX"), "1");
});

scenario("what the operator has chosen is kept, and the rest is added", async (scenario) => {
	const chosen = { MALLOC_ARENA_MAX: "3", NODE_OPTIONS: "--max_semi_space_size=2" };
	const one = seen((await started(scenario, { environment: chosen })).pid);
	assert.equal(one.environment.get("MALLOC_ARENA_MAX"), "3");
	assert.equal(one.environment.get("MALLOC_TRIM_THRESHOLD_"), "131072");
	assert.equal(one.environment.get("NODE_OPTIONS"), "--max_semi_space_size=2");
	assert.ok(!one.words.includes(OWN_FLAG));
	const tunables = { GLIBC_TUNABLES: "glibc.malloc.arena_max=2" };
	const other = seen((await started(scenario, { environment: tunables })).pid);
	assert.equal(other.environment.get("MALLOC_ARENA_MAX"), undefined);
	assert.ok(other.words.includes(OWN_FLAG));
});

scenario("where everything has been chosen, it is not executed anew", async (scenario) => {
	const { preloaded, told } = telling(scenario);
	await started(scenario, { preloaded, environment: ALL_CHOSEN });
	assert.equal(told("start").length, 1);
});

scenario("where it cannot be executed anew, it runs all the same", async (scenario) => {
	// Its program file is gone, as it is while Node is being upgraded.
	const node = join(scenario.directory, "node");
	const copied = await run("sh", ["-c", 'cp "$0" "$1"', process.execPath, node]);
	assert.equal(copied.status, 0, copied.stderr);
	const { pid } = await started(scenario, {
		node,
		preloaded: `import { rmSync } from "node:fs"; rmSync(${JSON.stringify(node)}, { force: true });`,
	});
	assert.ok(!wasExecutedAnew(pid));
	assert.ok(!seen(pid).environment.has("MALLOC_ARENA_MAX"));
});

scenario("descriptors that it inherited stay open, and no other is left behind", async (scenario) => {
	const lock = join(scenario.directory, "lock");
	writeFileSync(lock, "");
	const fd = openSync(lock, "r");
	// Node marks 5 as closed by execve when it starts, and does not reach 40.
	const descriptors: (number | "ignore")[] = new Array(38).fill("ignore");
	descriptors[5 - 3] = fd;
	descriptors[40 - 3] = fd;
	const anew = await started(scenario, { descriptors });
	const once = await started(scenario, { descriptors, environment: ALL_CHOSEN });
	closeSync(fd);
	assert.deepEqual([wasExecutedAnew(anew.pid), wasExecutedAnew(once.pid)], [true, false]);
	const kinds = (pid: number): string[] =>
		descriptorsOf(pid).map((text) => text.replace(/\[\d+\]|\/proc\/\d+/, ""));
	assert.deepEqual(kinds(anew.pid), kinds(once.pid));
	assert.equal(kinds(anew.pid).filter((text) => text === lock).length, 2);
});

scenario("a configuration that comes out of a pipe can still be read", async () => {
	for (const script of [
		`printf '%s' "$2" | "$0" "$1" run -c /dev/stdin`,
		`printf '%s' "$2" | { exec 5<&0 </dev/null; exec "$0" "$1" run -c /dev/fd/5; }`,
	]) {
		const { status, stderr } = await run("sh", ["-c", script, process.execPath, MAIN, "listeners: 1"]);
		assert.equal(status, 2, stderr);
		assert.match(stderr, /^\/dev\/[^:]+:1:12: /);
	}
});

scenario(
	"a process that has a channel to its parent keeps it, and is not executed anew",
	async (scenario) => {
		const child = await started(scenario, { descriptors: ["ipc"] });
		assert.ok(child.connected);
		assert.ok(!wasExecutedAnew(child.pid));
	},
);

scenario("a program of somebody else that loads the command is not executed anew", async (scenario) => {
	const script = join(scenario.directory, "program.mjs");
	writeFileSync(script, `await import(${JSON.stringify(pathToFileURL(MAIN).href)});`);
	assert.ok(!wasExecutedAnew((await started(scenario, { script })).pid));
});

scenario("a process that is being debugged is not executed anew", async (scenario) => {
	const environment = { NODE_OPTIONS: "--inspect=127.0.0.1:0" };
	assert.ok(!wasExecutedAnew((await started(scenario, { environment })).pid));
});
