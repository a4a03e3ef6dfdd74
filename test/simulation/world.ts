/**
 * One run: a reactor on a simulated kernel, everybody at the other ends, and the main thread. All of it follows
 * from the seed.
 */
import { thorough } from "../../src/parts/assert.js";
import { i32 } from "../../src/parts/at.js";
import { REASONS } from "../../src/parts/reasons.js";
import { arenaBytes, CHUNK_BYTES } from "../../src/reactor/memory/arena.js";
import type { OwnLine } from "../../src/reactor/own-lines/own-line.js";
import { Reactor } from "../../src/reactor/reactor.js";
import type { Counters } from "../../src/reactor/records/counters.js";
import type { Journal } from "../../src/reactor/records/journal.js";
import { Owners } from "../../src/reactor/records/owners.js";
import type { Rates } from "../../src/reactor/records/rates.js";
import type { Sources } from "../../src/reactor/records/sources.js";
import type { Link } from "../../src/reactor/table/numbers.js";
import { EpollEngine } from "../../src/reactor/wire/epoll-engine.js";
import { Random } from "../../src/rig/random.js";
import type { Board } from "../../src/upstream/board.js";
import { sharedMemory } from "../reactor/shared-memory.js";
import { Admission } from "./admission.js";
import { Completions } from "./completion/completions.js";
import { DatagramSide } from "./datagrams/datagram-side.js";
import { DatagramView } from "./datagrams/datagram-view.js";
import { PlainInitials } from "./datagrams/plain-initials.js";
import { SimulatedListener, SimulatedSocket, type Watched } from "./descriptors.js";
import { CALM, type Faults, type Mutant, randomFaults } from "./faults.js";
import { checkTurn } from "./invariants.js";
import type { Wait } from "./lines/line-invariants.js";
import { Lines } from "./lines/main-thread.js";
import { Onlooker } from "./onlooker.js";
import { Operator } from "./operator.js";
import { Agent } from "./own-lines/agent.js";
import { type Manner, Peers } from "./peers.js";
import { ADDRESSES, type Traits } from "./plans.js";
import { checkEnd, checkSettled, longestEndMs } from "./rest.js";
import { Rests } from "./rests.js";
import { kindOf, type RunOptions } from "./run-kinds.js";
import { SimulatedKernel } from "./simulated-kernel.js";
import type { Surroundings } from "./simulated-readiness.js";
import { SimulatedTls } from "./simulated-tls.js";
import { spoil } from "./spoil.js";
import { operation, Trace, violated } from "./trace.js";
import { WatchedRates } from "./watched-rates.js";
import { WatchedSources } from "./watched-sources.js";

const CLOCK = operation("clock");

/** Turns that a run may take to come to rest when nothing new happens. */
const SETTLE_TURNS_MAX = 5_000;
/** A reactor's number: the first's, and others, because it is part of what is written down. */
const INDEXES = [0, 0, 3, 255] as const;
/** Turns before a reactor at fault shows it. */
const SPOIL_FROM_TURN = 100;
/** Of an agent's, so that it has room for lines. */
const AGENT_SESSIONS_MIN = 3;
/** More than any run has open. */
const DESCRIPTORS = 1_024;

// What is too expensive to be checked at every turn of a gateway is checked here.
thorough.isOn = true;

