/**
 * The messages that were published last, of all channels, in one piece of memory that threads share: the main thread appends, and
 * reactors send from where a message lies. A message stands there once for each protocol, and never moves; when the log is full, the
 * oldest go, whoever has not had them.
 *
 *     position    counts bytes and never goes back; the place in the ring is the position modulo its size
 *
 *         tail                                                          head
 *     ┌────▼──────────────────────────────────────────────────────────────▼────┐
 *     │ …  │ entry │ entry │ entry │ entry │ …                      │ entry │ …│
 *     └────────────────────────────────────────────────────────────────────────┘
 *          channel 3 ──────────────► 3 ──────────► 3        each entry knows the next one of its channel
 *
 * **Who reads is not read over.** A reactor says from which position on it reads, looks whether that is still there, reads, and says
 * that it is done. The main thread moves the tail first, and writes only when no reactor is behind it. A reactor reads for as long as
 * one call of its kernel takes.
 */
import { assert } from "../parts/assert.js";
import { f64 } from "../parts/at.js";
import { PROTOCOLS } from "./protocols.js";

/** No position: of a channel without messages, of a reactor that does not read. */
export const NOWHERE = -1;

// An entry's header, in doubles: then come its encodings, one behind the other.
/** Counts all messages. */
const SEQUENCE = 0;
/** Counts those of its channel, from 1 on. */
const INDEX = 1;
/** The position of the next one of its channel; NOWHERE: it is the newest. */
const NEXT = 2;
/** Bytes of its channel's messages so far, itself included: as published. */
const BYTES_SO_FAR = 3;
/** When it was published, on the kernel's clock. */
const PUBLISHED_MS = 4;
/** Its channel; and one of the FLAG numbers, added up. */
const CHANNEL = 5;
const FLAGS = 6;
/** Its bytes as it was published. */
const PAYLOAD = 7;
/** Messages of its channel so far that may be dropped before others, itself included, and their bytes. */
const LOW_SO_FAR = 8;
const LOW_BYTES_SO_FAR = 9;
/** How long each encoding is, and the whole entry. */
const LENGTHS = 10;
const ENTRY_BYTES = LENGTHS + PROTOCOLS;
const HEADER_DOUBLES = ENTRY_BYTES + 1;
const HEADER_BYTES = 8 * HEADER_DOUBLES;

/** It may be dropped before others. */
export const FLAG_LOW = 1;
/** A newer one of its channel has the same key. */
export const FLAG_SUPERSEDED = 2;
/** It was published as bytes, and not as text. */
export const FLAG_BINARY = 4;

// Of each channel, in doubles.
const OLDEST = 0;
const NEWEST = 1;
const COUNT = 2;
const CHANNEL_BYTES = 3;
const LOW_COUNT = 4;
const LOW_BYTES = 5;
/** The sequence of the last one that is gone, or may be; 0: none is. */
const GONE = 6;
/** What holds for its subscribers: where their outboxes end, and how many milliseconds pass between two messages at least; 0: none. */
const POLICY = 7;
const OUTBOX_MESSAGES = 8;
const OUTBOX_BYTES = 9;
const PACE_MS = 10;
/** What its messages and its subscribers are counted for. */
const RULE = 11;
const CHANNEL_DOUBLES = 12;

// Of the log, in 64 bits each, so that a store and a load are whole: what is before the tail is gone, and what is before the head is
// written to its end.
const TAIL = 0;
const HEAD = 1;
const LOG_WORDS = 2;

/** What is left of the ring is too short for an entry: the next one begins at its start. */
const SKIP = -2;

export interface LogSizes {
	/** Bytes of the ring: a multiple of 8. */
	readonly bytes: number;
	readonly channels: number;
	readonly reactors: number;
}

/** What becomes of a subscriber that is too far behind: `subscription.ts` says what each of them does. In the order of its numbers. */
export const SLOW_POLICIES = ["drop-oldest", "drop-newest", "conflate", "disconnect"] as const;
export type SlowPolicy = (typeof SLOW_POLICIES)[number];

