/**
 * A reactor in the test's own thread, over the real kernel: the test opens clients and upstreams with a
 * second kernel, and turns the loop by hand.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import type { TestContext } from "node:test";
import type { Balance, RouteConditions } from "../../src/config/config.js";
import { AF_INET, EAGAIN, EINPROGRESS } from "../../src/kernel/constants.js";
import * as libc from "../../src/kernel/libc.js";
import { LinuxKernel } from "../../src/kernel/linux.js";
import { QuicInitials } from "../../src/kernel/openssl/quic-initials.js";
import type { TlsLibrary } from "../../src/kernel/openssl/tls.js";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import { closeDescriptor, openListener, openWake, wake } from "../../src/kernel/sockets.js";
import { REASONS } from "../../src/parts/reasons.js";
import { INITIAL_VERSIONS } from "../../src/protocol/quic/versions.js";
import { arenaBytes } from "../../src/reactor/memory/arena.js";
import type { ListenerPlan, Notice, Plan, Policy, ReactorCommand } from "../../src/reactor/plan/plan.js";
import { Reactor } from "../../src/reactor/reactor.js";
import type { Counters } from "../../src/reactor/records/counters.js";
import type { Journal } from "../../src/reactor/records/journal.js";
import type { Board } from "../../src/upstream/board.js";
import { CONNECTION } from "../support/connection-options.js";
import { readJournal, type SessionRecord } from "../support/read-journal.js";
import { PATIENCE_MS } from "../support/waiting.js";
import { BentKernel } from "./bent-kernel.js";
import { NO_LIMITS, NO_REQUESTS } from "./no-limits.js";
import { type SharedMemory, sharedMemory } from "./shared-memory.js";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const BUFFERED_BYTES = 1 << 20;
const PIPES = 8;

export const POLICY: Policy = {
	handshakeMs: 5_000,
	connectMs: 5_000,
	quicIdleMs: 600_000,
	idleMs: 600_000,
	stallMs: 30_000,
	halfClosedMs: 30_000,
	lifetimeMs: 0,
	silenceMs: 300,
	requestHeadMs: 10_000,
	responseHeadMs: 60_000,
	keepAliveMs: 75_000,
	bodyBytesPerSecond: 1_024,
	keepaliveIdleSeconds: 30,
	keepaliveIntervalSeconds: 10,
	keepaliveProbes: 6,
	userTimeoutMs: 90_000,
	unsentBytes: 262_144,
	sendBufferBytes: 0,
	receiveBufferBytes: 0,
	rates: null,
	places: null,
};

/** A route that looks at first bytes, and so makes a silent client wait for its deadline. */
export const PEEKING: Partial<RouteConditions> = { sni: "never.example" };

export interface HarnessOptions {
	readonly sessions: number;
	readonly policy?: Partial<Policy>;
	/** Conditions of the listener's routes; each leads to the one upstream. */
	readonly routes: readonly Partial<RouteConditions>[];
	/** Ports on 127.0.0.1; each entry is an address of its own on the board. */
	readonly upstreamPorts?: readonly number[];
	readonly balance?: Balance;
	readonly ejectFailures?: number;
	/** What else the plan says: limits, mostly. */
	readonly plan?: Partial<Plan>;
	/** Makes the reactor's TLS library; without it, none may be asked for. */
	readonly openTls?: (memory: Uint8Array) => TlsLibrary;
}

export class Harness {
	readonly reactor: Reactor;
	readonly shared: SharedMemory;
	readonly counters: Counters;
	readonly journal: Journal;
	readonly board: Board;
	readonly notices: Notice[] = [];
	/** The reactor's. */
	readonly kernel = new BentKernel(arenaBytes(BUFFERED_BYTES));
	/** What clients and upstreams of the test are opened and driven with. */
	readonly outside = new LinuxKernel(1 << 17);
	readonly port: number;
	/** The plan that it started with. */
	readonly plan: Plan;
	readonly #wakeFd = openWake();
	readonly #commands: ReactorCommand[] = [];
	readonly #listener: number;
	readonly #open = new Set<number>();

