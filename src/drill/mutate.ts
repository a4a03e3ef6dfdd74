/** Damage to bytes, from a seed: the same seed does the same damage. */
import type { Random } from "../rig/random.js";

/** Up to so many kinds of damage are done to one message. */
const DAMAGES_MAX = 4;

/** A copy with some bytes changed, a piece cut out, doubled or inserted, or the end missing. Never empty. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
	let damaged: Uint8Array = bytes.slice();
	const times = 1 + random.below(DAMAGES_MAX);
	for (let i = 0; i < times; i++) damaged = damage(damaged, random);
	return damaged.length === 0 ? Uint8Array.of(random.below(256)) : damaged;
}

function damage(bytes: Uint8Array, random: Random): Uint8Array {
	if (bytes.length === 0) return bytes;
	// Half of it near the front, where lengths and types stand.
	const at = random.chance(0.5) ? random.below(Math.min(64, bytes.length)) : random.below(bytes.length);
	const length = Math.min(bytes.length - at, 1 + random.below(32));
	switch (random.below(5)) {
		case 0:
			bytes[at] = random.below(256);
			return bytes;
		case 1:
			// One bit: the change that checks of ranges miss.
			bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
			return bytes;
		case 2:
			return join(bytes.subarray(0, at), bytes.subarray(at + length));
		case 3:
			return join(bytes.subarray(0, at + length), bytes.subarray(at));
		default:
			return random.chance(0.5)
				? bytes.slice(0, at)
				: join(bytes.subarray(0, at), noise(length, random), bytes.subarray(at));
	}
}

function noise(length: number, random: Random): Uint8Array {
	return Uint8Array.from({ length }, () => random.below(256));
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
	const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
	let at = 0;
	for (const part of parts) {
		joined.set(part, at);
		at += part.length;
	}
	return joined;
}
