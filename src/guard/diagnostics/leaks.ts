/** Whether a piece of work leaves anything open. */
import { createHook, executionAsyncId } from "node:async_hooks";
import { fstatSync } from "node:fs";
import { stackHere } from "../stack.js";
import { type Duration, requireKnown, toMs } from "../units.js";
import { readDescriptors } from "./descriptors.js";
import { LeakError, type Open, type OpenKind } from "./errors.js";

/** How a check is done. */
export interface LeaksOptions {
	/**
	 * How long to wait at most for what is closing, in milliseconds or as `"1s"`; 0 looks once. Default 500. It is looked at
	 * each turn of the event loop, so that what is clean costs no wait.
	 */
	readonly settleMs?: Duration;
	/** What is not to be listed, told by kind, detail and stack: a pool that is meant to outlive the test. Default: nothing. */
	ignore?(open: Open): boolean;
}

/** What Node names what it opens; all else it has names for is memory, or part of one of these. */
const KINDS: Readonly<Record<string, OpenKind>> = {
	TCPWRAP: "socket",
	UDPWRAP: "socket",
	TCPSERVERWRAP: "server",
	PIPEWRAP: "pipe",
	PIPESERVERWRAP: "server",
	Timeout: "timer",
	PROCESSWRAP: "child process",
	FILEHANDLE: "file handle",
	WORKER: "worker",
	FSEVENTWRAP: "watcher",
	STATWATCHER: "watcher",
};

/** Between two looks there is a turn of the event loop; from so many on a pause, or a wait for 500 ms would burn 500 ms of CPU. */
const TURNS = 20;
const PAUSE_MS = 5;

/** The first socket of a process makes libuv keep one of these open for ever, for when descriptors run out. */
const NODES_OWN = ["/", "/dev/null"];

interface Created {
	readonly kind: OpenKind;
	readonly detail: string;
	stack: string | undefined;
	readonly resource: WeakRef<object>;
}

/** Runners that limit the time of a test, and of the hook that calls `done()`, with a timer that is referenced. */
const RUNNERS = /[\\/]node_modules[\\/](?:jest-circus|@vitest[\\/]runner|mocha)[\\/]/;

/** Timers of the checks themselves are no leaks, of this one or of another. */
let isPausing = false;

/** A check that runs. It is over with `done()`. */
export class LeakCheck implements AsyncDisposable {
	readonly #settleMs: number;
	readonly #ignore: (open: Open) => boolean;
	readonly #before = readDescriptors();
	readonly #created = new Map<number, Created>();
	/** By id, of everything asynchronous: a server is made when its name is looked up, and then no caller is on the stack. */
	readonly #origins = new Map<number, string>();
	/** A file handle that was made just now, in the middle of settling the promise of whoever asked for it. */
	#unnamed: Created | undefined;
	#over: Promise<void> | undefined;
	readonly #init = (id: number, type: string, trigger: number, resource: object): void =>
		this.#opened(id, type, trigger, resource);
	readonly #hook = createHook({
		init: this.#init,
		promiseResolve: (id) => this.#resolved(id),
		destroy: (id) => {
			this.#created.delete(id);
			this.#origins.delete(id);
		},
	});

	/** @internal */
	constructor(options: LeaksOptions) {
		requireKnown("", options, ["settleMs", "ignore"]);
		const { settleMs = 500 } = options;
		this.#settleMs = settleMs === 0 ? 0 : toMs("settleMs", settleMs);
		this.#ignore = (open) => options.ignore?.(open) ?? false;
		this.#hook.enable();
	}

	/** What is open now and was not before. What is just closing is listed too. */
	open(): Open[] {
		const open: Open[] = [];
		const descriptors = this.#descriptors();
		for (const { kind, detail, stack, resource } of this.#created.values()) {
			const alive = resource.deref();
			if (alive === undefined) continue;
			// What a handle is for is listed with it, or, where the handle is not, with the place that made it.
			const descriptor = "fd" in alive ? Number(alive.fd) : -1;
			const target = descriptors.get(descriptor);
			const where = target === undefined ? "" : `${descriptor}: ${target}`;
			if (isOpen(alive, kind))
				open.push({ kind, detail: where === "" ? detail : `${detail} ${where}`, stack });
			else if (target !== undefined) open.push({ kind: "descriptor", detail: where, stack });
			descriptors.delete(descriptor);
		}
		for (const [descriptor, target] of descriptors)
			open.push({ kind: "descriptor", detail: `${descriptor}: ${target}`, stack: undefined });
		return open.filter((each) => !this.#ignore(each));
	}

	/** Waits for what is closing, and ends the check. Rejects with LeakError. A second call gets the same. */
	done(): Promise<void> {
		this.#over ??= this.#settle();
		return this.#over;
	}

	/** done(): `await using check = leaks()`. Declared first, it looks when all that was declared after it has ended. */
	[Symbol.asyncDispose](): Promise<void> {
		return this.done();
	}

	async #settle(): Promise<void> {
		const untilMs = performance.now() + this.#settleMs;
		try {
			for (let turns = 0; ; turns++) {
				// `close` is emitted, and ids are given back, a turn after the call.
				await this.#turn(turns);
				const open = this.open();
				if (open.length === 0) return;
				if (turns >= 2 && performance.now() >= untilMs) throw new LeakError(open, this.#settleMs);
			}
		} finally {
			this.#hook.disable();
			this.#created.clear();
			this.#origins.clear();
			this.#unnamed = undefined;
		}
	}

	#turn(turns: number): Promise<void> {
		return new Promise((resolve) => {
			isPausing = true;
			if (turns < TURNS) setImmediate(resolve);
			else setTimeout(resolve, PAUSE_MS);
			isPausing = false;
		});
	}

	/** Called in the middle of Node's making it: it may only take notes. */
	#opened(id: number, type: string, trigger: number, resource: object): void {
		if (isPausing) return;
		const own = originBelow(this.#init);
		const stack = own ?? this.#origins.get(trigger) ?? this.#origins.get(executionAsyncId());
		if (stack !== undefined) this.#origins.set(id, stack);
		const kind = KINDS[type];
		// A timer that is made by Node for itself, such as for the pauses between requests, could be ended by nobody.
		if (kind === undefined || (kind === "timer" && (own === undefined || isRunners(own)))) return;
		const created = { kind, detail: type, stack, resource: new WeakRef(resource) };
		this.#created.set(id, created);
		if (kind === "file handle" && stack === undefined) this.#unnamed = created;
	}

	/** Node makes a file handle outside of any call, but settles the promise of `open()` with it before it does anything else. */
	#resolved(id: number): void {
		if (this.#unnamed === undefined) return;
		this.#unnamed.stack = this.#origins.get(id);
		this.#unnamed = undefined;
	}

	/** Those that point elsewhere than before. Node keeps its own, of event loops and threads, which are no files and no sockets. */
	#descriptors(): Map<number, string> {
		if (this.#before === undefined) return new Map();
		const before = this.#before;
		const opened = [...(readDescriptors() ?? [])].filter(
			([descriptor, target]) =>
				descriptor > 2 && before.get(descriptor) !== target && !target.startsWith("anon_inode:"),
		);
		const spare = opened.findIndex(([, target]) => NODES_OWN.includes(target));
		if (spare >= 0) opened.splice(spare, 1);
		return new Map(opened);
	}
}