	constructor(t: TestContext, options: HarnessOptions) {
		const { fds, port } = openListener(
			{ address: LOOPBACK, port: 0, backlog: 4_096, connection: CONNECTION },
			1,
		);
		this.#listener = fds[0] ?? -1;
		this.port = port;
		this.shared = sharedMemory(options.sessions, PIPES);
		this.counters = this.shared.counters;
		this.journal = this.shared.journal;
		this.board = this.shared.board;
		this.reactor = new Reactor(
			this.kernel,
			{
				...this.shared.options,
				index: 0,
				reactors: 1,
				sessions: options.sessions,
				bufferedBytes: BUFFERED_BYTES,
				pipes: PIPES,
				...{ wakeFd: this.#wakeFd, wakeFds: [this.#wakeFd] },
				epollFd: -1,
			},
			(notice) => this.notices.push(notice),
			() => this.#commands.shift(),
			options.openTls,
			undefined,
			(memory) => new QuicInitials(memory, INITIAL_VERSIONS),
		);
		this.plan = this.#plan(options);
		this.#commands.push({ kind: "plan", plan: this.plan });
		this.turn();
		t.after(() => this.#dispose());
	}

	#plan({ policy, routes, upstreamPorts, balance, ejectFailures, sessions, plan }: HarnessOptions): Plan {
		return {
			revision: 1,
			policies: [{ ...POLICY, ...policy }],
			connections: sessions,
			...NO_LIMITS,
			logSessions: true,
			...plan,
			listeners: [
				{
					slot: 0,
					fd: this.#listener,
					port: 1,
					connections: Number.POSITIVE_INFINITY,
					acceptsPerSecond: Number.POSITIVE_INFINITY,
					requestsPerSecond: Number.POSITIVE_INFINITY,
					policy: 0,
					...NO_REQUESTS,
					proxyRequired: false,
					trusted: [],
					routes: routes.map((conditions, slot) => ({
						conditions: {
							sni: null,
							host: null,
							alpn: null,
							protocol: null,
							source: null,
							path: null,
							subprotocol: null,
							to: "upstream",
							answer: null,
							requests: null,
							label: "",
							...conditions,
						},
						slot,
						upstream: 0,
						policy: -1,
						sessionsPerSecond: Number.POSITIVE_INFINITY,
						requestsPerSecond: Number.POSITIVE_INFINITY,
					})),
				},
			],
			upstreams: [
				{
					slot: 0,
					balance: balance ?? "round_robin",
					proxyProtocol: "off",
					pool: null,
					host: null,
					trailers: false,
					ejectFailures: ejectFailures ?? 3,
					authority: Uint8Array.of(0x75),
					ejectForMs: 10_000,
					addresses: (upstreamPorts ?? []).map((port, board) => ({
						board,
						sockaddr: encodeInternet(LOOPBACK, port),
						hash: board,
					})),
				},
			],
		};
	}

	/** One turn that does not wait: a wake-up is there in any case. */
	turn(): void {
		wake(this.#wakeFd);
		this.reactor.turn();
	}

	/** Time passes, in one leap. */
	pass(ms: number): void {
		this.kernel.aheadMs += ms;
		this.turn();
	}

	/** Sends a command, as the main thread does, and turns once: what is left of it goes on in the turns that follow. */
	command(command: ReactorCommand): void {
		this.#commands.push(command);
		this.turn();
	}

	/** Sends commands and turns until they have been carried out. Returns how many turns that took. */
	carryOut(...commands: ReactorCommand[]): number {
		this.#commands.push(...commands);
		let turns = 0;
		do {
			this.turn();
			turns++;
		} while (!this.reactor.stopped && this.reactor.hasCommands);
		return turns;
	}

	/** Has requests read, and passed on over pooled connections. `listener`: what else changes about it. */
	readRequests(listener: Partial<ListenerPlan> = {}): void {
		const pool = { keeps: true, idleMs: 50_000, ageMs: 900_000, requests: 100, idleMax: 8 };
		this.command({
			kind: "plan",
			plan: {
				...this.plan,
				revision: 2,
				listeners: this.plan.listeners.map((each) => ({ ...each, readsRequests: true, ...listener })),
				upstreams: this.plan.upstreams.map((each) => ({ ...each, pool })),
			},
		});
	}

	/** One turn that waits for news or a deadline, as the loop does. */
	waitingTurn(): void {
		this.reactor.turn();
	}

	/**
	 * Turns until something holds. No turn waits, because what the test did outside may still be on its way
	 * through the kernel.
	 */
	turnUntil(done: () => boolean, missing: string): void {
		this.#until(done, missing, () => this.turn());
	}

	/** The same where only deadlines are waited for: each turn sleeps until the next. */
	sleepUntil(done: () => boolean, missing: string): void {
		this.#until(done, missing, () => this.waitingTurn());
	}

	#until(done: () => boolean, missing: string, turn: () => void): void {
		const giveUpAtMs = performance.now() + PATIENCE_MS;
		while (!done()) {
			assert.ok(performance.now() < giveUpAtMs, `it did not come: ${missing}`);
			turn();
		}
	}

	/** Opens a client's connection, from 127.0.0.`host`; the reactor finds it in its accept queue. */
	client(host = 1): number {
		return this.connect(this.port, host);
	}

	connect(port: number, host = 1): number {
		const fd = this.outside.socket(AF_INET);
		assert.ok(fd >= 0, `no socket: errno ${-fd}`);
		this.#open.add(fd);
		const source = encodeInternet(Uint8Array.of(127, 0, 0, host), 0);
		if (host !== 1) assert.equal(libc.bind(fd, libc.addressOf(source), source.length), 0);
		const result = this.outside.connect(fd, encodeInternet(LOOPBACK, port));
		assert.ok(result === 0 || result === -EINPROGRESS, `no connection: errno ${-result}`);
		return fd;
	}

	/** Gives a descriptor that the test got elsewhere (by accept) into the harness's care. */
	adopt(fd: number): number {
		assert.ok(fd >= 0, `no descriptor: errno ${-fd}`);
		this.#open.add(fd);
		return fd;
	}

	/** Turns until somebody has connected to this listening socket. Returns the new connection. */
	accepted(listening: number, what: string): number {
		let fd = -EAGAIN;
		this.turnUntil(() => {
			fd = this.outside.accept(listening, 0);
			return fd >= 0;
		}, what);
		return this.adopt(fd);
	}

	/** Ends a client: with a reset, which leaves nothing behind in the kernel. */
	reset(fd: number): void {
		this.#open.delete(fd);
		this.outside.reset(fd);
	}

	send(fd: number, text: string): void {
		const bytes = Buffer.from(text, "latin1");
		this.outside.memory.set(bytes, 0);
		assert.equal(this.outside.send(fd, 0, bytes.length), bytes.length);
	}

	/** What waits on a connection, up to `length` bytes of it, or the negative errno. */
	receive(fd: number, length = 1 << 16): string | number {
		const count = this.outside.receive(fd, 0, length);
		return count < 0 ? count : Buffer.from(this.outside.memory.subarray(0, count)).toString("latin1");
	}

	/** A listening socket of the test's own, closed after it. */
	upstream(backlog = 128): { fd: number; port: number } {
		const { fds, port } = openListener(
			{
				address: LOOPBACK,
				port: 0,
				backlog,
				connection: CONNECTION,
			},
			1,
		);
		return { fd: this.adopt(fds[0] ?? -1), port };
	}

	records(): SessionRecord[] {
		const records: SessionRecord[] = [];
		readJournal(this.journal, (record) => records.push(record));
		return records;
	}

	/** Sessions alive. */
	get live(): number {
		return this.shared.live[0] ?? Number.NaN;
	}

	#dispose(): void {
		if (!this.reactor.stopped) this.carryOut({ kind: "stop" });
		for (const fd of this.#open) this.outside.reset(fd);
		closeDescriptor(this.#listener);
		closeDescriptor(this.#wakeFd);
		this.kernel.dispose();
		this.outside.dispose();
	}
}

export function reasonOf(record: SessionRecord | undefined): string | undefined {
	return record === undefined ? undefined : REASONS[record.reason];
}

export function openDescriptors(): number {
	return readdirSync("/proc/self/fd").length;
}
