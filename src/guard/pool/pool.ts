/** Lends a bounded number of resources, and gets every one of them back. */
import { fractionFor } from "../../parts/jitter.js";
import { onAbort } from "../../parts/on-abort.js";
import { stackHere } from "../stack.js";
import { type Duration, toMs } from "../units.js";
import { PoolClosed, PoolExhausted, type PoolState, PoolTimeout } from "./errors.js";
import { type Holder, Lease } from "./lease.js";
import { Member, type Watcher } from "./member.js";
import { DESTROY_REASONS, type DestroyReason, type PoolOptions, type Resolved, resolve } from "./options.js";
import { OverdueWatch } from "./overdue.js";

/** How one lease is asked for. */
export interface AcquireOptions {
	/** Stops waiting, with the signal's reason. What was being made for it goes to the next one. */
	readonly signal?: AbortSignal;
	/** How long to wait, check and creation included; then PoolTimeout. Default: `deadline` of the pool. */
	readonly deadline?: Duration;
}

/** How a pool is closed. */
export interface PoolCloseOptions {
	/** How long leases may last on, in milliseconds or as `"10s"`; 0 waits for none. Default `"10s"`. */
	readonly graceMs?: Duration;
}

/** What closing a pool came to. */
export interface PoolClosing {
	/** Who still had a lease after the grace. Their resources are destroyed. */
	readonly held: readonly Holder[];
	/** Creations that did not end, though their signal was aborted. What they still bring is destroyed. */
	readonly creating: number;
}

/**
 * Counts. At every moment:
 * `started = creating + abandoned + failed + created`, `created = checking + idle + leased + destroyed`, where `destroyed` is the sum
 * over its reasons, and `size = creating + checking + idle + leased + destroying`, which is never more than `max`.
 */
export interface PoolStats {
	/** Places that are taken. */
	readonly size: number;
	/** Being made. */
	readonly creating: number;
	/** Being checked before they are lent. */
	readonly checking: number;
	/** Waiting for a borrower. */
	readonly idle: number;
	/** Lent. */
	readonly leased: number;
	/** Being destroyed: they are counted in `destroyed` too, and keep their place until it is done. */
	readonly destroying: number;
	/** acquire() calls that wait. */
	readonly waiting: number;
	/** Creations that were begun, ever. */
	readonly started: number;
	/** Creations that gave a resource. */
	readonly created: number;
	/** Creations that gave an error. */
	readonly failed: number;
	/** Creations that went on after `createMs`, and have not ended. They have no place any more, and are at most `2 * max`. */
	readonly abandoned: number;
	/** Leases, ever. */
	readonly leases: number;
	/** Resources that were destroyed, by reason. */
	readonly destroyed: Readonly<Record<DestroyReason, number>>;
}

interface Waiter<T> {
	readonly askedAt: string | undefined;
	resolve(lease: Lease<T>): void;
	reject(error: unknown): void;
	/** Ends its timer and stops listening to its signal. */
	leave(): void;
}

/** A creation or a check: something that may soon serve a waiter, not necessarily the one it was begun for. */
interface Supply<T> {
	readonly waiter: Waiter<T>;
	readonly aborter: AbortController;
	timer: NodeJS.Timeout | undefined;
}

/**
 * A pool of connections, sessions, workers, or whatever is dear to make and must not be too many.
 *
 *     const pool = new Pool<Socket>({
 *         create: (signal) => dial(signal),
 *         destroy: (socket) => socket.destroy(),
 *         max: 20,
 *     });
 *     {
 *         await using lease = await pool.acquire({ deadline: "2s" });
 *         lease.value.write("hello\n");
 *     }
 *     await pool.close({ graceMs: "5s" });
 *
 * Who waits is served in order. Whatever arrives late, because its borrower has left, goes to the next one, or is kept, or is
 * destroyed: it is never lost. Its timers do not keep a process alive, apart from that of close().
 */
export class Pool<T> implements AsyncDisposable {
	readonly #options: PoolOptions<T>;
	readonly #limits: Resolved;

