/** What a simulated descriptor number can stand for, and what Linux says of its readiness. */
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from "../../src/kernel/constants.js";
import { FREE } from "../../src/reactor/table/states.js";
import type { Random } from "../../src/rig/random.js";
import type { ClientAddress } from "./addresses.js";
import type { SimulatedDatagramSocket } from "./datagrams/datagram-socket.js";
import type { HttpClient } from "./http-client.js";
import type { HttpServer } from "./http-server.js";
import type { AgentLine } from "./lines/agent-line.js";
import type { GatewayEnd } from "./own-lines/gateway-end.js";
import type { SimulatedSession } from "./simulated-tls.js";
import type { Stream } from "./stream.js";

/** RFC 8446, 5.1: what a record holds at most. */
const RECORD_BYTES = 16_384;

/** Anything that epoll watches. */
export abstract class Watched {
	fd = -1;
	registered = false;
	interest = 0;
	slot = 0;
	generation = 0;
	/** Counts registrations, so that an event can tell whether its own is still there. */
	registration = 0;
	/** It is in epoll's list of what may have news. */
	listed = false;
	/** It had news when the last batch was full. */
	passedOver = false;

	/** The EPOLL… bits that hold now, as `poll` in the kernel would compute them. */
	abstract mask(): number;

	/** The same, asked by the kernel itself, which may note what it is to tell of later. */
	poll(): number {
		return this.mask();
	}

	/** The reactor is told of the state as it is now. */
	noteReport(): void {}
}

export class SimulatedListener extends Watched {
	readonly kind = "listener";
	readonly queue: SimulatedSocket[] = [];
	/** It rests; then it must be watched again at the latest at this time. */
	mustResumeMs = Number.POSITIVE_INFINITY;
	/** An operator has it rest. */
	rests = false;
	/** It rests because all places are in use: it must not go on when one is free. */
	waitsForPlace = false;

	mask(): number {
		return this.queue.length > 0 ? EPOLLIN : 0;
	}
}

export class SimulatedWake extends Watched {
	readonly kind = "wake";
	signalled = false;

	mask(): number {
		return this.signalled ? EPOLLIN : 0;
	}
}

/** Bytes in a pipe: a stretch of a stream. */
export interface Stretch {
	readonly stream: Stream;
	position: number;
	length: number;
}

export class SimulatedPipe {
	readonly stretches: Stretch[] = [];
	bytes = 0;
	readonly capacity: number;

	constructor(capacity: number) {
		this.capacity = capacity;
	}
}

export class SimulatedPipeEnd {
	readonly kind = "pipe";
	readonly pipe: SimulatedPipe;
	readonly reads: boolean;

	constructor(pipe: SimulatedPipe, reads: boolean) {
		this.pipe = pipe;
		this.reads = reads;
	}
}

/** How the other end of a connection behaves: chosen once, then acted out at random. */
export interface Temper {
	/** Bytes it sends, all in all. */
	readonly budget: number;
	/** The most it sends at once. */
	readonly burst: number;
	/** How likely it is, when it has its turn, to … */
	readonly reads: number;
	readonly resets: number;
	readonly endsEarly: number;
	/** Marks some of it as urgent. */
	readonly urges: number;
	/** Closes both directions instead of one, so that what is sent to it later is answered by a reset. */
	readonly closesWhole: boolean;
	/** Never ends its direction by itself. */
	readonly staysOpen: boolean;
}

export type Fate = "accepted" | "refused" | "hangs" | "unreachable";

export type Role = "client" | "upstream";

/** A TCP socket of the reactor, together with the other end of its connection. */
export class SimulatedSocket extends Watched {
	readonly kind = "socket";
	/** A line that an agent has opened is an upstream's until a visitor has it, and a client's then. */
	role: Role;
	readonly incoming: Stream;
	readonly temper: Temper;
	/** Of the other end. */
	address: ClientAddress;
	port: number;

	/** connect() is under way. */
	connecting = false;
	/** In use by the reactor: accepted or opened, and not closed. */
	open = false;

