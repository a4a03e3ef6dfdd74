/**
 * The control plane, on the main thread: opens listeners, starts reactors, follows names and health,
 * reloads and drains. No relayed byte passes here.
 */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism } from "node:os";
import { performance } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import { type AdminView, renderMetrics } from "../admin/metrics.js";
import { openAdmin } from "../admin/server.js";
import type { Config, ListenerConfig } from "../config/config.js";
import { limitArenas, trimHeap } from "../kernel/heap.js";
import {
	acceptQueue,
	closeDescriptor,
	openListener,
	openWake,
	raiseDescriptorLimit,
	setKeepalive,
	startListening,
	wake,
} from "../kernel/sockets.js";
import { LIVE_ENDING, LIVE_SESSIONS } from "../reactor/core.js";
import { Counters } from "../reactor/counters.js";
import { Journal } from "../reactor/journal.js";
import type { Command, Notice, ReactorOptions } from "../reactor/plan.js";
import { Board } from "../upstream/board.js";
import { HealthChecks } from "../upstream/health.js";
import { Resolver } from "../upstream/resolver.js";
import { descriptorBudget, pipesPerReactor } from "./descriptors.js";
import { StartError } from "./errors.js";
import { type Log, openLog } from "./log.js";
import {
	addressBytes,
	checkedAddresses,
	planFor,
	Registry,
	type ResolvedUpstream,
	splitKey,
} from "./plan.js";
import { SessionLog } from "./session-log.js";

/** How long start waits for names of upstreams; what is not known by then is dialled when it is. */
const FIRST_RESOLVE_MS = 2_000;

/** How often memory that was freed is given back to the system, while anything happens at all. */
const TRIM_MS = 5_000;

/** Reactors end within a turn; one that does not is a fault, and the process must not wait for it. */
const STOP_MS = 2_000;

interface OpenListener {
	readonly config: ListenerConfig;
	/** One descriptor per reactor. */
	readonly fds: readonly number[];
	/** The port, also when the config said 0. */
	readonly port: number;
}

interface ReactorHandle {
	readonly worker: Worker;
	readonly wakeFd: number;
	readonly journal: Journal;
	/** Its thread has ended. */
	ended: boolean;
}

export interface GatewayOptions {
	/** Where the log goes. Default: standard output. */
	readonly logFd?: number;
}

/** A listener as it was really opened. */
export interface BoundListener {
	readonly name: string;
	readonly host: string;
	readonly port: number;
}

/**
 * A running gateway.
 *
 * @example
 * const gateway = await Gateway.start(loadConfigFile("sluice.yaml"));
 * await gateway.drain();
 */
export class Gateway {
	#config: Config;
	readonly #log: Log;
	readonly #registry: Registry;
	readonly #board = new Board();
	readonly #live = new Int32Array(new SharedArrayBuffer(8));
	readonly #counters: Counters[] = [];
	readonly #reactors: ReactorHandle[] = [];
	#listeners = new Map<string, OpenListener>();
	/** With what their names mean now. Empty before the first plan. */
	#upstreams: readonly ResolvedUpstream[] = [];
	readonly #resolver: Resolver;
	readonly #health: HealthChecks;
	#sessionLog: SessionLog | undefined;
	#admin: Server | undefined;
	#state: "starting" | "ready" | "draining" = "starting";
	#revision = 0;
	#connections = 0;
	/** Rows of each reactor's table: sized at start, so limits cannot grow beyond it. */
	#rows = 0;
	#descriptors = 0;
	readonly #reloads = { succeeded: 0, failed: 0 };
	readonly #waiters = new Set<(reactor: number, notice: Notice) => void>();
	#trimTimer: NodeJS.Timeout | undefined;
	/** Turns of the reactors as of the last trim: when none has passed, nothing was freed. */
	#trimmedTurns = 0;
	#stopping = false;
	/** The last reload, drain or stop asked for. */
	#turn: Promise<void> = Promise.resolve();
	/** Settles when a reactor has failed: the process cannot go on. */
	readonly failed: Promise<Error>;
	#fail: (error: Error) => void = () => {};