/** Of a channel. One object serves one reactor. */
export interface OutboxBounds {
	policy: SlowPolicy;
	/** Messages, and bytes as published, that may wait for one subscriber. */
	messages: number;
	bytes: number;
}

/** What holds for the subscribers of a channel. */
export interface ChannelTerms extends OutboxBounds {
	/** Between two messages for one of them pass so many milliseconds, after as many as go in a second; 0: none. */
	paceMs: number;
	rule: number;
}

export class ChannelLog {
	readonly buffer: SharedArrayBuffer;
	/** The ring: encodings lie in it (`encodingAt`). */
	readonly ring: Uint8Array;
	readonly #words: Float64Array;
	readonly #ends: BigInt64Array;
	readonly #channels: Float64Array;
	/** From which position on each reactor reads. */
	readonly #reads: BigInt64Array;
	/** 1: the reactor has been woken, and has not looked since. */
	readonly #woken: Int32Array;
	readonly #bytes: number;
	/** The head, as the main thread has it, and as a reactor has looked last. */
	#head = 0;

	/** With a buffer: another thread's view. */
	constructor({ bytes, channels, reactors }: LogSizes, buffer?: SharedArrayBuffer) {
		assert(bytes % 8 === 0 && bytes > HEADER_BYTES, "a ring holds whole words, and an entry");
		const readsAt = 8 * LOG_WORDS;
		const wokenAt = readsAt + 8 * reactors;
		const channelsAt = wokenAt + 8 * reactors;
		const ringAt = channelsAt + 8 * CHANNEL_DOUBLES * channels;
		this.buffer = buffer ?? new SharedArrayBuffer(ringAt + bytes);
		this.#bytes = bytes;
		this.#ends = new BigInt64Array(this.buffer, 0, LOG_WORDS);
		this.#reads = new BigInt64Array(this.buffer, readsAt, reactors);
		this.#woken = new Int32Array(this.buffer, wokenAt, reactors);
		this.#channels = new Float64Array(this.buffer, channelsAt, CHANNEL_DOUBLES * channels);
		this.ring = new Uint8Array(this.buffer, ringAt, bytes);
		this.#words = new Float64Array(this.buffer, ringAt, bytes / 8);
		if (buffer !== undefined) return;
		this.#reads.fill(BigInt(NOWHERE));
		for (let channel = 0; channel < channels; channel++) this.clear(channel);
	}

	/**
	 * The channel has no messages: it is new, or its number is another's from now on. `gone`: the highest sequence that it may have had a
	 * message of before, when it was known by another number.
	 */
	clear(channel: number, gone = 0): void {
		const at = channel * CHANNEL_DOUBLES;
		this.#channels[at + OLDEST] = NOWHERE;
		this.#channels[at + NEWEST] = NOWHERE;
		this.#channels.fill(0, at + COUNT, at + CHANNEL_DOUBLES);
		this.#channels[at + GONE] = gone;
	}

	/** From now on this holds for the channel's subscribers. */
	setTerms(channel: number, { policy, messages, bytes, paceMs, rule }: ChannelTerms): void {
		const at = channel * CHANNEL_DOUBLES;
		this.#channels[at + POLICY] = SLOW_POLICIES.indexOf(policy);
		this.#channels[at + OUTBOX_MESSAGES] = messages;
		this.#channels[at + OUTBOX_BYTES] = bytes;
		this.#channels[at + PACE_MS] = paceMs;
		this.#channels[at + RULE] = rule;
	}

