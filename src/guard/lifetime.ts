/**
 * One owner for all that a connection has started: its signal, timers, tasks and sockets. Its end ends all of them, once.
 *
 *     import { Lifetime } from "sluice/lifetime";
 *
 *     server.on("connection", async (socket) => {
 *         await using life = new Lifetime({ name: "connection" });
 *         life.own(socket);
 *         life.setTimeout(() => life.end("idle_timeout"), "30s");
 *         const database = await life.acquire(connectDatabase(life.signal), (late) => late.end());
 *         await serve(socket, database, life.signal);
 *     });
 *
 * @module
 */
import { type Duration, toMs } from "./units.js";

export { type Duration, OptionError } from "./units.js";

/** What something is ended by: a function, or what it can be told by one of the usual names. */
export type Ownable = (() => unknown) | Destroyable | Terminable | Closable | AsyncDisposable | Disposable;

/** As streams, sockets and servers' requests are ended. */
export interface Destroyable {
	/** Ends it at once. */
	destroy(): unknown;
}

/** As a WebSocket of `ws` and a worker are ended. */
export interface Terminable {
	/** Ends it at once. */
	terminate(): unknown;
}

/** As a server or a file handle is ended. */
export interface Closable {
	/** Ends it, maybe later: what it returns is waited for. */
	close(): unknown;
}

/** How a lifetime is made. */
export interface LifetimeOptions {
	/** For errors and leak reports. Default: `lifetime` */
	readonly name?: string;
	/** How long `end` waits for tasks and releases. Default: 5s */
	readonly grace?: Duration;
	/** Whether stacks are kept for the leak report. They cost some microseconds each. Default: on, unless NODE_ENV is production */
	readonly trace?: boolean;
}

/** Something that was started under a lifetime, and still runs. */
export interface Leak {
	/** Of the lifetime. */
	readonly lifetime: string;
	/** What it is. */
	readonly kind: "timer" | "task" | "resource" | "child";
	/** Where it was started; empty without `trace`. */
	readonly stack: string;
}

/** What an end came to. */
export interface LifetimeReport {
	/** What `end` was called with first. */
	readonly reason: string;
	/** What had not ended when `grace` had passed. */
	readonly left: readonly Leak[];
	/** What releases and tasks failed with. A task that fails because of the end itself is none. */
	readonly errors: readonly unknown[];
}

/** It was too late: the lifetime is over. `reason` says why it ended. */
export class LifetimeEnded extends Error {
	/** `LifetimeEnded` */
	override readonly name = "LifetimeEnded";
	/** `SLUICE_LIFETIME_ENDED` */
	readonly code = "SLUICE_LIFETIME_ENDED";
	/** What it ended with. */
	readonly reason: string;

	constructor(name: string, reason: string) {
		super(`${name} has ended: ${reason}`);
		this.reason = reason;
	}
}

interface Entry {
	readonly kind: Leak["kind"];
	readonly stack: string;
	/** Returns a promise where there is something to wait for. */
	release(reason: string): unknown;
}

const GRACE_MS = 5_000;
/** As stacks name this file. */
const HERE = new URL(import.meta.url).pathname;

/** Owns what a connection starts. One AbortController, however much hangs on it. */
export class Lifetime implements AsyncDisposable {
	/** Of this lifetime, in errors and reports. */
	readonly name: string;
	readonly #controller = new AbortController();
	readonly #graceMs: number;
	readonly #trace: boolean;
	/** In the order in which they came. */
	readonly #entries = new Set<Entry>();
	readonly #errors: unknown[] = [];
	#ended: Promise<LifetimeReport> | undefined;
	#reason: string | undefined;

	/** Throws OptionError. */
	constructor({ name = "lifetime", grace = GRACE_MS, trace }: LifetimeOptions = {}) {
		this.name = name;
		this.#graceMs = toMs("grace", grace);
		this.#trace = trace ?? process.env["NODE_ENV"] !== "production";
	}

	/** Aborted at the end, with LifetimeEnded. The same one for everything: nothing is added to a signal that lives longer. */
	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	/** Why it has ended; `undefined`: it has not. */
	get reason(): string | undefined {
		return this.#reason;
	}

	/** Whether it has ended. */
	get isOver(): boolean {
		return this.#reason !== undefined;
	}

	/** What it owns at this moment. */
	get size(): number {
		return this.#entries.size;
	}

	/** Calls once after so long, unless the end comes first. Returns what cancels it. After the end it does nothing. */
	setTimeout(call: () => void, after: Duration): () => void {
		const timer = setTimeout(
			() => {
				this.#entries.delete(entry);
				call();
			},
			toMs("after", after),
		);
		const entry = this.#add("timer", () => clearTimeout(timer));
		return () => this.#drop(entry);
	}

	/** Calls again and again until the end. Returns what cancels it. */
	setInterval(call: () => void, every: Duration): () => void {
		const timer = setInterval(call, toMs("every", every));
		const entry = this.#add("timer", () => clearInterval(timer));
		return () => this.#drop(entry);
	}

	/**
	 * Starts a task, which must end when its signal says so; the end waits for it. Returns its result. Rejects with LifetimeEnded
	 * after the end, and with the task's own error otherwise, which ends nothing else.
	 */
	async run<Result>(task: (signal: AbortSignal) => Result | PromiseLike<Result>): Promise<Result> {
		this.throwIfOver();
		let settled: () => void = () => {};
		const done = new Promise<void>((resolve) => {
			settled = resolve;
		});
		const entry = this.#add("task", () => done);
		try {
			return await task(this.signal);
		} finally {
			this.#entries.delete(entry);
			settled();
		}
	}

