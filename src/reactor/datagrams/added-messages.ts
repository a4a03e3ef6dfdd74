/**
 * What is known of the messages that have been added for sending: whose they are, and of how many datagrams. Those that go to one place
 * one behind the other are joined to one message, which costs the kernel one way through its network instead of many:
 *
 *     message   0 ─┬─ 1 ─┬─ 2
 *     pieces    0 1 2 3 4 5        each lies where it was received, and is one datagram, or several
 */
import {
	DATAGRAM_PIECES_MAX,
	DATAGRAMS_ADDED_MAX,
	DATAGRAMS_JOINED_MAX,
	JOINED_BYTES_MAX,
} from "../../kernel/datagrams.js";
import { i32, u8 } from "../../parts/at.js";
import type { Session } from "../table/numbers.js";

export class AddedMessages {
	readonly #joins: boolean;
	readonly #sessions = new Int32Array(DATAGRAMS_ADDED_MAX);
	readonly #listeners = new Int32Array(DATAGRAMS_ADDED_MAX);
	readonly #bytes = new Int32Array(DATAGRAMS_ADDED_MAX);
	readonly #segments = new Int32Array(DATAGRAMS_ADDED_MAX);
	readonly #ecn = new Uint8Array(DATAGRAMS_ADDED_MAX);
	readonly #firstPieces = new Int32Array(DATAGRAMS_ADDED_MAX);
	readonly #starts = new Int32Array(DATAGRAM_PIECES_MAX);
	readonly #lengths = new Int32Array(DATAGRAM_PIECES_MAX);
	#count = 0;
	#pieces = 0;
	/** What comes next may be joined with each other. */
	#mayJoin = false;
	/** It goes where the last message goes, and may be joined with that. */
	#goesOn = false;

	/** `joins`: the kernel cuts messages into datagrams. */
	constructor(joins: boolean) {
		this.#joins = joins;
	}

	/** What comes next goes elsewhere than what is there. `apart`: its way does not take what is joined. */
	turnElsewhere(apart: boolean): void {
		this.#mayJoin = this.#joins && !apart;
		this.#goesOn = false;
	}

	/** The next message. */
	note(session: Session, listener: number, start: number, bytes: number, segment: number, ecn: number): void {
		const index = this.#count++;
		this.#sessions[index] = session;
		this.#listeners[index] = listener;
		this.#bytes[index] = bytes;
		this.#segments[index] = segment;
		this.#ecn[index] = ecn;
		this.#firstPieces[index] = this.#pieces;
		this.#notePiece(start, bytes);
		this.#goesOn = this.#mayJoin;
	}

	/** Whether the last message can go on with this. */
	canJoin(bytes: number, segment: number, ecn: number): boolean {
		if (!this.#goesOn || this.#pieces === DATAGRAM_PIECES_MAX) return false;
		const last = this.#count - 1;
		const each = i32(this.#segments, last);
		const before = i32(this.#bytes, last);
		const total = before + bytes;
		// All but the last are as long as the first, and an empty one would be lost.
		if (before % each !== 0 || bytes === 0 || (bytes > each ? segment !== each : segment !== bytes))
			return false;
		if (ecn !== u8(this.#ecn, last)) return false;
		return total <= JOINED_BYTES_MAX && total <= DATAGRAMS_JOINED_MAX * each;
	}

	/** It does. Returns the length of its datagrams. */
	join(start: number, bytes: number): number {
		const last = this.#count - 1;
		this.#bytes[last] = i32(this.#bytes, last) + bytes;
		this.#notePiece(start, bytes);
		return i32(this.#segments, last);
	}

	#notePiece(start: number, bytes: number): void {
		this.#starts[this.#pieces] = start;
		this.#lengths[this.#pieces] = bytes;
		this.#pieces++;
	}

	clear(): void {
		this.#count = 0;
		this.#pieces = 0;
		this.#goesOn = false;
	}

	session(index: number): Session {
		return i32(this.#sessions, index) as Session;
	}

	listener(index: number): number {
		return i32(this.#listeners, index);
	}

	bytes(index: number): number {
		return i32(this.#bytes, index);
	}

	segment(index: number): number {
		return i32(this.#segments, index);
	}

	datagrams(index: number): number {
		return datagramsIn(this.bytes(index), this.segment(index));
	}

	firstPiece(index: number): number {
		return i32(this.#firstPieces, index);
	}

	/** Behind its last one. */
	endPiece(index: number): number {
		return index + 1 < this.#count ? i32(this.#firstPieces, index + 1) : this.#pieces;
	}

	pieceStart(piece: number): number {
		return i32(this.#starts, piece);
	}

	pieceBytes(piece: number): number {
		return i32(this.#lengths, piece);
	}
}

/** Of how many datagrams a message is. An empty datagram is one, too. */
export function datagramsIn(bytes: number, segment: number): number {
	return bytes <= segment ? 1 : Math.ceil(bytes / segment);
}
