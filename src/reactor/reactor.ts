/** One event loop: waits for news, hands each to the step its connection is at, then sees to deadlines. */
import { EPOLLERR, EPOLLHUP, EPOLLIN } from "../kernel/constants.js";
import type { Kernel } from "../kernel/kernel.js";
import type { TlsLibrary } from "../kernel/openssl/tls.js";
import { at } from "../parts/at.js";
import { accept, listenerOfEventSlot, resumeListeners } from "./admission/accept.js";
import { Commands } from "./commands.js";
import { Core, LIVE_ENDING, TURN_BYTES } from "./core.js";
import { close } from "./end/close.js";
import { linkTimedOut, pooled } from "./links/pool.js";
import { exchangeTimedOut, requestTimedOut } from "./modes/http1/deadlines.js";
import { exchangeNews, exchangeQueued, requestNews } from "./modes/http1/news.js";
import { readRequest } from "./modes/http1/read-request.js";
import { relay, relayQueued, relayTimedOut } from "./modes/relay/relay.js";
import type { Command, Notice, ReactorOptions } from "./plan/plan.js";
import { scalarIndex } from "./records/counters.js";
import { CLIENT_RESET } from "./records/reasons.js";
import { connecting, dialTimedOut } from "./steps/dial.js";
import { refused } from "./steps/refuse.js";
import { beginHandshake, handshake, handshakeTimedOut } from "./steps/secure.js";
import { sniff, sniffTimedOut } from "./steps/sniff.js";
import {
	CONNECTING,
	DIAL,
	EXCHANGE,
	FREE,
	POOLED,
	REFUSED,
	RELAY,
	REQUEST,
	SECURE,
	SNIFF,
} from "./table/table.js";
import { noteNews } from "./wire/news.js";
import { newsOf } from "./wire/transport.js";

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
	readonly #wakeFd: number;
	readonly #measuresCpu: boolean;
	readonly #eventsPerTurn: number;
	/** Of the last wait: how many events there are, and the first of those that are still to be heard. */
	#events = 0;
	#nextEvent = 0;
	readonly #commands: Commands;
	#stopped = false;

	/** `takeCommand` gives the next of what the main thread has sent; `openTls` is asked when TLS is needed. */
	constructor(
		kernel: Kernel,
		options: ReactorOptions,
		notify: (notice: Notice) => void,
		takeCommand: () => Command | undefined,
		openTls: (memory: Uint8Array) => TlsLibrary = noTls,
	) {
		this.core = new Core(kernel, options, notify, openTls);
		this.#kernel = kernel;
		this.#wakeFd = options.wakeFd;
		this.#measuresCpu = options.turnClock === "cpu";
		this.#eventsPerTurn = options.eventsPerTurn ?? EVENTS_PER_TURN;
		this.#commands = new Commands(this.core, takeCommand);
		const watched = kernel.readiness.add(options.wakeFd, EPOLLIN, WAKE_SLOT, 0);
		if (watched < 0) throw new Error(`cannot watch for commands: errno ${-watched}`);
	}

	/** Runs until a `stop` command. */
	run(): void {
		while (!this.#stopped) this.turn();
	}

	get stopped(): boolean {
		return this.#stopped;
	}

	/** What happens at this moment is a command's doing. */
	get isAtWork(): boolean {
		return this.#commands.isAtWork;
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
		const count = this.#kernel.readiness.wait(this.#patienceMs());
		if (count < 0) throw new Error(`waiting for events failed with errno ${-count}`);
		this.#events = count;
		this.#nextEvent = 0;
		core.wait++;
	}

	/** What a turn does with its share of the news, and besides. */
	#goOn(): void {
		const { core } = this;
		core.counters.add(TURNS, 1);
		core.turnBytes = TURN_BYTES;
		const end = Math.min(this.#events, this.#nextEvent + this.#eventsPerTurn);
		while (this.#nextEvent < end) this.#dispatch(this.#nextEvent++);
		if (this.#commands.pending) {
			this.#commands.run();
			if (this.#commands.stopped) {
				this.#stopped = true;
				return;
			}
		}
		core.runQueued(this.#runQueued);
		// News that has come is heard before deadlines that it may move.
		if (!this.hasEvents) core.wheel.expire(core.nowMs, this.#expire, EXPIRES_PER_TURN);
		if (core.nowMs >= core.resumeAtMs) resumeListeners(core);
		core.publish();
	}

	/** How long to wait for events. */
	#patienceMs(): number {
		const { core } = this;
		if (core.queued > 0 || this.#commands.pending) return 0;
		const delay = core.wheel.delay(core.nowMs);
		if (core.resumeAtMs === Number.POSITIVE_INFINITY) return delay;
		const resume = Math.max(0, Math.ceil(core.resumeAtMs - core.nowMs));
		return delay < 0 ? resume : Math.min(delay, resume);
	}

	#dispatch(event: number): void {
		const { core } = this;
		const { readiness } = this.#kernel;
		const slot = readiness.slotOf(event);
		if (slot < 0) {
			this.#dispatchSpecial(slot);
			return;
		}
		if (readiness.generationOf(event) !== at(core.table.generation, slot)) {
			core.counters.add(STALE_EVENTS, 1);
			return;
		}
		const events = newsOf(core, slot, readiness.flagsOf(event));
		switch (at(core.table.state, slot)) {
			case RELAY:
				relay(core, slot, events);
				return;
			case CONNECTING:
				connecting(core, slot, events);
				return;
			case SNIFF:
				noteNews(core, slot, events);
				// To route and dial is dear: behind a crowd of first bytes nobody else waits for all of them.
				if (core.turnBytes > 0) sniff(core, slot);
				else core.enqueue(slot);
				return;
			case SECURE:
				noteNews(core, slot, events);
				handshake(core, slot);
				return;
			case DIAL:
				// A client that ends its direction has said all it wants to; one that resets is gone.
				noteNews(core, slot, events);
				if ((events & (EPOLLERR | EPOLLHUP)) !== 0) close(core, slot, CLIENT_RESET);
				return;
			case REFUSED:
				refused(core, slot, false);
				return;
			case EXCHANGE:
				exchangeNews(core, slot, events);
				return;
			case REQUEST:
				requestNews(core, slot, events);
				return;
			case POOLED:
				pooled(core, slot);
				return;
			case FREE:
				core.counters.add(STALE_EVENTS, 1);
				return;
			default:
				throw new Error(`row ${slot} is in no known state`);
		}
	}

	#dispatchSpecial(slot: number): void {
		const { core } = this;
		if (slot === WAKE_SLOT) {
			this.#kernel.clearWake(this.#wakeFd);
			// A process that just exits joins its threads, so they must not stay blocked in the kernel.
			if (Atomics.load(core.live, LIVE_ENDING) === 1) this.#stopped = true;
			this.#commands.told();
			return;
		}
		const listener = core.listeners.get(listenerOfEventSlot(slot));
		if (listener !== undefined && !listener.paused && !listener.givenUp) accept(core, listener);
	}

	readonly #runQueued = (slot: number): void => {
		const { core } = this;
		const state = at(core.table.state, slot);
		if (state === RELAY) relayQueued(core, slot);
		else if (state === EXCHANGE) exchangeQueued(core, slot);
		else if (state === REQUEST) readRequest(core, slot);
		else if (state === REFUSED) refused(core, slot, false);
		else if (state === SNIFF) sniff(core, slot);
		else if (state === SECURE) beginHandshake(core, slot);
	};

	/** A deadline passed. A session's lies on its client's row; pooled connections have their own. */
	readonly #expire = (slot: number): void => {
		const { core } = this;
		if (slot >= core.table.sessions) {
			linkTimedOut(core, slot);
			return;
		}
		switch (at(core.table.state, slot)) {
			case SNIFF:
				sniffTimedOut(core, slot);
				return;
			case SECURE:
				handshakeTimedOut(core, slot);
				return;
			case DIAL:
				dialTimedOut(core, slot);
				return;
			case RELAY:
				relayTimedOut(core, slot);
				return;
			case REFUSED:
				refused(core, slot, true);
				return;
			case REQUEST:
				requestTimedOut(core, slot);
				return;
			case EXCHANGE:
				exchangeTimedOut(core, slot);
				return;
			default:
				throw new Error(`a deadline fired for row ${slot}, which has no step that sets one`);
		}
	};
}

const TURNS = scalarIndex("turns");
const STALE_EVENTS = scalarIndex("staleEvents");