	private constructor(config: Config, log: Log) {
		this.#config = config;
		this.#log = log;
		this.#registry = new Registry(this.#board);
		this.failed = new Promise((resolve) => {
			this.#fail = resolve;
		});
		this.#resolver = new Resolver({
			changed: (host) => this.#nameChanged(host),
			failed: (host, error, kept) =>
				log.logger.warn(
					{ host, error: error.message },
					kept ? "a name cannot be resolved; its last addresses stay in use" : "a name cannot be resolved",
				),
			recovered: (host) => log.logger.info({ host }, "a name can be resolved again"),
		});
		this.#health = new HealthChecks({
			changed: (address, down, error) => {
				this.#board.setDown(address.board, down);
				log.logger[down ? "warn" : "info"](
					{ address: address.label, error: error?.message },
					down ? "an upstream address is down" : "an upstream address is up",
				);
			},
		});
	}

	/**
	 * Opens everything and starts relaying. Rejects with a `StartError` that says what to do, and leaves
	 * nothing open, when a port cannot be bound or the descriptor limit is too low.
	 */
	static async start(config: Config, options: GatewayOptions = {}): Promise<Gateway> {
		const log = openLog(config.log, options.logFd);
		const gateway = new Gateway(config, log);
		try {
			await gateway.#start();
		} catch (error) {
			await gateway.#close();
			throw error;
		}
		return gateway;
	}

	get log(): Log {
		return this.#log;
	}

	get config(): Config {
		return this.#config;
	}

	/** Listeners with the ports that were really bound, in the config's order. */
	get listeners(): BoundListener[] {
		return [...this.#listeners.values()].map(({ config, port }) => ({
			name: config.name,
			host: config.host,
			port,
		}));
	}

	/** Port of the admin server, or `undefined` without one. */
	get adminPort(): number | undefined {
		return (this.#admin?.address() as AddressInfo | null | undefined)?.port;
	}

	/** The text of `/metrics`. */
	metrics(): string {
		return renderMetrics(this.#view);
	}

	async #start(): Promise<void> {
		const started = performance.now();
		const config = this.#config;
		const reactors = config.reactors ?? availableParallelism();
		limitArenas();
		this.#descriptors = raiseDescriptorLimit();
		this.#connections = this.#sessionLimit(config, reactors);
		this.#rows = this.#connections;
		this.#listeners = this.#openListeners(config, new Map(), reactors);
		if (config.admin !== null) await this.#openAdmin(config.admin);
		this.#registry.keep(config);
		const resolved = this.#followNames(config);
		for (let index = 0; index < reactors; index++) this.#startReactor(index, reactors);
		await resolved;
		this.#sessionLog = new SessionLog(
			this.#reactors.map((reactor) => reactor.journal),
			{
				listener: (slot) => this.#registry.listeners.nameOf(slot),
				route: (slot) => splitKey(this.#registry.routes.nameOf(slot))[1],
				upstream: (slot) => this.#registry.upstreams.nameOf(slot),
				address: (slot) => splitKey(this.#registry.addresses.nameOf(slot))[1],
			},
			this.#log.logger,
		);
		await this.#sendPlan();
		process.on("exit", this.#releaseThreads);
		this.#trimTimer = setInterval(() => this.#trim(), TRIM_MS).unref();
		this.#state = "ready";
		this.#log.logger.info(
			{
				listeners: this.listeners.map(({ name, port }) =>
					name.endsWith(`:${port}`) ? name : `${name} (port ${port})`,
				),
				admin: this.adminPort === undefined ? null : `${config.admin?.host}:${this.adminPort}`,
				reactors,
				connections: this.#connections,
				ready_ms: Math.round(performance.now() - started),
			},
			"ready",
		);
	}

	/** The process exits although the gateway runs. Node joins its threads, and would wait for the reactors for ever. */
	readonly #releaseThreads = (): void => {
		Atomics.store(this.#live, LIVE_ENDING, 1);
		for (const reactor of this.#reactors) wake(reactor.wakeFd);
	};

	#trim(): void {
		const turns = this.#counters.reduce((sum, counters) => sum + counters.get("turns"), 0);
		if (turns === this.#trimmedTurns) return;
		this.#trimmedTurns = turns;
		trimHeap();
	}

	#sessionLimit(config: Config, reactors: number): number {
		const budget = descriptorBudget(
			this.#descriptors,
			config.limits.fdReserve,
			reactors,
			config.listeners.length,
		);
		const wanted = config.limits.connections;
		if (wanted !== null && wanted > budget.sessions)
			throw new StartError(
				`limits.connections is ${wanted}, but the descriptor limit allows fewer: ${budget.arithmetic}. Raise the limit (ulimit -n, or LimitNOFILE= in the unit) or lower limits.connections.`,
			);
		if (budget.sessions < 1)
			throw new StartError(
				`the descriptor limit leaves no room for a session: ${budget.arithmetic}. Raise the limit (ulimit -n, or LimitNOFILE= in the unit).`,
			);
		this.#log.logger.info(
			{ sessions: wanted ?? budget.sessions, arithmetic: budget.arithmetic },
			"descriptors",
		);
		return wanted ?? budget.sessions;
	}

	/** Opens what is new, and passes on what is open already. Throws, with nothing new left open, when one fails. */
	#openListeners(
		config: Config,
		present: ReadonlyMap<string, OpenListener>,
		reactors: number,
	): Map<string, OpenListener> {
		const listeners = new Map<string, OpenListener>();
		const opened: OpenListener[] = [];
		try {
			for (const listener of config.listeners) {
				const known = present.get(listener.name);
				if (known !== undefined) {
					listeners.set(listener.name, { ...known, config: listener });
					continue;
				}
				const { fds, port } = openListener(
					{
						address: listener.host === "*" ? null : addressBytes(listener.host),
						port: listener.port,
						backlog: listener.backlog,
						keepalive: config.keepalive,
					},
					reactors,
				);
				const entry = { config: listener, fds, port };
				opened.push(entry);
				listeners.set(listener.name, entry);
			}
		} catch (error) {
			for (const { fds } of opened) fds.forEach(closeDescriptor);
			const failing = config.listeners[listeners.size];
			throw StartError.listening(failing?.name ?? "", failing?.port ?? 0, error);
		}
		return listeners;
	}

	async #openAdmin(admin: { readonly host: string; readonly port: number }): Promise<void> {
		const name = `${admin.host}:${admin.port}`;
		try {
			this.#admin = await openAdmin(admin.host, admin.port, this.#view);
		} catch (error) {
			throw StartError.listening(`${name} (admin)`, admin.port, error);
		}
	}

	#startReactor(index: number, reactors: number): void {
		const counters = new Counters();
		const journal = new Journal();
		const wakeFd = openWake();
		const options: ReactorOptions = {
			index,
			reactors,
			sessions: this.#rows,
			bufferedBytes: Math.floor(this.#config.limits.bufferedBytes / reactors),
			pipes: pipesPerReactor(this.#descriptors),
			wakeFd,
			counters: counters.buffer,
			journal: journal.buffer,
			board: this.#board.buffer,
			live: this.#live.buffer as SharedArrayBuffer,
		};
		const worker = new Worker(new URL("../reactor/worker.js", import.meta.url), {
			workerData: options,
			name: `reactor ${index}`,
			// The reactor allocates next to nothing; a small young generation keeps its memory what it needs.
			resourceLimits: { maxYoungGenerationSizeMb: 4 },
			trackUnmanagedFds: false,
		});
		worker.on("message", (notice: Notice) => this.#take(index, notice));
		worker.on("error", (error) => this.#reactorFailed(index, error as Error));
		const handle: ReactorHandle = { worker, wakeFd, journal, ended: false };
		worker.on("exit", (code) => {
			handle.ended = true;
			if (!this.#stopping) this.#reactorFailed(index, new Error(`its thread ended with code ${code}`));
		});
		this.#counters.push(counters);
		this.#reactors.push(handle);
	}

	#reactorFailed(index: number, error: Error): void {
		this.#log.logger.error({ reactor: index, error: error.stack ?? error.message }, "a reactor failed");
		this.#fail(error);
	}

	#take(reactor: number, notice: Notice): void {
		if (notice.kind === "journal") this.#sessionLog?.told();
		else if (notice.kind === "log") this.#log.logger[notice.level](notice.message);
		for (const waiter of this.#waiters) waiter(reactor, notice);
	}

	/** Resolves when every reactor has said so since this call; rejects when one fails, for it never will. */
	async #everyReactor(matches: (notice: Notice) => boolean): Promise<void> {
		const missing = new Set(this.#reactors.keys());
		const all = new Promise<void>((resolve) => {
			const waiter = (reactor: number, notice: Notice): void => {
				if (matches(notice)) missing.delete(reactor);
				if (missing.size > 0) return;
				this.#waiters.delete(waiter);
				resolve();
			};
			this.#waiters.add(waiter);
		});
		const failed = this.failed.then((error) => {
			throw new StartError(`a reactor failed: ${error.message}`, { cause: error });
		});
		await Promise.race([all, failed]);
	}

	/** Reloading, draining and stopping each see the gateway as the one before left it. */
	#inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
		const result = this.#turn.then(task);
		this.#turn = result.then(
			() => {},
			() => {},
		);
		return result;
	}

	#send(reactor: ReactorHandle, command: Command): void {
		// Its wake-up descriptor is closed with it, and the number may be somebody else's by now.
		if (reactor.ended) return;
		reactor.worker.postMessage(command);
		wake(reactor.wakeFd);
	}

	async #sendPlan(): Promise<void> {
		const revision = ++this.#revision;
		this.#upstreams = this.#registry.resolve(this.#config, this.#resolver);
		this.#health.follow(checkedAddresses(this.#upstreams));
		const applied = this.#everyReactor((notice) => notice.kind === "applied" && notice.revision === revision);
		for (const [index, reactor] of this.#reactors.entries()) {
			const fdOf = (name: string): number => this.#listeners.get(name)?.fds[index] ?? -1;
			const plan = planFor(this.#config, this.#registry, this.#upstreams, revision, this.#connections, fdOf);
			this.#send(reactor, { kind: "plan", plan });
		}
		await applied;
	}

	/** Follows the config's names. Resolves when every new one has been asked for once, or takes too long. */
	async #followNames(config: Config): Promise<void> {
		const names = new Map<string, number>();
		for (const upstream of config.upstreams) {
			for (const endpoint of upstream.addresses) {
				if (endpoint.kind !== "name") continue;
				const sooner = names.get(endpoint.host) ?? Number.POSITIVE_INFINITY;
				names.set(endpoint.host, Math.min(upstream.resolveMs, sooner));
			}
		}
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<void>((resolve) => {
			timer = setTimeout(resolve, FIRST_RESOLVE_MS);
		});
		await Promise.race([this.#resolver.follow(names), late]);
		clearTimeout(timer);
	}

	#nameChanged(host: string): void {
		// Before the first plan there is nobody to tell: it will hold what is known by then.
		if (this.#upstreams.length === 0) return;
		try {
			this.#upstreams = this.#registry.resolve(this.#config, this.#resolver);
		} catch (error) {
			this.#log.logger.error(
				{ host, error: (error as Error).message },
				"a name's new addresses are not used",
			);
			return;
		}
		for (const { config, plan } of this.#upstreams) {
			if (!config.addresses.some((endpoint) => endpoint.kind === "name" && endpoint.host === host)) continue;
			for (const reactor of this.#reactors) this.#send(reactor, { kind: "upstream", upstream: plan });
			this.#log.logger.info(
				{ upstream: config.name, host, addresses: plan.addresses.length },
				"a name has new addresses",
			);
		}
		this.#health.follow(checkedAddresses(this.#upstreams));
	}

	/**
	 * Takes over routes, upstreams, timeouts, limits and listeners of a new config, for connections that
	 * come from now on; live sessions go on as they began. Rejects, and changes nothing, when that is not
	 * possible.
	 */
	async reload(config: Config): Promise<void> {
		try {
			await this.#inTurn(() => this.#reload(config));
			this.#reloads.succeeded++;
		} catch (error) {
			this.#reloads.failed++;
			throw error;
		}
	}

	/** Counts a reload that failed before there was a config to try. */
	reloadFailed(): void {
		this.#reloads.failed++;
	}

	async #reload(config: Config): Promise<void> {
		if (this.#state !== "ready") throw new StartError(`cannot reload while ${this.#state}`);
		const reactors = this.#reactors.length;
		const rows = this.#rows;
		const wanted = config.limits.connections ?? rows;
		if (wanted > rows)
			throw new StartError(
				`limits.connections cannot grow from ${rows} to ${wanted} without a restart: the table is sized at start`,
			);
		this.#warnAboutRestart(config);

		const before = {
			config: this.#config,
			connections: this.#connections,
			listeners: this.#listeners,
			upstreams: this.#upstreams,
		};
		this.#listeners = this.#openListeners(config, before.listeners, reactors);
		this.#config = config;
		this.#connections = wanted;
		this.#registry.keep(config);
		await this.#followNames(config);
		try {
			await this.#sendPlan();
		} catch (error) {
			// Too many of something at once. Nothing has been sent to the reactors yet.
			for (const [name, listener] of this.#listeners)
				if (!before.listeners.has(name)) listener.fds.forEach(closeDescriptor);
			this.#config = before.config;
			this.#connections = before.connections;
			this.#listeners = before.listeners;
			this.#upstreams = before.upstreams;
			this.#registry.keep(before.config);
			this.#health.follow(checkedAddresses(before.upstreams));
			await this.#followNames(before.config);
			throw error;
		}
		for (const listener of this.#listeners.values()) {
			for (const fd of listener.fds) {
				setKeepalive(fd, config.keepalive);
				startListening(fd, listener.config.backlog);
			}
		}
		// Only now: each reactor has taken what waited in these queues.
		for (const [name, listener] of before.listeners)
			if (!this.#listeners.has(name)) listener.fds.forEach(closeDescriptor);
		this.#log.logger.info({ revision: this.#revision }, "reloaded");
	}

	#warnAboutRestart(config: Config): void {
		const now = this.#config;
		const differing = (["reactors", "admin", "log"] as const).filter(
			(key) => JSON.stringify(config[key]) !== JSON.stringify(now[key]),
		);
		if (config.limits.bufferedBytes !== now.limits.bufferedBytes) this.#warnRestart("limits.buffered_bytes");
		for (const key of differing) this.#warnRestart(key);
	}

	#warnRestart(key: string): void {
		this.#log.logger.warn({ key }, "this setting changes only with a restart");
	}

	/**
	 * Stops accepting, lets sessions end by themselves until `timeouts.drain`, closes the rest as
	 * `drained`, and gives everything back.
	 */
	async drain(): Promise<void> {
		this.#state = "draining";
		await this.#inTurn(() => this.#drain());
	}

	async #drain(): Promise<void> {
		const { drainMs } = this.#config.timeouts;
		this.#log.logger.info({ sessions: this.sessions, drain_ms: drainMs }, "draining");
		const closed = this.#everyReactor((notice) => notice.kind === "listenersClosed");
		// Where a reactor fails, nothing is left to wait for.
		const drained = this.#everyReactor((notice) => notice.kind === "drained").catch(() => {});
		for (const reactor of this.#reactors) this.#send(reactor, { kind: "drain" });
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<void>((resolve) => {
			timer = setTimeout(resolve, drainMs);
		});
		try {
			await closed;
			this.#closeListeners();
			await Promise.race([drained, late]);
		} finally {
			clearTimeout(timer);
			await this.#close();
		}
	}

	/** Ends at once: sessions that are left are closed as `drained`. */
	async stop(): Promise<void> {
		this.#state = "draining";
		await this.#inTurn(() => this.#close());
	}

	/** Sessions alive now. */
	get sessions(): number {
		return Atomics.load(this.#live, LIVE_SESSIONS);
	}

	#closeListeners(): void {
		for (const { fds } of this.#listeners.values()) fds.forEach(closeDescriptor);
		this.#listeners = new Map();
	}

	async #close(): Promise<void> {
		if (this.#stopping) return;
		this.#stopping = true;
		clearInterval(this.#trimTimer);
		process.off("exit", this.#releaseThreads);
		this.#resolver.close();
		this.#health.close();
		const ended = this.#reactors.map(
			(reactor) =>
				new Promise<void>((resolve) => {
					if (reactor.ended) resolve();
					else reactor.worker.once("exit", () => resolve());
				}),
		);
		for (const reactor of this.#reactors) this.#send(reactor, { kind: "stop" });
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<void>((resolve) => {
			timer = setTimeout(() => {
				for (const reactor of this.#reactors) void reactor.worker.terminate();
				resolve();
			}, STOP_MS);
		});
		await Promise.race([Promise.all(ended), late]);
		clearTimeout(timer);
		for (const reactor of this.#reactors) {
			reactor.ended = true;
			closeDescriptor(reactor.wakeFd);
		}
		this.#closeListeners();
		this.#sessionLog?.close();
		const admin = this.#admin;
		if (admin !== undefined) {
			admin.closeAllConnections();
			await new Promise((resolve) => admin.close(resolve));
		}
		await this.#log.flush();
	}

	readonly #view: AdminView = {
		counters: this.#counters,
		listeners: () => named(this.#registry.listeners.entries()),
		routes: () =>
			[...this.#registry.routes.entries()].map(([key, slot]) => {
				const [listener, name] = splitKey(key);
				return { slot, listener, name };
			}),
		upstreams: () => named(this.#registry.upstreams.entries()),
		addresses: () => this.#addresses(),
		acceptQueues: () =>
			[...this.#listeners.values()].map(({ config, fds }) => {
				const queues = fds.map(acceptQueue);
				return {
					listener: config.name,
					depth: queues.reduce((sum, queue) => sum + queue.depth, 0),
					limit: queues.reduce((sum, queue) => sum + queue.limit, 0),
				};
			}),
		connectionsMax: () => this.#connections,
		descriptorsMax: () => this.#descriptors,
		logLinesDropped: () => this.#log.dropped() + (this.#sessionLog?.dropped ?? 0),
		reloads: () => this.#reloads,
		state: () => this.#state,
	};

	/** Addresses of the config in force. */
	#addresses(): { upstream: string; address: string; healthy: boolean; active: number }[] {
		const nowMs = Number(process.hrtime.bigint() / 1000n) / 1000;
		return this.#upstreams.flatMap(({ config, addresses }) =>
			addresses.map(({ board, label }) => ({
				upstream: config.name,
				address: label,
				healthy: this.#board.isHealthy(board, nowMs),
				active: this.#board.active(board),
			})),
		);
	}
}

function named(entries: Iterable<[string, number]>): { slot: number; name: string }[] {
	return [...entries].map(([name, slot]) => ({ slot, name }));
}
