/** What a pool is told, and what that means in numbers. */
import { tracesByDefault } from "../stack.js";
import { type Duration, OptionError, requireKnown, toCount, toMs } from "../units.js";
import type { Holder } from "./lease.js";

/**
 * Why a resource was destroyed: `idle` unused for `idleMs`; `surplus` more than `maxIdle` were idle; `age` and `uses` recycled;
 * `unhealthy` its check failed; `died` it closed by itself; `discarded` by its borrower; `leaked` its lease was garbage
 * collected; `late` it came after `createMs` and there was no place left; `closed` the pool was closed.
 */
export type DestroyReason = (typeof DESTROY_REASONS)[number];

/** All of them. */
export const DESTROY_REASONS = [
	"idle",
	"surplus",
	"age",
	"uses",
	"unhealthy",
	"died",
	"discarded",
	"leaked",
	"late",
	"closed",
] as const;

/** How a pool makes, keeps and gives up its resources. Durations are milliseconds, or texts such as `"30s"`. */
export interface PoolOptions<T> {
	/**
	 * Makes one. The signal is aborted after `createMs` and when the pool closes. A resource that comes all the same is used if
	 * there is a place, and destroyed if not. What it throws goes to the one for whom it was made. At most `2 * max` go on at
	 * once, those included that ignore their signal: until one of them ends, none is begun, and borrowers wait for what is given back.
	 */
	create(signal: AbortSignal): T | PromiseLike<T>;
	/** Ends one; called exactly once for each that was made. Its place is free when this is done, or after `destroyMs`. */
	destroy(resource: T, reason: DestroyReason): unknown;
	/**
	 * Whether one that was idle can still be used; asked before it is lent. `false`, an error or no answer within `checkMs`
	 * destroy it, and the next one is tried. Default: none, each is taken as good.
	 */
	check?(resource: T, signal: AbortSignal): boolean | PromiseLike<boolean>;
	/** At most so many exist, those that are being made or destroyed included. Default 10. */
	readonly max?: number;
	/** At most so many acquire() calls wait for a place; the next one gets PoolExhausted. 0: nobody waits. Default 100. */
	readonly maxWaiting?: number;
	/** At most so many stay idle; what is given back beyond that is destroyed. Default `max`. */
	readonly maxIdle?: number;
	/** How long acquire() waits, check and creation included, when it is not told. Default `"10s"`. */
	readonly deadline?: Duration;
	/** How long a creation may take. Default `"10s"`. */
	readonly createMs?: Duration;
	/** How long a check may take. Default `"1s"`. */
	readonly checkMs?: Duration;
	/** How long a destruction keeps its place at most. Default `"5s"`. */
	readonly destroyMs?: Duration;
	/** Destroyed after so long without use. Default `"30s"`; keep it below the other side's own idle timeout. */
	readonly idleMs?: Duration;
	/** Recycled at this age, once it is given back. Default: never. */
	readonly ageMs?: Duration;
	/** Recycled after so many leases. Default: never. */
	readonly maxUses?: number;
	/** How much sooner `ageMs` and `maxUses` may come, 0 to 1, so that what began together does not end together. Default 0.2. */
	readonly jitter?: number;
	/** From when on a lease is listed by `leaks()`, and told to `onOverdue`. Default `"60s"`. */
	readonly leaseMs?: Duration;
	/** Whether the stacks of borrowers are kept, which costs microseconds a lease. Default: unless NODE_ENV is `production`. */
	readonly trace?: boolean;
	/** Told when a lease was garbage collected without being returned. Its resource is destroyed. Default: a warning of the process. */
	onLeak?(holder: Holder): void;
	/** Told once of each lease that has lasted `leaseMs` and is not returned. Default: nobody is told. */
	onOverdue?(holder: Holder): void;
	/**
	 * Told of faults that nobody waits for: of destroy(), of check(), of creations whose waiter has left, of idle resources that
	 * emit `error`, and what was passed to `lease.discard(error)`. Default: nobody is told.
	 */
	onError?(error: unknown, during: "create" | "check" | "destroy" | "idle" | "lease"): void;
}

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

/** The same with defaults, in milliseconds and counts. */
export interface Resolved {
	readonly max: number;
	readonly maxWaiting: number;
	readonly maxIdle: number;
	readonly deadlineMs: number;
	readonly createMs: number;
	readonly checkMs: number;
	readonly destroyMs: number;
	readonly idleMs: number;
	readonly ageMs: number;
	readonly maxUses: number;
	readonly jitter: number;
	readonly leaseMs: number;
	readonly trace: boolean;
}

const KNOWN: readonly (keyof PoolOptions<unknown>)[] = [
	...([
		"create",
		"destroy",
		"check",
		"max",
		"maxWaiting",
		"maxIdle",
		"deadline",
		"createMs",
		"checkMs",
	] as const),
	...(["destroyMs", "idleMs", "ageMs", "maxUses", "jitter", "leaseMs", "trace"] as const),
	...(["onLeak", "onOverdue", "onError"] as const),
];

/** Throws OptionError. */
export function resolve<T>(options: PoolOptions<T>): Resolved {
	requireKnown("", options, KNOWN);
	for (const name of ["create", "destroy"] as const)
		if (typeof options[name] !== "function")
			throw new OptionError(name, options[name], "expected a function");
	const max = toCount("max", options.max ?? 10);
	const jitter = options.jitter ?? 0.2;
	if (!(jitter >= 0 && jitter <= 1)) throw new OptionError("jitter", jitter, "expected a number from 0 to 1");
	const { ageMs, maxUses } = options;
	return {
		max,
		maxWaiting: toCount("maxWaiting", options.maxWaiting ?? 100, 0),
		maxIdle: toCount("maxIdle", options.maxIdle ?? max, 0),
		deadlineMs: toMs("deadline", options.deadline ?? "10s"),
		createMs: toMs("createMs", options.createMs ?? "10s"),
		checkMs: toMs("checkMs", options.checkMs ?? "1s"),
		destroyMs: toMs("destroyMs", options.destroyMs ?? "5s"),
		idleMs: toMs("idleMs", options.idleMs ?? "30s"),
		ageMs: ageMs === undefined ? Number.POSITIVE_INFINITY : toMs("ageMs", ageMs),
		maxUses: maxUses === undefined ? Number.POSITIVE_INFINITY : toCount("maxUses", maxUses),
		jitter,
		leaseMs: toMs("leaseMs", options.leaseMs ?? "60s"),
		trace: options.trace ?? tracesByDefault(),
	};
}