export class World implements Surroundings {
	readonly random: Random;
	readonly trace: Trace;
	readonly mutant: Mutant;
	readonly traits: Traits;
	readonly kernel: SimulatedKernel;
	readonly tls: SimulatedTls;
	readonly reactor: Reactor;
	readonly peers: Peers;
	readonly operator: Operator;
	readonly rests: Rests;
	/** In runs with a completion engine. */
	readonly completions: Completions | undefined;
	/** In runs with agents. */
	readonly lines: Lines | undefined;
	/** In runs of an agent. */
	readonly agent: Agent | undefined;
	/** In runs with listeners on UDP. */
	readonly datagrams: DatagramSide | undefined;
	/** By row: who waits for a line. */
	readonly waits: (Wait | undefined)[] = [];
	readonly admission = new Admission();
	readonly counters: Counters;
	readonly journal: Journal;
	readonly board: Board;
	readonly owners: Owners;
	readonly rates: WatchedRates;
	readonly sources: WatchedSources;
	readonly live: Int32Array;
	readonly pipeEnds: Int32Array;
	readonly places: number;
	readonly sessions: number;
	readonly bufferedBytes: number;
	turns = 0;
	/** Turns in a row that left deadlines to the next. */
	turnsBehind = 0;
	sessionsEnded = 0;
	/** Sessions that were certainly closed to make room for another. */
	shed = 0;
	/** When the reactor said last that it has nobody to close. */
	pressedAtMs = Number.NEGATIVE_INFINITY;

	/** What the records of requests count so far as sent to upstreams, by the number of their session. */
	readonly requestBytes = new Map<number, number>();
	/** Requests that were told to come later. */
	tooManyRequests = 0;

	/** What exchanges have met, by name. */
	readonly met = new Map<string, number>();

	// What happened in this turn.
	/** Clients accepted, and the highest number that one was given. */
	accepted = 0;
	highestAccepted = -1;
	/** Sessions that ended, in all and by reason. */
	closed = 0;
	readonly closedBy = new Int32Array(REASONS.length);
	/** An upstream's connection was closed that no client had. */
	madeRoom = false;
	/** The client's socket that is closed at the moment. */
	closing: SimulatedSocket | undefined;
	/** The upstream's socket that was closed last, and what had been put back of its client by then. */
	closedLink: SimulatedSocket | undefined;
	closedAhead = 0;
	/** By row: bytes of it were in an inbox when the reactor asked what its socket holds. */
	readonly hadAhead: boolean[] = [];

	readonly #view = new DatagramView(this);
	readonly #faults: Faults;
	readonly #arrivals: number;
	readonly #pace: number;
	/** Things that others do before a wait, at most. */
	readonly #acts: number;
	/** How often memory or others' places run short. */
	readonly #pressure: number;

