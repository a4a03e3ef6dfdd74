/** Damage to bytes, from a seed: the same seed does the same damage. */

/** Numbers from 0 to 1 from a seed (mulberry32). */
export function seeded(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** Up to so many kinds of damage are done to one message. */
const DAMAGES_MAX = 4;

/** A copy with some bytes changed, a piece cut out, doubled or inserted, or the end missing. Never empty. */
export function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
	let damaged: Uint8Array = bytes.slice();
	const times = 1 + below(DAMAGES_MAX, random);
	for (let i = 0; i < times; i++) damaged = damage(damaged, random);
	return damaged.length === 0 ? Uint8Array.of(below(256, random)) : damaged;
}

function damage(bytes: Uint8Array, random: () => number): Uint8Array {
	if (bytes.length === 0) return bytes;
	// Half of it near the front, where lengths and types stand.
	const at = random() < 0.5 ? below(Math.min(64, bytes.length), random) : below(bytes.length, random);
	const length = Math.min(bytes.length - at, 1 + below(32, random));
	switch (below(5, random)) {
		case 0:
			bytes[at] = below(256, random);
			return bytes;
		case 1:
			// One bit: the change that checks of ranges miss.
			bytes[at] = (bytes[at] as number) ^ (1 << below(8, random));
			return bytes;
		case 2:
			return join(bytes.subarray(0, at), bytes.subarray(at + length));
		case 3:
			return join(bytes.subarray(0, at + length), bytes.subarray(at));
		default:
			return random() < 0.5
				? bytes.slice(0, at)
				: join(bytes.subarray(0, at), noise(length, random), bytes.subarray(at));
	}
}

function below(bound: number, random: () => number): number {
	return Math.floor(random() * bound);
}

function noise(length: number, random: () => number): Uint8Array {
	return Uint8Array.from({ length }, () => below(256, random));
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
