/** One event loop: waits for news, hands each to the step its connection is at, then sees to deadlines. */

import { EPOLLIN } from "../kernel/constants.js";
import type { Kernel, Readiness } from "../kernel/kernel.js";
import type { TlsLibrary } from "../kernel/openssl/tls.js";
import { i32 } from "../parts/at.js";
import { accept } from "./admission/accept.js";
import { listenerOfEventSlot, resumeListeners } from "./admission/listeners.js";
import { Commands } from "./commands.js";
import { Core } from "./core.js";
import type { OpenInitials } from "./datagrams/quic-hellos.js";
import { datagramsCame, endArrivals, halvesDueMs } from "./modes/datagram/arrive.js";
import { takeStrays } from "./modes/datagram/ear.js";
import { deliverQueued, hasWork, lookAtLog } from "./modes/hub/deliver.js";
import type { Notice, ReactorCommand, ReactorOptions } from "./plan/plan.js";
import { scalarIndex } from "./records/counters.js";
import { hadTurn, heard, timedOut } from "./road.js";
import type { Slot } from "./table/numbers.js";
import type { OpenEngine } from "./wire/engine.js";
import { EpollEngine } from "./wire/epoll-engine.js";
import { newsOf } from "./wire/transport.js";

function noInitials(): never {
	throw new Error("this reactor was started without what opens packets of QUIC");
}

function noTls(): never {
	throw new Error("this reactor was started without a TLS library");
}

/**
 * Deadlines that are acted upon in a turn. Closing a session whose peer never took what waits for it gives hundreds of
 * buffers back, which takes the kernel a fifth of a millisecond: a hundred at once would make everybody wait for 20.
 */
export const EXPIRES_PER_TURN = 16;

/** News that is heard in a turn: a relayed request takes some 20 µs, and a wait reports up to 512. */
const EVENTS_PER_TURN = 64;

/** The wake-up descriptor's slot in events. */
const WAKE_SLOT = -1;

export class Reactor {
	readonly core: Core;
	readonly #kernel: Kernel;
	readonly #readiness: Readiness;
	readonly #wakeFd: number;
	readonly #measuresCpu: boolean;
	readonly #eventsPerTurn: number;
	/** Of the last wait: how many events there are, and the first of those that are still to be heard. */
	#events = 0;
	#nextEvent = 0;
	readonly #commands: Commands;
	#stopped = false;

	/**
	 * `takeCommand` gives the next of what the main thread has sent; `openTls` is asked when TLS is needed; `openEngine` makes what
	 * moves the bytes of its rows; `openInitials` what opens the first packets of QUIC, for listeners of datagrams.
	 */
	constructor(
		kernel: Kernel,
		options: ReactorOptions,
		notify: (notice: Notice) => void,
		takeCommand: () => ReactorCommand | undefined,
		openTls: (memory: Uint8Array) => TlsLibrary = noTls,
		openEngine: OpenEngine = (rows) => new EpollEngine(kernel, rows),
		openInitials: OpenInitials = noInitials,
	) {
		this.core = new Core(kernel, options, notify, openTls, openEngine, openInitials);
		this.#kernel = kernel;
		this.#readiness = this.core.engine.readiness;
		this.#wakeFd = options.wakeFd;
		this.#measuresCpu = options.turnClock === "cpu";
		this.#eventsPerTurn = options.eventsPerTurn ?? EVENTS_PER_TURN;
		this.#commands = new Commands(this.core, takeCommand);
		const watched = this.#readiness.add(options.wakeFd, EPOLLIN, WAKE_SLOT, 0);
		if (watched < 0) throw new Error(`cannot watch for commands: errno ${-watched}`);
	}

	/** A `stop` command has been carried out. */
	get stopped(): boolean {
		return this.#stopped;
	}

	/** What happens at this moment is a command's doing. */
	get isAtWork(): boolean {
		return this.#commands.isAtWork;
	}

	/** It is the doing of what makes room, which commands may follow in the same turn. */
	get isMakingRoom(): boolean {
		return this.#commands.isMakingRoom;
	}

	/** Commands that have been taken, or pieces of them, are left for the next turn. */
	get hasCommands(): boolean {
		return this.#commands.pending;
	}