	constructor(options: RunOptions) {
		const { seed, mutant = "none", completes = false } = options;
		const random = new Random(seed);
		this.random = random;
		const { isAgent, hasLines, datagrams, traits } = kindOf(options, random);
		this.traits = traits;
		this.trace = new Trace();
		this.mutant = mutant;
		const sessions = random.pick(this.traits.patient ? [4, 8, 16] : [1, 2, 4, 8, 16, 24]);
		this.sessions = isAgent ? Math.max(sessions, AGENT_SESSIONS_MIN) : sessions;
		this.places = random.pick([8, 8, 16, 64]);
		this.bufferedBytes = random.pick(this.traits.patient ? [1, 4, 32, 32] : [1, 1, 2, 4, 32]) * CHUNK_BYTES;
		this.#arrivals = random.pick(this.traits.patient ? [0.1, 0.3, 0.6] : [0.02, 0.1, 0.3, 0.6]);
		const short = random.chance(0.15);
		this.#pressure = short ? 0.03 : 0.0005;
		this.#pace = this.traits.patient ? 1 : random.pick([1, 1, 3, 10]);
		this.#acts = this.traits.patient ? random.pick([4, 12, 24]) : 4;
		this.#faults = randomFaults(random, this.traits.patient ? 0.3 : 0.1);
		this.kernel = this.#makeKernel();
		this.peers = new Peers(this.kernel, random, random.chance(short ? 0.8 : 0.1), this.traits, (board) =>
			this.#mannerOf(board),
		);
		this.tls = new SimulatedTls(this.kernel, random, this.trace, random.chance(0.4));
		this.operator = new Operator(this);
		this.rests = new Rests(this);
		this.kernel.others = this.peers;
		const onlooker = new Onlooker(this);
		this.kernel.witness = onlooker;
		this.kernel.readiness.surroundings = this;
		const pipes = random.pick([0, 1, 2, 8, 32]);
		const shared = sharedMemory(this.sessions, pipes, this.places, DESCRIPTORS);
		// The hash of addresses is seeded by chance otherwise.
		new Int32Array(shared.sources.buffer)[1] = random.word();
		this.counters = shared.counters;
		this.journal = shared.journal;
		this.board = shared.board;
		this.owners = shared.owners;
		this.live = shared.live;
		this.pipeEnds = shared.pipeEnds;
		this.rates = new WatchedRates(shared.options.rates);
		this.sources = new WatchedSources(this.places, shared.sources.buffer, mutant);
		this.sources.isForDatagrams = () => this.kernel.datagrams?.isHearing === true;
		const index = random.pick(INDEXES);
		let completions: Completions | undefined;
		this.reactor = new Reactor(
			this.kernel,
			{
				...shared.options,
				index,
				reactors: index + 1,
				sessions: this.sessions,
				bufferedBytes: this.bufferedBytes,
				eventsPerTurn: random.pick([1, 2, 64, 64]),
				pipes,
				...{ wakeFd: this.operator.installWake(), wakeFds: [] },
				epollFd: -1,
			},
			(notice) => this.operator.noticed(notice),
			() => this.operator.take(),
			() => this.tls,
			(rows) => {
				if (!completes) return new EpollEngine(this.kernel, rows);
				completions = new Completions(this.kernel, random, this.trace, rows, onlooker, mutant);
				return completions.engine;
			},
			(memory) => new PlainInitials(memory),
		);
		this.completions = completions;
		if (completions !== undefined) completions.faults = this.#faults;
		const { core }: { core: Replaceable } = this.reactor;
		core.sources = this.sources;
		core.rates = this.rates;
		// Written down where nobody reads it.
		if (mutant === "lost_owner") core.owners = new Owners(DESCRIPTORS);
		if (mutant === "kept_own_lines") core.ownLines = new UncountedLines();
		// Nothing that is written there stays.
		if (mutant === "blind_lending") core.links.lentWait = new Float64Array(0);
		if (mutant === "swallowed_error")
			core.inboxes.failure = new Proxy(core.inboxes.failure, { set: () => true });
		this.lines = hasLines ? new Lines(this) : undefined;
		if (this.lines !== undefined) this.peers.upgradeShare = 0.5;
		this.agent = isAgent ? new Agent(this) : undefined;
		this.peers.gateways = this.agent;
		this.datagrams = datagrams === undefined ? undefined : new DatagramSide(this.#view, datagrams);
		this.kernel.datagrams = this.datagrams?.kernel;
		this.operator.start();
		if (random.chance(this.traits.patient ? 0.1 : 0.4))
			this.kernel.limit = this.kernel.openCount + random.between(1, 3 * this.sessions);
	}

	#makeKernel(): SimulatedKernel {
		const { random } = this;
		const startMs = random.pick([1_000.5, 3e9 + 0.25]);
		const arena = arenaBytes(this.bufferedBytes);
		const kernel = new SimulatedKernel(random, this.#faults, this.trace, arena, startMs);
		kernel.pipeCapacity = random.pick([4_096, 65_536, 1 << 20]);
		kernel.setMutant(this.mutant);
		return kernel;
	}

	/** Addresses on the board of an upstream. */
	addressesOf(upstream: number): number[] {
		return Array.from({ length: ADDRESSES }, (_, index) => upstream * ADDRESSES + index);
	}

	meet(what: string): void {
		this.met.set(what, (this.met.get(what) ?? 0) + 1);
	}

	/** How an address is spoken to that is being connected to. */
	#mannerOf(board: number): Manner {
		const plan = this.reactor.core.upstreams.get(Math.floor(board / ADDRESSES))?.plan;
		const address = plan?.addresses.find((each) => each.board === board);
		const most = address?.connectionsMax ?? Number.POSITIVE_INFINITY;
		const active = this.reactor.core.board.active(board);
		if (active > most)
			violated(`address ${board} may have ${most} sessions, and gets one more than ${active - 1}`);
		if (active === most) this.meet("connects that fill an address");
		if (plan?.pool?.keeps === false) this.meet("connects without a pool");
		return { takesRequests: plan?.pool != null, isSecured: address?.tls !== undefined };
	}

