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
import { f64, i32, u8 } from "../../parts/at.js";

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

/** A session's record before its name and its text about TLS: 8 integers, 7 doubles, 16 bytes of address. */
const FIXED_WORDS = 4 + 7 + 2;
/** A request's record before its method, path and host: 8 integers, 5 doubles. */
const REQUEST_WORDS = 4 + 5;

// Flags of a request's record.
export const REQUEST_ANSWERED_HERE = 1;
/** Its upstream connection had served others before. */
export const REQUEST_REUSED = 2;
/** Of its path, only the beginning is there. */
export const REQUEST_PATH_CUT = 4;

/** Instead of a record's length: the rest of the ring is too short for the next record, go on at its start. */
const WRAP = -1;

export interface SessionRecord {
	id: number;
	listener: number;
	route: number;
	upstream: number;
	address: number;
	reason: number;
	protocol: number;
	family: number;
	sourcePort: number;
	source: Uint8Array;
	name: string;
	/** Milliseconds on the kernel's clock; 0 = the session did not get that far. */
	acceptedMs: number;
	recognizedMs: number;
	connectedMs: number;
	closedMs: number;
	bytesFromClient: number;
	bytesToClient: number;
	/** What there is to say about its TLS, as `tls-facts.ts` writes it; empty: nothing. */
	tls: string;
}

export interface RequestRecord {
	/** Of the session. */
	id: number;
	listener: number;
	route: number;
	upstream: number;
	address: number;
	/** 0: nobody answered. */
	status: number;
	/** Why it was not answered by its upstream, or not to the end; -1: it was. */
	reason: number;
	/** Of HTTP_CAUSES: what was wrong with a head that was not understood. */
	cause: number;
	/** REQUEST_… */
	flags: number;
	/** Empty, as path and host are, for one whose head was not understood or not whole. */
	method: string;
	path: string;
	host: string;
	startedMs: number;
	endedMs: number;
	bytesFromClient: number;
	bytesToClient: number;
}

export class Journal {
	readonly buffer: SharedArrayBuffer;
	readonly #positions: Int32Array;
	readonly #words: Float64Array;
	readonly #integers: Int32Array;
	readonly #bytes: Uint8Array;

	constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer((HEADER_WORDS + RING_WORDS) * 8)) {
		this.buffer = buffer;
		this.#positions = new Int32Array(buffer, 0, 4);
		this.#words = new Float64Array(buffer, HEADER_WORDS * 8);
		this.#integers = new Int32Array(buffer, HEADER_WORDS * 8);
		this.#bytes = new Uint8Array(buffer, HEADER_WORDS * 8);
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
			this.#integers[start * 2] = WRAP;
			written = (written + RING_WORDS - start) | 0;
			// Published together with the record, in `commit`: the reader sees both or neither.
			this.#pending = written;
			start = 0;
		} else this.#pending = written;
		this.#integers[start * 2] = length | kind;
		this.#pending = (this.#pending + length) | 0;
		return start;
	}

	#pending = 0;

	/** Integers 1 to 7 of a record (0 is its length). */
	integer(record: number, index: number, value: number): void {
		this.#integers[record * 2 + index] = value;
	}

	/** Doubles 0 to 6 of a record. */
	double(record: number, index: number, value: number): void {
		this.#words[record + 4 + index] = value;
	}

	source(record: number, from: Uint8Array, offset: number): void {
		const start = (record + 11) * 8;
		for (let i = 0; i < 16; i++) this.#bytes[start + i] = u8(from, offset + i);
	}

	name(record: number, from: Uint8Array, offset: number, length: number): void {
		const start = (record + FIXED_WORDS) * 8;
		for (let i = 0; i < length; i++) this.#bytes[start + i] = u8(from, offset + i);
	}

	/** The text about TLS, behind a name of `nameLength` bytes. */
	tlsText(record: number, nameLength: number, text: string): void {
		const start = (record + FIXED_WORDS) * 8 + nameLength;
		for (let i = 0; i < text.length; i++) this.#bytes[start + i] = text.charCodeAt(i);
	}

	/** Part of a request's text, from its byte `position` on. */
	requestText(record: number, position: number, from: Uint8Array, offset: number, length: number): void {
		const start = (record + REQUEST_WORDS) * 8 + position;
		for (let i = 0; i < length; i++) this.#bytes[start + i] = u8(from, offset + i);
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

	/** Calls `takeSession` or `takeRequest` for each record, oldest first. The record and its `source` are the caller's. */
	drain(
		takeSession: (record: SessionRecord) => void,
		takeRequest: (record: RequestRecord) => void = () => {},
	): void {
		const written = Atomics.load(this.#positions, WRITTEN);
		let read = Atomics.load(this.#positions, READ);
		while (read !== written) {
			const start = read & MASK;
			const first = i32(this.#integers, start * 2);
			if (first === WRAP) {
				read = (read + RING_WORDS - start) | 0;
				continue;
			}
			if ((first & KIND_REQUEST) === 0) takeSession(this.#decode(start));
			else takeRequest(this.#decodeRequest(start));
			read = (read + (first & LENGTH_MASK)) | 0;
			Atomics.store(this.#positions, READ, read);
		}
	}

	#decode(start: number): SessionRecord {
		const integer = (index: number) => i32(this.#integers, start * 2 + index);
		const double = (index: number) => f64(this.#words, start + 4 + index);
		const kinds = integer(5);
		const nameStart = (start + FIXED_WORDS) * 8;
		const nameLength = integer(7) & 0xff;
		const sourceStart = (start + 11) * 8;
		return {
			listener: integer(1),
			route: integer(2),
			upstream: integer(3),
			address: integer(4),
			reason: kinds & 0xff,
			protocol: (kinds >> 8) & 0xff,
			family: (kinds >> 16) & 0xff,
			sourcePort: integer(6),
			id: double(0),
			acceptedMs: double(1),
			recognizedMs: double(2),
			connectedMs: double(3),
			closedMs: double(4),
			bytesFromClient: double(5),
			bytesToClient: double(6),
			source: this.#bytes.slice(sourceStart, sourceStart + 16),
			name: latin1(this.#bytes, nameStart, nameLength),
			tls: latin1(this.#bytes, nameStart + nameLength, integer(7) >>> 8),
		};
	}

	#decodeRequest(start: number): RequestRecord {
		const integer = (index: number) => i32(this.#integers, start * 2 + index);
		const double = (index: number) => f64(this.#words, start + 4 + index);
		const outcome = integer(5);
		const methodStart = (start + REQUEST_WORDS) * 8;
		const pathStart = methodStart + (integer(6) & 0xffff);
		const hostStart = pathStart + (integer(7) >>> 16);
		return {
			listener: integer(1),
			route: integer(2),
			upstream: integer(3),
			address: integer(4),
			status: outcome & 0xffff,
			reason: ((outcome >> 16) & 0xff) - 1,
			cause: integer(6) >>> 16,
			flags: outcome >>> 24,
			method: latin1(this.#bytes, methodStart, pathStart - methodStart),
			path: latin1(this.#bytes, pathStart, hostStart - pathStart),
			host: latin1(this.#bytes, hostStart, integer(7) & 0xffff),
			id: double(0),
			startedMs: double(1),
			endedMs: double(2),
			bytesFromClient: double(3),
			bytesToClient: double(4),
		};
	}
}

/** Names, methods and paths are ASCII by the time they are recognised. */
function latin1(bytes: Uint8Array, start: number, length: number): string {
	let text = "";
	for (let i = 0; i < length; i++) text += String.fromCharCode(u8(bytes, start + i));
	return text;
}
