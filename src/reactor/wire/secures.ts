/**
 * What is known of connections that speak TLS with us, beside their rows of the table: columns that only such
 * connections touch, so plain ones do not pay for them.
 */
import { at } from "../../parts/at.js";
import { NAME_BYTES } from "../table/table.js";

// Phases of a session.
export const NO_TLS = 0;
export const HANDSHAKES = 1;
export const OPEN = 2;
/** We have said that nothing more follows (close_notify). */
export const SAID_GOODBYE = 3;
/** It is good for being freed, and for nothing else. */
export const BROKEN = 4;
/** None yet, but this upstream is to be spoken to through TLS. */
export const WANTED = 5;

/** How much of what the session takes was there already: only a read that finds nothing tells. */
export const NOT_KNOWN = Number.NEGATIVE_INFINITY;

export class Secures {
	// By row, clients' and upstreams'.
	/** The library's handle; 0: none. */
	readonly session: Float64Array;
	readonly phase: Uint8Array;
	/** Bytes that the session had taken from the kernel when that was known to have no more; or NOT_KNOWN. */
	readonly takenWhenEmpty: Float64Array;
	/** 1: a read has to write first, and waits for room. */
	readonly readWaits: Uint8Array;
	/** 1: a record is on its way to the kernel, and has to go before anything else. */
	readonly writeWaits: Uint8Array;

	// By upstream row, counted from the first one.
	/** Its address's place on the board. */
	readonly address: Int32Array;
	/** How it is spoken to, of that address's `manners`: after a reload that may be another. */
	readonly manner: Int32Array;

	// By client row.
	/** Which certificate it was shown; see `certificates.ts`. */
	readonly entry: Int32Array;
	/** The protocol agreed on by ALPN: its place among the entry's, plus one; 0: none. */
	readonly alpn: Uint8Array;
	readonly nameLength: Uint8Array;
	readonly #names: Uint8Array;
	readonly #longNames = new Map<number, Uint8Array>();

	constructor(sessions: number) {
		const rows = 2 * sessions;
		this.session = new Float64Array(rows);
		this.phase = new Uint8Array(rows);
		this.takenWhenEmpty = new Float64Array(rows);
		this.readWaits = new Uint8Array(rows);
		this.writeWaits = new Uint8Array(rows);
		this.address = new Int32Array(sessions);
		this.manner = new Int32Array(sessions);
		this.entry = new Int32Array(sessions);
		this.alpn = new Uint8Array(sessions);
		this.nameLength = new Uint8Array(sessions);
		this.#names = new Uint8Array(sessions * NAME_BYTES);
	}

	/** A connection to an upstream's address is being made. */
	dialled(link: number, address: number, throughTls: boolean, manner: number): void {
		const place = link - this.address.length;
		this.address[place] = address;
		this.manner[place] = manner;
		this.phase[link] = throughTls ? WANTED : NO_TLS;
	}

	/** A session was opened over a row's descriptor. */
	begin(slot: number, session: number): void {
		this.session[slot] = session;
		this.phase[slot] = HANDSHAKES;
		// The end of the handshake may have brought part of a record.
		this.takenWhenEmpty[slot] = NOT_KNOWN;
		this.readWaits[slot] = 0;
		this.writeWaits[slot] = 0;
	}

	/** It was freed. */
	end(slot: number): void {
		this.session[slot] = 0;
		this.phase[slot] = NO_TLS;
		if (slot < this.entry.length) this.entry[slot] = 0;
		this.#longNames.delete(slot);
	}

	/** Keeps the name in a client's hello: further requests are routed by it, too. */
	keepName(client: number, name: Uint8Array, length: number): void {
		this.nameLength[client] = length;
		if (length > NAME_BYTES) this.#longNames.set(client, name.slice(0, length));
		else for (let i = 0; i < length; i++) this.#names[client * NAME_BYTES + i] = at(name, i);
	}

	/** Where that name begins in {@link nameBytes}. */
	nameOffset(client: number): number {
		return at(this.nameLength, client) > NAME_BYTES ? 0 : client * NAME_BYTES;
	}

	nameBytes(client: number): Uint8Array {
		return this.#longNames.get(client) ?? this.#names;
	}
}
