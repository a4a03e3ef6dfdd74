/**
 * `sluice run` and `sluice demo` execute themselves anew before they begin, because two things can only be chosen before Node starts:
 * how many arenas libc's allocator has (V8 compiles on threads of its own, and what those freed would stay in one arena each), and how
 * much of V8's heap young objects may take (16 MiB by default, of which a gateway that allocates little fills all before it collects).
 */
import { realpathSync } from "node:fs";
import { url as inspectorUrl } from "node:inspector";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";
import { execute, ownArguments } from "../kernel/execute.js";
import { hasArenas } from "../kernel/heap.js";
import { INSPECTOR_FLAGS } from "../kernel/inspector-signal.js";
import { whyNoSystemCalls } from "../kernel/koffi.js";

/**
 * Says that it has happened, and what was added for it: the process's number, then names of variables. Whoever else finds it in his
 * environment, having inherited it, is not meant: he has another number.
 */
const GUARD = "SLUICE_EXECUTED";

/** Read by glibc when a process starts. The fixed threshold (its default) keeps it from growing with the largest block that was freed. */
const ALLOCATOR = { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "131072" } as const;

/** The same, as `GLIBC_TUNABLES` names it. */
const TUNED = /glibc\.malloc\.(arena_max|trim_threshold)/;

const FLAGS: readonly string[] = ["--max-semi-space-size=1", ...INSPECTOR_FLAGS];

/**
 * Executes this process anew, once. Returns in the new one; and in the old one where it cannot be done, where nothing is to be added to
 * what the operator has chosen, or where something would be lost: a debugger's connection, or a parent's channel. `main`: the URL of
 * the script.
 */
export function executeAnew(main: string): void {
	if (hasBeenExecuted() || !mayExecute(main)) return;
	const { env } = process;
	const variables = TUNED.test(env["GLIBC_TUNABLES"] ?? "")
		? []
		: Object.entries(ALLOCATOR).filter(([name]) => env[name] === undefined);
	const [name, ...words] = ownArguments();
	const given = `${env["NODE_OPTIONS"] ?? ""} ${process.execArgv.join(" ")}`;
	const flags = FLAGS.filter((flag) => !isGiven(flag, given));
	if (name === undefined || variables.length + flags.length === 0) return;
	for (const [variable, value] of variables) env[variable] = value;
	env[GUARD] = [process.pid, ...variables.map(([variable]) => variable)].join();
	execute(process.execPath, [name, ...flags.map((flag) => Buffer.from(flag)), ...words]);
	// It is refused here. What is slower then is the growth of memory, and nothing else.
	hasBeenExecuted();
}

/** Takes what was added for the new process out of the environment: programs that are started from here have theirs. */
function hasBeenExecuted(): boolean {
	const { env } = process;
	const [pid, ...added] = env[GUARD]?.split(",") ?? [];
	delete env[GUARD];
	if (Number(pid) !== process.pid) return false;
	for (const name of added) delete env[name];
	return true;
}

function mayExecute(main: string): boolean {
	return (
		isMainThread &&
		// A program that imports this file does more than this file does.
		realpathSync(process.argv[1] ?? "") === fileURLToPath(main) &&
		process.send === undefined &&
		inspectorUrl() === undefined &&
		whyNoSystemCalls() === undefined &&
		hasArenas()
	);
}

/** V8 takes underscores for hyphens. */
function isGiven(flag: string, given: string): boolean {
	const [name = ""] = flag.split("=", 1);
	return given.replaceAll("_", "-").includes(name);
}
