/**
 * One run: a reactor on a simulated kernel, and everybody at the other ends. All of it follows from the seed.
 */
import {
	AF_UNIX,
	EAGAIN,
	ECONNREFUSED,
	ECONNRESET,
	EHOSTUNREACH,
	EINPROGRESS,
	ENETUNREACH,
	ETIMEDOUT,
} from "../../src/kernel/constants.js";
import { familyAt } from "../../src/kernel/sockaddr.js";
import { COMPLETE, MALFORMED, ProxyHeader, parseProxyHeader } from "../../src/protocol/index.js";
import { at } from "../../src/reactor/at.js";
import { arenaBytes, CHUNK_BYTES } from "../../src/reactor/core.js";
import type { Counters } from "../../src/reactor/counters.js";
import type { Journal } from "../../src/reactor/journal.js";
import type { Command, ListenerPlan, Notice, Policy } from "../../src/reactor/plan.js";
import { Reactor } from "../../src/reactor/reactor.js";
import { CONNECTING, ENDED, NONE, PROXY_REQUIRED, RELAY } from "../../src/reactor/table.js";
import type { Board } from "../../src/upstream/board.js";
import { sharedMemory } from "../reactor/shared-memory.js";
import {
	type Fate,
	SimulatedListener,
	SimulatedSocket,
	SimulatedWake,
	type Temper,
	type Watched,
} from "./descriptors.js";
import { CALM, type Faults, type Mutant } from "./faults.js";
import { checkEnd, checkSettled, checkTurn } from "./invariants.js";
import { randomListener, randomPlan, randomPolicy, randomUpstream, UPSTREAMS } from "./plans.js";
import { choose, chooseProxied, type Prologue } from "./prologues.js";
import { Random } from "./random.js";
import { type World as Around, SimulatedKernel } from "./simulated-kernel.js";
import type { Surroundings } from "./simulated-readiness.js";
import { Stream } from "./stream.js";
import { operation, Trace, violated } from "./trace.js";

const CLOCK = operation("clock");

/** Turns that a run may take to come to rest when nothing new happens. */
const SETTLE_TURNS_MAX = 5_000;
/** Turns in which everything must have ended once all other ends cooperate. */
const END_TURNS_MAX = 30_000;
/** What the kernel holds for one connection before its sender must wait. */
const WINDOW_BYTES = 256 * 1024;

export interface RunOptions {
	readonly seed: number;
	readonly turns: number;
	readonly mutant?: Mutant;
	/**
	 * KNOWN: urgent data within a hello makes the reactor spin until `timeouts.handshake`, because SO_RCVLOWAT
	 * reports what a peek cannot reach. Off until that is mended.
	 */
	readonly urgentHellos?: boolean;
}

export class World implements Around, Surroundings {
	readonly random: Random;
	readonly trace = new Trace();
	readonly kernel: SimulatedKernel;
	readonly reactor: Reactor;
	readonly counters: Counters;
	readonly journal: Journal;
	readonly board: Board;
	readonly live: Int32Array;
	readonly sessions: number;
	readonly chunks: number;
	/** Sessions of reactors that are not simulated. */
	othersLive = 0;
	turns = 0;
	/** Clients whose connection was closed in this turn, in order. */
	readonly closedClients: SimulatedSocket[] = [];
	sessionsEnded = 0;
	/** Descriptors that the reactor does not own: the wake-up and the listeners. */
	foreign = 0;

	readonly #faults: Faults;
	readonly #wake = new SimulatedWake();
	readonly #commands: Command[] = [];
	readonly #notices: Notice[] = [];
	/** Sockets whose other end is there. */
	readonly #peers: SimulatedSocket[] = [];
	readonly #listeners = new Map<number, SimulatedListener>();
	#listenerPlans: ListenerPlan[] = [];
	#policy: Policy;
	#connections: number;
	#revision = 0;
	#nextPort = 1_024;
	readonly #arrivals: number;
	readonly #bulk: boolean;
	readonly #pace: number;
	/** How addresses behave: what a connect to one meets. */
	#fates: readonly Fate[];
	#mode: "wild" | "frozen" | "cooperative" = "wild";
	#draining = false;
	readonly #urgentHellos: boolean;

