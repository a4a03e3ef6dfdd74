/**
 * Random bytes that nobody can guess, a few at a time: a call of Node's generator costs some microseconds however few it gives, so
 * many are made at once. What was given is wiped, and never given again.
 */
import { randomFillSync } from "node:crypto";

const POOL_BYTES = 4_096;

const pool = new Uint8Array(POOL_BYTES);
let given = POOL_BYTES;

export function fillRandom(target: Uint8Array, at: number, count: number): void {
	if (count > POOL_BYTES) throw new RangeError(`${count} bytes: ${POOL_BYTES} at the most`);
	if (given + count > POOL_BYTES) {
		randomFillSync(pool);
		given = 0;
	}
	target.set(pool.subarray(given, given + count), at);
	pool.fill(0, given, given + count);
	given += count;
}

export function takeRandom(count: number): Uint8Array {
	const bytes = new Uint8Array(count);
	fillRandom(bytes, 0, count);
	return bytes;
}
