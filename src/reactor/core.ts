/**
 * All state of one reactor, put together. Nothing is decided here: each folder declares the slice of it that it needs
 * (`context.ts`), and this class satisfies all of them. Only the loop and what carries out commands import it.
 */

import type { HubMemory, HubSettings } from "../channels/orders.js";
import type { KernelControl } from "../kernel/kernel.js";
import type { TlsLibrary } from "../kernel/openssl/tls.js";
import { assert } from "../parts/assert.js";
import { u16 } from "../parts/at.js";
import { Chunks } from "../parts/chunks.js";
import { Wheel } from "../parts/wheel.js";
import { ChunkedScanner } from "../protocol/http/chunked.js";
import { PathForm } from "../protocol/http/path.js";
import { ResponseHead } from "../protocol/http/response.js";
import { RequestRewrite, ResponseRewrite } from "../protocol/http/rewrite.js";
import { TrailerSection } from "../protocol/http/trailers.js";
import { ProxyHeader, Recognition } from "../protocol/index.js";
import type { RouteQuery } from "../route/router.js";
import type { Balancer } from "../upstream/balance.js";
import { Board } from "../upstream/board.js";
import type { ReactorListener } from "./admission/listener.js";
import { Room } from "./admission/room.js";
import type { HalfLimits } from "./datagrams/half-hellos.js";
import type { OpenInitials } from "./datagrams/quic-hellos.js";
import { SharedIds } from "./datagrams/shared-ids.js";
import { Strays } from "./datagrams/strays.js";
import { DatagramTraffic, type OtherReactors } from "./datagrams/traffic.js";
import type { LineColumns } from "./lines/columns.js";
import type { LinkColumns } from "./links/columns.js";
import { IdleLists } from "./links/idle-lists.js";
import { Loops } from "./links/loops.js";
import { WaitingSessions } from "./links/waiting.js";
import { CHUNK_BYTES, CHUNKS_AT, chunkCount } from "./memory/arena.js";
import { Budget } from "./memory/budget.js";
import type { Inboxes } from "./memory/inboxes.js";
import { Pipes } from "./memory/pipes.js";
import type { Http1Columns } from "./modes/http1/columns.js";
import { RequestNotes } from "./modes/http1/request-notes.js";
import type { HubColumns } from "./modes/hub/columns.js";
import { HubTraffic } from "./modes/hub/traffic.js";
import { GatewayContexts } from "./own-lines/gateway-contexts.js";
import type { OwnLine } from "./own-lines/own-line.js";
import { Certificates } from "./plan/certificates.js";
import type { Notice, OwnLineNews, Policy, ReactorOptions } from "./plan/plan.js";
import { Policies } from "./plan/policies.js";
import { Bans } from "./records/bans.js";
import { Counters, scalarIndex } from "./records/counters.js";
import { dropIndex } from "./records/datagram-drops.js";
import { Journal } from "./records/journal.js";
import { LineNews } from "./records/line-news.js";
import { Owners } from "./records/owners.js";
import { Places } from "./records/places.js";
import { Rates } from "./records/rates.js";
import { Remarks } from "./records/remarks.js";
import { SessionNumbers } from "./records/session-numbers.js";
import { Sources } from "./records/sources.js";
import { go, type RoadContext } from "./road.js";
import { HeadAtHand } from "./routing/head-at-hand.js";
import { Unfinished } from "./routing/unfinished.js";
import { rowsOf } from "./rows.js";
import type { Next } from "./table/next.js";
import { type Link, NONE, type Session } from "./table/numbers.js";
import type { Table } from "./table/table.js";
import { Tag } from "./table/tag.js";
import { TurnQueue } from "./table/turn-queue.js";
import type { Engine, OpenEngine } from "./wire/engine.js";
import type { Paces } from "./wire/paces.js";
import type { Secures } from "./wire/secures.js";

/** Sum of a listener's or the gateway's figures that may be without limit. */
const UNLIMITED = Number.POSITIVE_INFINITY;

const NO_BYTES = new Uint8Array(0);

export class Core implements RoadContext {
	readonly kernel: KernelControl;
	readonly engine: Engine;
	readonly index: number;
	readonly reactors: number;

	// Rows.
	readonly table: Table;
	readonly inboxes: Inboxes;
	readonly secures: Secures;
	readonly paces: Paces;
	readonly links: LinkColumns;
	readonly lines: LineColumns;
	readonly waitingForLines = new WaitingSessions();
	readonly unproved = new Set<Link>();
	readonly ownLines = new Map<Link, OwnLine>();
	readonly ownLineNews: OwnLineNews[] = [];
	readonly gatewayContexts = new GatewayContexts(() => this.tls);
	readonly exchanges: Http1Columns;
	readonly hubColumns: HubColumns;
	readonly wheel: Wheel;
	readonly queue: TurnQueue;
	readonly policies: Policies;
	readonly proxyHeaders = new Map<number, Uint8Array>();
	readonly tlsFailures = new Map<number, string>();