	constructor({ seed, mutant = "none", urgentHellos = true }: RunOptions) {
		this.#urgentHellos = urgentHellos;
		const random = new Random(seed);
		this.random = random;
		this.sessions = random.pick([1, 2, 4, 8, 16, 24]);
		this.chunks = random.pick([1, 1, 2, 4, 32]);
		this.#connections = Math.max(1, this.sessions - random.pick([0, 0, 0, 1, 3]));
		this.#arrivals = random.pick([0.02, 0.1, 0.3, 0.6]);
		this.#bulk = random.chance(0.15);
		this.#pace = random.pick([1, 1, 3, 10]);
		this.#policy = randomPolicy(random);
		this.#fates = randomFates(random);
		this.#faults = randomFaults(random);
		const bufferedBytes = this.chunks * CHUNK_BYTES;
		const startMs = random.pick([1_000.5, 3e9 + 0.25]);
		this.kernel = new SimulatedKernel(random, this.#faults, this.trace, arenaBytes(bufferedBytes), startMs);
		this.kernel.world = this;
		this.kernel.readiness.surroundings = this;
		this.kernel.pipeCapacity = random.pick([4_096, 65_536, 1 << 20]);
		this.kernel.setMutant(mutant);
		const wakeFd = this.kernel.install(this.#wake);
		this.foreign = 1;
		const pipes = random.pick([0, 1, 2, 8, 32]);
		const shared = sharedMemory(this.sessions, pipes);
		this.counters = shared.counters;
		this.journal = shared.journal;
		this.board = shared.board;
		this.live = shared.live;
		this.reactor = new Reactor(
			this.kernel,
			{
				...shared.options,
				index: 0,
				reactors: 1,
				sessions: this.sessions,
				bufferedBytes,
				pipes,
				wakeFd,
			},
			(notice) => this.#noticed(notice),
			() => this.#commands.splice(0),
		);
		const listeners = random.between(1, 3);
		for (let slot = 0; slot < listeners; slot++) this.#openListener(slot);
		this.#sendPlan();
		if (random.chance(0.4)) this.kernel.limit = this.kernel.openCount + random.between(1, 3 * this.sessions);
	}

	/** Runs `turns` turns, then lets everything end. */
	run(turns: number): void {
		for (let turn = 0; turn < turns; turn++) {
			if (this.random.chance(0.002)) this.#control();
			this.#turn();
			if (this.random.chance(0.004)) this.#settle();
		}
		this.#settle();
		this.#end();
	}

	#turn(): void {
		this.turns++;
		this.kernel.noteTurn(this.turns);
		this.reactor.turn();
		this.#spoil();
		checkTurn(this);
		this.closedClients.length = 0;
	}

	/** Plays a reactor at fault. */
	#spoil(): void {
		const { mutant } = this.kernel;
		if (this.turns < 100) return;
		if (mutant === "lost_record") this.journal.drain(() => {});
		if (mutant === "lost_deadline") this.reactor.core.wheel.cancel(0);
	}

	// The main thread.

	#command(command: Command): void {
		this.#commands.push(command);
		this.kernel.wake(this.#wake);
	}