	/** Options that are set once at most: a bit for each that was. */
	optionsSet = 0;
	/** The turn in which the reactor sent first. */
	firstSentTurn = 0;
	/** A Unix socket. */
	unix = false;
	/** SO_SNDBUF and SO_RCVBUF as asked for; 0: the kernel tunes them. */
	sendBufferBytes = 0;
	receiveBufferBytes = 0;

	// What came in.
	/** Bytes that the reactor has taken. */
	taken = 0;
	/** Bytes that the reactor has seen: they cannot vanish from under it. */
	seen = 0;
	/** Bytes of which the reactor was told, by an event. */
	reported = 0;
	/** The peer's FIN has arrived. */
	finished = false;
	/** Where urgent data stood: a read stops there, whatever waits behind. -1: nowhere. */
	urgentAt = -1;
	/** SO_RCVLOWAT */
	lowWater = 1;

	// What a completion engine has of it.
	/** Bytes that it has received, and the reactor has not taken. */
	ahead = 0;
	/** Bytes that it has taken for sending, and the kernel has not. */
	sending = 0;

	// What goes out.
	/** Bytes accepted from the reactor, and how many of them the peer has not acknowledged. */
	sent = 0;
	queued = 0;
	/** The last of them, which the kernel keeps until more follows (MSG_MORE). */
	held = 0;
	/** Since when some of them are unacknowledged, and when the peer acknowledged any last. */
	queuedSinceMs = 0;
	acknowledgedMs = 0;
	/** And when before that moment. */
	acknowledgedBeforeMs = 0;
	readonly capacity: number;
	/** A send found no room: an edge is owed when there is some. */
	wantsRoom = false;
	/** The kernel takes nothing for a while, whatever room there is. */
	throttled = false;
	/** The reactor ended its direction. */
	shut = false;

	/** Reset or given up: the state is CLOSE, both directions are shut. */
	dead = false;
	/** SO_ERROR, 0 or an errno. */
	error = 0;
	/** The peer's program has closed, so more data is answered by a reset. */
	peerGone = false;
	/** A reset is on its way. */
	resetDue = false;

	/** What becomes of its connect(). */
	fate: Fate = "accepted";
	/** Place in the world's list of other ends, -1 when it is in none. */
	place = -1;

	// TLS, as simulated-tls.ts has it: content as it is, and behind each record one byte that ends it.
	/** The session over it, also when it was given back. */
	secured: SimulatedSession | undefined;
	/** There was no memory for one. */
	hasNoTls = false;
	/** Where in its stream the handshake ends with which its peer begins; Infinity: it does not speak TLS. */
	shakeEnd = Number.POSITIVE_INFINITY;
	/** Its peer says by TLS that nothing more follows, before it ends. */
	saysGoodbye = true;
	/** Bytes that the session has taken from the kernel, as they travel. */
	fetched = 0;
	/** Up to where it has taken content, which is ahead of what it has shown; and how many ends of records. */
	#fetchedContent = 0;
	#fetchedEnds = 0;
	/** Where records end that were not read to their end, how many came before them, and where the last one ends. */
	readonly #recordEnds: number[] = [];
	#readEnds = 0;
	#lastEnd = 0;

	/** What a client asks; what an upstream was asked. Undefined for those that send bytes. */
	asks: HttpClient | undefined;
	serves: HttpServer | undefined;
	/** It was opened by an agent. */
	line: AgentLine | undefined;
	/** It is a line that the reactor has opened as an agent: the gateway at its other end. */
	ownLine: GatewayEnd | undefined;
	/** The address on the board that it was connected to. */
	board = -1;

