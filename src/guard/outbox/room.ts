/** Who makes room for a message where there is none. */
import type { Entry, Lane } from "./lane.js";
import type { OutboxPolicy } from "./options.js";

/** The lines that make room for a message of the high or the low one, first the one that goes first. */
export function evictable(policy: OutboxPolicy, isHigh: boolean, high: Lane, low: Lane): readonly Lane[] {
	if (policy === "disconnect") return [];
	if (policy === "drop-newest") return isHigh ? [low] : [];
	return isHigh ? [low, high] : [low];
}

/** What is to be freed, and for whom. */
export interface Shortage {
	overBytes: number;
	overMessages: number;
	/** What the new message replaces: it goes in any case, and its bytes are taken off already. */
	readonly old: Entry | undefined;
}

/** Evicts no more than it must of these lines. False: they have not enough, and nobody was evicted. */
export function evictFor(
	shortage: Shortage,
	lanes: readonly Lane[],
	policy: OutboxPolicy,
	evict: (entry: Entry) => void,
): boolean {
	const { old } = shortage;
	let freeBytes = 0;
	let freeMessages = 0;
	for (const { bytes, size } of lanes) {
		freeBytes += bytes;
		freeMessages += size;
	}
	if (old !== undefined && lanes.includes(old.lane)) {
		freeBytes -= old.message.bytes;
		freeMessages--;
	}
	// Nobody is evicted for one that does not fit even so.
	if (freeBytes < shortage.overBytes || freeMessages < shortage.overMessages) return false;

	for (const from of lanes)
		while (shortage.overBytes > 0 || shortage.overMessages > 0) {
			const entry = nextToGo(from, policy, old);
			if (entry === undefined) break;
			shortage.overBytes -= entry.message.bytes;
			shortage.overMessages--;
			evict(entry);
		}
	return true;
}

function nextToGo(lane: Lane, policy: OutboxPolicy, old: Entry | undefined): Entry | undefined {
	if (policy === "drop-newest") return lane.last;
	return lane.first === old ? old?.next : lane.first;
}
