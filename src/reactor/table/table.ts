/**
 * All state of all connections of one reactor, as columns over one piece of shared memory (struct of
 * arrays). The main thread reads it for metrics without a message; nothing per connection lives on the
 * JavaScript heap.
 *
 *     slot     0 … sessions-1      client connections; the *session columns* exist for these
 *     slot     sessions … 2s-1     upstream connections; their `peer` is the client's slot, and back
 *
 * A row's memory is touched when it is first used, and low slots are used first, so an idle gateway
 * sized for a million sessions costs what its busiest moment needed.
 */
import { at } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";

/** Names longer than this are kept on the heap beside the table: longer ones are legal, up to 253, and rare. */
export const NAME_BYTES = 72;

// States of a connection. A client's connection passes through them downwards.
export const FREE = 0;
/** Peeking at first bytes until the route is known. */
export const SNIFF = 1;
/** Client: its upstream is being dialled. */
export const DIAL = 2;
/** Upstream: connect() has been called. */
export const CONNECTING = 3;
/** Both: bytes pass. */
export const RELAY = 4;
/** Client: it was told why it is refused, and may finish what it was saying. */
export const REFUSED = 5;
/** Client: between requests, or one is being read. */
export const REQUEST = 6;
/** Both: a request is sent and answered. */
export const EXCHANGE = 7;
/** Upstream: idle, and nobody's. */
export const POOLED = 8;
/** Either: its TLS handshake is under way; a client's session is sniffed once more behind it. */
export const SECURE = 9;

// Flags of a connection.
/** News came that has not been read to its end yet. */
export const READABLE = 1;
/** The peer's end of the stream has been read. */
export const ENDED = 1 << 1;
/** We have ended our direction. */
export const SHUT = 1 << 2;
/** The end (or an error) of the stream waits behind the bytes that are readable now. */
export const ENDING = 1 << 3;
/** The kernel took less than we had: nothing is read for this connection until it is writable again. */
export const BLOCKED = 1 << 4;
/** What comes from this connection proved to be bulk: it is spliced. */
export const BULK = 1 << 5;
/** It waits in the reactor's queue for another turn, because it had more than its share of this one. */
export const QUEUED = 1 << 6;
/** Readiness reports when it can be written. Asked for when it blocks first, and then kept. */
export const WATCHES_OUT = 1 << 7;
/** SO_RCVLOWAT is above 1, because a hello is known to be longer than what has come. */
export const LOW_WATER = 1 << 8;
/** Urgent data came once: a short read no longer means that nothing more waits, and splicing would stop there. */
export const URGENT = 1 << 9;
/** A PROXY header must come first: its listener said so when it was accepted. */
export const PROXY_REQUIRED = 1 << 10;
/** Upstream: it has been given the options of a session that lasts. */
export const LASTING = 1 << 11;
/** Client: its requests are read, one by one. */
export const EXCHANGES = 1 << 12;
/** Client: it ends when it has taken what waits for it. */
export const CLOSING = 1 << 13;
/** Client: whether its session's bytes are acknowledged is looked at again and again, because some were sent. */
export const LOOKED_AFTER = 1 << 14;
/** Client: requests of it were read, although its bytes may be relayed by now. */
export const HAD_REQUESTS = 1 << 15;
/** Its bytes come and go through TLS (`secures.ts`). */
export const SECURED = 1 << 16;
/** Its end of the TLS stream is still to be said, once the kernel has room. */
export const LEAVING = 1 << 17;
/** Bytes of it were read ahead, or put back, and come before those in the kernel (`inboxes.ts`). */
export const AHEAD = 1 << 18;
/** Client: its PROXY header has come, and names it. */
export const PROXY_READ = 1 << 20;
/** Client: it is a connection of our own to an upstream that leads back here. */
export const OURS = 1 << 22;
/** Client: its last request's head was whole when it was first looked at. */
export const WHOLE_HEADS = 1 << 19;
/** Client: it has said something, and so far nothing that tells what it speaks. */
export const UNDECIDED = 1 << 21;

interface ColumnSpec {
	readonly bytes: number;
	readonly perSession: boolean;
}

/** Bytes a client's row takes at most: connection columns and session columns together. */
export const ROW_BYTES_MAX = 256;

export class Table {
	readonly sessions: number;
	readonly buffer: SharedArrayBuffer;

