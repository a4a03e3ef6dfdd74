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
import { f64, i32, u8 } from "../../parts/at.js";
import { type Layout, place } from "../../parts/columns.js";
import { NONE } from "../../parts/none.js";
import { QUEUED } from "./marks.js";
import { Sessions } from "./sessions.js";
import { FREE } from "./states.js";

/** Bytes a client's row takes at most: connection columns and session columns together. */
export const ROW_BYTES_MAX = 264;

export class Table extends Sessions {
	readonly sessions: number;
	readonly buffer: SharedArrayBuffer;
	/** Bytes per client row, both kinds of columns. */
	readonly rowBytes: number;
	/** Bytes per upstream row. */
	readonly linkBytes: number;

	#clientFree = NONE;
	#clientTop = 0;
	#linkFree = NONE;
	#linkTop: number;
	/** Rows in use, of both kinds. */
	clients = 0;
	links = 0;

	/** Rows are taken and released by one thread only; to others that share its memory it is for reading. */
	constructor(layout: Layout) {
		super(layout);
		this.sessions = layout.sessions;
		this.buffer = layout.buffer;
		this.rowBytes = layout.clientBytes;
		this.linkBytes = layout.linkBytes;
		this.#linkTop = layout.sessions;
	}

	/** A free client row, cleared, or NONE when all are in use. */
	takeClient(): number {
		let slot = this.#clientFree;
		if (slot !== NONE) this.#clientFree = i32(this.next, slot);
		else if (this.#clientTop < this.sessions) slot = this.#clientTop++;
		else return NONE;
		this.clients++;
		this.#clearConnection(slot);
		this.session[slot] = slot;
		this.recognizedMs[slot] = 0;
		this.dialledMs[slot] = 0;
		this.connectedMs[slot] = 0;
		this.route[slot] = NONE;
		this.upstream[slot] = NONE;
		this.address[slot] = NONE;
		this.tried[slot] = 0;
		this.sourcePlace[slot] = NONE;
		this.proxyHeaderBytes[slot] = 0;
		this.protocol[slot] = 0;
		this.firstEnd[slot] = 0;
		this.nameLength[slot] = 0;
		this.attempts[slot] = 0;
		this.reason[slot] = 0;
		return slot;
	}

	/** A free upstream row, cleared, or NONE. There is one for every client row, so NONE means a fault. */
	takeLink(): number {
		let slot = this.#linkFree;
		if (slot !== NONE) this.#linkFree = i32(this.next, slot);
		else if (this.#linkTop < 2 * this.sessions) slot = this.#linkTop++;
		else return NONE;
		this.links++;
		this.#clearConnection(slot);
		return slot;
	}

	/** Gives a row back. Its generation moves on, so what is still under way for it is stale. */
	release(slot: number): void {
		if (u8(this.state, slot) === FREE) throw new Error(`row ${slot} released twice`);
		assert(f64(this.deadlineMs, slot) === 0, "a row that is released has no deadline");
		assert((i32(this.flags, slot) & QUEUED) === 0, "a row that is released waits for no turn");
		this.state[slot] = FREE;
		this.generation[slot] = (i32(this.generation, slot) + 1) | 0;
		this.fd[slot] = NONE;
		if (slot < this.sessions) {
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
	sessionOf(slot: number): number {
		return i32(this.session, slot);
	}

	isClient(slot: number): boolean {
		return slot < this.sessions;
	}

	/** An upstream connection is a session's from now on. */
	join(session: number, link: number): void {
		assert(
			i32(this.peer, session) === NONE && i32(this.session, link) === NONE,
			"each is free for the other",
		);
		this.peer[session] = link;
		this.peer[link] = session;
		this.session[link] = session;
	}

	/** It is no session's any more. */
	part(session: number, link: number): void {
		assert(i32(this.peer, session) === link && i32(this.peer, link) === session, "they belong to each other");
		this.peer[session] = NONE;
		this.peer[link] = NONE;
		this.session[link] = NONE;
	}

	#clearConnection(slot: number): void {
		this.fd[slot] = NONE;
		this.peer[slot] = NONE;
		this.session[slot] = NONE;
		this.next[slot] = NONE;
		this.previous[slot] = NONE;
		this.queueNext[slot] = NONE;
		this.queuePrevious[slot] = NONE;
		this.chunk[slot] = NONE;
		this.pipe[slot] = NONE;
		this.pipeBytes[slot] = 0;
		this.flags[slot] = 0;
		this.fullReads[slot] = 0;
		this.sent[slot] = 0;
		this.blockedAtMs[slot] = 0;
		this.unheardSinceMs[slot] = 0;
		this.acknowledged[slot] = 0;
		this.deadlineMs[slot] = 0;
	}
}

/** A table of its own, or another thread's view of one. */
export function tableOf(sessions: number, shared?: SharedArrayBuffer): Table {
	return place(sessions, (layout) => new Table(layout), shared);
}
