/** What was dropped, and why. */
import type { Tally } from "./lane.js";
import type { Amount } from "./options.js";

/**
 * Why messages were dropped: `evicted` waited and made room, `refused` found none, `conflated` were replaced by a newer one of their
 * key, `too_large` exceeded `bytesMax`, `closed` waited when the outbox was closed.
 */
export type DropCause = "evicted" | "refused" | "conflated" | "too_large" | "closed";

/** All that was dropped. */
export interface Dropped extends Amount {
	/** By cause; all of them are there. */
	readonly by: Readonly<Record<DropCause, Amount>>;
}

/** The causes that have come up so far: most outboxes drop nothing. */
export type Drops = Partial<Record<DropCause, Tally>>;

/** One more, of so many bytes. */
export function drop(drops: Drops, cause: DropCause, bytes: number): void {
	drops[cause] ??= { messages: 0, bytes: 0 };
	const tally = drops[cause];
	tally.messages++;
	tally.bytes += bytes;
}

/** The sum, and all causes. */
export function sumUp(drops: Drops | undefined): Dropped {
	const of = (cause: DropCause): Amount => ({ messages: 0, bytes: 0, ...drops?.[cause] });
	const by = {
		evicted: of("evicted"),
		refused: of("refused"),
		conflated: of("conflated"),
		too_large: of("too_large"),
		closed: of("closed"),
	};
	let messages = 0;
	let bytes = 0;
	for (const amount of Object.values(by)) {
		messages += amount.messages;
		bytes += amount.bytes;
	}
	return { messages, bytes, by };
}