/**
 * Begins to watch what is opened from now on: sockets, servers, timers, child processes, file handles, workers, pipes, watchers,
 * and descriptors. What was open before is nobody's fault here. Throws OptionError.
 *
 *     await using check = leaks();
 *     const server = await start();
 *     await server.close();
 */
export function leaks(options: LeaksOptions = {}): LeakCheck {
	return new LeakCheck(options);
}

/**
 * Runs `work`, and rejects with LeakError if it leaves anything open. What it throws itself comes first.
 *
 *     await withoutLeaks(async () => {
 *         const server = await start();
 *         await server.close();
 *     });
 */
export async function withoutLeaks<R>(
	work: () => R | PromiseLike<R>,
	options: LeaksOptions = {},
): Promise<R> {
	const check = leaks(options);
	let result: R;
	try {
		result = await work();
	} catch (error) {
		// The fault has ended the work half way: what that left open is not what is to be told.
		await check.done().catch(() => {});
		throw error;
	}
	await check.done();
	return result;
}

/** Whether a test runner did it, and not what it runs. */
function isRunners(stack: string): boolean {
	const [first = ""] = stack.split("\n");
	return RUNNERS.test(first);
}

/** Timers and pipes that are unref'ed keep nothing alive, and are often Node's own. */
function isOpen(resource: object, kind: OpenKind): boolean {
	if (kind === "file handle") return !("fd" in resource) || isDescriptor(Number(resource.fd));
	if (kind !== "timer" && kind !== "pipe") return true;
	if ("_destroyed" in resource && resource._destroyed === true) return false;
	return !("hasRef" in resource) || typeof resource.hasRef !== "function" || resource.hasRef() === true;
}

/** A file handle keeps its number when it is closed, and is told to be gone only when it is collected. */
function isDescriptor(descriptor: number): boolean {
	try {
		fstatSync(descriptor);
		return true;
	} catch {
		return false;
	}
}

/**
 * The lines of the program that led to a hook; `undefined` when there are only lines of Node. No file's name tells them apart: test
 * runners show lines as those of the sources.
 */
function originBelow(hook: (...parts: never[]) => unknown): string | undefined {
	const lines = stackHere(hook)
		?.split("\n")
		.filter((line) => /:\d+:\d+\)?$/.test(line) && !line.includes("node:"));
	if (lines === undefined) return undefined;
	return lines.length === 0 ? undefined : lines.join("\n");
}