	/** The clock as of this turn. */
	nowMs: number;
	/** The number of the last wait for news. */
	wait = 0;

	// Memory.
	readonly chunks: Chunks;
	readonly pipes: Pipes;
	readonly budget: Budget;

	// Records.
	readonly counters: Counters;
	readonly journal: Journal;
	readonly lineNews = new LineNews();
	readonly owners: Owners;
	readonly sources: Sources;
	readonly rates: Rates;
	readonly bans = new Bans();
	readonly places: Places;
	readonly sessionNumbers: SessionNumbers;
	readonly notify: (notice: Notice) => void;
	readonly #remarks: Remarks;

	// Upstream connections.
	readonly idleLists: IdleLists;
	readonly loops: Loops;
	readonly board: Board;
	upstreams = new Map<number, Balancer>();
	readonly certificates: Certificates;

	// Who may come in.
	readonly listeners = new Map<number, ReactorListener>();
	readonly retired = new Map<number, ReactorListener>();
	readonly room: Room;
	connectionsMax = 0;
	resetsWhenFull = false;
	shedsWhenFull = false;
	sourceLimits = { connections: UNLIMITED, perSecond: UNLIMITED };
	acceptsPerSecond = UNLIMITED;
	descriptorCeiling = UNLIMITED;
	logSessions = true;
	saysProxyHeaders = false;
	draining = false;

	datagrams: DatagramTraffic | null = null;
	hub: HubTraffic | null = null;
	readonly wakeFds: readonly number[];
	readonly #openInitials: OpenInitials;
	readonly #others: OtherReactors;

	// What bytes are read into, one after the other, whoever's they are.
	readonly recognition = new Recognition();
	readonly recognized: Tag;
	readonly headAtHand: HeadAtHand;
	readonly unfinished = new Unfinished();
	readonly proxyHeader = new ProxyHeader();
	readonly query: RouteQuery;
	readonly pathForm = new PathForm();
	readonly responseHead = new ResponseHead();
	readonly requestRewrite = new RequestRewrite();
	readonly responseRewrite = new ResponseRewrite();
	readonly chunkedScanner = new ChunkedScanner();
	readonly trailers = new TrailerSection();
	readonly requestLog = new RequestNotes();

	#lastSlot = 0;
	#lastListener: ReactorListener | undefined;

	constructor(
		kernel: KernelControl,
		options: ReactorOptions,
		notify: (notice: Notice) => void,
		openTls: (memory: Uint8Array) => TlsLibrary,
		openEngine: OpenEngine,
		openInitials: OpenInitials,
	) {
		this.kernel = kernel;
		this.#openInitials = openInitials;
		this.index = options.index;
		this.reactors = options.reactors;
		this.notify = notify;
		this.#remarks = new Remarks(notify);
		this.nowMs = kernel.now();

		const { table, inboxes, secures, paces, links, lines, exchanges, hubColumns } = rowsOf(
			options.sessions,
			options.table,
		);
		this.table = table;
		this.inboxes = inboxes;
		this.secures = secures;
		this.paces = paces;
		this.links = links;
		this.lines = lines;
		this.exchanges = exchanges;
		this.hubColumns = hubColumns;
		this.engine = openEngine(table);
		this.wheel = new Wheel(table, this.nowMs);
		this.queue = new TurnQueue(table);

		this.counters = new Counters(options.counters);
		this.journal = new Journal(options.journal);
		this.owners = new Owners(options.owners.limit, options.owners.buffer);
		this.rates = new Rates(options.rates);
		this.sources = new Sources(options.sources.places, options.sources.buffer);
		this.places = new Places(options.live);
		this.policies = new Policies(this.places);
		this.wakeFds = options.wakeFds;
		this.#others = {
			index: options.index,
			ids: new SharedIds(0, options.connectionIds),
			strays: new Strays(options.strays),
		};
		this.sessionNumbers = new SessionNumbers(options.index, options.reactors);

		this.chunks = new Chunks(CHUNKS_AT, CHUNK_BYTES, chunkCount(options.bufferedBytes));
		this.pipes = new Pipes(kernel, options.pipes, options.pipeEnds, (fd, pipe) =>
			this.owners.pipeOpened(fd, this.index, pipe, this.nowMs),
		);
		this.budget = new Budget(this.counters, options.bufferedBytes);
		assert(
			kernel.memory.length >= CHUNKS_AT + this.chunks.count * CHUNK_BYTES,
			"the kernel's arena has arenaBytes()",
		);