	/**
	 * Takes something over, and ends it at the end, the last one first. What emits `close`, as sockets do, leaves by itself then.
	 * After the end it is released at once. Returns what was given.
	 */
	own<Resource extends Ownable>(resource: Resource): Resource {
		const entry = this.#add("resource", () => release(resource));
		const { once } = resource as { once?: (event: "close", heard: () => void) => unknown };
		if (typeof once === "function") once.call(resource, "close", () => this.#entries.delete(entry));
		return resource;
	}

	/**
	 * Waits for something that takes time to get, such as a connection, and owns it. When the end comes first it rejects with
	 * LifetimeEnded at once, and what arrives later is released.
	 */
	acquire<Resource>(
		arriving: PromiseLike<Resource>,
		giveBack: (late: Resource) => unknown,
	): Promise<Resource> {
		return new Promise((resolve, reject) => {
			const over = (): void => reject(new LifetimeEnded(this.name, this.#reason ?? ""));
			if (this.isOver) over();
			const waiting = this.isOver ? undefined : this.#add("task", over);
			Promise.resolve(arriving).then(
				(resource) => {
					if (waiting !== undefined) this.#entries.delete(waiting);
					// After the end `#add` releases it.
					this.#add("resource", () => giveBack(resource));
					resolve(resource);
				},
				(error: unknown) => {
					if (waiting !== undefined) this.#entries.delete(waiting);
					reject(error);
				},
			);
		});
	}

	/** A lifetime within this one: it ends with it at the latest, for the same reason. */
	child(name = `${this.name} › child`): Lifetime {
		const child = new Lifetime({ name, grace: this.#graceMs, trace: this.#trace });
		const entry = this.#add("child", (reason) => child.end(reason));
		if (!child.isOver) child.own(() => this.#entries.delete(entry));
		return child;
	}

	/** Throws LifetimeEnded after the end. */
	throwIfOver(): void {
		if (this.#reason !== undefined) throw new LifetimeEnded(this.name, this.#reason);
	}

	/** What was started under it and still runs. */
	leaks(): Leak[] {
		return [...this.#entries].map(({ kind, stack }) => ({ lifetime: this.name, kind, stack }));
	}

	/**
	 * Ends all that it owns: at once what can be ended at once. Resolves when the rest has ended too, or `grace` has passed. Only the
	 * first call counts; the others get its report. Never rejects.
	 */
	end(reason = "client_closed"): Promise<LifetimeReport> {
		if (this.#ended !== undefined) return this.#ended;
		// Known before anything is told of the end: who hears the signal, or is released, may call `end` again.
		let settle: (report: Promise<LifetimeReport>) => void = () => {};
		this.#ended = new Promise((resolve) => {
			settle = resolve;
		});
		settle(this.#end(reason));
		return this.#ended;
	}

	/** The same as `end("drained")`, for `await using`. Throws AggregateError for what failed. */
	async [Symbol.asyncDispose](): Promise<void> {
		const { errors } = await this.end("drained");
		if (errors.length > 0) throw new AggregateError(errors, `${this.name}: releases failed`);
	}

	#end(reason: string): Promise<LifetimeReport> {
		this.#reason = reason;
		const entries = [...this.#entries].reverse();
		this.#controller.abort(new LifetimeEnded(this.name, reason));
		const waits = entries.map((entry) => this.#release(entry, reason));
		return this.#settle(waits, reason);
	}

	async #settle(waits: readonly Promise<void>[], reason: string): Promise<LifetimeReport> {
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<void>((resolve) => {
			timer = setTimeout(resolve, this.#graceMs);
		});
		await Promise.race([Promise.all(waits), late]);
		clearTimeout(timer);
		return { reason, left: this.leaks(), errors: this.#errors };
	}

	/** One that fails keeps none of the others. */
	async #release(entry: Entry, reason: string): Promise<void> {
		try {
			const waits = entry.release(reason);
			if (isThenable(waits)) await waits;
		} catch (error) {
			this.#errors.push(error);
		}
		this.#entries.delete(entry);
	}

	#add(kind: Leak["kind"], release: Entry["release"]): Entry {
		const entry = { kind, stack: this.#trace ? stackOf() : "", release };
		if (this.#reason === undefined) this.#entries.add(entry);
		else void this.#release(entry, this.#reason);
		return entry;
	}

	#drop(entry: Entry): void {
		if (this.#entries.delete(entry)) entry.release("");
	}
}

function release(resource: Ownable): unknown {
	if (typeof resource === "function") return resource();
	if ("destroy" in resource) return resource.destroy();
	if ("terminate" in resource) return resource.terminate();
	if (Symbol.asyncDispose in resource) return resource[Symbol.asyncDispose]();
	if ("close" in resource) return resource.close();
	return resource[Symbol.dispose]();
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
	return typeof (value as { then?: unknown } | null)?.then === "function";
}

/** Where the caller of the lifetime stands: without the lines of this file. */
function stackOf(): string {
	const lines = (new Error("started").stack ?? "").split("\n").slice(1);
	return lines.filter((line) => !line.includes(HERE)).join("\n");
}