	// What the checker knows of it.
	partner: SimulatedSocket | undefined;
	/** What came before the bytes that are relayed, and is not: a PROXY header, requests, answers. */
	takenBefore = 0;
	/** What was sent before them; -1 while that is not over yet. */
	sentBefore = 0;
	/** What was sent before its PROXY header. */
	headerBase = 0;
	/** PROXY header sent to this upstream: its bytes so far. */
	readonly headerOut: number[] = [];
	/** PROXY header that came from this client: whom it names, and that one's port, -1 when it names nobody. */
	named: ClientAddress | undefined;
	namedPort = -1;
	/** What a client speaks when its words do not tell: a protocol; -1: they do. */
	speaks = -1;
	/** The state of its row when it was lost. */
	diedIn = FREE;
	/** Its end had been read when it was lost. */
	diedEnded = false;
	/** The last turn behind which something was put back of it. */
	aheadTurn = -1;
	/** It was told why it is refused. */
	told = false;
	/** Of a client that was told one. */
	userTimeoutMs: number | undefined;
	/** What was used of it when it was last seen being dialled for. */
	usedAtDial = 0;
	/** When a client came to its listener's queue. */
	arrivedMs = 0;
	acceptedMs = 0;
	acceptedTurn = 0;
	dialledMs = 0;
	/** When the reactor last moved a byte of the session (noted on the client). */
	activeMs = 0;
	/** When a client whose requests were read went over to bytes. */
	upgradedMs = 0;
	/** The reactor ended it with a reset. */
	wasReset = false;

	constructor(
		role: Role,
		incoming: Stream,
		temper: Temper,
		address: ClientAddress,
		port: number,
		capacity: number,
	) {
		super();
		this.role = role;
		this.incoming = incoming;
		this.temper = temper;
		this.address = address;
		this.port = port;
		this.capacity = capacity;
	}

	/** What was sent on it before it was a client's: as a line. */
	get sentAsLine(): number {
		return this.ownLine === undefined || this.role === "upstream" ? 0 : this.sentBefore;
	}

	/** tcp_poll() notes that room is wanted where it finds none. */
	override poll(): number {
		if (!this.connecting && !this.shut && !this.dead && !this.writable) this.wantsRoom = true;
		return this.mask();
	}

	override noteReport(): void {
		this.reported = this.incoming.arrived;
	}

	/** Bytes that wait in the kernel. */
	get waiting(): number {
		const { arrived } = this.incoming;
		if (!this.isOpenTls) return arrived - this.taken - this.ahead;
		return arrived - this.#fetchedContent + this.#readEnds + this.#recordEnds.length - this.#fetchedEnds;
	}