	/** The one that was used last is at the end, and lent first: what is not needed grows old at the front, and goes. */
	readonly #idle: Member<T>[] = [];
	readonly #leased = new Set<Member<T>>();
	readonly #creations = new Set<Supply<T>>();
	readonly #abandoned = new Set<Supply<T>>();
	readonly #checks = new Map<Supply<T>, Member<T>>();
	/** In the order in which they came. While somebody waits and no supply is under way for them, nothing is idle. */
	readonly #waiting = new Set<Waiter<T>>();
	/** Of these, those for whom no creation and no check was begun. */
	readonly #unsupplied = new Set<Waiter<T>>();

	#destroying = 0;
	#started = 0;
	#created = 0;
	#failed = 0;
	#leases = 0;
	readonly #destroyed: Record<DestroyReason, number>;

	#idleTimer: NodeJS.Timeout | undefined;
	#idleTimerAtMs = Number.POSITIVE_INFINITY;
	#closed = false;
	#closing: Promise<PoolClosing> | undefined;
	#wake: (() => void) | undefined;

	/** Where nobody is to be told, there is no timer. */
	readonly #overdueWatch: OverdueWatch<T> | undefined;
	readonly #watcher: Watcher<T> = { died: (member, error) => this.#died(member, error) };
	/** A lease that is collected has not been returned: `release` takes it off this list. */
	readonly #forgotten = new FinalizationRegistry<Member<T>>((member) => this.#collected(member));