	// Connection columns: one cell per slot.
	/** When the wheel fires for this row, a multiple of its tick; 0 = not armed. */
	readonly deadlineMs: Float64Array;
	/** When this connection stopped taking what we have for it; 0 while it takes everything. */
	readonly blockedAtMs: Float64Array;
	/** Since when bytes are under way to it of which none has been acknowledged; 0 while none are, or some were. */
	readonly unheardSinceMs: Float64Array;
	/** Bytes handed to the kernel for this connection. */
	readonly sent: Float64Array;
	readonly fd: Int32Array;
	/** Counts the slot's owners. An event that carries another generation is news for an earlier one. */
	readonly generation: Int32Array;
	readonly peer: Int32Array;
	/** The wheel's bucket list; while the row is free, `next` is the free list. */
	readonly next: Int32Array;
	readonly previous: Int32Array;
	/** Its neighbours in the queue of rows that wait for another turn (`turn-queue.ts`). */
	readonly queueNext: Int32Array;
	readonly queuePrevious: Int32Array;
	/** Bytes that its peer had acknowledged when that was asked last; the low 32 bits, for comparing. */
	readonly acknowledged: Int32Array;
	/** Bytes waiting to be sent to this connection: a chunk and where they lie in it. */
	readonly chunk: Int32Array;
	readonly chunkStart: Int32Array;
	readonly chunkEnd: Int32Array;
	/** Bytes waiting to be spliced to this connection: a pipe and how many are in it. */
	readonly pipe: Int32Array;
	readonly pipeBytes: Int32Array;
	readonly state: Uint8Array;
	readonly flags: Int32Array;
	/** Reads in a row that filled the buffer: how bulk is recognised. */
	readonly fullReads: Uint8Array;

	// Session columns: one cell per client slot.
	readonly acceptedMs: Float64Array;
	readonly recognizedMs: Float64Array;
	readonly dialledMs: Float64Array;
	readonly connectedMs: Float64Array;
	/** When it moved bytes last. */
	readonly activeMs: Float64Array;
	readonly listener: Int32Array;
	readonly route: Int32Array;
	/** Index of the upstream in the reactor's plan, and of the chosen address in the board. */
	readonly upstream: Int32Array;
	readonly address: Int32Array;
	/** Addresses of the upstream already tried, one bit for each of the first 32. */
	readonly tried: Int32Array;
	readonly proxyHeaderBytes: Uint16Array;
	readonly sourcePort: Uint16Array;
	readonly policy: Uint16Array;
	readonly protocol: Uint8Array;
	/** 4 or 6. */
	readonly family: Uint8Array;
	/** Place of the client's address among the sources; NONE while it is not counted there. */
	readonly sourcePlace: Int32Array;
	readonly firstEnd: Uint8Array;
	readonly nameLength: Uint8Array;
	/** Addresses dialled for this session. */
	readonly attempts: Uint8Array;
	/** In the state REFUSED: why. */
	readonly reason: Uint8Array;
	/** 16 bytes per session. */
	readonly source: Uint8Array;
	/** NAME_BYTES per session. */
	readonly name: Uint8Array;

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

