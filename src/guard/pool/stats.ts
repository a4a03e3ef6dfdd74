/** What a pool tells of itself. */
import type { Holder } from "./lease.js";
import type { DestroyReason } from "./options.js";

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
