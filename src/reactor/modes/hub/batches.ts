/**
 * Messages as they go to subscribers who have had all that came before: copied once out of the log into scratch memory, and sent from
 * there to one after the other. One batch for each protocol, good for as long as nobody else uses that memory.
 */

import type { HubFigures } from "../../../channels/figures.js";
import { type ChannelLog, FLAG_SUPERSEDED, NOWHERE } from "../../../channels/log.js";
import { PROTOCOLS } from "../../../channels/protocols.js";
import { OUT_AT, SCRATCH_BYTES } from "../../memory/arena.js";
import type { HubChannel } from "./hub-channel.js";

/** A multiple of eight. */
const BATCH_BYTES = Math.floor((SCRATCH_BYTES - OUT_AT) / PROTOCOLS / 8) * 8;
/** Messages in one: who takes a part of it is found out by going through them. */
const MESSAGES_MAX = 32;

export class Batch {
	/** Where it lies in scratch memory. */
	readonly at: number;
	/** How many messages of its channel somebody has had whom it is for. */
	from = 0;
	bytes = 0;
	messages = 0;
	/** Of messages for whom a newer one stands. */
	conflated = 0;
	/** Behind each message: where its bytes end; how far in the channel a subscriber is that has had it. */
	readonly ends = new Float64Array(MESSAGES_MAX);
	readonly had = new Float64Array(MESSAGES_MAX);
	readonly hadBytes = new Float64Array(MESSAGES_MAX);
	/** How many before it a newer one stood for, up to each. */
	readonly conflatedSoFar = new Float64Array(MESSAGES_MAX);
	/** The position of the message behind each, in the log. */
	readonly next = new Float64Array(MESSAGES_MAX);
	/** The first message that there was no room for; NOWHERE: all that there was is in it. */
	rest = NOWHERE;
	/** When the first one was published. */
	publishedMs = 0;
	/** How often it went as a whole. */
	sent = 0;

	constructor(at: number) {
		this.at = at;
	}
}

export class Batches {
	readonly #batches: readonly Batch[];
	#channel: HubChannel | undefined;
	/** Which of them hold something, one bit for each protocol; and which were found to have nothing that can be sent so. */
	#made = 0;
	#empty = 0;

	constructor() {
		this.#batches = Array.from(
			{ length: PROTOCOLS },
			(_, protocol) => new Batch(OUT_AT + protocol * BATCH_BYTES),
		);
	}

	/** What subscribers of this channel are sent that have had what came before its anchor; `undefined`: they are looked at one by one. */
	find(
		log: ChannelLog,
		reactor: number,
		memory: Uint8Array,
		channel: HubChannel,
		protocol: number,
	): Batch | undefined {
		const bit = 1 << protocol;
		if (this.#channel === channel && (this.#made & bit) !== 0) return this.#batches[protocol];
		if (this.#channel === channel && (this.#empty & bit) !== 0) return undefined;
		this.#channel = channel;
		const batch = this.#batches[protocol] as Batch;
		if (fill(log, reactor, memory, channel, protocol, batch)) {
			this.#made |= bit;
			return batch;
		}
		this.#empty |= bit;
		return undefined;
	}

	/** They are good no more: somebody else uses their memory, or another channel has its turn. Counts what they were. */
	end(figures: HubFigures, nowMs: number): void {
		const channel = this.#channel;
		this.#channel = undefined;
		const made = this.#made;
		this.#made = 0;
		this.#empty = 0;
		if (channel === undefined || made === 0) return;
		const { rule } = channel.terms;
		for (const [protocol, batch] of this.#batches.entries()) {
			if ((made & (1 << protocol)) === 0 || batch.sent === 0) continue;
			figures.addToRule(rule, "delivered", batch.sent * batch.messages);
			if (batch.conflated > 0) figures.addToRule(rule, "conflated", batch.sent * batch.conflated);
			figures.tookMs(nowMs - batch.publishedMs, batch.sent * batch.messages);
			batch.sent = 0;
		}
	}
}

/** False: there is none. */
function fill(
	log: ChannelLog,
	reactor: number,
	memory: Uint8Array,
	{ terms, anchor }: HubChannel,
	protocol: number,
	batch: Batch,
): boolean {
	batch.sent = 0;
	batch.bytes = 0;
	batch.messages = 0;
	batch.conflated = 0;
	batch.rest = NOWHERE;
	if (terms.paceMs > 0 || anchor === NOWHERE || !log.beginRead(reactor, anchor)) return false;
	const had = log.index(anchor) - 1;
	batch.from = had;
	copy(log, memory, terms.policy === "conflate", anchor, protocol, batch);
	log.endRead(reactor);
	return batch.messages > 0;
}

function copy(
	log: ChannelLog,
	memory: Uint8Array,
	conflates: boolean,
	anchor: number,
	protocol: number,
	batch: Batch,
): void {
	batch.publishedMs = log.publishedMs(anchor);
	let passed = 0;
	for (let position = anchor; position !== NOWHERE; ) {
		const next = log.next(position);
		if (conflates && (log.flags(position) & FLAG_SUPERSEDED) !== 0) passed++;
		else {
			const bytes = log.encodingBytes(position, protocol);
			if (batch.bytes + bytes > BATCH_BYTES || batch.messages === MESSAGES_MAX) {
				batch.rest = position;
				return;
			}
			const from = log.encodingAt(position, protocol);
			memory.set(log.ring.subarray(from, from + bytes), batch.at + batch.bytes);
			batch.bytes += bytes;
			batch.conflated += passed;
			passed = 0;
			const index = batch.messages++;
			batch.ends[index] = batch.bytes;
			batch.had[index] = log.index(position);
			batch.hadBytes[index] = log.bytesSoFar(position);
			batch.next[index] = next;
			batch.conflatedSoFar[index] = batch.conflated;
		}
		position = next;
	}
}