	/** One turn of the loop. */
	turn(): void {
		const { core } = this;
		if (!this.hasEvents) this.#wait();
		core.nowMs = this.#kernel.now();
		const beganMs = this.#measuresCpu ? this.#kernel.threadCpu() : core.nowMs;
		this.#goOn();
		core.counters.turnTook((this.#measuresCpu ? this.#kernel.threadCpu() : this.#kernel.now()) - beganMs);
	}

	/** Some of what the last wait reported is left for the next turn. */
	get hasEvents(): boolean {
		return this.#nextEvent < this.#events;
	}

	#wait(): void {
		const { core } = this;
		const count = this.#readiness.wait(this.#patienceMs());
		if (count < 0) throw new Error(`waiting for events failed with errno ${-count}`);
		this.#events = count;
		this.#nextEvent = 0;
		core.wait++;
	}

	/** What a turn does with its share of the news, and besides. */
	#goOn(): void {
		const { core } = this;
		core.counters.add(TURNS, 1);
		core.budget.begin();
		const end = Math.min(this.#events, this.#nextEvent + this.#eventsPerTurn);
		while (this.#nextEvent < end) this.#dispatch(this.#nextEvent++);
		endArrivals(core);
		if (this.#commands.pending) {
			this.#commands.run();
			if (this.#commands.stopped) {
				this.#stopped = true;
				return;
			}
		}
		this.#runQueue();
		this.#deliver();
		// News that has come is heard before deadlines that it may move.
		if (!this.hasEvents) core.wheel.expire(core.nowMs, this.#expire, EXPIRES_PER_TURN);
		if (core.nowMs >= core.places.resumeAtMs) resumeListeners(core);
		core.publish();
	}

	/** How long to wait for events. */
	#patienceMs(): number {
		const { core } = this;
		if (core.queue.length > 0 || this.#commands.pending) return 0;
		if (core.hub !== null && hasWork(core.hub)) return 0;
		const delay = core.wheel.delay(core.nowMs);
		const dueMs = Math.min(core.places.resumeAtMs, core.lineNews.dueMs, halvesDueMs(core));
		if (dueMs === Number.POSITIVE_INFINITY) return delay;
		const due = Math.max(0, Math.ceil(dueMs - core.nowMs));
		return delay < 0 ? due : Math.min(delay, due);
	}

	#dispatch(event: number): void {
		const { core } = this;
		const readiness = this.#readiness;
		const number = readiness.slotOf(event);
		if (number < 0) {
			this.#dispatchSpecial(number);
			return;
		}
		const slot = number as Slot;
		if (readiness.generationOf(event) !== i32(core.table.generation, slot)) {
			core.counters.add(STALE_EVENTS, 1);
			return;
		}
		heard(core, slot, newsOf(core, slot, readiness.flagsOf(event)));
	}

	#dispatchSpecial(slot: number): void {
		const { core } = this;
		if (slot === WAKE_SLOT) {
			this.#kernel.clearWake(this.#wakeFd);
			// A process that just exits joins its threads, so they must not stay blocked in the kernel.
			if (core.places.isEnding) this.#stopped = true;
			this.#commands.told();
			takeStrays(core);
			return;
		}
		const number = listenerOfEventSlot(slot);
		const listener = core.listeners.get(number);
		if (core.datagrams !== null && datagramsCame(core, core.datagrams, listener ?? core.retired.get(number)))
			return;
		if (listener !== undefined && !listener.paused && !listener.givenUp) accept(core, listener);
	}

	/** What was published goes to subscribers, as far as this turn may still move bytes. */
	#deliver(): void {
		const { core } = this;
		if (core.hub === null) return;
		lookAtLog(core.hub);
		if (!hasWork(core.hub)) return;
		core.budget.begin();
		deliverQueued(core, core.hub);
	}

	/** Runs what was queued before, as far as this turn may still move bytes. */
	#runQueue(): void {
		const { core } = this;
		if (core.queue.length === 0) return;
		core.budget.begin();
		core.queue.run(this.#hadTurn, this.#hasBytesLeft);
	}

	readonly #hadTurn = (slot: Slot): void => hadTurn(this.core, slot);
	readonly #hasBytesLeft = (): boolean => this.core.budget.turnBytes > 0;
	readonly #expire = (row: number): void => timedOut(this.core, row as Slot);
}

const TURNS = scalarIndex("turns");
const STALE_EVENTS = scalarIndex("staleEvents");
