/**
 * The control plane, on the main thread: opens listeners, starts reactors, follows names and health,
 * reloads and drains. No relayed byte passes here.
 */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism } from "node:os";
import { performance } from "node:perf_hooks";
import { type AdminView, renderMetrics } from "../admin/metrics.js";
import { openAdmin } from "../admin/server.js";
import type { Config } from "../config/config.js";
import { limitArenas, trimHeap } from "../kernel/heap.js";
import { raiseDescriptorLimit } from "../kernel/sockets.js";
import type { Plan } from "../reactor/plan.js";
import { Board } from "../upstream/board.js";
import { HealthChecks } from "../upstream/health.js";
import { Resolver } from "../upstream/resolver.js";
import { descriptorBudget, pipesPerReactor } from "./descriptors.js";
import { StartError } from "./errors.js";
import { acceptQueues, closeListeners, type Listeners, openListeners, retune } from "./listeners.js";
import { type Log, openLog } from "./log.js";
import { checkedAddresses, planFor, Registry, type ResolvedUpstream, splitKey } from "./plan.js";
import { Reactors } from "./reactors.js";
import { SessionLog } from "./session-log.js";

/** How long start waits for names of upstreams; what is not known by then is dialled when it is. */
const FIRST_RESOLVE_MS = 2_000;

/** How often memory that was freed is given back to the system, while anything happens at all. */
const TRIM_MS = 5_000;

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
	readonly #reactors: Reactors;
	#listeners: Listeners = new Map();
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
	#trimTimer: NodeJS.Timeout | undefined;
	/** Turns of the reactors as of the last trim: when none has passed, nothing was freed. */
	#trimmedTurns = 0;
	#stopping = false;
	/** The last reload, drain or stop asked for. */
	#turn: Promise<void> = Promise.resolve();

	private constructor(config: Config, log: Log) {
		this.#config = config;
		this.#log = log;
		this.#registry = new Registry(this.#board);
		this.#reactors = new Reactors(log.logger, () => this.#sessionLog?.told());
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

	/** Settles when a reactor has failed: its sessions are lost, and the gateway should be stopped. */
	get failed(): Promise<Error> {
		return this.#reactors.failed;
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
		this.#listeners = openListeners(config, this.#listeners, reactors);
		if (config.admin !== null) await this.#openAdmin(config.admin);
		this.#registry.keep(config);
		const resolved = this.#followNames(config);
		const share = {
			sessions: this.#rows,
			bufferedBytes: Math.floor(config.limits.bufferedBytes / reactors),
			pipes: pipesPerReactor(this.#descriptors),
		};
		this.#reactors.start(reactors, share, this.#board);
		await resolved;
		this.#sessionLog = new SessionLog(
			this.#reactors.journals,
			{
				listener: (slot) => this.#registry.listeners.nameOf(slot),
				route: (slot) => splitKey(this.#registry.routes.nameOf(slot))[1],
				upstream: (slot) => this.#registry.upstreams.nameOf(slot),
				address: (slot) => splitKey(this.#registry.addresses.nameOf(slot))[1],
			},
			this.#log.logger,
		);
		await this.#sendPlan();
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

	#trim(): void {
		const turns = this.#reactors.counters.reduce((sum, counters) => sum + counters.get("turns"), 0);
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

	async #openAdmin(admin: { readonly host: string; readonly port: number }): Promise<void> {
		const name = `${admin.host}:${admin.port}`;
		try {
			this.#admin = await openAdmin(admin.host, admin.port, this.#view);
		} catch (error) {
			throw StartError.listening(`${name} (admin)`, admin.port, error);
		}
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

	async #sendPlan(): Promise<void> {
		const revision = ++this.#revision;
		this.#upstreams = this.#registry.resolve(this.#config, this.#resolver);
		this.#health.follow(checkedAddresses(this.#upstreams));
		const plans = Array.from({ length: this.#reactors.count }, (_, index) => {
			const fdOf = (name: string): number => this.#listeners.get(name)?.fds[index] ?? -1;
			return planFor(this.#config, this.#registry, this.#upstreams, revision, this.#connections, fdOf);
		});
		const applied = this.#reactors.all((notice) => notice.kind === "applied" && notice.revision === revision);
		this.#reactors.tell((index) => ({ kind: "plan", plan: plans[index] as Plan })); // one for each index
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
			this.#reactors.tell({ kind: "upstream", upstream: plan });
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
		this.#listeners = openListeners(config, before.listeners, this.#reactors.count);
		this.#config = config;
		this.#connections = wanted;
		this.#registry.keep(config);
		await this.#followNames(config);
		try {
			await this.#sendPlan();
		} catch (error) {
			// Too many of something at once. Nothing has been sent to the reactors yet.
			closeListeners(this.#listeners, before.listeners);
			this.#config = before.config;
			this.#connections = before.connections;
			this.#listeners = before.listeners;
			this.#upstreams = before.upstreams;
			this.#registry.keep(before.config);
			this.#health.follow(checkedAddresses(before.upstreams));
			await this.#followNames(before.config);
			throw error;
		}
		retune(this.#listeners, config);
		// Only now: each reactor has taken what waited in these queues.
		closeListeners(before.listeners, this.#listeners);
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
		if (this.#stopping) return;
		const { drainMs } = this.#config.timeouts;
		this.#log.logger.info({ sessions: this.sessions, drain_ms: drainMs }, "draining");
		const closed = this.#reactors.all((notice) => notice.kind === "listenersClosed");
		// Where a reactor fails, nothing is left to wait for.
		const drained = this.#reactors.all((notice) => notice.kind === "drained").catch(() => {});
		this.#reactors.tell({ kind: "drain" });
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
		return this.#reactors.sessions;
	}

	#closeListeners(): void {
		closeListeners(this.#listeners);
		this.#listeners = new Map();
	}

	async #close(): Promise<void> {
		if (this.#stopping) return;
		this.#stopping = true;
		clearInterval(this.#trimTimer);
		this.#resolver.close();
		this.#health.close();
		await this.#reactors.stop();
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
		counters: () => this.#reactors.counters,
		listeners: () => named(this.#registry.listeners.entries()),
		routes: () =>
			[...this.#registry.routes.entries()].map(([key, slot]) => {
				const [listener, name] = splitKey(key);
				return { slot, listener, name };
			}),
		upstreams: () => named(this.#registry.upstreams.entries()),
		addresses: () => this.#addresses(),
		acceptQueues: () => acceptQueues(this.#listeners),
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