		this.idleLists = new IdleLists(links);
		this.loops = new Loops(table.sessions, options.loops);
		this.board = new Board(options.board);
		this.certificates = new Certificates(() => openTls(kernel.memory));
		this.room = new Room(table.sessions);

		this.recognized = new Tag(table);
		// One, whoever reads it: what was recognised by its head is routed by that head.
		this.headAtHand = new HeadAtHand(this.recognition.head, table);
		// Beside X-Forwarded-…: some servers read only the one, and some only the others.
		this.requestRewrite.sendsForwarded = true;
		this.query = {
			protocol: 0,
			name: this.recognition.name,
			nameLength: 0,
			hello: this.recognition.hello,
			family: 4,
			source: table.source,
			sourceOffset: 0,
			path: kernel.memory,
			pathStart: 0,
			pathEnd: 0,
			secured: false,
			serverName: secures.names.bytes,
			serverNameStart: 0,
			serverNameLength: 0,
			alpn: NO_BYTES,
			isWebSocket: false,
			request: this.recognition.head,
			requestBytes: kernel.memory,
		};
	}

	/** There is a listener for datagrams. */
	useDatagrams(limits: HalfLimits): void {
		if (this.datagrams !== null) {
			this.counters.dropped(dropIndex("half_hello"), this.datagrams.useLimits(limits));
			return;
		}
		const io = this.kernel.openDatagrams();
		const opener = this.#openInitials(io.memory);
		this.datagrams = new DatagramTraffic(io, opener, this.table.sessions, limits, this.#others);
	}

	/** There is a hub, or what holds for its subscribers has changed. */
	useHub(memory: HubMemory, settings: HubSettings): void {
		if (this.hub === null) this.hub = new HubTraffic(this.index, memory, settings);
		else this.hub.settings = settings;
	}

	go(session: Session, next: Next): void {
		go(this, session, next);
	}

	get tls(): TlsLibrary {
		return this.certificates.library;
	}

	listenerOf(session: Session): ReactorListener {
		const slot = u16(this.table.listener, session);
		// Asked several times for a request, and mostly for the same listener as before.
		if (slot === this.#lastSlot && this.#lastListener !== undefined) return this.#lastListener;
		const listener = this.listeners.get(slot) ?? this.retired.get(slot);
		assert(listener !== undefined, "the listener of a connection is known");
		this.#lastSlot = slot;
		this.#lastListener = listener;
		return listener;
	}

	agentsCertificate(slot: number): number {
		const listener = this.listeners.get(slot);
		return listener === undefined ? NONE : Math.max(0, listener.certificates.find(NO_BYTES, 0));
	}

	listenersChanged(): void {
		this.#lastListener = undefined;
	}

	policyOf(session: Session): Policy {
		return this.policies.of(u16(this.table.policy, session));
	}

	remark(level: "warn" | "error", message: string): void {
		this.#remarks.say(level, message, this.nowMs);
	}

	/** Copies gauges that belong to other objects where the main thread sees them, and tells it what it must hear. */
	publish(): void {
		this.lineNews.tell(this.notify, this.nowMs);
		if (this.ownLineNews.length > 0) this.notify({ kind: "ownLines", items: this.ownLineNews.splice(0) });
		if (this.hub !== null && this.hub.news.length > 0)
			this.notify({ kind: "hub", items: this.hub.news.splice(0) });
		this.counters.set(PIPES_OPENED, this.pipes.openedTotal);
		this.counters.set(PIPES_OPEN, this.pipes.open);
		this.counters.set(PIPES_LENT, this.pipes.lent);
		this.counters.set(CHUNKS_LENT, this.chunks.lent);
		this.counters.set(POOL_IDLE, this.idleLists.idle);
		if (this.datagrams === null) return;
		this.counters.set(DATAGRAM_FLOWS, this.datagrams.flows.count);
		this.counters.set(CONNECTION_IDS, this.datagrams.ids.count);
		const { halves } = this.datagrams.recognizer;
		this.counters.set(HALF_HELLOS, halves.count);
		this.counters.add(HALVES_DISPLACED, halves.takeDisplaced());
		this.counters.add(HALVES_EXPIRED, halves.takeExpired());
	}
}

const PIPES_OPENED = scalarIndex("pipesOpened");
const PIPES_OPEN = scalarIndex("pipesOpen");
const PIPES_LENT = scalarIndex("pipesLent");
const POOL_IDLE = scalarIndex("poolIdle");
const DATAGRAM_FLOWS = scalarIndex("datagramFlows");
const CONNECTION_IDS = scalarIndex("connectionIds");
const HALVES_DISPLACED = scalarIndex("halfHellosDisplaced");
const HALVES_EXPIRED = scalarIndex("halfHellosExpired");
const HALF_HELLOS = scalarIndex("halfHellos");
const CHUNKS_LENT = scalarIndex("chunksLent");