	/** Runs `turns` turns, then lets everything end. */
	run(turns: number): void {
		for (let turn = 0; turn < turns; turn++) {
			if (this.random.chance(0.003)) this.operator.control();
			if (this.random.chance(this.#pressure)) this.operator.press();
			if (this.lines !== undefined && this.random.chance(0.004)) this.lines.control();
			this.#turn();
			if (this.random.chance(0.004)) this.#settle();
		}
		this.#settle();
		this.#end();
	}

	#turn(): void {
		this.turns++;
		this.#forgetTurn();
		this.kernel.noteTurn(this.turns);
		this.lines?.deliver(this.peers.mode !== "wild");
		if (this.datagrams !== undefined) this.#view.watch(this.datagrams.checks);
		this.reactor.turn();
		if (this.turns >= SPOIL_FROM_TURN) spoil(this);
		checkTurn(this);
	}

	/** Nothing has happened in this turn yet. */
	#forgetTurn(): void {
		const { kernel, sources } = this;
		this.accepted = 0;
		this.highestAccepted = -1;
		if (this.datagrams !== undefined) this.datagrams.kernel.highest = -1;
		this.madeRoom = false;
		if (this.closed > 0) this.closedBy.fill(0);
		this.closed = 0;
		kernel.lacksDescriptors = false;
		kernel.lacksMemory = false;
		sources.tooMany = 0;
		sources.tooFast = 0;
		sources.notCounted = 0;
		sources.tokens = 0;
		this.operator.beginTurn();
	}

	// Time.

	before(): void {
		const { random, kernel, peers } = this;
		if (peers.mode === "frozen") return;
		this.operator.answer();
		if (peers.mode === "cooperative") {
			kernel.nowMs += 0.5;
			peers.cooperate();
			this.datagrams?.cooperate();
			return;
		}
		if (random.chance(0.5)) kernel.nowMs += random.fraction() * 2;
		if (random.chance(this.#faults.leap)) {
			kernel.nowMs += random.magnitude(100_000_000);
			this.trace.note(CLOCK, -1, 0, kernel.nowMs);
		}
		if (random.chance(this.#arrivals)) {
			const door = this.operator.anyListener();
			if (door !== undefined) peers.arrive(door.listener, door.plan);
		}
		this.lines?.act();
		this.agent?.act();
		this.datagrams?.act();
		for (let act = random.below(this.#acts); act > 0; act--) {
			const peer = peers.any();
			if (peer !== undefined) peers.act(peer);
		}
	}

	sleep(timeoutMs: number): void {
		const { random, kernel, peers } = this;
		this.rests.checkPatience(timeoutMs);
		if (peers.mode === "frozen") return;
		const whole = timeoutMs < 0 ? 50 : timeoutMs;
		if (peers.mode === "cooperative") kernel.nowMs += whole;
		else if (random.chance(0.75)) kernel.nowMs += Math.min(whole, random.fraction() * 3 * this.#pace);
		else kernel.nowMs += whole + random.fraction() * (random.chance(0.1) ? 500 : 1);
	}

	generationNow(slot: number): number {
		return i32(this.reactor.core.table.generation, slot);
	}

	anyone(): Watched | undefined {
		return this.peers.any();
	}

	watched(descriptor: Watched, failed: boolean): void {
		if (failed) this.kernel.lacksMemory = true;
		if (descriptor instanceof SimulatedListener) this.rests.watched(descriptor, failed);
	}

	unwatched(descriptor: Watched): void {
		if (!(descriptor instanceof SimulatedSocket) || descriptor.role !== "upstream") return;
		if (descriptor.ownLine !== undefined) this.agent?.begins(descriptor, descriptor.ownLine);
	}

	// Coming to rest.

	/** Nothing new happens, and the reactor finishes what it can: then nothing may be left that it could do. */
	#settle(): void {
		const { kernel, reactor, peers, operator } = this;
		const { mode } = peers;
		peers.mode = "frozen";
		this.#setFaults(CALM);
		let turns = 0;
		while (
			(this.completions?.hasNews ?? kernel.readiness.hasNews) ||
			reactor.core.queue.length > 0 ||
			operator.hasCommands ||
			reactor.hasCommands ||
			reactor.hasEvents ||
			this.lines?.hasMessages === true
		) {
			if (++turns > SETTLE_TURNS_MAX) violated("the reactor does not come to rest although nothing happens");
			this.#turn();
		}
		checkSettled(this);
		peers.mode = mode;
		this.#setFaults(this.#faults);
	}

	#setFaults(faults: Faults): void {
		this.kernel.setFaults(faults);
		this.datagrams?.setCalm(faults === CALM);
		if (this.completions !== undefined) this.completions.faults = faults;
	}

	#drain(): void {
		this.operator.draining = true;
		this.operator.command({ kind: "drain" });
	}

	/** Others do not know yet that an agent is told to stop, or to drain. */
	#endAmidEverything(way: number): void {
		if (way === 1) this.#drain();
		else this.operator.command({ kind: "stop" });
		for (let turns = this.random.below(60); turns > 0 && !this.reactor.stopped; turns--) this.#turn();
	}

