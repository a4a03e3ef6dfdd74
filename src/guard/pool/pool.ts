/** Lends a bounded number of resources, and gets every one of them back. */
import { fractionFor } from "../../parts/jitter.js";
import { stackHere } from "../stack.js";
import { toMs } from "../units.js";
import { Destructions } from "./destructions.js";
import { PoolClosed, PoolExhausted, type PoolState, PoolTimeout } from "./errors.js";
import type { Holder, Lease } from "./lease.js";
import { Leases } from "./leases.js";
import { Line, type Waiter } from "./line.js";
import { Member, type Watcher } from "./member.js";
import {
	type AcquireOptions,
	type DestroyReason,
	type PoolCloseOptions,
	type PoolOptions,
	type Resolved,
	resolve,
} from "./options.js";
import { Quiet } from "./quiet.js";
import { Shelf } from "./shelf.js";
import type { PoolClosing, PoolStats } from "./stats.js";

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

	readonly #shelf: Shelf<T>;
	readonly #leases: Leases<T>;
	readonly #destructions: Destructions<T>;
	readonly #creations = new Set<Supply<T>>();
	readonly #abandoned = new Set<Supply<T>>();
	readonly #checks = new Map<Supply<T>, Member<T>>();
	/** While somebody waits and no supply is under way for them, nothing is idle. */
	readonly #line = new Line<T>(() => this.#changed());

	#started = 0;
	#created = 0;
	#failed = 0;

	#closed = false;
	#closing: Promise<PoolClosing> | undefined;
	readonly #quiet = new Quiet();
	readonly #watcher: Watcher<T> = { died: (member, error) => this.#died(member, error) };

	/** Makes nothing yet. Throws OptionError. */
	constructor(options: PoolOptions<T>) {
		this.#limits = resolve(options);
		this.#options = options;
		this.#shelf = new Shelf(this.#limits, {
			destroy: (member, reason) => this.#destroy(member, reason),
			swept: () => this.#changed(),
		});
		this.#leases = new Leases(options, this.#limits, (member, reason, error) => {
			if (error !== undefined) this.#tell(error, "lease");
			this.#returned(member, reason);
		});
		this.#destructions = new Destructions(
			options,
			this.#limits.destroyMs,
			(error) => this.#tell(error, "destroy"),
			() => this.#changed(),
		);
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
		if (this.#options.check === undefined && this.#line.size === 0) {
			const member = this.#shelf.take();
			if (member !== undefined) return this.#leases.lend(member, askedAt);
		}
		if (!this.#mayWait()) throw new PoolExhausted(this.#state());
		const lease = this.#line.wait(askedAt, signal, deadlineMs, () => {
			const others = { ...this.#state(), waiting: this.#line.size - 1 };
			return new PoolTimeout("acquire", deadlineMs, others);
		});
		this.#supply();
		return lease;
	}

	/** Counts of now. */
	stats(): PoolStats {
		return {
			size: this.#size,
			creating: this.#creations.size,
			checking: this.#checks.size,
			idle: this.#shelf.size,
			leased: this.#leases.size,
			destroying: this.#destructions.underWay,
			waiting: this.#line.size,
			started: this.#started,
			created: this.#created,
			failed: this.#failed,
			abandoned: this.#abandoned.size,
			leases: this.#leases.begun,
			destroyed: this.#destructions.counts,
		};
	}

	/** Leases that have lasted `leaseMs` or longer, the oldest first. Most likely, somebody forgot to return them. */
	leaks(): Holder[] {
		return this.#leases.holders().filter(({ heldMs }) => heldMs >= this.#limits.leaseMs);
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
			this.#creations.size +
			this.#checks.size +
			this.#shelf.size +
			this.#leases.size +
			this.#destructions.underWay
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
		const waitingInVain = this.#line.size - this.#supplies;
		if (waitingInVain < 0 || this.#shelf.size > 0 || this.#mayCreate) return true;
		return waitingInVain < this.#limits.maxWaiting;
	}

	/** Begins as much as those who wait need and the bounds allow. Called after each change. */
	#supply(): void {
		while (this.#line.size > this.#supplies) {
			// There is one: each supply was begun for one waiter at most.
			const waiter = this.#line.unsupplied;
			if (waiter === undefined) return;
			const member = this.#shelf.take();
			if (member !== undefined) {
				if (this.#options.check === undefined) this.#offer(member);
				else this.#check(member, waiter);
			} else if (this.#mayCreate) this.#create(waiter);
			else return;
		}
	}

	#create(waiter: Waiter<T>): void {
		this.#line.supply(waiter);
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
		// Counted after that: this one has not been told yet, and may well end with its signal.
		const error = new PoolTimeout("create", this.#limits.createMs, this.#state());
		this.#abandoned.add(creation);
		creation.aborter.abort(error);
		this.#line.giveUp(creation.waiter, error);
	}

	#arrived(creation: Supply<T>, resource: T): void {
		clearTimeout(creation.timer);
		this.#abandoned.delete(creation);
		const inTime = this.#creations.delete(creation);
		this.#line.unsupply(creation.waiter);
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
		if (this.#creations.delete(creation) && !this.#line.has(waiter) && !this.#closed)
			this.#tell(error, "create");
		this.#abandoned.delete(creation);
		this.#line.giveUp(waiter, error);
	}

	#check(member: Member<T>, waiter: Waiter<T>): void {
		this.#line.supply(waiter);
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
		this.#line.unsupply(check.waiter);
		// Its check may have said so before it ended, and its `close` be still to come.
		const reason = fault ?? (member.ended ? "died" : undefined);
		if (reason === undefined) this.#offer(member);
		else this.#destroy(member, reason);
		this.#changed();
	}

	/** To the one who has waited longest, else to the idle ones. */
	#offer(member: Member<T>): void {
		const waiter = this.#line.next();
		if (waiter === undefined) this.#shelf.put(member);
		else waiter.resolve(this.#leases.lend(member, waiter.askedAt));
	}

	/** A lease ends, once. When the pool was closed meanwhile, and its grace is over, the resource is gone already. */
	#returned(member: Member<T>, reason: DestroyReason | undefined): void {
		if (!this.#leases.end(member)) return;
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
			this.#shelf.remove(member);
			this.#changed();
		}
	}

	#destroy(member: Member<T>, reason: DestroyReason): void {
		this.#destructions.destroy(member, reason);
	}

	#changed(): void {
		this.#supply();
		this.#quiet.changed();
	}

	async #close(graceMs: number): Promise<PoolClosing> {
		this.#closed = true;
		const closed = new PoolClosed();
		for (let waiter = this.#line.next(); waiter !== undefined; waiter = this.#line.next())
			waiter.reject(closed);
		this.#shelf.clear();
		for (const check of [...this.#checks.keys()]) {
			this.#checked(check, "closed");
			check.aborter.abort(closed);
		}
		for (const creation of [...this.#creations]) creation.aborter.abort(closed);

		const isQuiet = (): boolean => this.#leases.size + this.#creating + this.#destructions.underWay === 0;
		await this.#quiet.until(isQuiet, graceMs);
		const held = this.#leases.holders();
		const creating = this.#creating;
		for (const member of this.#leases.endAll()) this.#destroy(member, "closed");
		for (const { timer } of this.#creations) clearTimeout(timer);
		await this.#quiet.until(() => this.#destructions.underWay === 0, this.#limits.destroyMs);
		return { held, creating };
	}

	get #creating(): number {
		return this.#creations.size + this.#abandoned.size;
	}

	#state(): PoolState {
		const holder = this.#leases.oldest();
		return {
			max: this.#limits.max,
			leased: this.#leases.size,
			waiting: this.#line.size,
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

/** What a function of the user's gives, or throws, at once or later. */
async function promised<R>(work: () => R | PromiseLike<R>): Promise<R> {
	return await work();
}
