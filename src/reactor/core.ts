/**
 * The state that all steps of the road share: one per reactor. The steps are functions in the files
 * beside this one; they take the core and a slot of its table.
 */

import type { Cidr } from "../config/config.js";
import type { Kernel } from "../kernel/kernel.js";
import type { TlsLibrary } from "../kernel/openssl/tls.js";
import { at } from "../parts/at.js";
import { Chunks } from "../parts/chunks.js";
import { Wheel } from "../parts/wheel.js";
import { NO_CAUSE } from "../protocol/http/causes.js";
import { ChunkedScanner } from "../protocol/http/chunked.js";
import { PathForm } from "../protocol/http/path.js";
import { ResponseHead } from "../protocol/http/response.js";
import { RequestRewrite, ResponseRewrite } from "../protocol/http/rewrite.js";
import { TrailerSection } from "../protocol/http/trailers.js";
import { ProxyHeader, Recognition } from "../protocol/index.js";
import type { CertificateNames } from "../route/certificate-names.js";
import { contains, type RouteQuery, type Router } from "../route/router.js";
import type { Balancer } from "../upstream/balance.js";
import { Board } from "../upstream/board.js";
import { Room } from "./admission/room.js";
import { Sources } from "./admission/sources.js";
import { Loops } from "./links/loops.js";
import { IdleLists } from "./links/pool.js";
import { Inboxes } from "./memory/inboxes.js";
import { Pipes } from "./memory/pipes.js";
import { Exchanges } from "./modes/http1/columns.js";
import { RequestLog } from "./modes/http1/log.js";
import { Certificates } from "./plan/certificates.js";
import type { ListenerPlan, Notice, Policy, ReactorOptions } from "./plan/plan.js";
import { Policies } from "./plan/policies.js";
import type { RouteRules } from "./plan/route-rules.js";
import { Counters, LISTENER_SLOTS, scalarIndex } from "./records/counters.js";
import { Journal } from "./records/journal.js";
import { Owners } from "./records/owners.js";
import { Remarks } from "./records/remarks.js";
import { Table } from "./table/table.js";
import { TurnQueue } from "./table/turn-queue.js";
import { Secures } from "./wire/secures.js";

/**
 * What is received at once, and what a chunk holds. Measured on bulk that is not spliced: 32 KiB is still in
 * the processor's near caches between receive and send; 64 KiB took half as much time again per byte.
 */
export const CHUNK_BYTES = 32 * 1024;

/**
 * What connections move in a turn, all together, for news and once more for those that wait in the queue: a quarter
 * of a millisecond of copying each. The rest waits for the next turn, behind whoever has just come: a thousand bulk
 * transfers that begin at once must not make a small request wait for all of them.
 */
export const TURN_BYTES = 512 << 10;

/** Scratch space: the largest peek (a whole hello behind a PROXY header), with room to spare. */
export const SCRATCH_BYTES = 64 * 1024;

/** Where bytes go that nobody wants, when they must go somewhere; scratch may hold what is still to be sent. */
export const SCRAP_AT = SCRATCH_BYTES;
export const SCRAP_BYTES = 16 * 1024;

/** Where the subject of a client's certificate is written for a request's head. */
export const SUBJECT_AT = SCRAP_AT + SCRAP_BYTES;
export const SUBJECT_BYTES = 2048;

// The arena: scratch first (`Kernel.discard` may write there), then scrap, a subject, an address, and chunks.
const ADDRESS_AT = SUBJECT_AT + SUBJECT_BYTES;
const CHUNKS_AT = ADDRESS_AT + 64;

// Cells of the shared `live` counts.
export const LIVE_SESSIONS = 0;
export const LIVE_ENDING = 1;
/** Sessions of a listener: this plus its slot. */
export const LIVE_LISTENERS = 2;
export const LIVE_BYTES = 4 * (LIVE_LISTENERS + LISTENER_SLOTS);

/** Rows for so many sessions: one more, for whoever is told that there is no room. */
export function tableRows(sessions: number): number {
	return sessions + 1;
}

/** Sum of a listener's or the gateway's figures that may be without limit. */
const UNLIMITED = Number.POSITIVE_INFINITY;

/** Bytes of arena for a reactor that may buffer so much. */
export function arenaBytes(bufferedBytes: number): number {
	return CHUNKS_AT + chunkCount(bufferedBytes) * CHUNK_BYTES;
}

function chunkCount(bufferedBytes: number): number {
	return Math.max(1, Math.floor(bufferedBytes / CHUNK_BYTES));
}

const NO_BYTES = new Uint8Array(0);

/** A listening socket of this reactor and what it needs to know for each connection. */
export interface ReactorListener {
	plan: ListenerPlan;
	router: Router;
	/** By the routes' order in the plan. */
	rules: readonly RouteRules[];
	/** Whom of its clients' names it terminates. */
	certificates: CertificateNames;
	policy: number;
	paused: boolean;
	/** It is about to be closed. */
	givenUp: boolean;
	/** Connections that a turn takes from it at most, and the last turn in which it had any. */
	acceptsPerTurn: number;
	acceptTurn: number;
	/** How much of the next line of a request is due, in millionths. */
	logDue: number;
}

