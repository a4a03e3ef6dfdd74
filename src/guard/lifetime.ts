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
import { setMaxListeners } from "node:events";
import { stackHere, tracesByDefault } from "./stack.js";
import { type Duration, requireKnown, toMs } from "./units.js";

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
	readonly child: Lifetime | undefined;
	/** What `own` was given. */
	owned?: object;
}

/** The stack is kept from the caller of this method on. */
type Below = (...args: never[]) => unknown;

const GRACE_MS = 5_000;

/** Owns what a connection starts. One AbortController, however much hangs on it. */
export class Lifetime implements AsyncDisposable {
	/** Of this lifetime, in errors and reports. */
	readonly name: string;
	readonly #controller = new AbortController();
	readonly #graceMs: number;
	readonly #trace: boolean;
	/** In the order in which they came. */
	readonly #entries = new Set<Entry>();
	/** The objects among them that `own` was given; and after the end those that it has released. */
	#owned: WeakSet<object> | undefined;
	readonly #errors: unknown[] = [];
	#ended: Promise<LifetimeReport> | undefined;
	#reason: string | undefined;
	/** The report is out: later faults are not in it. */
	#isReported = false;
	/** The end has come, and nothing is left of it. */
	#onSettled: (() => void) | undefined;

	/** Throws OptionError. */
	constructor(options: LifetimeOptions = {}) {
		requireKnown("", options, ["name", "grace", "trace"]);
		const { name = "lifetime", grace = GRACE_MS, trace } = options;
		this.name = name;
		this.#graceMs = toMs("grace", grace);
		this.#trace = trace ?? tracesByDefault();
		// It is there for all that the connection starts: more than ten listeners are no leak, and the end lets go of them.
		setMaxListeners(0, this.signal);
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
				this.#remove(entry);
				call();
			},
			toMs("after", after),
		);
		const entry = this.#add("timer", this.setTimeout, () => clearTimeout(timer));
		return () => this.#drop(entry);
	}

	/** Calls again and again until the end. Returns what cancels it. */
	setInterval(call: () => void, every: Duration): () => void {
		const timer = setInterval(call, toMs("every", every));
		const entry = this.#add("timer", this.setInterval, () => clearInterval(timer));
		return () => this.#drop(entry);
	}

	/**
	 * Starts a task, which must end when its signal says so; the end waits for it. Returns its result. Rejects with LifetimeEnded
	 * after the end, and with the task's own error otherwise, which ends nothing else.
	 *
	 * A task may call `end`, but must not wait for it: the end waits for the task, and each would wait for the other until `grace` has
	 * passed. The report then has the task in `left`.
	 */
	async run<Result>(task: (signal: AbortSignal) => Result | PromiseLike<Result>): Promise<Result> {
		this.throwIfOver();
		let settled: () => void = () => {};
		const done = new Promise<void>((resolve) => {
			settled = resolve;
		});
		const entry = this.#add("task", this.run, () => done);
		try {
			return await task(this.signal);
		} finally {
			this.#remove(entry);
			settled();
		}
	}

	/**
	 * Takes something over, and ends it at the end, the last one first. What emits `close`, as sockets do, leaves by itself then.
	 * After the end it is released at once. An object that is given again is owned once; a function is called as often as it was given.
	 * Returns what was given.
	 */
	own<Resource extends Ownable>(resource: Resource): Resource {
		const object = typeof resource === "function" ? undefined : resource;
		if (object !== undefined && this.#owned?.has(object)) return resource;
		const emitter = isEmitter(resource) ? resource : undefined;
		if (emitter?.closed === true) return resource;
		const closed = (): void => void this.#remove(entry);
		const releaseIt = (): unknown => {
			emitter?.off("close", closed);
			return release(resource);
		};
		if (object !== undefined) {
			this.#owned ??= new WeakSet();
			this.#owned.add(object);
		}
		const entry = this.#add("resource", this.own, releaseIt);
		if (object !== undefined) entry.owned = object;
		emitter?.once("close", closed);
		return resource;
	}

	/**
	 * Waits for something that takes time to get, such as a connection, and owns it. When the end comes first it rejects with
	 * LifetimeEnded at once, and what arrives later is released; the end waits for that, too.
	 */
	acquire<Resource>(
		arriving: PromiseLike<Resource>,
		giveBack: (late: Resource) => unknown,
	): Promise<Resource> {
		// Noted here: when it arrives, the caller is not on the stack any more.
		const stack = this.#stackHere(this.acquire);
		return new Promise((resolve, reject) => {
			const arrived = Promise.resolve(arriving).then(
				(resource) => {
					this.#remove(waiting);
					const { released } = this.#take("resource", stack, () => giveBack(resource));
					resolve(resource);
					return released;
				},
				(error: unknown) => {
					this.#remove(waiting);
					reject(error);
				},
			);
			const waiting = this.#take("task", stack, (reason) => {
				reject(new LifetimeEnded(this.name, reason));
				return arrived;
			}).entry;
		});
	}

	/**
	 * A lifetime within this one: it ends with it at the latest, for the same reason, and what it fails with and leaves then is in this
	 * one's report.
	 */
	child(name = `${this.name} › child`): Lifetime {
		const child = new Lifetime({ name, grace: this.#graceMs, trace: this.#trace });
		const entry = this.#add("child", this.child, (reason) => child.#endWith(this, reason), child);
		// Until all has ended that it started: also when it ends by itself.
		child.#onSettled = () => this.#remove(entry);
		return child;
	}

	/** Throws LifetimeEnded after the end. */
	throwIfOver(): void {
		if (this.#reason !== undefined) throw new LifetimeEnded(this.name, this.#reason);
	}

	/** What was started under it and its children and still runs. */
	leaks(): Leak[] {
		return [...this.#entries].flatMap(({ kind, stack, child }) => [
			{ lifetime: this.name, kind, stack },
			...(child?.leaks() ?? []),
		]);
	}

	/**
	 * Ends all that it owns: at once what can be ended at once. Resolves when the rest has ended too, or `grace` has passed. Only the
	 * first call counts; the others get its report. Never rejects. Within a task of `run`, call it without `await`.
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
		// What has left meanwhile, because who heard the signal or another release ended it, is not ended again.
		const waits = entries.map((entry) =>
			this.#entries.has(entry) ? this.#release(entry, reason) : undefined,
		);
		return this.#settle(waits, reason);
	}

	async #settle(waits: readonly (Promise<void> | undefined)[], reason: string): Promise<LifetimeReport> {
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<void>((resolve) => {
			timer = setTimeout(resolve, this.#graceMs);
		});
		await Promise.race([Promise.all(waits), late]);
		clearTimeout(timer);
		this.#isReported = true;
		if (this.#entries.size === 0) this.#onSettled?.();
		return { reason, left: this.leaks(), errors: this.#errors };
	}

	/** One that fails keeps none of the others. */
	async #release(entry: Entry, reason: string): Promise<void> {
		try {
			const waits = entry.release(reason);
			if (isThenable(waits)) await waits;
		} catch (error) {
			if (this.#isReported)
				process.emitWarning(`${this.name}: what came after the end could not be released: ${String(error)}`, {
					code: "SLUICE_LIFETIME_LATE",
				});
			else this.#errors.push(error);
		}
		// A child that has left something behind stays, and leaves when that has ended.
		if (entry.child === undefined || entry.child.size === 0) this.#remove(entry);
	}

	#stackHere(below: Below): string {
		return (this.#trace ? stackHere(below) : undefined) ?? "";
	}

	#add(kind: Leak["kind"], below: Below, release: Entry["release"], child?: Lifetime): Entry {
		return this.#take(kind, this.#stackHere(below), release, child).entry;
	}

	/** Keeps something until the end. After it, ends it at once: `released` says when that is done. */
	#take(
		kind: Leak["kind"],
		stack: string,
		release: Entry["release"],
		child?: Lifetime,
	): { entry: Entry; released: Promise<void> | undefined } {
		const entry = { kind, stack, release, child };
		if (this.#reason !== undefined) return { entry, released: this.#release(entry, this.#reason) };
		this.#entries.add(entry);
		return { entry, released: undefined };
	}

	#drop(entry: Entry): void {
		if (this.#remove(entry)) entry.release("");
	}

	/** True: it was there. The last one that leaves after the end takes this lifetime out of the one above. */
	#remove(entry: Entry): boolean {
		const wasThere = this.#entries.delete(entry);
		// It may open again, and be given again. After the end it is released, and is not released again.
		if (entry.owned !== undefined && !this.isOver) this.#owned?.delete(entry.owned);
		if (this.#isReported && this.#entries.size === 0) this.#onSettled?.();
		return wasThere;
	}

	/** The end of the one above, whose report has what this one fails with. */
	async #endWith(above: Lifetime, reason: string): Promise<void> {
		const { errors } = await this.end(reason);
		above.#errors.push(...errors);
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

interface Emitter {
	readonly closed?: unknown;
	once(event: "close", heard: () => void): unknown;
	off(event: "close", heard: () => void): unknown;
}

function isEmitter(resource: object): resource is Emitter {
	return "once" in resource && typeof resource.once === "function" && "off" in resource;
}