	/** Something an operator or the control plane does. */
	#control(): void {
		const { random } = this;
		switch (random.below(6)) {
			case 0:
				this.#policy = randomPolicy(random);
				this.#reload();
				return;
			case 1:
				this.#reload();
				return;
			case 2:
				this.#command({ kind: "upstream", upstream: randomUpstream(random, random.below(UPSTREAMS)) });
				return;
			case 3:
				this.#fates = randomFates(random);
				this.board.setDown(random.below(12), random.chance(0.5));
				return;
			case 4: {
				const others = random.chance(0.5) ? 0 : random.below(this.#connections + 1);
				Atomics.add(this.live, 0, others - this.othersLive);
				this.othersLive = others;
				return;
			}
			default:
				this.kernel.wake(this.#wake);
		}
	}

	#reload(): void {
		const { random } = this;
		if (this.#draining) return;
		const slot = random.below(3);
		const present = this.#listenerPlans.find((plan) => plan.slot === slot);
		if (present === undefined) this.#openListener(slot);
		else if (random.chance(0.4)) {
			this.#listenerPlans = this.#listenerPlans.filter((plan) => plan !== present);
			if (random.chance(0.3)) this.#openListener(slot);
		} else {
			const changed = randomListener(random, slot, present.fd);
			this.#listenerPlans = this.#listenerPlans.map((plan) => (plan === present ? changed : plan));
		}
		this.#connections = Math.max(1, this.sessions - random.pick([0, 0, 1, 3]));
		this.#sendPlan();
	}

	#openListener(slot: number): void {
		const listener = new SimulatedListener(slot);
		const fd = this.kernel.install(listener);
		this.foreign++;
		this.#listeners.set(fd, listener);
		this.#listenerPlans.push(randomListener(this.random, slot, fd));
	}