export class Core {
	readonly kernel: Kernel;
	readonly table: Table;
	readonly wheel: Wheel;
	/** Who waits for another turn. */
	readonly queue: TurnQueue;
	readonly chunks: Chunks;
	readonly pipes: Pipes;
	readonly counters: Counters;
	readonly journal: Journal;
	readonly board: Board;
	readonly sources: Sources;
	readonly owners: Owners;
	/** Upstream connections that may lead back here. */
	readonly loops: Loops;
	/** Tells the main thread something that only it can cause, or only so often; for all else there are `remarks`. */
	readonly notify: (notice: Notice) => void;
	readonly #remarks: Remarks;
	/** Arena offset where `accept` and `localAddress` put an address. */
	readonly addressAt = ADDRESS_AT;

	/** Bytes that may still be moved before others have their turn. */
	turnBytes = TURN_BYTES;
	/** The clock as of this turn. */
	nowMs: number;
	/** The number of the last wait for news: a turn hears all that one reported, or a part of it. */
	wait = 0;
	/** Sessions alive over all reactors at LIVE_SESSIONS, and whether the process is ending at LIVE_ENDING. */
	readonly live: Int32Array;
	connectionsMax = 0;
	resetsWhenFull = false;
	shedsWhenFull = false;
	sourceLimits = { connections: UNLIMITED, perSecond: UNLIMITED };
	acceptsPerSecond = UNLIMITED;
	descriptorCeiling = UNLIMITED;
	logSessions = true;
	draining = false;

	/** By listener slot. */
	readonly listeners = new Map<number, ReactorListener>();
	/** Listeners that a reload or a drain removed: connections that they accepted still find their routes here. */
	readonly retired = new Map<number, ReactorListener>();
	/** When paused listeners are tried again; Infinity while none is paused. */
	resumeAtMs = Number.POSITIVE_INFINITY;
	/** One of them waits for a session to end. */
	waitsForPlace = false;
	readonly room: Room;
	/** By upstream slot. */
	upstreams = new Map<number, Balancer>();
	readonly policies = new Policies();

	/** Reused for every connection. */
	readonly recognition = new Recognition();
	readonly proxyHeader = new ProxyHeader();
	readonly query: RouteQuery;

	/** The mode of requests: its columns, idle upstream connections, and what heads are read into. */
	readonly exchanges: Exchanges;
	readonly idleLists = new IdleLists();
	/** One, whoever reads it: what was recognised by its head is routed by that head. */
	readonly requestHead = this.recognition.head;
	readonly pathForm = new PathForm();
	readonly responseHead = new ResponseHead();
	readonly requestRewrite = new RequestRewrite();
	readonly responseRewrite = new ResponseRewrite();
	readonly chunkedScanner = new ChunkedScanner();
	readonly trailers = new TrailerSection();
	/** What was read ahead, in either mode. */
	readonly inboxes: Inboxes;

	/** TLS: its columns, what sessions are opened with, and why they failed, by client slot. */
	readonly secures: Secures;
	readonly certificates: Certificates;
	readonly tlsFailures = new Map<number, string>();

	/** Bytes of a body that the last step went over, as they came. */
	walkedBytes = 0;
	/** What is wrong with the message that is being refused; for the log, after which it is NO_CAUSE again. */
	messageCause = NO_CAUSE;
	/** Why a send failed last. */
	sendErrno = 0;
	/** Of the last body that could not be read on. */
	receiveErrno = 0;

	/** Names that do not fit their row, by client slot. */
	readonly longNames = new Map<number, Uint8Array>();
	/** PROXY headers that were taken off their streams, by client row: some upstream may have to be told. */
	readonly proxyHeaders = new Map<number, Uint8Array>();
	saysProxyHeaders = false;

	/** What is noted of requests that will be logged. */
	readonly requestLog = new RequestLog();

	#lastSlot = 0;
	#lastListener: ReactorListener | undefined;

	readonly index: number;
	readonly #bufferedMax: number;
	#bufferedNow = 0;
	readonly reactors: number;
	#sessionCount = 0;