	/** Bytes that have come and were not taken by the reactor. Through TLS those of whole records. */
	get available(): number {
		if (!this.isOpenTls) return this.incoming.arrived - this.taken;
		return Math.max(0, (this.#recordEnds.at(-1) ?? 0) - this.taken);
	}

	/** Its handshake is over. */
	get isOpenTls(): boolean {
		return this.secured !== undefined && this.secured.phase !== "handshakes" && this.taken >= this.shakeEnd;
	}

	/** The connection is gone, or of no use any more to who speaks TLS over it. */
	get isLost(): boolean {
		return this.dead || this.secured?.phase === "broken" || this.secured?.phase === "mute";
	}

	/** The peer has ended its direction, and by TLS it has said so. */
	get hasEnded(): boolean {
		return this.finished && (!this.isOpenTls || this.saysGoodbye);
	}

	/** TLS has opened: what it reads from here on is content. */
	tlsOpened(): void {
		this.#fetchedContent = this.taken;
		this.#lastEnd = Math.max(this.#lastEnd, this.taken);
		this.seen = Math.max(this.seen, this.taken);
		this.takenBefore = this.taken;
	}

	/**
	 * `count` bytes have arrived: its peer wrote them in records. `staysOpen`: the last of them is not whole yet. A record
	 * that was not whole before ends among them.
	 */
	wroteRecords(count: number, random: Random, staysOpen: boolean): void {
		const { arrived } = this.incoming;
		if (arrived <= this.shakeEnd) return;
		this.#lastEnd = Math.max(this.#lastEnd, this.shakeEnd);
		const endRandomly = (): void => {
			const least = Math.max(1, arrived - count - this.#lastEnd);
			this.#endRecord(random.between(least, Math.min(RECORD_BYTES, arrived - this.#lastEnd)));
		};
		while (arrived - this.#lastEnd > RECORD_BYTES) endRandomly();
		if (arrived > this.#lastEnd && random.chance(0.3)) endRandomly();
		if (!staysOpen) this.endRecord();
	}

	/** The last record is whole now. False: it was. */
	endRecord(): boolean {
		const { arrived } = this.incoming;
		const length = arrived - Math.max(this.#lastEnd, this.shakeEnd);
		if (length > 0) this.#endRecord(length);
		return length > 0;
	}

	#endRecord(length: number): void {
		this.#lastEnd = Math.max(this.#lastEnd, this.shakeEnd) + length;
		this.#recordEnds.push(this.#lastEnd);
	}

	/** The session takes `count` bytes from the kernel. */
	fetch(count: number): void {
		this.fetched += count;
		if (!this.isOpenTls) {
			this.taken += count;
			return;
		}
		for (let left = count; left > 0; ) {
			const end = this.#recordEnds[this.#fetchedEnds - this.#readEnds] ?? this.incoming.arrived;
			const content = Math.min(left, end - this.#fetchedContent);
			this.#fetchedContent += content;
			left -= content;
			if (left === 0) return;
			this.#fetchedEnds++;
			left--;
		}
	}

	/** What is not read yet of the first record, when all of it was taken from the kernel; otherwise 0. */
	get wholeBytes(): number {
		return this.#fetchedEnds > this.#readEnds ? (this.#recordEnds[0] ?? 0) - this.taken : 0;
	}

	/** What is missing of a record of which some was taken from the kernel; 0: there is none. */
	get restOfRecord(): number {
		if (this.wholeBytes > 0 || this.#fetchedContent === this.taken) return 0;
		return (this.#recordEnds[0] ?? this.incoming.arrived) + 1 - this.#fetchedContent;
	}

	/** The session has something that the kernel does not show any more. */
	get holdsContent(): boolean {
		return this.#fetchedContent > this.taken || this.#fetchedEnds > this.#readEnds;
	}

	/** The reactor takes content of the first record. */
	takeContent(count: number): void {
		this.taken += count;
		if (this.taken !== this.#recordEnds[0]) return;
		this.#recordEnds.shift();
		this.#readEnds++;
	}

	/** What the session has, and what waits beneath it, is of no use any more. */
	throwAway(): void {
		this.taken = Math.max(this.taken, this.#fetchedContent);
		while ((this.#recordEnds[0] ?? Number.POSITIVE_INFINITY) <= this.taken) {
			this.#recordEnds.shift();
			this.#readEnds++;
		}
		this.#fetchedEnds = Math.max(this.#fetchedEnds, this.#readEnds);
	}

	/** Up to where the reactor knows what came: it has taken it, or looked at it. */
	get known(): number {
		return Math.max(this.seen, this.taken);
	}

	get room(): number {
		return this.dead || this.throttled ? 0 : this.capacity - this.queued;
	}

	/** sk_stream_is_writeable: a third of the buffer is free. */
	get writable(): boolean {
		return !this.throttled && 2 * (this.capacity - this.queued) >= this.queued && this.queued < this.capacity;
	}

	/** tcp_poll(). */
	mask(): number {
		if (this.connecting) return 0;
		let mask = 0;
		const receiveShut = this.finished || this.dead;
		const sendShut = this.shut || this.dead;
		if (receiveShut && sendShut) mask |= EPOLLHUP;
		if (receiveShut) mask |= EPOLLIN | EPOLLRDHUP;
		else if (this.waiting > 0 && this.waiting >= this.lowWater) mask |= EPOLLIN;
		if (this.urgentAt >= 0) mask |= EPOLLPRI;
		if (sendShut || this.writable) mask |= EPOLLOUT;
		if (this.error !== 0) mask |= EPOLLERR;
		return mask;
	}
}

export type Descriptor =
	| SimulatedListener
	| SimulatedWake
	| SimulatedPipeEnd
	| SimulatedSocket
	| SimulatedDatagramSocket;
