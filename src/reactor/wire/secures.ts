/**
 * What is known of connections that speak TLS with us, beside their rows of the table: columns that only such
 * connections touch, so plain ones do not pay for them.
 */

import { u8, u32 } from "../../parts/at.js";
import { CONNECTION, Columns, type Layout, LINK, SESSION } from "../../parts/columns.js";
import { Names } from "../table/names.js";
import type { Link, Session, Slot } from "../table/numbers.js";
import { timeAfterOr0 } from "../table/times.js";

/** Names in hellos that are longer are kept on the heap: here rows are only touched by sessions through TLS. */
const NAME_BYTES = 72;

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

export class Secures extends Columns {
	/** The library's handle; 0: none. */
	readonly session = this.f64(CONNECTION);
	readonly phase = this.u8(CONNECTION);
	/** Bytes that the session had taken from the kernel when that was known to have no more; or NOT_KNOWN. */
	readonly takenWhenEmpty = this.f64(CONNECTION);
	/** 1: a read has to write first, and waits for room. */
	readonly readWaits = this.u8(CONNECTION);
	/** 1: a record is on its way to the kernel, and has to go before anything else. */
	readonly writeWaits = this.u8(CONNECTION);

	/** Its address's place on the board. */
	readonly address = this.i32(LINK);
	/** How it is spoken to, of that address's `manners`: after a reload that may be another. */
	readonly manner = this.i32(LINK);

	/** Which certificate it was shown; see `certificates.ts`. */
	readonly entry = this.i32(SESSION);
	/** The protocol agreed on by ALPN: its place among the entry's, plus one; 0: none. */
	readonly alpn = this.u8(SESSION);
	/** When a client's handshake ended, an offset from when it was accepted (`times.ts`); 0: not yet. */
	readonly secured = this.u32(SESSION);
	/** The name in a client's hello: further requests are routed by it, too. */
	readonly names: Names;
	readonly #sessions: number;

	constructor(layout: Layout) {
		super(layout);
		this.#sessions = layout.sessions;
		this.names = new Names(layout, NAME_BYTES);
	}

	/** A connection to an upstream's address is being made. What a plain one for bytes has nobody asks for, and it writes nothing. */
	dialled(link: Link, address: number, throughTls: boolean, isForRequests: boolean, manner: number): void {
		const phase = throughTls ? WANTED : NO_TLS;
		if (u8(this.phase, link) !== phase) this.phase[link] = phase;
		if (!throughTls && !isForRequests) return;
		const place = link - this.#sessions;
		this.address[place] = address;
		this.manner[place] = manner;
	}

	/** A session was opened over a row's descriptor. */
	begin(slot: Slot, handle: number): void {
		this.session[slot] = handle;
		this.phase[slot] = HANDSHAKES;
		// The end of the handshake may have brought part of a record.
		this.takenWhenEmpty[slot] = NOT_KNOWN;
		this.readWaits[slot] = 0;
		this.writeWaits[slot] = 0;
	}

	/** When the handshake of a client ended that was accepted at `acceptedMs`; 0: it has not, or there is none. */
	securedMs(session: Session, acceptedMs: number): number {
		return timeAfterOr0(acceptedMs, u32(this.secured, session));
	}

	/** It was freed. */
	end(slot: Slot): void {
		this.session[slot] = 0;
		this.phase[slot] = NO_TLS;
		if (slot >= this.#sessions) return;
		this.entry[slot] = 0;
		this.secured[slot] = 0;
		this.names.clear(slot as Session);
	}
}