	constructor(
		kernel: Kernel,
		options: ReactorOptions,
		notify: (notice: Notice) => void,
		openTls: (memory: Uint8Array) => TlsLibrary,
	) {
		this.kernel = kernel;
		this.notify = notify;
		this.#remarks = new Remarks(notify);
		this.nowMs = kernel.now();
		this.index = options.index;
		this.table = new Table(tableRows(options.sessions), options.table);
		this.wheel = new Wheel(this.table, this.nowMs);
		this.queue = new TurnQueue(this.table);
		this.exchanges = new Exchanges(this.table.sessions);
		this.inboxes = new Inboxes(this.table.sessions);
		this.secures = new Secures(this.table.sessions);
		this.certificates = new Certificates(() => openTls(kernel.memory));
		// Beside X-Forwarded-…: some servers read only the one, and some only the others.
		this.requestRewrite.sendsForwarded = true;
		this.chunks = new Chunks(CHUNKS_AT, CHUNK_BYTES, chunkCount(options.bufferedBytes));
		this.sources = new Sources(options.sources.places, options.sources.buffer);
		this.owners = new Owners(options.owners.limit, options.owners.buffer);
		this.loops = new Loops(this.table.sessions, options.loops);
		this.room = new Room(this.table.sessions);
		this.pipes = new Pipes(kernel, options.pipes, options.pipeEnds, (fd, pipe) =>
			this.owners.pipeOpened(fd, this.index, pipe, this.nowMs),
		);
		this.counters = new Counters(options.counters);
		this.journal = new Journal(options.journal);
		this.board = new Board(options.board);
		this.live = new Int32Array(options.live);
		this.reactors = options.reactors;
		this.#bufferedMax = options.bufferedBytes;
		this.query = {
			protocol: 0,
			name: this.recognition.name,
			nameLength: 0,
			hello: this.recognition.hello,
			family: 4,
			source: this.table.source,
			sourceOffset: 0,
			path: kernel.memory,
			pathStart: 0,
			pathEnd: 0,
			secured: false,
			serverName: this.secures.nameBytes(0),
			serverNameStart: 0,
			serverNameLength: 0,
			alpn: NO_BYTES,
			isWebSocket: false,
			request: this.requestHead,
			requestBytes: kernel.memory,
		};
		if (kernel.memory.length < CHUNKS_AT + this.chunks.count * CHUNK_BYTES)
			throw new Error("the kernel's arena is smaller than arenaBytes()");
	}

	/** The next session's number: unique in this process, as reactors count in steps. */
	sessionId(): number {
		return this.#sessionCount++ * this.reactors + this.index;
	}

	/** The TLS library of this thread, opened when it is asked for: do not, for connections that have no use for it. */
	get tls(): TlsLibrary {
		return this.certificates.library;
	}

	/** The listener that accepted a connection. */
	listenerOf(client: number): ReactorListener {
		const slot = at(this.table.listener, client);
		// Asked several times for a request, and mostly for the same listener as before.
		if (slot === this.#lastSlot && this.#lastListener !== undefined) return this.#lastListener;
		const listener = this.listeners.get(slot) ?? this.retired.get(slot);
		if (listener === undefined) throw new Error(`listener ${slot} has a connection, but never existed`);
		this.#lastSlot = slot;
		this.#lastListener = listener;
		return listener;
	}

	/** A slot has another listener from now on. */
	listenersChanged(): void {
		this.#lastListener = undefined;
	}

	/** What is done with a client's request, which has taken its route. */
	rulesOf(client: number): RouteRules {
		return this.exchanges.rules[client] as RouteRules; // set by routeRequest
	}

	policyOf(client: number): Policy {
		return this.policies.of(at(this.table.policy, client));
	}

	/** The address of `family` in column `source` lies in one of the blocks. */
	isWithin(blocks: readonly Cidr[], family: number, offset: number): boolean {
		for (const block of blocks) if (contains(block, family, this.table.source, offset)) return true;
		return false;
	}

	/** Says something to the operator, in the log. */
	remark(level: "warn" | "error", message: string): void {
		this.#remarks.say(level, message, this.nowMs);
	}

	/** How many wait for another turn. */
	get queued(): number {
		return this.queue.length;
	}

	/** Gives a connection another turn after the others have had theirs. */
	enqueue(slot: number): void {
		this.queue.add(slot);
	}

	/** Runs what was queued before this call, as far as this turn may still move bytes. */
	runQueued(run: (slot: number) => void): void {
		if (this.queue.length === 0) return;
		this.turnBytes = TURN_BYTES;
		this.queue.run(run, this.#hasBytesLeft);
	}

	readonly #hasBytesLeft = (): boolean => this.turnBytes > 0;

	/** Bytes in chunks and pipes changed. */
	buffered(delta: number): void {
		this.#bufferedNow += delta;
		this.counters.set(BUFFERED_BYTES, this.#bufferedNow);
	}

	/** Bytes that may still be taken without knowing whether their receiver takes them. */
	get bufferRoom(): number {
		return this.#bufferedMax - this.#bufferedNow;
	}

	/** Copies gauges that belong to other objects where the main thread sees them. */
	publish(): void {
		this.counters.set(PIPES_OPENED, this.pipes.openedTotal);
		this.counters.set(PIPES_OPEN, this.pipes.open);
		this.counters.set(PIPES_LENT, this.pipes.lent);
		this.counters.set(CHUNKS_LENT, this.chunks.lent);
		this.counters.set(POOL_IDLE, this.idleLists.idle);
	}
}

const BUFFERED_BYTES = scalarIndex("bufferedBytes");
const PIPES_OPENED = scalarIndex("pipesOpened");
const PIPES_OPEN = scalarIndex("pipesOpen");
const PIPES_LENT = scalarIndex("pipesLent");
const POOL_IDLE = scalarIndex("poolIdle");
const CHUNKS_LENT = scalarIndex("chunksLent");
