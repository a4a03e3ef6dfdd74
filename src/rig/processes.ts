/**
 * Every process and file that a program makes through this file belongs to it, and is gone when it ends: at the
 * end, on an error, and on a signal. Only processes started here, and their children, are ever signalled.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { family } from "./proc.js";

export interface OwnedProcess {
	readonly child: ChildProcess;
	readonly pid: number;
	/** Resolves when it has ended, with a word on how. */
	readonly ended: Promise<string>;
}

const owned = new Set<OwnedProcess>();
let directory: string | null = null;
let ending = false;
/** What else must be undone, such as a network namespace. The last made goes first. */
const undone: (() => void)[] = [];

const END_TIMEOUT_MS = 2000;

/** Signals that end all, and the exit codes a shell gives for them. */
const FATAL_SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGQUIT: 131 } as const;

/** From here on, whatever way this process ends, nothing is left behind (SIGKILL excepted). */
export function installCleanup(): void {
	// The last resort, for an error that nobody catches. It cannot wait, so it may leave zombies to init.
	process.on("exit", removeEverything);
	for (const [signal, code] of Object.entries(FATAL_SIGNALS)) process.on(signal, () => void endAll(code));
	// They would end this process, and leave the others behind.
	for (const signal of ["SIGUSR1", "SIGUSR2"]) process.on(signal, () => {});
}

/** Ends all that is left, waits for it, and ends this process. */
export async function endAll(exitCode: number): Promise<never> {
	ending = true;
	const left = [...owned];
	for (const process of left) killAll(family(process.pid));
	// Nothing survives SIGKILL for long; a process stuck in the kernel must not hold us, though.
	await Promise.race([Promise.all(left.map((process) => process.ended)), sleep(END_TIMEOUT_MS)]);
	process.exit(exitCode);
}

/**
 * Starts a program that ends with this process at the latest. With `detached` Ctrl-C on a terminal reaches only
 * us, so that whoever ends is ended by us and not missed as a failure.
 */
export function ownProcess(command: string, args: readonly string[], options: SpawnOptions): OwnedProcess {
	const child = spawn(command, args, options);
	const ended = new Promise<string>((resolve) => {
		child.once("error", (error) => resolve(error.message));
		child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
	});
	if (child.pid === undefined) throw new Error(`${command} could not be started`);
	const process: OwnedProcess = { child, pid: child.pid, ended };
	owned.add(process);
	void ended.then(() => owned.delete(process));
	return process;
}

/** Asks a process to end, and ends it and its children when it does not. */
export async function stopProcess(process: OwnedProcess, graceMs: number): Promise<void> {
	// Read before the parent goes: afterwards its children are nobody's.
	const pids = family(process.pid);
	process.child.kill("SIGTERM");
	const timer = setTimeout(() => killAll(pids), graceMs);
	await process.ended;
	clearTimeout(timer);
	killAll(pids.filter((pid) => pid !== process.pid));
}

/**
 * Runs `undo` at the end, whatever the end is. It must not wait, because an exit does not. Returns what runs
 * it earlier, and then only once.
 */
export function atEnd(undo: () => void): () => void {
	undone.push(undo);
	return () => {
		const index = undone.indexOf(undo);
		if (index < 0) return;
		undone.splice(index, 1);
		undo();
	};
}

/** A signal ends everything, so that whoever sees a helper die need not complain. */
export function isEnding(): boolean {
	return ending;
}

/** The run's temporary directory, made on first use. */
export function temporaryDirectory(): string {
	directory ??= mkdtempSync(join(tmpdir(), "sluice-run-"));
	return directory;
}

function removeEverything(): void {
	for (const process of owned) killAll(family(process.pid));
	owned.clear();
	for (let undo = undone.pop(); undo !== undefined; undo = undone.pop()) undo();
	if (directory !== null) rmSync(directory, { recursive: true, force: true });
}

function killAll(pids: readonly number[]): void {
	for (const pid of pids) {
		try {
			process.kill(pid, "SIGKILL");
		} catch {
			// It has ended by itself.
		}
	}
}