	readTerms(channel: number, out: ChannelTerms): void {
		const at = channel * CHANNEL_DOUBLES;
		out.policy = SLOW_POLICIES[f64(this.#channels, at + POLICY)] ?? "drop-oldest";
		out.messages = f64(this.#channels, at + OUTBOX_MESSAGES);
		out.bytes = f64(this.#channels, at + OUTBOX_BYTES);
		out.paceMs = f64(this.#channels, at + PACE_MS);
		out.rule = f64(this.#channels, at + RULE);
	}

	// What the main thread calls.

	/** The longest encodings, added up, that an entry may have: an eighth of the ring, so that one message does not empty it. */
	get encodedMax(): number {
		return Math.floor(this.#bytes / 8) - HEADER_BYTES;
	}

	/**
	 * Appends a message with its encodings, one for each protocol, and returns its position. `payloadBytes`: as it was published, which is
	 * what bounds count.
	 */
	append(
		channel: number,
		sequence: number,
		nowMs: number,
		flags: number,
		payloadBytes: number,
		encodings: readonly Uint8Array[],
	): number {
		let encoded = 0;
		for (const { length } of encodings) encoded += length;
		assert(
			encodings.length === PROTOCOLS && encoded <= this.encodedMax,
			"an entry has all encodings, and fits",
		);
		const length = HEADER_BYTES + 8 * Math.ceil(encoded / 8);
		const position = this.#room(length);
		const at = this.#wordOf(position);
		const of = channel * CHANNEL_DOUBLES;
		const index = f64(this.#channels, of + COUNT) + 1;
		const bytes = f64(this.#channels, of + CHANNEL_BYTES) + payloadBytes;
		const isLow = (flags & FLAG_LOW) !== 0;
		const low = f64(this.#channels, of + LOW_COUNT) + (isLow ? 1 : 0);
		const lowBytes = f64(this.#channels, of + LOW_BYTES) + (isLow ? payloadBytes : 0);
		this.#words[at + LOW_SO_FAR] = low;
		this.#words[at + LOW_BYTES_SO_FAR] = lowBytes;
		this.#channels[of + LOW_COUNT] = low;
		this.#channels[of + LOW_BYTES] = lowBytes;
		this.#words[at + SEQUENCE] = sequence;
		this.#words[at + INDEX] = index;
		this.#words[at + NEXT] = NOWHERE;
		this.#words[at + BYTES_SO_FAR] = bytes;
		this.#words[at + PUBLISHED_MS] = nowMs;
		this.#words[at + CHANNEL] = channel;
		this.#words[at + FLAGS] = flags;
		this.#words[at + PAYLOAD] = payloadBytes;
		this.#words[at + ENTRY_BYTES] = length;
		let byte = (position % this.#bytes) + HEADER_BYTES;
		for (const [protocol, encoding] of encodings.entries()) {
			this.#words[at + LENGTHS + protocol] = encoding.length;
			this.ring.set(encoding, byte);
			byte += encoding.length;
		}
		this.#publish(of, position, index, bytes);
		this.#setHead(position + length);
		return position;
	}

	/** Nobody goes there before the head is behind it. */
	#publish(of: number, position: number, index: number, bytes: number): void {
		const newest = f64(this.#channels, of + NEWEST);
		if (newest === NOWHERE || newest < this.tail) this.#channels[of + OLDEST] = position;
		else this.#words[this.#wordOf(newest) + NEXT] = position;
		this.#channels[of + COUNT] = index;
		this.#channels[of + CHANNEL_BYTES] = bytes;
		this.#channels[of + NEWEST] = position;
	}

	/** A newer message of its channel has the same key. */
	supersede(position: number): void {
		if (position < this.tail) return;
		const at = this.#wordOf(position) + FLAGS;
		this.#words[at] = f64(this.#words, at) | FLAG_SUPERSEDED;
	}

	/** Forgets the oldest messages of all channels that were published before; they are found no more. */
	forgetBefore(ms: number): void {
		while (this.tail < this.#head) {
			const at = this.#wordOf(this.tail);
			// Not behind what is left of the ring, which may be shorter than an entry.
			const isEntry = this.entryFrom(this.tail) === this.tail;
			if (isEntry && f64(this.#words, at + PUBLISHED_MS) >= ms) return;
			this.#drop(at);
		}
	}

	/** Makes room for an entry of so many bytes, in one piece. */
	#room(length: number): number {
		const place = this.#head % this.#bytes;
		const left = this.#bytes - place;
		if (left < length) {
			this.#free(left);
			const at = place / 8;
			if (left >= HEADER_BYTES) this.#words[at + ENTRY_BYTES] = SKIP;
			this.#setHead(this.#head + left);
		}
		this.#free(length);
		return this.#head;
	}

	#setHead(position: number): void {
		this.#head = position;
		Atomics.store(this.#ends, HEAD, BigInt(position));
	}

	/** Drops the oldest entries until the next `length` bytes are nobody's. */
	#free(length: number): void {
		const end = this.#head + length;
		if (end - this.tail <= this.#bytes) return;
		while (end - this.tail > this.#bytes) this.#drop(this.#wordOf(this.tail));
		// A reactor reads for as long as one system call takes.
		const tail = BigInt(this.tail);
		for (let reactor = 0; reactor < this.#reads.length; reactor++) {
			for (;;) {
				const reads = Atomics.load(this.#reads, reactor);
				if (reads === BigInt(NOWHERE) || reads >= tail) break;
			}
		}
	}

	#drop(at: number): void {
		const { tail } = this;
		const left = this.#bytes - (tail % this.#bytes);
		const isEntry = left >= HEADER_BYTES && f64(this.#words, at + ENTRY_BYTES) !== SKIP;
		if (isEntry) {
			const of = f64(this.#words, at + CHANNEL) * CHANNEL_DOUBLES;
			this.#channels[of + GONE] = f64(this.#words, at + SEQUENCE);
			if (f64(this.#channels, of + OLDEST) === tail)
				this.#channels[of + OLDEST] = f64(this.#words, at + NEXT);
		}
		const next = tail + (isEntry ? f64(this.#words, at + ENTRY_BYTES) : left);
		Atomics.store(this.#ends, TAIL, BigInt(next));
	}

	// What everybody may ask.

	/** Bytes that messages take which are there. */
	get usedBytes(): number {
		return this.#head - this.tail;
	}

	/** What is before it is gone. */
	get tail(): number {
		return Number(Atomics.load(this.#ends, TAIL));
	}

	/** The oldest message of a channel that is there; NOWHERE: there is none. */
	oldest(channel: number): number {
		return this.#there(f64(this.#channels, channel * CHANNEL_DOUBLES + OLDEST));
	}

	/** The newest one. */
	newest(channel: number): number {
		return this.#there(f64(this.#channels, channel * CHANNEL_DOUBLES + NEWEST));
	}

	/** All messages that the channel has had are gone. */
	isEmpty(channel: number): boolean {
		return f64(this.#channels, channel * CHANNEL_DOUBLES + NEWEST) < this.tail;
	}

	#there(position: number): number {
		return position < this.tail || position >= this.#head ? NOWHERE : position;
	}

	/** Messages that the channel has ever had, and their bytes as published. */
	count(channel: number): number {
		return f64(this.#channels, channel * CHANNEL_DOUBLES + COUNT);
	}

	bytes(channel: number): number {
		return f64(this.#channels, channel * CHANNEL_DOUBLES + CHANNEL_BYTES);
	}

	/** The same of those that may be dropped before others. */
	lowCount(channel: number): number {
		return f64(this.#channels, channel * CHANNEL_DOUBLES + LOW_COUNT);
	}

	lowBytes(channel: number): number {
		return f64(this.#channels, channel * CHANNEL_DOUBLES + LOW_BYTES);
	}

	/** The sequence of the channel's last message that is gone; 0: none is. */
	goneSequence(channel: number): number {
		return f64(this.#channels, channel * CHANNEL_DOUBLES + GONE);
	}

	/** True: the reactor has to be woken, for it has looked since it was woken last. */
	isToWake(reactor: number): boolean {
		return Atomics.exchange(this.#woken, reactor, 1) === 0;
	}

	// What a reactor calls.

	/** Whatever is appended from now on wakes this reactor again. Returns whether it was woken. */
	wasWoken(reactor: number): boolean {
		return Atomics.exchange(this.#woken, reactor, 0) === 1;
	}

	/** What has been appended until now can be found from now on. Returns the head. */
	look(): number {
		this.#head = Number(Atomics.load(this.#ends, HEAD));
		return this.#head;
	}

	/** Reads from a position on. False: it is gone, and nothing may be read. Behind true comes `endRead`. */
	beginRead(reactor: number, position: number): boolean {
		Atomics.store(this.#reads, reactor, BigInt(position));
		if (position >= this.tail) return true;
		this.endRead(reactor);
		return false;
	}

	endRead(reactor: number): void {
		Atomics.store(this.#reads, reactor, BigInt(NOWHERE));
	}

	// Of an entry that is being read.

	sequence(position: number): number {
		return f64(this.#words, this.#wordOf(position) + SEQUENCE);
	}

	index(position: number): number {
		return f64(this.#words, this.#wordOf(position) + INDEX);
	}

	/** The one of its channel behind it; NOWHERE: there is none so far. */
	next(position: number): number {
		return this.#there(f64(this.#words, this.#wordOf(position) + NEXT));
	}

	bytesSoFar(position: number): number {
		return f64(this.#words, this.#wordOf(position) + BYTES_SO_FAR);
	}

	/** The same without its own. */
	bytesBefore(position: number): number {
		return this.bytesSoFar(position) - f64(this.#words, this.#wordOf(position) + PAYLOAD);
	}

	/** Those before it that may be dropped before others, and their bytes. */
	lowBefore(position: number): number {
		return f64(this.#words, this.#wordOf(position) + LOW_SO_FAR) - (this.#isLow(position) ? 1 : 0);
	}

	lowBytesBefore(position: number): number {
		const at = this.#wordOf(position);
		const own = this.#isLow(position) ? f64(this.#words, at + PAYLOAD) : 0;
		return f64(this.#words, at + LOW_BYTES_SO_FAR) - own;
	}

	#isLow(position: number): boolean {
		return (this.flags(position) & FLAG_LOW) !== 0;
	}

	channelOf(position: number): number {
		return f64(this.#words, this.#wordOf(position) + CHANNEL);
	}

	/** The entry at a position or behind it, whatever its channel; the head, where there is none. */
	entryFrom(position: number): number {
		if (position >= this.#head) return this.#head;
		const left = this.#bytes - (position % this.#bytes);
		const isEntry = left >= HEADER_BYTES && f64(this.#words, this.#wordOf(position) + ENTRY_BYTES) !== SKIP;
		return isEntry ? position : Math.min(position + left, this.#head);
	}

	/** Where the entry ends: the next one begins there, or behind. */
	endOf(position: number): number {
		return position + f64(this.#words, this.#wordOf(position) + ENTRY_BYTES);
	}

	publishedMs(position: number): number {
		return f64(this.#words, this.#wordOf(position) + PUBLISHED_MS);
	}

	flags(position: number): number {
		return f64(this.#words, this.#wordOf(position) + FLAGS);
	}

	/** Where in `ring` its bytes for a protocol lie, and how many there are. */
	encodingAt(position: number, protocol: number): number {
		const at = this.#wordOf(position) + LENGTHS;
		let byte = (position % this.#bytes) + HEADER_BYTES;
		for (let each = 0; each < protocol; each++) byte += f64(this.#words, at + each);
		return byte;
	}

	encodingBytes(position: number, protocol: number): number {
		return f64(this.#words, this.#wordOf(position) + LENGTHS + protocol);
	}

	#wordOf(position: number): number {
		return (position % this.#bytes) / 8;
	}
}
