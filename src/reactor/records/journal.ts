/**
 * One record per session that ended, and per request that is logged, from a reactor to the main thread, which writes
 * the log. A ring in shared memory with one writer and one reader: the reactor never waits for the log, and when the reader
 * falls behind, lines are dropped and counted.
 *
 *     ┌────────┬────────┬───────────────────────┬────────┐
 *     │ record │ record │ … free …              │ record │   positions count words of 8 bytes
 *     └────────┴────────▲───────────────────────▲────────┘   and never go back; the place in the
 *                    written                   read          ring is the position modulo its size
 */
import { i32, u8 } from "../../parts/at.js";

/** 1 MiB: some 7,000 sessions, a fifth of a second at the highest rate measured. */
const RING_WORDS = 131_072;
const MASK = RING_WORDS - 1;
/** The reader looks at its own pace; from this fill on it is told to hurry. */
export const HURRY_FILL = 0.5;

// The first words of the buffer: positions and counts, as 32-bit atomics.
const WRITTEN = 0;
const READ = 1;
const DROPPED = 2;
/** 1: the reader sleeps until it is told of a record. */
const ASLEEP = 3;
const HEADER_WORDS = 2;

// A record's first integer: its length in words, with its kind above that.
const LENGTH_MASK = 0xff_ffff;
const KIND_SESSION = 0;
const KIND_REQUEST = 1 << 24;

// What the integers hold. The first ones say the same of a session and of a request; -1 is none.
export const LISTENER = 1;
export const ROUTE = 2;
export const UPSTREAM = 3;
export const ADDRESS = 4;
/** Of a session: its reason; above 8 bits its protocol, above 16 the family of its client's address. */
export const SESSION_KINDS = 5;
export const SESSION_PORT = 6;
/** The name's length, and above 8 bits that of the text about TLS. */
export const SESSION_LENGTHS = 7;
/**
 * Of a request: its status, 0 when nobody answered; above 16 bits one more than the reason why it was not answered by its
 * upstream, or not to the end; above 24 its flags.
 */
export const REQUEST_OUTCOME = 5;
/** The method's length, and above 16 bits what was wrong with a head that was not understood, of HTTP_CAUSES. */
export const REQUEST_CAUSE = 6;
/** The host's length, and above 16 bits the path's. */
export const REQUEST_LENGTHS = 7;

/** The doubles follow the integers. */
const DOUBLES = 4;
// What they hold, as places in `words` behind a record's first. Times are milliseconds on the kernel's clock.
export const ID = DOUBLES;
/** 0, as of the next three: the session did not get that far. */
export const SESSION_ACCEPTED = DOUBLES + 1;
export const SESSION_RECOGNIZED = DOUBLES + 2;
export const SESSION_CONNECTED = DOUBLES + 3;
/** 0 also where TLS is not terminated. */
export const SESSION_SECURED = DOUBLES + 4;
export const SESSION_CLOSED = DOUBLES + 5;
export const SESSION_FROM_CLIENT = DOUBLES + 6;
export const SESSION_TO_CLIENT = DOUBLES + 7;
export const REQUEST_STARTED = DOUBLES + 1;
export const REQUEST_ENDED = DOUBLES + 2;
export const REQUEST_FROM_CLIENT = DOUBLES + 3;
export const REQUEST_TO_CLIENT = DOUBLES + 4;

const SOURCE_WORDS = DOUBLES + 8;
/** A session's record before its name and its text about TLS: 8 integers, 8 doubles, 16 bytes of address. */
const FIXED_WORDS = SOURCE_WORDS + 2;
/** A request's record before its method, path and host: 8 integers, 5 doubles. */
const REQUEST_WORDS = DOUBLES + 5;

// Flags of a request's record.
export const REQUEST_ANSWERED_HERE = 1;
/** Its upstream connection had served others before. */
export const REQUEST_REUSED = 2;
/** Of its path, only the beginning is there. */
export const REQUEST_PATH_CUT = 4;

/** Instead of a record's length: the rest of the ring is too short for the next record, go on at its start. */
const WRAP = -1;

/** A record that was read, by its first word. */
export type TakeRecord = (journal: Journal, record: number) => void;

export class Journal {
	readonly buffer: SharedArrayBuffer;
	readonly #positions: Int32Array;
	/** The ring three times. Read by whom `drain` calls, and written by nobody else than this class. */
	readonly words: Float64Array;
	readonly integers: Int32Array;
	readonly bytes: Uint8Array;

	constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer((HEADER_WORDS + RING_WORDS) * 8)) {
		this.buffer = buffer;
		this.#positions = new Int32Array(buffer, 0, 4);
		this.words = new Float64Array(buffer, HEADER_WORDS * 8);
		this.integers = new Int32Array(buffer, HEADER_WORDS * 8);
		this.bytes = new Uint8Array(buffer, HEADER_WORDS * 8);
	}

	/** Records that found no room. */
	get dropped(): number {
		return Atomics.load(this.#positions, DROPPED);
	}

	/** How much of the ring waits to be read, 0 to 1. */
	get fill(): number {
		return ((Atomics.load(this.#positions, WRITTEN) - Atomics.load(this.#positions, READ)) | 0) / RING_WORDS;
	}

	/**
	 * Begins a record with room for a name and a text about TLS: the caller then fills `integer` (7: the name's length,
	 * and the text's above 8 bits), `double`, the source address, the name and the text, and commits. Returns the
	 * record's first word, or -1 when there is no room.
	 */
	begin(nameLength: number, tlsLength = 0): number {
		return this.#begin(KIND_SESSION, FIXED_WORDS + ((nameLength + tlsLength + 7) >> 3));
	}

	/**
	 * The same for a request, with room for `textLength` bytes: `integer` 1 to 7, `double` 0 to 4, and its text, which is
	 * the method (integer 6: its length, and a cause above 16 bits), the path and the host (integer 7: the host's length, and
	 * the path's above 16 bits).
	 */
	beginRequest(textLength: number): number {
		return this.#begin(KIND_REQUEST, REQUEST_WORDS + ((textLength + 7) >> 3));
	}

	#begin(kind: number, length: number): number {
		let written = Atomics.load(this.#positions, WRITTEN);
		const used = (written - Atomics.load(this.#positions, READ)) | 0;
		let start = written & MASK;
		const wraps = start + length > RING_WORDS;
		const needed = wraps ? RING_WORDS - start + length : length;
		if (used + needed > RING_WORDS) {
			Atomics.add(this.#positions, DROPPED, 1);
			return -1;
		}
		if (wraps) {
			this.integers[start * 2] = WRAP;
			written = (written + RING_WORDS - start) | 0;
			// Published together with the record, in `commit`: the reader sees both or neither.
			this.#pending = written;
			start = 0;
		} else this.#pending = written;
		this.integers[start * 2] = length | kind;
		this.#pending = (this.#pending + length) | 0;
		return start;
	}

	#pending = 0;

	/** Integers 1 to 7 of a record (0 is its length). */
	integer(record: number, index: number, value: number): void {
		this.integers[record * 2 + index] = value;
	}

	/** Doubles 0 to 7 of a record. */
	double(record: number, index: number, value: number): void {
		this.words[record + DOUBLES + index] = value;
	}

	source(record: number, from: Uint8Array, offset: number): void {
		const start = sourceOf(record);
		for (let i = 0; i < 16; i++) this.bytes[start + i] = u8(from, offset + i);
	}

	name(record: number, from: Uint8Array, offset: number, length: number): void {
		const start = sessionTextOf(record);
		for (let i = 0; i < length; i++) this.bytes[start + i] = u8(from, offset + i);
	}

	/** The text about TLS, behind a name of `nameLength` bytes. */
	tlsText(record: number, nameLength: number, text: string): void {
		const start = sessionTextOf(record) + nameLength;
		for (let i = 0; i < text.length; i++) this.bytes[start + i] = text.charCodeAt(i);
	}

	/** Part of a request's text, from its byte `position` on. */
	requestText(record: number, position: number, from: Uint8Array, offset: number, length: number): void {
		const start = requestTextOf(record) + position;
		for (let i = 0; i < length; i++) this.bytes[start + i] = u8(from, offset + i);
	}

	/** Publishes the record. True when the reader must be told, because it sleeps or is about to fall behind. */
	commit(): boolean {
		const before = this.fill;
		Atomics.store(this.#positions, WRITTEN, this.#pending);
		if (before < HURRY_FILL && this.fill >= HURRY_FILL) return true;
		return Atomics.load(this.#positions, ASLEEP) === 1 && Atomics.exchange(this.#positions, ASLEEP, 0) === 1;
	}

	/** The reader will not look again until it is told. False: something has come in the meantime. */
	sleep(): boolean {
		Atomics.store(this.#positions, ASLEEP, 1);
		return this.fill === 0;
	}

	/**
	 * Calls `takeSession` or `takeRequest` with the first word of each record, oldest first. The record is there until the
	 * call returns; then its room is the writer's again.
	 */
	drain(takeSession: TakeRecord, takeRequest: TakeRecord): void {
		const written = Atomics.load(this.#positions, WRITTEN);
		let read = Atomics.load(this.#positions, READ);
		while (read !== written) {
			const start = read & MASK;
			const first = i32(this.integers, start * 2);
			if (first === WRAP) {
				read = (read + RING_WORDS - start) | 0;
				continue;
			}
			if ((first & KIND_REQUEST) === 0) takeSession(this, start);
			else takeRequest(this, start);
			read = (read + (first & LENGTH_MASK)) | 0;
			Atomics.store(this.#positions, READ, read);
		}
	}
}

/** What `integers` holds of a record. */
export function integerOf(journal: Journal, record: number, index: number): number {
	return i32(journal.integers, record * 2 + index);
}

/** Where in `bytes` the 16 of a session's client's address begin. */
export function sourceOf(record: number): number {
	return (record + SOURCE_WORDS) * 8;
}

/** Where in `bytes` a session's name begins; its text about TLS follows. */
export function sessionTextOf(record: number): number {
	return (record + FIXED_WORDS) * 8;
}

/** Where in `bytes` a request's method begins; its path and its host follow. */
export function requestTextOf(record: number): number {
	return (record + REQUEST_WORDS) * 8;
}
