/**
 * The attackers of one attack: a row of places, each with one connection at a time. One event loop drives all of
 * them, so that thousands cost little and the figures of the target are not those of its attackers.
 *
 *     free ──connect──► connecting ──established (and hands shaken)──► open ──an end of ENDS──► free, for the next
 */
import {
	EADDRNOTAVAIL,
	EAGAIN,
	ECONNREFUSED,
	EMFILE,
	EPOLLERR,
	EPOLLET,
	EPOLLHUP,
	EPOLLIN,
	EPOLLOUT,
	EPOLLRDHUP,
	ETIMEDOUT,
} from "../kernel/constants.js";
import type { LinuxKernel } from "../kernel/linux.js";
import { encodeInternet } from "../kernel/sockaddr.js";
import { i32 } from "../parts/at.js";
import { spread } from "../rig/percentile.js";
import { Places } from "../rig/places.js";
import { Random } from "../rig/random.js";
import type { Row } from "../rig/turn.js";
import { MixedWire, PlainWire, TlsWire, type Wire } from "../rig/wire.js";
import type { Attack, AttackReport, AttackStatus, End } from "./attack.js";
import { parseIpv4 } from "./loopback.js";
import { mutate } from "./mutate.js";
import { Part } from "./part.js";
import { scriptOf } from "./script.js";
import { fromBase64 } from "./traffic.js";

/** Edge-triggered, so that one epoll_ctl serves a connection: "established", then "ended". */
const INTEREST = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

const FREE = 0;
const CONNECTING = 1;
const OPEN = 2;
/** Of attacks within TLS. */
const SHAKING = 3;

/** Read and thrown away at a time. */
const TAKE_BYTES = 1 << 20;

/** Connections of a paced attack started in one turn: more would keep the events of the others waiting. */
const OPENS_PER_TURN = 256;

/** A failed connect is not tried again at once: the target may be full for a while. */
const RETRY_MS = 250;

/**
 * Segments of a reader that stops. Loopback's are 64 KiB, larger than its window: the last bytes that fit would
 * come only with window probes, seconds later, and each would be news to whoever waits for the reader.
 */
const STUCK_SEGMENT_BYTES = 536;

/** A script that has waited so long for hands to be shaken, or for an answer, waits for nothing. */
const PATIENCE_MS = 30_000;

/** So many faults are told; the others are counted. */
const FAULTS_MAX = 5;

/** Where in the arena sayings are put before they are sent. */
export const CROWD_ARENA_BYTES = 64 * 1024;

export class Crowd {
	readonly #kernel: LinuxKernel;
	readonly #wire: Wire;
	/** Of scripts. */
	readonly #mixed: MixedWire | null;
	readonly #attack: Attack;
	readonly #address: Uint8Array;
	readonly #sayings: readonly Uint8Array[];
	readonly #random: Random;
	readonly #startedMs: number;

	readonly #places: Places;
	// One entry per place.
	readonly #states: Uint8Array;
	readonly #clockMs: Float64Array;
	readonly #dueMs: Float64Array;
	readonly #sent: Int32Array;
	readonly #received: Float64Array;
	/** What a connection says, where that differs from one to the next. */
	readonly #mutants: (Uint8Array | undefined)[];
	/** Of those that play scripts. */
	readonly #parts: (Part | undefined)[];

	/** Places that are free, the longest free first: a ring over all places. */
	readonly #free: Int32Array;
	#freeFirst = 0;
	#freeCount: number;
	#notBeforeMs = 0;

	#comeNoMore = false;
	#opened = 0;
	#established = 0;
	#alivePeak = 0;
	#ended = 0;
	#lastEndMs: number;
	readonly #ends = new Map<End, number>();
	#overdue: number[] = [];
	readonly #faults: string[] = [];

	constructor(kernel: LinuxKernel, attack: Attack) {
		this.#kernel = kernel;
		this.#attack = attack;
		const { tls, connections } = attack;
		this.#mixed = attack.behaviour.kind === "scripts" ? new MixedWire(kernel, connections, tls ?? "") : null;
		this.#wire =
			this.#mixed ?? (tls === undefined ? new PlainWire(kernel) : new TlsWire(kernel, connections, tls));
		this.#address = encodeInternet(parseIpv4(attack.address), attack.port);
		this.#sayings = attack.sayings.map(fromBase64);
		this.#random = new Random(attack.mutationSeed ?? 1);
		this.#startedMs = kernel.now();
		this.#lastEndMs = this.#startedMs;
		const places = attack.connections;
		this.#places = new Places(kernel, places);
		this.#states = new Uint8Array(places);
		this.#clockMs = new Float64Array(places).fill(Number.NaN);
		this.#dueMs = new Float64Array(places).fill(Number.POSITIVE_INFINITY);
		this.#sent = new Int32Array(places);
		this.#received = new Float64Array(places);
		this.#mutants = new Array<Uint8Array | undefined>(places).fill(undefined);
		this.#parts = new Array<Part | undefined>(places).fill(undefined);
		this.#free = Int32Array.from({ length: places }, (_, place) => place);
		this.#freeCount = places;
	}

