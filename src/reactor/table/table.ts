/**
 * All state of all connections of one reactor, as columns over one piece of shared memory. The main thread reads it without a
 * message; nothing per connection lives on the JavaScript heap.
 *
 *     slot     0 … sessions-1      client connections; the *session columns* exist for these
 *     slot     sessions … 2s-1     upstream connections
 *
 * A row's memory is touched when it is first used, and low slots are used first, so an idle gateway
 * sized for a million sessions costs what its busiest moment needed.
 */

import { assert } from "../../parts/assert.js";
import { f64, i32, ref, setRef, u8, u16, u32 } from "../../parts/at.js";
import { type Layout, place } from "../../parts/columns.js";
import { QUEUED } from "./marks.js";
import { Names } from "./names.js";

import { type Link, NONE, type Place, type Session, type Slot } from "./numbers.js";
import { Sessions } from "./sessions.js";
import { FREE } from "./states.js";

/** Bytes that a client's row takes at most, connection columns and session columns together; and an upstream's. */
export const ROW_BYTES_MAX = 178;
export const LINK_BYTES_MAX = 64;

/** What a row has room for: longer names are legal and rare. */
const NAME_BYTES = 28;

export class Table extends Sessions {
	readonly sessions: number;
	readonly buffer: SharedArrayBuffer;
	/** What a session asked for: for the log. */
	readonly names: Names;
	/** Bytes per client row, both kinds of columns. */
	readonly rowBytes: number;
	/** Bytes per upstream row. */
	readonly linkBytes: number;

	#clientFree: number = NONE;
	#clientTop = 0;
	#linkFree: number = NONE;
	#linkTop: number;
	/** Rows in use, of both kinds. */
	clients = 0;
	links = 0;

	/** Rows are taken and released by one thread only; to others that share its memory it is for reading. */
	constructor(layout: Layout) {
		super(layout);
		this.sessions = layout.sessions;
		this.buffer = layout.buffer;
		this.names = new Names(layout, NAME_BYTES);
		this.rowBytes = layout.clientBytes;
		this.linkBytes = layout.linkBytes;
		this.#linkTop = layout.sessions;
	}

	/** A free client row, cleared, or NONE when all are in use. */
	takeClient(): Session {
		let slot = this.#clientFree;
		if (slot !== NONE) this.#clientFree = i32(this.next, slot);
		else if (this.#clientTop < this.sessions) slot = this.#clientTop++;
		else return NONE;
		this.clients++;
		this.fd[slot] = NONE;
		setRef(this.session, slot, slot as Session);
		return slot as Session;
	}

	/** A free upstream row, cleared, or NONE. There is one for every client row, so NONE means a fault. */
	takeLink(): Link {
		let slot = this.#linkFree;
		if (slot !== NONE) this.#linkFree = i32(this.next, slot);
		else if (this.#linkTop < 2 * this.sessions) slot = this.#linkTop++;
		else return NONE;
		this.links++;
		this.fd[slot] = NONE;
		return slot as Link;
	}

	/** Gives a row back, cleared for the next. Its generation moves on, so what is still under way for it is stale. */
	release(slot: Slot): void {
		if (u8(this.state, slot) === FREE) throw new Error(`row ${slot} released twice`);
		assert(u32(this.due, slot) === 0, "a row that is released has no deadline");
		assert((i32(this.flags, slot) & QUEUED) === 0, "a row that is released waits for no turn");
		this.state[slot] = FREE;
		this.generation[slot] = (i32(this.generation, slot) + 1) | 0;
		this.fd[slot] = NONE;
		this.#clearConnection(slot);
		if (this.isClient(slot)) {
			this.#clearSession(slot);
			this.next[slot] = this.#clientFree;
			this.#clientFree = slot;
			this.clients--;
		} else {
			this.next[slot] = this.#linkFree;
			this.#linkFree = slot;
			this.links--;
		}
	}

	/** The session that a connection belongs to, or NONE. */
	sessionOf(slot: Slot): Session {
		return ref(this.session, slot);
	}

	/** A session's upstream connection, or NONE. */
	linkOf(session: Session): Link {
		return ref(this.link, session);
	}

	/** The connection at the other end of its session, an upstream's for a client's, and back; or NONE. */
	peerOf(slot: Slot): Slot {
		return slot < this.sessions ? ref(this.link, slot) : ref(this.session, slot);
	}

	/** Where an upstream's connection has its cells in link columns. */
	placeOf(link: Link): Place {
		return (link - this.sessions) as Place;
	}

	/** The upstream's connection that has these cells. */
	linkAt(place: Place): Link {
		return (this.sessions + place) as Link;
	}

	isClient(slot: Slot): slot is Session {
		return slot < this.sessions;
	}

	/** An upstream connection is a session's from now on. */
	join(session: Session, link: Link): void {
		assert(this.linkOf(session) === NONE && this.sessionOf(link) === NONE, "each is free for the other");
		setRef(this.link, session, link);
		setRef(this.session, link, session);
	}

	/** It is no session's any more. */
	part(session: Session, link: Link): void {
		assert(this.linkOf(session) === link && this.sessionOf(link) === session, "they belong to each other");
		setRef(this.link, session, NONE);
		setRef(this.session, link, NONE);
	}

	/** Only what differs is written: most of it was never touched. */
	#clearConnection(slot: Slot): void {
		if (u32(this.since, slot) !== 0) this.since[slot] = 0;
		if (f64(this.sent, slot) !== 0) this.sent[slot] = 0;
		if (ref(this.session, slot) !== NONE) setRef(this.session, slot, NONE);
		if (i32(this.acknowledged, slot) !== 0) this.acknowledged[slot] = 0;
		if (i32(this.flags, slot) !== 0) this.flags[slot] = 0;
		if (i32(this.held, slot) !== 0) this.held[slot] = 0;
	}

	/** What whoever takes the row writes in any case stays: an address, the times. */
	#clearSession(slot: Session): void {
		if (ref(this.link, slot) !== NONE) setRef(this.link, slot, NONE);
		if (u32(this.dialled, slot) !== 0) this.dialled[slot] = 0;
		if (u32(this.recognized, slot) !== 0) this.recognized[slot] = 0;
		if (u32(this.connected, slot) !== 0) this.connected[slot] = 0;
		if (ref(this.route, slot) !== NONE) setRef(this.route, slot, NONE);
		if (ref(this.upstream, slot) !== NONE) setRef(this.upstream, slot, NONE);
		if (ref(this.address, slot) !== NONE) setRef(this.address, slot, NONE);
		if (i32(this.tried, slot) !== 0) this.tried[slot] = 0;
		if (ref(this.sourcePlace, slot) !== NONE) setRef(this.sourcePlace, slot, NONE);
		if (u16(this.proxyHeaderBytes, slot) !== 0) this.proxyHeaderBytes[slot] = 0;
		if (u8(this.protocol, slot) !== 0) this.protocol[slot] = 0;
		if (u8(this.firstEnd, slot) !== 0) this.firstEnd[slot] = 0;
		this.names.clear(slot);
		if (u8(this.attempts, slot) !== 0) this.attempts[slot] = 0;
		if (u8(this.reason, slot) !== 0) this.reason[slot] = 0;
	}
}

/** A table of its own, or another thread's view of one. */
export function tableOf(sessions: number, shared?: SharedArrayBuffer): Table {
	return place(sessions, (layout) => new Table(layout), shared);
}