	#sendPlan(): void {
		this.#revision++;
		const plan = randomPlan(this.random, this.#revision, this.#connections, this.#policy, [
			...this.#listenerPlans,
		]);
		this.#command({ kind: "plan", plan });
	}

	#noticed(notice: Notice): void {
		this.#notices.push(notice);
		if (notice.kind === "applied" && notice.revision === this.#revision) {
			const kept = new Set(this.#listenerPlans.map((plan) => plan.fd));
			for (const fd of [...this.#listeners.keys()]) if (!kept.has(fd)) this.#closeListener(fd);
		} else if (notice.kind === "listenersClosed") {
			for (const fd of [...this.#listeners.keys()]) this.#closeListener(fd);
		} else if (notice.kind === "log") violated(`the reactor logs: ${notice.message}`);
	}

	#closeListener(fd: number): void {
		const listener = this.#listeners.get(fd);
		this.#listeners.delete(fd);
		// A paused listener is not watched; a watched one must have been let go by the reactor.
		if (listener?.registered === true) violated(`listener ${fd} is still watched after it was given up`);
		for (const socket of listener?.queue ?? []) this.#forgetPeer(socket);
		this.kernel.uninstall(fd);
		this.foreign--;
	}

	// Time.

	before(): void {
		const { random, kernel } = this;
		if (this.#mode === "frozen") return;
		if (this.#mode === "cooperative") {
			kernel.nowMs += 0.5;
			this.#cooperate();
			return;
		}
		if (random.chance(0.5)) kernel.nowMs += random.fraction() * 2;
		if (random.chance(this.#faults.leap)) {
			kernel.nowMs += random.magnitude(100_000_000);
			this.trace.note(CLOCK, -1, 0, kernel.nowMs);
		}
		if (random.chance(this.#arrivals)) this.#arrive();
		for (let act = random.below(4); act > 0; act--) {
			const peer = this.#anyPeer();
			if (peer !== undefined) this.#act(peer);
		}
	}

	sleep(timeoutMs: number): void {
		const { random, kernel } = this;
		if (this.#mode === "frozen") return;
		const whole = timeoutMs < 0 ? 50 : timeoutMs;
		if (this.#mode === "cooperative") kernel.nowMs += whole;
		else if (random.chance(0.75)) kernel.nowMs += Math.min(whole, random.fraction() * 3 * this.#pace);
		else kernel.nowMs += whole + random.fraction() * (random.chance(0.1) ? 500 : 1);
	}

	generationNow(slot: number): number {
		return at(this.reactor.core.table.generation, slot);
	}

	anyone(): Watched | undefined {
		return this.#anyPeer();
	}

	// Other ends.

	#anyPeer(): SimulatedSocket | undefined {
		return this.#peers.length === 0 ? undefined : this.#peers[this.random.below(this.#peers.length)];
	}

	#joinPeer(socket: SimulatedSocket): void {
		socket.place = this.#peers.length;
		this.#peers.push(socket);
	}

	#forgetPeer(socket: SimulatedSocket): void {
		const last = this.#peers.pop();
		if (last !== undefined && last !== socket) {
			this.#peers[socket.place] = last;
			last.place = socket.place;
		}
		socket.place = -1;
	}

	#arrive(): void {
		const { random } = this;
		const plan = this.#listenerPlans[random.below(this.#listenerPlans.length)];
		if (plan === undefined) return;
		const listener = this.#listeners.get(plan.fd);
		if (listener === undefined || listener.queue.length >= 8) return;
		for (let count = random.chance(0.1) ? random.between(2, 8) : 1; count > 0; count--) {
			const prologue = plan.proxyRequired ? chooseProxied(random) : choose(random);
			const socket = this.#openSocket("client", prologue);
			socket.headerBytes = prologue.headerBytes;
			socket.namedPort = prologue.namedPort;
			this.#joinPeer(socket);
			// Usually a hello is there soon; sometimes before the connection is accepted.
			if (random.chance(0.5)) this.#act(socket);
			this.kernel.arrive(listener, socket);
		}
	}

	openUpstream(): SimulatedSocket {
		return this.#openSocket("upstream", NOTHING);
	}

	#openSocket(role: "client" | "upstream", prologue: Prologue): SimulatedSocket {
		const { random } = this;
		this.#nextPort = this.#nextPort === 65_535 ? 1_024 : this.#nextPort + 1;
		const stream = new Stream(prologue.bytes, random.below(1 << 20));
		const temper = randomTemper(random, prologue.cut, this.#bulk);
		const capacity = this.#bulk ? random.between(20_000, 400_000) : 16 + random.magnitude(60_000);
		return new SimulatedSocket(role, stream, temper, this.#nextPort, capacity);
	}

	connect(socket: SimulatedSocket, address: Uint8Array): number {
		const { random } = this;
		const unix = familyAt(address, 0) === AF_UNIX;
		const calm = this.#mode === "cooperative";
		const board = unix ? Number(String.fromCharCode(...address.subarray(3, -1))) : at(address, 7);
		socket.fate = calm ? "accepted" : (this.#fates[board] ?? "accepted");
		if (!calm && random.chance(0.1)) socket.fate = random.pick(FATES);
		if (unix) {
			// A Unix socket answers at once.
			if (socket.fate === "hangs") return -EAGAIN;
			if (socket.fate !== "accepted") return -ECONNREFUSED;
			this.#joinPeer(socket);
			return 0;
		}
		if (socket.fate === "unreachable" && random.chance(0.5)) return -ENETUNREACH;
		this.#joinPeer(socket);
		return -EINPROGRESS;
	}

	/** One thing that the other end of a connection does. */
	#act(socket: SimulatedSocket): void {
		const { random, kernel } = this;
		const { temper } = socket;
		if (socket.connecting) {
			this.#answerConnect(socket);
			return;
		}
		if (socket.dead) return;
		if (socket.throttled && random.chance(0.4)) kernel.unthrottle(socket);
		if ((socket.resetDue && random.chance(0.5)) || random.chance(temper.resets)) {
			kernel.kill(socket, random.chance(0.85) ? ECONNRESET : random.pick([ETIMEDOUT, EHOSTUNREACH]));
			return;
		}
		if (socket.queued > 0 && random.chance(temper.reads))
			kernel.acknowledge(
				socket,
				Math.min(socket.queued, random.magnitude(this.#bulk ? 500_000 : 2 * temper.burst + 4_096)),
			);
		this.#write(socket);
	}

	#write(socket: SimulatedSocket): void {
		const { random, kernel } = this;
		const { temper, incoming } = socket;
		if (socket.finished) return;
		const left = incoming.prologue.length + temper.budget - incoming.arrived;
		if (left > 0 && !random.chance(temper.endsEarly)) {
			if (!random.chance(0.7)) return;
			const most = Math.min(left, WINDOW_BYTES - socket.available);
			// A hello usually comes in one piece.
			const whole = incoming.arrived < incoming.prologue.length && random.chance(0.6);
			const burst = whole ? incoming.prologue.length : temper.burst;
			const count = Math.min(most, random.chance(0.5) ? burst : random.magnitude(burst));
			if (count <= 0) return;
			if (random.chance(temper.urges) && (this.#urgentHellos || socket.partner !== undefined))
				kernel.deliverUrgent(socket, count);
			else kernel.deliver(socket, count);
		} else if (!temper.staysOpen && random.chance(0.3)) {
			kernel.finish(socket);
			socket.peerGone = temper.closesWhole;
		}
	}

	#answerConnect(socket: SimulatedSocket): void {
		const { random, kernel } = this;
		if (socket.fate === "hangs" || random.chance(0.3)) return;
		if (socket.fate === "refused") kernel.kill(socket, ECONNREFUSED);
		else if (socket.fate === "unreachable") kernel.kill(socket, random.pick([ETIMEDOUT, EHOSTUNREACH]));
		else kernel.establish(socket);
	}

	/** The reactor is inside a call on this socket. */
	meanwhile(socket: SimulatedSocket): void {
		if (this.#mode === "wild" && socket.place >= 0) this.#act(socket);
	}

	/** Everybody reads, says the rest and ends. */
	#cooperate(): void {
		const { kernel } = this;
		for (let i = this.#peers.length - 1; i >= 0; i--) {
			const socket = this.#peers[i] as SimulatedSocket;
			if (socket.connecting) {
				kernel.establish(socket);
				continue;
			}
			if (socket.dead) continue;
			kernel.unthrottle(socket);
			kernel.acknowledge(socket, socket.queued);
			const left = socket.incoming.prologue.length + socket.temper.budget - socket.incoming.arrived;
			if (socket.finished) continue;
			if (left > 0) kernel.deliver(socket, Math.min(left, Math.max(0, WINDOW_BYTES - socket.available)));
			else kernel.finish(socket);
		}
	}

	// What the reactor sends is checked as it is sent.

	/** The other connection of a relayed session. */
	partnerOf(socket: SimulatedSocket): SimulatedSocket | undefined {
		if (socket.partner !== undefined) return socket.partner;
		const { table } = this.reactor.core;
		const { slot } = socket;
		if (at(table.generation, slot) !== socket.generation || at(table.fd, slot) !== socket.fd)
			violated(`row ${slot} does not belong to descriptor ${socket.fd}, which it was watched for`);
		if (socket.role === "client" && at(table.state, slot) !== RELAY) return undefined;
		const peer = at(table.peer, slot);
		const partner = peer === NONE ? undefined : this.kernel.socketAt(at(table.fd, peer));
		if (partner === undefined) violated(`descriptor ${socket.fd} is relayed to nobody`);
		if (partner.partner !== undefined) violated(`descriptor ${partner.fd} has two partners`);
		if (partner.role === socket.role) violated(`descriptor ${socket.fd} is relayed to one of its own kind`);
		socket.partner = partner;
		partner.partner = socket;
		const client = socket.role === "client" ? socket : partner;
		if ((at(table.flags, client.slot) & PROXY_REQUIRED) === 0) {
			// A header that nobody asked for is a client's own bytes.
			client.headerBytes = 0;
			client.namedPort = -1;
		}
		return partner;
	}

	trying(socket: SimulatedSocket): void {
		// What is sent to an upstream before relaying begins is a PROXY header.
		if (socket.role === "upstream" && at(this.reactor.core.table.state, socket.slot) === CONNECTING)
			socket.headerOutBytes = -1;
	}

	dying(socket: SimulatedSocket): void {
		if (!socket.open || !socket.registered) return;
		const { state, flags } = this.reactor.core.table;
		socket.diedIn = at(state, socket.slot);
		socket.diedEnded = (at(flags, socket.slot) & ENDED) !== 0;
	}

	sending(socket: SimulatedSocket, memory: Uint8Array, offset: number, length: number): void {
		const partner = this.partnerOf(socket);
		if (socket.role === "client") {
			if (partner === undefined) this.#telling(socket, memory, offset);
			else this.#relaying(socket, partner, socket.sent, memory, offset, length);
			return;
		}
		if (partner === undefined) violated("an upstream without a client is sent to");
		let done = 0;
		if (socket.headerOutBytes < 0) done = this.#sendingHeader(socket, partner, memory, offset, length);
		if (done === length) return;
		const position = partner.headerBytes + socket.sent + done - socket.headerOutBytes;
		this.#relaying(socket, partner, position, memory, offset + done, length - done);
	}

	#relaying(
		to: SimulatedSocket,
		from: SimulatedSocket,
		position: number,
		memory: Uint8Array,
		offset: number,
		length: number,
	): void {
		if (position + length > Math.max(from.taken, from.seen))
			violated(`descriptor ${to.fd} is sent bytes that were never read from descriptor ${from.fd}`);
		if (!from.incoming.equals(position, memory, offset, length))
			violated(
				`descriptor ${to.fd} is sent other bytes than came from ${from.fd}, at ${position} of ${length}`,
			);
		this.#moved(to, from);
	}

	#moved(to: SimulatedSocket, from: SimulatedSocket): void {
		(to.role === "client" ? to : from).activeMs = this.kernel.nowMs;
	}

	/** A client that is refused is told so, in its protocol. */
	#telling(client: SimulatedSocket, memory: Uint8Array, offset: number): void {
		const first = at(memory, offset);
		if (client.sent > 0 || (first !== 0x15 && first !== 0x48))
			violated(`client ${client.fd} is sent what is neither an alert nor a response`);
		client.told = true;
	}

	/** The PROXY header for an upstream. Returns how many of the bytes belong to it. */
	#sendingHeader(
		link: SimulatedSocket,
		client: SimulatedSocket,
		memory: Uint8Array,
		offset: number,
		length: number,
	): number {
		const { headerOut } = link;
		const before = headerOut.length;
		for (let i = 0; i < length; i++) headerOut.push(at(memory, offset + i));
		const bytes = Uint8Array.from(headerOut);
		const verdict = parseProxyHeader(bytes, 0, bytes.length, HEADER);
		if (verdict === MALFORMED) violated(`a PROXY header is malformed: ${HEADER.cause}`);
		if (verdict !== COMPLETE) return length;
		link.headerOutBytes = HEADER.headerLength;
		const port = client.namedPort >= 0 ? client.namedPort : client.port;
		if (HEADER.isLocal ? client.namedPort >= 0 : HEADER.sourcePort !== port)
			violated(`a PROXY header names port ${HEADER.sourcePort}, and the client's is ${port}`);
		return HEADER.headerLength - before;
	}

	splicing(socket: SimulatedSocket, stream: Stream, position: number, length: number): void {
		const partner = this.partnerOf(socket);
		if (partner === undefined || partner.incoming !== stream)
			violated(`descriptor ${socket.fd} is sent another session's bytes`);
		if (socket.headerOutBytes < 0) violated("bytes are sent before a PROXY header is complete");
		const due = socket.role === "client" ? 0 : partner.headerBytes - socket.headerOutBytes;
		if (position !== due + socket.sent)
			violated(`a pipe of ${length} bytes from ${position} on is sent when ${due + socket.sent} was due`);
		this.#moved(socket, partner);
	}

	/** An end is carried on: then everything before it must have been, too. */
	shuttingDown(socket: SimulatedSocket): void {
		if (socket.role === "client" && socket.told) return;
		const partner = this.partnerOf(socket);
		if (partner === undefined) return;
		if (!partner.finished && !partner.dead)
			violated(`descriptor ${socket.fd} is told of an end that was not`);
		if (partner.available > 0 || heldFor(socket, partner) > 0)
			violated(`descriptor ${socket.fd} is told of an end before all bytes were sent`);
		if (socket.shut) violated(`descriptor ${socket.fd} is told of an end twice`);
	}

	closed(socket: SimulatedSocket, reset: boolean): void {
		socket.wasReset = reset;
		if (socket.place >= 0) this.#forgetPeer(socket);
		if (socket.role === "client") this.closedClients.push(socket);
	}

	// Coming to rest.

	/** Nothing new happens, and the reactor finishes what it can: then nothing may be left that it could do. */
	#settle(): void {
		const { kernel, reactor } = this;
		const mode = this.#mode;
		this.#mode = "frozen";
		kernel.setFaults(CALM);
		let turns = 0;
		while (kernel.readiness.hasNews || reactor.core.hasQueued || this.#commands.length > 0) {
			if (++turns > SETTLE_TURNS_MAX) violated("the reactor does not come to rest although nothing happens");
			this.#turn();
		}
		checkSettled(this);
		this.#mode = mode;
		kernel.setFaults(this.#faults);
	}

	#end(): void {
		const { reactor, random } = this;
		const way = random.below(3);
		this.kernel.limit = 1 << 16;
		this.#mode = "cooperative";
		this.kernel.setFaults(CALM);
		if (way === 0) {
			this.#command({ kind: "stop" });
			this.#turn();
			if (!reactor.stopped) violated("it was told to stop, and did not");
		} else {
			if (way === 1) {
				this.#draining = true;
				this.#command({ kind: "drain" });
			}
			let turns = 0;
			do {
				if (++turns > END_TURNS_MAX) violated("sessions are left although every other end has finished");
				this.#turn();
			} while (
				reactor.core.table.clients > 0 ||
				(way !== 1 &&
					this.othersLive === 0 &&
					[...this.#listeners.values()].some(({ queue }) => queue.length > 0))
			);
			if (way === 1 && !this.#notices.some(({ kind }) => kind === "drained"))
				violated("it has drained, and did not say so");
		}
		checkEnd(this);
	}
}

/** Bytes that the reactor took from one side and has not sent to the other. */
export function heldFor(to: SimulatedSocket, from: SimulatedSocket): number {
	if (to.role === "client") return from.taken - to.sent;
	if (to.headerOutBytes < 0) return 0; // its length is not known yet
	return from.taken - from.headerBytes - (to.sent - to.headerOutBytes);
}

const HEADER = new ProxyHeader();
const NOTHING: Prologue = { bytes: new Uint8Array(0), headerBytes: 0, namedPort: -1, cut: false };
const FATES: readonly Fate[] = ["accepted", "refused", "hangs", "unreachable"];

function randomFates(random: Random): Fate[] {
	const kind = random.pick([0.05, 0.3, 0.7]);
	return Array.from({ length: 12 }, () => (random.chance(kind) ? random.pick(FATES) : "accepted"));
}

function randomFaults(random: Random): Faults {
	if (random.chance(0.1)) return CALM;
	const rate = (most: number) => (random.chance(0.4) ? 0 : random.fraction() * most);
	return {
		interrupt: rate(0.1),
		emptyRead: rate(0.2),
		shortSend: rate(0.5),
		fullSend: rate(0.2),
		exhausted: rate(0.05),
		unwatchable: rate(0.02),
		aborted: rate(0.1),
		late: rate(0.6),
		spurious: rate(0.5),
		fewEvents: rate(0.5),
		meanwhile: rate(0.2),
		leap: rate(0.001),
	};
}

function randomTemper(random: Random, silent: boolean, bulk: boolean): Temper {
	const large = bulk && random.chance(0.3);
	const budget =
		silent || random.chance(0.1) ? 0 : large ? random.between(100_000, 900_000) : random.magnitude(4_000);
	return {
		budget,
		burst: large ? random.pick([32_768, 131_072, 262_144]) : random.magnitude(2_000),
		reads: bulk ? random.pick([1, 1, 0.9, 0.5, 0.1]) : random.pick([1, 0.9, 0.5, 0.1, 0.01, 0]),
		resets: random.pick([0, 0, 0, 0.005, 0.03]),
		endsEarly: random.pick([0, 0, 0.02]),
		urges: random.pick([0, 0, 0, 0.02, 0.2]),
		closesWhole: random.chance(0.4),
		staysOpen: random.chance(0.12),
	};
}