	/** All that a counted attack had to do is done. */
	get done(): boolean {
		return this.#attack.total !== null && this.#opened >= this.#attack.total && this.#places.taken === 0;
	}

	get status(): AttackStatus {
		return {
			atMs: this.#kernel.now(),
			opened: this.#opened,
			established: this.#established,
			alive: this.#places.taken,
			ended: this.#ended,
		};
	}

	/** Opens what may be opened, and does what is due. */
	turn(nowMs: number): void {
		for (let place = 0; place < this.#places.count; place++)
			if ((this.#dueMs[place] as number) <= nowMs) this.#act(place, nowMs);
		this.#open(nowMs);
	}

	/** Whose news `event` is for. */
	get row(): Row {
		return this.#places;
	}

	/** News of a place. */
	event(place: number, flags: number): void {
		if (this.#states[place] === CONNECTING) {
			if ((flags & (EPOLLERR | EPOLLHUP)) !== 0) {
				this.#failed(place, this.#kernel.takeError(this.#places.fd(place)));
				return;
			}
			this.#states[place] = SHAKING;
		}
		if (this.#states[place] === SHAKING) this.#shake(place);
		if (this.#states[place] === OPEN) this.#look(place, flags);
	}

	/** Nobody new comes. */
	stop(): void {
		this.#comeNoMore = true;
	}

	/** Everybody leaves. */
	release(): AttackReport {
		this.stop();
		for (let place = 0; place < this.#places.count; place++)
			if (this.#places.isTaken(place)) this.#end(place, "given up");
		return {
			opened: this.#opened,
			established: this.#established,
			alivePeak: this.#alivePeak,
			ends: Object.fromEntries(this.#ends),
			tookMs: this.#lastEndMs - this.#startedMs,
			overdueMs: spread(this.#overdue),
			faults: this.#faults,
		};
	}

	#open(nowMs: number): void {
		const { opensPerSecond, total } = this.#attack;
		if (this.#comeNoMore || nowMs < this.#notBeforeMs) return;
		const elapsedMs = nowMs - this.#startedMs;
		const allowed =
			opensPerSecond === null
				? Number.POSITIVE_INFINITY
				: Math.floor((elapsedMs / 1000) * opensPerSecond) - this.#opened;
		const left = total === null ? Number.POSITIVE_INFINITY : total - this.#opened;
		// All at once means that all have come before the first of them says anything.
		const most = opensPerSecond === null ? this.#places.count : OPENS_PER_TURN;
		const count = Math.min(allowed, left, this.#freeCount, most);
		for (let i = 0; i < count; i++) if (!this.#connect(nowMs)) return;
	}

	/** `false`: this machine has no port or descriptor now. */
	#connect(nowMs: number): boolean {
		const place = this.#free[this.#freeFirst] as number;
		const { behaviour } = this.#attack;
		const options =
			behaviour.kind === "stop-reading"
				? { receiveBufferBytes: behaviour.receiveBufferBytes, segmentBytes: STUCK_SEGMENT_BYTES }
				: {};
		const result = this.#places.tryOpen(place, this.#address, INTEREST, options);
		if (result < 0) {
			this.#notBeforeMs = nowMs + RETRY_MS;
			// Of a counted attack it is one; of the others it comes again.
			if (result !== -EADDRNOTAVAIL && result !== -EMFILE && this.#attack.total !== null) this.#opened++;
			this.#count("could not start");
			return false;
		}
		this.#freeFirst = (this.#freeFirst + 1) % this.#free.length;
		this.#freeCount--;
		this.#states[place] = CONNECTING;
		if (behaviour.kind === "scripts") this.#cast(place, behaviour.seed, nowMs);
		this.#opened++;
		this.#alivePeak = Math.max(this.#alivePeak, this.#places.taken);
		return true;
	}

	#shake(place: number): void {
		const result = this.#wire.shake(place, this.#places.fd(place));
		if (result === 0) this.#begin(place);
		else if (result !== -EAGAIN) this.#endedByTarget(place, "reset by the target");
	}

	/** The connection is established: the first thing that its behaviour does. */
	#begin(place: number): void {
		const nowMs = this.#kernel.now();
		const { behaviour, mutationSeed } = this.#attack;
		this.#states[place] = OPEN;
		this.#established++;
		this.#sent[place] = 0;
		this.#received[place] = 0;
		this.#clockMs[place] = behaviour.kind === "stop-reading" ? Number.NaN : nowMs;
		if (mutationSeed !== null) this.#mutants[place] = mutate(this.#plainSaying(place), this.#random);
		switch (behaviour.kind) {
			case "dribble":
				this.#say(place, behaviour.atOnceBytes);
				this.#dueMs[place] = nowMs + this.#pause(behaviour.everyMsMin, behaviour.everyMsMax);
				return;
			case "reset":
				this.#say(place, this.#random.below(this.#saying(place).length + 1));
				this.#dueMs[place] = nowMs + this.#pause(0, behaviour.afterMsMax);
				return;
			case "scripts":
				this.#playOn(place, nowMs);
				return;
			default:
				this.#say(place, this.#saying(place).length);
		}
	}

	/** This connection is given its script, by its number. */
	#cast(place: number, seed: number, nowMs: number): void {
		const [terminated = NOTHING, relayed = NOTHING] = this.#sayings;
		const script = scriptOf(seed, this.#opened, { terminated, relayed });
		this.#parts[place] = new Part(script, this.#opened);
		this.#mutants[place] = script.says;
		this.#mixed?.choose(place, script.tls);
		// Also for hands to be shaken.
		this.#dueMs[place] = nowMs + PATIENCE_MS;
	}

	/** The next piece; behind the last one, what it ends with. */
	#playOn(place: number, nowMs: number): void {
		const part = this.#parts[place];
		if (part === undefined) return;
		const { says, pieceBytes, pauseMs, leaves } = part.script;
		if ((this.#sent[place] as number) < says.length) {
			this.#say(place, pieceBytes);
			if ((this.#sent[place] as number) < says.length) {
				this.#dueMs[place] = nowMs + pauseMs;
				return;
			}
			if (leaves.when === "answered" && leaves.halfCloses) this.#wire.end(place, this.#places.fd(place));
			this.#dueMs[place] = nowMs + (leaves.when === "timed" ? leaves.afterMs : PATIENCE_MS);
			return;
		}
		if (leaves.when === "timed") this.#leaveStage(place, leaves.resets);
		else this.#fail(place, "not answered", part.late);
	}

	/** What a script is answered. */
	#hear(place: number, part: Part): void {
		const fd = this.#places.fd(place);
		for (;;) {
			const count = this.#wire.receive(place, fd, 0, CROWD_ARENA_BYTES);
			if (count === -EAGAIN) return;
			if (count <= 0) {
				const fault = part.end(count === 0 ? "closed" : "reset");
				if (fault === null) this.#end(place, "as scripted");
				else this.#fail(place, "answered wrongly", fault);
				return;
			}
			const turn = part.take(Buffer.from(this.#kernel.memory.buffer, 0, count).toString("latin1"));
			if (turn === "goes on") continue;
			if (turn === "leaves") this.#leaveStage(place, part.script.leaves.when === "impatient");
			else this.#fail(place, "answered wrongly", turn.fault);
			return;
		}
	}

	/** A script has come to its end by its own doing. */
	#leaveStage(place: number, resets: boolean): void {
		if (!resets) {
			this.#end(place, "as scripted");
			return;
		}
		this.#wire.drop(place);
		this.#places.reset(place);
		this.#leave(place, "as scripted");
	}

	#fail(place: number, how: End, fault: string): void {
		if (this.#faults.length < FAULTS_MAX) this.#faults.push(fault);
		this.#end(place, how);
	}

	/** What is due now. */
	#act(place: number, nowMs: number): void {
		this.#dueMs[place] = Number.POSITIVE_INFINITY;
		const { behaviour } = this.#attack;
		if (behaviour.kind === "dribble") {
			if ((this.#sent[place] as number) >= this.#saying(place).length) return;
			this.#say(place, 1);
			this.#dueMs[place] = nowMs + this.#pause(behaviour.everyMsMin, behaviour.everyMsMax);
		} else if (behaviour.kind === "reset") {
			this.#wire.drop(place);
			this.#places.reset(place);
			this.#leave(place, "reset by the attacker");
		} else if (behaviour.kind === "scripts") {
			if (this.#states[place] === OPEN) this.#playOn(place, nowMs);
			else this.#fail(place, "not answered", this.#parts[place]?.late ?? "");
		}
	}

	/** What the socket has to tell. */
	#look(place: number, flags: number): void {
		const { behaviour } = this.#attack;
		const fd = this.#places.fd(place);
		const part = this.#parts[place];
		if (part !== undefined) {
			this.#hear(place, part);
			return;
		}
		if ((flags & EPOLLERR) !== 0) {
			this.#endedByTarget(place, "reset by the target");
			return;
		}
		const stopped = behaviour.kind === "stop-reading" && !Number.isNaN(this.#clockMs[place] as number);
		if (stopped) {
			if ((flags & (EPOLLHUP | EPOLLRDHUP)) !== 0) this.#endedByTarget(place, "closed by the target");
			return;
		}
		if ((flags & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) === 0) return;
		for (;;) {
			const wanted =
				behaviour.kind === "stop-reading"
					? Math.min(TAKE_BYTES, behaviour.afterBytes - (this.#received[place] as number))
					: TAKE_BYTES;
			const count = this.#wire.discard(place, fd, wanted);
			if (count === -EAGAIN) return;
			if (count < 0) {
				this.#endedByTarget(place, "reset by the target");
				return;
			}
			if (count === 0) {
				this.#endedByTarget(place, "closed by the target");
				return;
			}
			const received = (this.#received[place] as number) + count;
			this.#received[place] = received;
			if (behaviour.kind === "stop-reading" && received >= behaviour.afterBytes) {
				this.#clockMs[place] = this.#kernel.now();
				return;
			}
		}
	}

	#endedByTarget(place: number, how: "closed by the target" | "reset by the target"): void {
		const { behaviour, deadlineMs } = this.#attack;
		if (behaviour.kind === "session") {
			const received = this.#received[place] as number;
			const whole = received === behaviour.answerBytes;
			this.#end(place, whole ? "answered" : how === "reset by the target" ? how : "cut short");
			return;
		}
		const clockMs = this.#clockMs[place] as number;
		if (deadlineMs !== null && !Number.isNaN(clockMs))
			this.#overdue.push(this.#kernel.now() - clockMs - deadlineMs);
		this.#end(place, how);
	}

	#failed(place: number, errno: number): void {
		// A reset here is one that came before we looked.
		if (errno !== ETIMEDOUT && errno !== ECONNREFUSED) {
			this.#end(place, "reset by the target");
			return;
		}
		this.#notBeforeMs = this.#kernel.now() + RETRY_MS;
		this.#end(place, errno === ETIMEDOUT ? "connect timed out" : "refused");
	}

	#end(place: number, how: End): void {
		this.#wire.drop(place);
		this.#places.close(place);
		this.#leave(place, how);
	}

	/** The descriptor is closed; the place is free. */
	#leave(place: number, how: End): void {
		this.#states[place] = FREE;
		this.#parts[place] = undefined;
		this.#dueMs[place] = Number.POSITIVE_INFINITY;
		this.#free[(this.#freeFirst + this.#freeCount) % this.#free.length] = place;
		this.#freeCount++;
		this.#ended++;
		this.#lastEndMs = this.#kernel.now();
		this.#count(how);
	}

	#count(how: End): void {
		this.#ends.set(how, (this.#ends.get(how) ?? 0) + 1);
	}

	#say(place: number, length: number): void {
		if (length === 0) return;
		const saying = this.#saying(place);
		const sent = this.#sent[place] as number;
		this.#kernel.memory.set(saying.subarray(sent, sent + length), 0);
		// An empty socket has room for all of it. An error shows as an event.
		const fd = this.#places.fd(place);
		const most = Math.min(length, saying.length - sent);
		// TLS takes a record at a time.
		for (let said = 0; said < most; ) {
			const taken = this.#wire.send(place, fd, said, most - said);
			if (taken <= 0) break;
			said += taken;
		}
		this.#sent[place] = sent + length;
	}

	#saying(place: number): Uint8Array {
		return this.#mutants[place] ?? this.#plainSaying(place);
	}

	/** By place for those who stay, by serial as well for those who come again, so that all are said. */
	#plainSaying(place: number): Uint8Array {
		const { length } = this.#sayings;
		if (length === 0) return NOTHING;
		return this.#sayings[(place + i32(this.#places.serials, place)) % length] ?? NOTHING;
	}

	#pause(msMin: number, msMax: number): number {
		return msMin + this.#random.fraction() * (msMax - msMin);
	}
}

const NOTHING = new Uint8Array(0);
