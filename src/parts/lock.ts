/** A lock in memory that threads share, held for some hundred nanoseconds. */

/** Attempts until a thread stops burning its core for a lock: a holder was preempted. */
const SPINS_MAX = 1_000;
const LOCK_WAIT_MS = 1;

export function lock(locks: Int32Array, index: number): void {
	for (let spins = 0; Atomics.compareExchange(locks, index, 0, 1) !== 0; spins++)
		if (spins >= SPINS_MAX) Atomics.wait(locks, index, 1, LOCK_WAIT_MS);
}

export function unlock(locks: Int32Array, index: number): void {
	Atomics.store(locks, index, 0);
}