	#end(): void {
		const { reactor, random, operator, peers } = this;
		const way = random.below(3);
		const isTold = this.agent !== undefined && way !== 2 && random.chance(0.6);
		if (isTold) this.#endAmidEverything(way);
		this.kernel.limit = 1 << 16;
		peers.mode = "cooperative";
		this.#setFaults(CALM);
		operator.othersBecome(0);
		operator.letAllGoOn();
		this.lines?.end();
		this.agent?.end();
		if (this.lines !== undefined) operator.replan();
		if (way === 0) {
			if (!isTold) operator.command({ kind: "stop" });
			for (let turns = 0; turns < SETTLE_TURNS_MAX && !reactor.stopped; turns++) this.#turn();
			if (!reactor.stopped) violated("it was told to stop, and did not");
		} else {
			if (way === 1) {
				if (!isTold) this.#drain();
			}
			const endsAtMs = this.kernel.nowMs + longestEndMs(this);
			do {
				if (this.kernel.nowMs > endsAtMs) violated("sessions are left although every deadline has passed");
				this.#turn();
			} while (
				reactor.hasEvents ||
				reactor.hasCommands ||
				operator.hasCommands ||
				this.lines?.hasMessages === true ||
				reactor.core.table.links > 0 ||
				reactor.core.table.clients > 0 ||
				(way !== 1 && operator.queued > 0)
			);
			if (way === 1 && !operator.hasHeard("drained")) violated("it has drained, and did not say so");
		}
		checkEnd(this);
	}
}

/** Whoever goes over all of them finds none. */
class UncountedLines extends Map<Link, OwnLine> {
	override [Symbol.iterator](): ReturnType<Map<Link, OwnLine>["entries"]> {
		return new Map<Link, OwnLine>()[Symbol.iterator]();
	}
}

/** What a run puts in the place of the reactor's own. */
interface Replaceable {
	sources: Sources;
	rates: Rates;
	owners: Owners;
	ownLines: Map<Link, OwnLine>;
	links: { lentWait: Float64Array };
	inboxes: { failure: Int32Array };
}