	/**
	 * With a buffer: another thread's view of the columns, for reading. Rows are taken and released by the
	 * reactor that made the table only.
	 */
	constructor(sessions: number, shared?: SharedArrayBuffer) {
		this.sessions = sessions;
		this.#linkTop = sessions;
		const layout = new Layout(sessions);
		const f64 = (perSession = false) => layout.column(8, perSession);
		const i32 = (perSession = false) => layout.column(4, perSession);
		const u16 = (perSession = false) => layout.column(2, perSession);
		const u8 = (perSession = false, width = 1) => layout.column(width, perSession, 1);
		// Widest first, so that every column is aligned.
		const offsets = {
			deadlineMs: f64(),
			blockedAtMs: f64(),
			unheardSinceMs: f64(),
			sent: f64(),
			acceptedMs: f64(true),
			recognizedMs: f64(true),
			dialledMs: f64(true),
			connectedMs: f64(true),
			activeMs: f64(true),
			fd: i32(),
			generation: i32(),
			peer: i32(),
			next: i32(),
			previous: i32(),
			queueNext: i32(),
			queuePrevious: i32(),
			acknowledged: i32(),
			chunk: i32(),
			chunkStart: i32(),
			chunkEnd: i32(),
			pipe: i32(),
			pipeBytes: i32(),
			flags: i32(),
			listener: i32(true),
			route: i32(true),
			upstream: i32(true),
			address: i32(true),
			tried: i32(true),
			sourcePlace: i32(true),
			proxyHeaderBytes: u16(true),
			sourcePort: u16(true),
			policy: u16(true),
			state: u8(),
			fullReads: u8(),
			protocol: u8(true),
			family: u8(true),
			firstEnd: u8(true),
			nameLength: u8(true),
			attempts: u8(true),
			reason: u8(true),
			source: u8(true, 16),
			name: u8(true, NAME_BYTES),
		};
		const buffer = shared ?? new SharedArrayBuffer(layout.bytes);
		this.buffer = buffer;
		this.linkBytes = layout.bytesPerRow(false);
		this.rowBytes = layout.bytesPerRow(true);

		const rows = 2 * sessions;
		this.deadlineMs = new Float64Array(buffer, offsets.deadlineMs, rows);
		this.blockedAtMs = new Float64Array(buffer, offsets.blockedAtMs, rows);
		this.unheardSinceMs = new Float64Array(buffer, offsets.unheardSinceMs, rows);
		this.sent = new Float64Array(buffer, offsets.sent, rows);
		this.fd = new Int32Array(buffer, offsets.fd, rows);
		this.generation = new Int32Array(buffer, offsets.generation, rows);
		this.peer = new Int32Array(buffer, offsets.peer, rows);
		this.next = new Int32Array(buffer, offsets.next, rows);
		this.previous = new Int32Array(buffer, offsets.previous, rows);
		this.queueNext = new Int32Array(buffer, offsets.queueNext, rows);
		this.queuePrevious = new Int32Array(buffer, offsets.queuePrevious, rows);
		this.acknowledged = new Int32Array(buffer, offsets.acknowledged, rows);
		this.chunk = new Int32Array(buffer, offsets.chunk, rows);
		this.chunkStart = new Int32Array(buffer, offsets.chunkStart, rows);
		this.chunkEnd = new Int32Array(buffer, offsets.chunkEnd, rows);
		this.pipe = new Int32Array(buffer, offsets.pipe, rows);
		this.pipeBytes = new Int32Array(buffer, offsets.pipeBytes, rows);
		this.state = new Uint8Array(buffer, offsets.state, rows);
		this.flags = new Int32Array(buffer, offsets.flags, rows);
		this.fullReads = new Uint8Array(buffer, offsets.fullReads, rows);

		this.acceptedMs = new Float64Array(buffer, offsets.acceptedMs, sessions);
		this.recognizedMs = new Float64Array(buffer, offsets.recognizedMs, sessions);
		this.dialledMs = new Float64Array(buffer, offsets.dialledMs, sessions);
		this.connectedMs = new Float64Array(buffer, offsets.connectedMs, sessions);
		this.activeMs = new Float64Array(buffer, offsets.activeMs, sessions);
		this.listener = new Int32Array(buffer, offsets.listener, sessions);
		this.route = new Int32Array(buffer, offsets.route, sessions);
		this.upstream = new Int32Array(buffer, offsets.upstream, sessions);
		this.address = new Int32Array(buffer, offsets.address, sessions);
		this.tried = new Int32Array(buffer, offsets.tried, sessions);
		this.sourcePlace = new Int32Array(buffer, offsets.sourcePlace, sessions);
		this.proxyHeaderBytes = new Uint16Array(buffer, offsets.proxyHeaderBytes, sessions);
		this.sourcePort = new Uint16Array(buffer, offsets.sourcePort, sessions);
		this.policy = new Uint16Array(buffer, offsets.policy, sessions);
		this.protocol = new Uint8Array(buffer, offsets.protocol, sessions);
		this.family = new Uint8Array(buffer, offsets.family, sessions);
		this.firstEnd = new Uint8Array(buffer, offsets.firstEnd, sessions);
		this.nameLength = new Uint8Array(buffer, offsets.nameLength, sessions);
		this.attempts = new Uint8Array(buffer, offsets.attempts, sessions);
		this.reason = new Uint8Array(buffer, offsets.reason, sessions);
		this.source = new Uint8Array(buffer, offsets.source, sessions * 16);
		this.name = new Uint8Array(buffer, offsets.name, sessions * NAME_BYTES);
	}

	/** A free client row, cleared, or NONE when all are in use. */
	takeClient(): number {
		let slot = this.#clientFree;
		if (slot !== NONE) this.#clientFree = at(this.next, slot);
		else if (this.#clientTop < this.sessions) slot = this.#clientTop++;
		else return NONE;
		this.clients++;
		this.#clearConnection(slot);
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
		if (slot !== NONE) this.#linkFree = at(this.next, slot);
		else if (this.#linkTop < 2 * this.sessions) slot = this.#linkTop++;
		else return NONE;
		this.links++;
		this.#clearConnection(slot);
		return slot;
	}

	/** Gives a row back. Its generation moves on, so what is still under way for it is stale. */
	release(slot: number): void {
		if (at(this.state, slot) === FREE) throw new Error(`row ${slot} released twice`);
		this.state[slot] = FREE;
		this.generation[slot] = (at(this.generation, slot) + 1) | 0;
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

	/** The client row of the session that a row belongs to. */
	clientOf(slot: number): number {
		return slot < this.sessions ? slot : at(this.peer, slot);
	}

	#clearConnection(slot: number): void {
		this.fd[slot] = NONE;
		this.peer[slot] = NONE;
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

/** Places columns one after another and adds up what a row costs. */
class Layout {
	bytes = 0;
	readonly #sessions: number;
	readonly #columns: ColumnSpec[] = [];

	constructor(sessions: number) {
		this.#sessions = sessions;
	}

	column(bytes: number, perSession: boolean, alignment = bytes): number {
		const start = Math.ceil(this.bytes / alignment) * alignment;
		this.bytes = start + bytes * this.#sessions * (perSession ? 1 : 2);
		this.#columns.push({ bytes, perSession });
		return start;
	}

	bytesPerRow(session: boolean): number {
		let total = 0;
		for (const column of this.#columns) if (session || !column.perSession) total += column.bytes;
		return total;
	}
}
