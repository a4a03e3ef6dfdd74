/** A reactor of a run, on a kernel of its own, and what passes between it and the main thread. */

import type { HubNews, HubOrder } from "../../../src/channels/orders.js";
import { EINTR, ENOBUFS } from "../../../src/kernel/constants.js";
import { arenaBytes } from "../../../src/reactor/memory/arena.js";
import type { HubTraffic } from "../../../src/reactor/modes/hub/traffic.js";
import type { Notice, ReactorCommand } from "../../../src/reactor/plan/plan.js";
import { Reactor } from "../../../src/reactor/reactor.js";
import { EpollEngine } from "../../../src/reactor/wire/epoll-engine.js";
import type { Random } from "../../../src/rig/random.js";
import { sharedMemory } from "../../reactor/shared-memory.js";
import { type SimulatedSocket, SimulatedWake } from "../descriptors.js";
import type { Faults } from "../faults.js";
import { SimulatedKernel } from "../simulated-kernel.js";
import { SimulatedTls } from "../simulated-tls.js";
import { type Trace, violated } from "../trace.js";
import type { HubClient } from "./hub-client.js";
import { Sights } from "./sights.js";

/** More than any run has open. */
const DESCRIPTORS = 1_024;

/** A kernel that has no memory for what is to be sent, now and then. */
export class HubKernel extends SimulatedKernel {
	noBuffers = 0;
	/** How often it has said so. */
	refused = 0;
	/** Those that have been full: their clients took no more, at some time. */
	readonly full = new WeakSet<SimulatedSocket>();

	override send(fd: number, offset: number, length: number, more = false): number {
		if (this.random.chance(this.noBuffers)) {
			this.refused++;
			return -ENOBUFS;
		}
		const count = super.send(fd, offset, length, more);
		if (count < length && count !== -EINTR) this.short(this.socketAt(fd));
		return count;
	}

	/** A client has taken less than it was sent. */
	short: (socket: SimulatedSocket | undefined) => void = () => {};

	/** A count that is short says that there is no room, and that it is told when there is (epoll(7)). */
	protected override roomFor(socket: SimulatedSocket, length: number): number {
		const count = super.roomFor(socket, length);
		if (count > 0 && count < length && count < socket.room) socket.throttled = true;
		if (count < length) this.full.add(socket);
		return count;
	}
}

export interface HubReactorOptions {
	readonly index: number;
	readonly reactors: number;
	readonly sessions: number;
	readonly bufferedBytes: number;
	readonly startMs: number;
}

export class HubReactor {
	readonly index: number;
	readonly sessions: number;
	readonly kernel: HubKernel;
	readonly tls: SimulatedTls;
	readonly reactor: Reactor;
	readonly sights = new Sights();
	/** At the beginning of its turn. */
	turnSight = 0;
	readonly shared: ReturnType<typeof sharedMemory>;
	/** What it says that the main thread has not heard yet. */
	readonly news: HubNews[] = [];
	readonly notices = new Set<Notice["kind"]>();
	/** Its last wait was one. */
	hasSlept = false;
	/** The client that was closed last. */
	closing: HubClient | undefined;
	/** How often its kernel had no buffers before this turn. */
	refusedBefore = 0;
	/** It reads the log: what is published has to wait. */
	isReading = false;
	readonly wake = new SimulatedWake();
	/** On their way; and there. */
	readonly #underWay: ReactorCommand[] = [];
	readonly #there: ReactorCommand[] = [];
	#watched: HubTraffic | undefined;

	constructor(random: Random, faults: Faults, trace: Trace, options: HubReactorOptions) {
		const { index, reactors, sessions, bufferedBytes, startMs } = options;
		this.index = index;
		this.sessions = sessions;
		this.kernel = new HubKernel(random, faults, trace, arenaBytes(bufferedBytes), startMs);
		this.tls = new SimulatedTls(this.kernel, random, trace, random.chance(0.3));
		this.#watchTls();
		this.shared = sharedMemory(sessions, 0, 64, DESCRIPTORS);
		this.reactor = new Reactor(
			this.kernel,
			{
				...this.shared.options,
				...{ index, reactors, sessions, bufferedBytes, pipes: 0, epollFd: -1 },
				...{ wakeFd: this.kernel.install(this.wake), wakeFds: [] },
				eventsPerTurn: random.pick([1, 2, 64, 64]),
			},
			(notice) => this.#noticed(notice),
			() => this.#there.shift(),
			() => this.tls,
			(rows) => new EpollEngine(this.kernel, rows),
		);
	}

	/** Through TLS it is a write that says so: records go by calls of its own. */
	#watchTls(): void {
		const { tls, kernel } = this;
		const sockets = new Map<number, SimulatedSocket | undefined>();
		const [open, write] = [tls.open.bind(tls), tls.write.bind(tls)];
		tls.open = (context, fd) => {
			const handle = open(context, fd);
			sockets.set(handle, kernel.socketAt(fd));
			return handle;
		};
		tls.write = (handle, offset, length) => {
			const count = write(handle, offset, length);
			if (count < 0) kernel.short(sockets.get(handle));
			return count;
		};
	}

	// What the main thread says.

	tell(command: ReactorCommand): void {
		this.#underWay.push(command);
	}

	tellOrders(orders: readonly HubOrder[]): void {
		this.tell({ kind: "hubOrders", orders });
	}

	/** Some of what is on its way arrives. */
	arrive(count: number): void {
		if (this.#underWay.length === 0) return;
		this.#there.push(...this.#underWay.splice(0, count));
		this.kernel.wake(this.wake);
	}

	get hasMessages(): boolean {
		return this.#underWay.length > 0 || this.#there.length > 0 || this.reactor.hasCommands;
	}

	get underWay(): number {
		return this.#underWay.length;
	}

	// What it says.

	#noticed(notice: Notice): void {
		this.notices.add(notice.kind);
		if (notice.kind === "hub") this.news.push(...notice.items);
		if (notice.kind === "log") violated(`the reactor logs: ${notice.message}`);
	}

	// What it sees.

	/** Before a turn: once it has a hub, what it reads of the log is looked at. */
	watch(momentNow: () => number, ended: (client: HubClient, reason: number) => void): void {
		const { hub } = this.reactor.core;
		if (hub === null || this.#watched === hub) return;
		this.#watched = hub;
		const { counters } = this.reactor.core;
		const sessionClosed = counters.sessionClosed.bind(counters);
		counters.sessionClosed = (listener, reason) => {
			if (this.closing !== undefined) ended(this.closing, reason);
			this.closing = undefined;
			sessionClosed(listener, reason);
		};
		const { log } = hub;
		const [look, beginRead, endRead] = [log.look.bind(log), log.beginRead.bind(log), log.endRead.bind(log)];
		log.look = () => {
			this.sights.looked(momentNow(), this.kernel.nowMs);
			return look();
		};
		log.beginRead = (reactor, position) => {
			if (this.isReading) violated("a reactor begins to read the log, and reads it already");
			this.isReading = beginRead(reactor, position);
			return this.isReading;
		};
		log.endRead = (reactor) => {
			this.isReading = false;
			endRead(reactor);
		};
	}
}