	/** Makes nothing yet. Throws OptionError. */
	constructor(options: PoolOptions<T>) {
		this.#limits = resolve(options);
		this.#options = options;
		if (options.onOverdue !== undefined)
			this.#overdueWatch = new OverdueWatch(this.#limits.leaseMs, this.#leased, (member, nowMs) => {
				const holder = holderOf(member, nowMs);
				queueMicrotask(() => this.#options.onOverdue?.(holder));
			});
		const none = DESTROY_REASONS.map((reason) => [reason, 0] as const);
		this.#destroyed = Object.fromEntries(none) as Record<DestroyReason, number>;
	}

	/**
	 * Lends a resource: an idle one, else a new one while there is a place, else the next one that is given back. Rejects with
	 * PoolExhausted at once, with PoolTimeout, PoolClosed, the signal's reason, what create() threw, or OptionError.
	 */
	async acquire(options: AcquireOptions = {}): Promise<Lease<T>> {
		const { signal, deadline } = options;
		const deadlineMs = deadline === undefined ? this.#limits.deadlineMs : toMs("deadline", deadline);
		if (this.#closed) throw new PoolClosed();
		signal?.throwIfAborted();
		const askedAt = this.#limits.trace ? stackHere(this.acquire) : undefined;
		if (this.#options.check === undefined && this.#waiting.size === 0) {
			const member = this.#takeIdle();
			if (member !== undefined) return this.#lend(member, askedAt);
		}
		if (!this.#mayWait()) throw new PoolExhausted(this.#state());
		return new Promise((resolve, reject) => {
			const leave = (): void => {
				clearTimeout(timer);
				deaf();
			};
			const waiter: Waiter<T> = { askedAt, resolve, reject, leave };
			const aborted = (): void => this.#giveUp(waiter, signal?.reason);
			const late = (): void => {
				const others = { ...this.#state(), waiting: this.#waiting.size - 1 };
				this.#giveUp(waiter, new PoolTimeout("acquire", deadlineMs, others));
			};
			const timer = setTimeout(late, deadlineMs).unref();
			const deaf = onAbort(signal, aborted);
			this.#waiting.add(waiter);
			this.#unsupplied.add(waiter);
			this.#supply();
		});
	}

	/** Counts of now. */
	stats(): PoolStats {
		return {
			size: this.#size,
			creating: this.#creations.size,
			checking: this.#checks.size,
			idle: this.#idle.length,
			leased: this.#leased.size,
			destroying: this.#destroying,
			waiting: this.#waiting.size,
			started: this.#started,
			created: this.#created,
			failed: this.#failed,
			abandoned: this.#abandoned.size,
			leases: this.#leases,
			destroyed: { ...this.#destroyed },
		};
	}

	/** Leases that have lasted `leaseMs` or longer, the oldest first. Most likely, somebody forgot to return them. */
	leaks(): Holder[] {
		return this.#holders().filter(({ heldMs }) => heldMs >= this.#limits.leaseMs);
	}

	/**
	 * Lends nothing more, refuses those who wait with PoolClosed, destroys what is idle, and waits for leases, creations and
	 * destructions. After the grace, what is still lent is destroyed. Resolves when all is gone; a second call gets the same.
	 * Rejects with OptionError.
	 */
	async close(options: PoolCloseOptions = {}): Promise<PoolClosing> {
		const { graceMs = "10s" } = options;
		const withinMs = graceMs === 0 ? 0 : toMs("graceMs", graceMs);
		if (this.#closing === undefined) {
			// Known before anybody is told: who hears a signal, or destroys a resource, may call close() again.
			let settle: (closing: Promise<PoolClosing>) => void = () => {};
			this.#closing = new Promise((resolve) => {
				settle = resolve;
			});
			settle(this.#close(withinMs));
		}
		return this.#closing;
	}

	/** close() with its defaults: `await using pool = new Pool(…)`. */
	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}

	get #size(): number {
		return (
			this.#creations.size + this.#checks.size + this.#idle.length + this.#leased.size + this.#destroying
		);
	}

	/**
	 * Whether a creation may begin. Those that were abandoned have given up their places, and as many again as there are places may
	 * go on; with more, a create() that never ends would pile up without bound.
	 */
	get #mayCreate(): boolean {
		const { max } = this.#limits;
		return this.#size < max && this.#creating < 2 * max;
	}

	/** What is under way for those who wait. */
	get #supplies(): number {
		return this.#creations.size + this.#checks.size;
	}

	/** Whether one more can be served soon, or there is room to wait. */
	#mayWait(): boolean {
		const waitingInVain = this.#waiting.size - this.#supplies;
		if (waitingInVain < 0 || this.#idle.length > 0 || this.#mayCreate) return true;
		return waitingInVain < this.#limits.maxWaiting;
	}

	/** Begins as much as those who wait need and the bounds allow. Called after each change. */
	#supply(): void {
		while (this.#waiting.size > this.#supplies) {
			// There is one: each supply was begun for one waiter at most.
			const [waiter] = this.#unsupplied;
			if (waiter === undefined) return;
			const member = this.#takeIdle();
			if (member !== undefined) {
				if (this.#options.check === undefined) this.#offer(member);
				else this.#check(member, waiter);
			} else if (this.#mayCreate) this.#create(waiter);
			else return;
		}
	}

	#create(waiter: Waiter<T>): void {
		this.#unsupplied.delete(waiter);
		const aborter = new AbortController();
		const creation: Supply<T> = { waiter, aborter, timer: undefined };
		this.#creations.add(creation);
		this.#started++;
		creation.timer = setTimeout(() => this.#abandon(creation), this.#limits.createMs).unref();
		promised(() => this.#options.create(aborter.signal)).then(
			(resource) => this.#arrived(creation, resource),
			(error: unknown) => this.#miscarried(creation, error),
		);
	}

	/** It took too long, and may never end: its place is given to others. */
	#abandon(creation: Supply<T>): void {
		this.#creations.delete(creation);
		this.#abandoned.add(creation);
		const error = new PoolTimeout("create", this.#limits.createMs, this.#state());
		creation.aborter.abort(error);
		this.#giveUp(creation.waiter, error);
	}

	#arrived(creation: Supply<T>, resource: T): void {
		clearTimeout(creation.timer);
		this.#abandoned.delete(creation);
		const inTime = this.#creations.delete(creation);
		if (this.#waiting.has(creation.waiter)) this.#unsupplied.add(creation.waiter);
		const { ageMs, maxUses, jitter } = this.#limits;
		const left = 1 - jitter * fractionFor(this.#created);
		this.#created++;
		const oldAtMs = performance.now() + ageMs * left;
		const member = new Member(resource, oldAtMs, Math.max(1, maxUses * left), this.#watcher);
		if (this.#closed) this.#destroy(member, "closed");
		else if (!inTime && this.#size >= this.#limits.max) this.#destroy(member, "late");
		else {
			member.guard();
			this.#offer(member);
		}
		this.#changed();
	}

	#miscarried(creation: Supply<T>, error: unknown): void {
		clearTimeout(creation.timer);
		this.#failed++;
		const { waiter } = creation;
		// Of one that was abandoned, its waiter has been told.
		if (this.#creations.delete(creation) && !this.#waiting.has(waiter) && !this.#closed)
			this.#tell(error, "create");
		this.#abandoned.delete(creation);
		this.#giveUp(waiter, error);
	}

	#check(member: Member<T>, waiter: Waiter<T>): void {
		this.#unsupplied.delete(waiter);
		member.place = "checking";
		const aborter = new AbortController();
		const check: Supply<T> = { waiter, aborter, timer: undefined };
		this.#checks.set(check, member);
		const unhealthy = (error: unknown): void => {
			if (!this.#checks.has(check)) return;
			this.#tell(error, "check");
			this.#checked(check, "unhealthy");
			aborter.abort(error);
		};
		const late = (): void => unhealthy(new Error(`check() did not finish within ${this.#limits.checkMs} ms`));
		check.timer = setTimeout(late, this.#limits.checkMs).unref();
		promised(() => this.#options.check?.(member.resource, aborter.signal) ?? true).then(
			(healthy) => this.#checked(check, healthy ? undefined : "unhealthy"),
			unhealthy,
		);
	}

	/** Ends a check, once: by its answer, its deadline, the resource's end or the pool's. */
	#checked(check: Supply<T>, fault: DestroyReason | undefined): void {
		const member = this.#checks.get(check);
		if (member === undefined) return;
		clearTimeout(check.timer);
		this.#checks.delete(check);
		if (this.#waiting.has(check.waiter)) this.#unsupplied.add(check.waiter);
		// Its check may have said so before it ended, and its `close` be still to come.
		const reason = fault ?? (member.ended ? "died" : undefined);
		if (reason === undefined) this.#offer(member);
		else this.#destroy(member, reason);
		this.#changed();
	}

	/** To the one who has waited longest, else to the idle ones. */
	#offer(member: Member<T>): void {
		const [waiter] = this.#waiting;
		if (waiter === undefined) this.#keep(member);
		else {
			this.#forget(waiter);
			waiter.resolve(this.#lend(member, waiter.askedAt));
		}
	}

	#lend(member: Member<T>, askedAt: string | undefined): Lease<T> {
		member.unguard();
		member.place = "leased";
		member.uses++;
		member.leasedMs = performance.now();
		member.leaseNumber = ++this.#leases;
		member.askedAt = askedAt;
		this.#leased.add(member);
		this.#overdueWatch?.lent();
		const lease = new Lease<T>({
			resource: member.resource,
			trace: this.#limits.trace,
			giveBack: (lease, discard, error) => {
				this.#forgotten.unregister(lease);
				if (error !== undefined) this.#tell(error, "lease");
				this.#returned(member, discard ? "discarded" : undefined);
			},
		});
		this.#forgotten.register(lease, member, lease);
		return lease;
	}

	/** A lease ends, once. When the pool was closed meanwhile, and its grace is over, the resource is gone already. */
	#returned(member: Member<T>, reason: DestroyReason | undefined): void {
		if (!this.#leased.delete(member)) return;
		member.askedAt = undefined;
		const fault = reason ?? this.#faultOf(member);
		if (fault !== undefined) this.#destroy(member, fault);
		else {
			member.guard();
			this.#offer(member);
		}
		this.#changed();
	}

	#faultOf(member: Member<T>): DestroyReason | undefined {
		if (member.ended) return "died";
		if (this.#closed) return "closed";
		if (member.uses >= member.usesMax) return "uses";
		return member.oldAtMs <= performance.now() ? "age" : undefined;
	}

	/** Nobody can return it any more, and somebody may still use the resource: it is not lent again. */
	#collected(member: Member<T>): void {
		if (!this.#leased.has(member)) return;
		const holder = holderOf(member, performance.now());
		this.#returned(member, "leaked");
		if (this.#options.onLeak !== undefined) this.#options.onLeak(holder);
		else {
			const where = holder.stack === undefined ? "" : `; it was asked for here:\n${holder.stack}`;
			process.emitWarning(
				`lease ${holder.lease} was garbage collected and never returned${where}`,
				"PoolLeak",
			);
		}
	}

	#died(member: Member<T>, error: unknown): void {
		if (member.place === "leased") {
			member.dead = true;
			return;
		}
		if (error !== undefined) this.#tell(error, "idle");
		if (member.place === "checking") {
			for (const [check, checked] of this.#checks)
				if (checked === member) {
					this.#checked(check, "died");
					check.aborter.abort(new Error("the resource has closed"));
				}
		} else if (member.place === "idle") {
			this.#idle.splice(this.#idle.indexOf(member), 1);
			this.#disarmIdleTimer();
			this.#destroy(member, "died");
			this.#changed();
		}
	}

	#keep(member: Member<T>): void {
		if (this.#idle.length >= this.#limits.maxIdle) {
			this.#destroy(member, "surplus");
			return;
		}
		member.place = "idle";
		member.idleSinceMs = performance.now();
		this.#idle.push(member);
		this.#armIdleTimer(this.#dueMs(member));
	}

	/** The one that was used last, if it is not too old. */
	#takeIdle(): Member<T> | undefined {
		let found: Member<T> | undefined;
		const nowMs = performance.now();
		while (found === undefined) {
			const member = this.#idle.pop();
			if (member === undefined) break;
			const reason = this.#overdue(member, nowMs);
			if (reason === undefined) found = member;
			else this.#destroy(member, reason);
		}
		this.#disarmIdleTimer();
		return found;
	}

	#overdue(member: Member<T>, nowMs: number): DestroyReason | undefined {
		if (member.ended) return "died";
		if (member.oldAtMs <= nowMs) return "age";
		return member.idleSinceMs + this.#limits.idleMs <= nowMs ? "idle" : undefined;
	}

	#dueMs(member: Member<T>): number {
		return Math.min(member.oldAtMs, member.idleSinceMs + this.#limits.idleMs);
	}

	/** One timer for all. It may be early: what it was set for is lent by then. */
	#armIdleTimer(dueMs: number): void {
		if (dueMs >= this.#idleTimerAtMs) return;
		clearTimeout(this.#idleTimer);
		this.#idleTimerAtMs = dueMs;
		const inMs = Math.max(1, Math.ceil(dueMs - performance.now()));
		this.#idleTimer = setTimeout(() => this.#sweep(), inMs).unref();
	}

	/** None while nothing is idle. */
	#disarmIdleTimer(): void {
		if (this.#idle.length > 0) return;
		clearTimeout(this.#idleTimer);
		this.#idleTimer = undefined;
		this.#idleTimerAtMs = Number.POSITIVE_INFINITY;
	}

	#sweep(): void {
		this.#idleTimerAtMs = Number.POSITIVE_INFINITY;
		const nowMs = performance.now();
		for (const member of this.#idle.splice(0)) {
			const reason = this.#overdue(member, nowMs);
			if (reason === undefined) this.#idle.push(member);
			else this.#destroy(member, reason);
		}
		if (this.#idle.length > 0)
			this.#armIdleTimer(Math.min(...this.#idle.map((member) => this.#dueMs(member))));
		this.#changed();
	}

	#destroy(member: Member<T>, reason: DestroyReason): void {
		member.place = "destroyed";
		member.leave();
		this.#destroyed[reason]++;
		this.#destroying++;
		let result: unknown;
		try {
			result = this.#options.destroy(member.resource, reason);
		} catch (error) {
			this.#tell(error, "destroy");
		}
		if (!isThenable(result)) {
			this.#destroying--;
			return;
		}
		const ended = (): void => {
			if (timer === undefined) return;
			clearTimeout(timer);
			timer = undefined;
			this.#destroying--;
			this.#changed();
		};
		let timer: NodeJS.Timeout | undefined = setTimeout(ended, this.#limits.destroyMs).unref();
		Promise.resolve(result).then(ended, (error: unknown) => {
			this.#tell(error, "destroy");
			ended();
		});
	}

	/** Ends a wait without a lease. What was begun for it goes on, for the next one. */
	#giveUp(waiter: Waiter<T>, error: unknown): void {
		if (this.#waiting.has(waiter)) {
			this.#forget(waiter);
			waiter.reject(error);
		}
		this.#changed();
	}

	#forget(waiter: Waiter<T>): void {
		this.#waiting.delete(waiter);
		this.#unsupplied.delete(waiter);
		waiter.leave();
	}

	#changed(): void {
		this.#supply();
		this.#wake?.();
	}

	async #close(graceMs: number): Promise<PoolClosing> {
		this.#closed = true;
		const closed = new PoolClosed();
		for (const waiter of this.#waiting) {
			this.#forget(waiter);
			waiter.reject(closed);
		}
		for (const member of this.#idle.splice(0)) this.#destroy(member, "closed");
		this.#disarmIdleTimer();
		for (const check of [...this.#checks.keys()]) {
			this.#checked(check, "closed");
			check.aborter.abort(closed);
		}
		for (const creation of [...this.#creations]) creation.aborter.abort(closed);

		await this.#until(() => this.#leased.size + this.#creating + this.#destroying === 0, graceMs);
		const held = this.#holders();
		const creating = this.#creating;
		for (const member of this.#leased) {
			this.#leased.delete(member);
			this.#destroy(member, "closed");
		}
		this.#overdueWatch?.stop();
		for (const { timer } of this.#creations) clearTimeout(timer);
		await this.#until(() => this.#destroying === 0, this.#limits.destroyMs);
		return { held, creating };
	}

	get #creating(): number {
		return this.#creations.size + this.#abandoned.size;
	}

	/** Its timer keeps the process alive: somebody waits for the report, and it is bounded. */
	#until(quiet: () => boolean, withinMs: number): Promise<void> {
		if (quiet() || withinMs === 0) return Promise.resolve();
		return new Promise((resolve) => {
			const done = (): void => {
				clearTimeout(timer);
				this.#wake = undefined;
				resolve();
			};
			const timer = setTimeout(done, withinMs);
			this.#wake = () => {
				if (quiet()) done();
			};
		});
	}

	#holders(): Holder[] {
		const nowMs = performance.now();
		return [...this.#leased].map((member) => holderOf(member, nowMs));
	}

	#state(): PoolState {
		const [oldest] = this.#leased;
		const holder = oldest === undefined ? undefined : holderOf(oldest, performance.now());
		return {
			max: this.#limits.max,
			leased: this.#leased.size,
			waiting: this.#waiting.size,
			creating: this.#creations.size,
			abandoned: this.#abandoned.size,
			oldestLeaseMs: holder?.heldMs,
			oldestLeaseStack: holder?.stack,
		};
	}

	/** In a microtask: what it throws must not end a change of the pool half way. */
	#tell(error: unknown, during: "create" | "check" | "destroy" | "idle" | "lease"): void {
		if (this.#options.onError !== undefined) queueMicrotask(() => this.#options.onError?.(error, during));
	}
}

function holderOf<T>({ leaseNumber, leasedMs, askedAt }: Member<T>, nowMs: number): Holder {
	return { lease: leaseNumber, heldMs: nowMs - leasedMs, stack: askedAt };
}

/** What a function of the user's gives, or throws, at once or later. */
async function promised<R>(work: () => R | PromiseLike<R>): Promise<R> {
	return await work();
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
	return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
