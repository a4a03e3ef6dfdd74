/**
 * The control plane, on the main thread: opens listeners, starts reactors, follows names and health,
 * reloads and drains. No relayed byte passes here.
 */

import { performance } from "node:perf_hooks";
import { renderMetrics } from "../admin/metrics.js";
import type { AdminView, LedgerReport } from "../admin/view.js";
import {
	changesBetween,
	type Reloaded,
	reloadedBy,
	shortened,
	type WrittenParts,
} from "../config/changes.js";
import type { AdminConfig, Config } from "../config/config.js";
import { deadPeerDetection } from "../config/detection.js";
import { ConfigError, headline } from "../config/errors.js";
import { reloadConfigFile } from "../config/load.js";
import type { HubDesk } from "../hub/desk.js";
import { limitArenas, trimHeap } from "../kernel/heap.js";
import type { InheritedSocket } from "../kernel/inherited-sockets.js";
import { whyNoSystemCalls } from "../kernel/koffi.js";
import { descriptorLimits, growDescriptorTable, raiseDescriptorLimit } from "../kernel/sockets.js";
import type { TurnClock } from "../reactor/plan/plan.js";
import { Owners } from "../reactor/records/owners.js";
import { DRAINED, SUPERSEDED } from "../reactor/records/reasons.js";
import { Board } from "../upstream/board.js";
import { type OpenAdmin, openAdminPort } from "./admin-port.js";
import { adminView } from "./admin-view.js";
import { descriptorsWanted, pipesPerReactor, sessionLimit } from "./descriptors.js";
import { StartError } from "./errors.js";
import { HeldListeners } from "./held-listeners.js";
import { HubPart } from "./hub/hub-part.js";
import { Ledger } from "./ledger.js";
import { type Place, retune } from "./listeners.js";
import { type Log, openLog } from "./log.js";
import { MainThread } from "./main-thread.js";
import { Operator } from "./operator.js";
import { OwnLines, type OwnLinesListener } from "./own-lines.js";
import { namesIn, Registry } from "./plan.js";
import { listenersWithoutNames, PlanSwitch } from "./plan-switch.js";
import { MemoryPressure, memoryLimit } from "./pressure.js";
import { Reactors } from "./reactors.js";
import { Reloads } from "./reloads.js";
import { restartKeys } from "./restart-keys.js";
import { SessionLog } from "./session-log.js";
import { Desk } from "./sessions/desk.js";
import { EndedSessions } from "./sessions/ended.js";
import { openWithoutThreads, reactorCount } from "./threads.js";
import { Tls } from "./tls.js";
import { Tunnels } from "./tunnels/tunnels.js";
import { Upstreams } from "./upstreams.js";

/**
 * How often memory that was freed is given back to the system, while anything happens at all. It takes a fifth of a millisecond, and
 * what V8's compiler took for a burst of new code, two megabytes at a time, would otherwise be counted as that of the first sessions.
 */
const TRIM_MS = 1_000;

/** After the last turn: collectors free on threads of their own, and later. */
const IDLE_TRIMS = 3;

/** Of each kind, in the line of the log that tells of a reload. */
const LOGGED_CHANGES = 20;

export interface GatewayOptions {
	/** Where the log goes. Default: standard output. */
	readonly logFd?: number;
	/**
	 * All descriptors of this process are the gateway's, so that each one without an owner is a leak. Default:
	 * false, because a program that runs a gateway has descriptors of its own.
	 */
	readonly ownsProcess?: boolean;
	/**
	 * What `sluice_turn_seconds` measures turns of the reactors by: the time that passes, or the processor time of their
	 * threads, which costs two more system calls a turn. Default: `wall`.
	 */
	readonly turnClock?: TurnClock;
	/** Sockets that this process was given, and its own from now on. Default: none. */
	readonly inherited?: readonly InheritedSocket[];
	/** Is told of reloads and of the end. */
	readonly supervisor?: Supervisor;
	/** Sessions of listeners that are `isForOwnLines` come by lines that are opened through `Gateway.ownLines`, and this hears of them. */
	readonly ownLines?: OwnLinesListener;
}

/** Who looks after a gateway from outside, such as a service manager. */
export interface Supervisor {
	/** A reload begins. */
	reloading(): void;
	/** It is over; `error`: why it changed nothing. */
	reloaded(error?: Error): void;
	/** Nobody is accepted any more, and sessions have so long to end by themselves. */
	stopping(withinMs: number): void;
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
	readonly #turnClock: TurnClock;
	readonly #supervisor: Supervisor | undefined;
	readonly #tunnels: Tunnels;
	/** What agents open before is planned then. */
	#tellReady: () => void = () => {};
	readonly #becameReady = new Promise<void>((resolve) => {
		this.#tellReady = resolve;
	});
	/** What it runs with where only a restart changes that. */
	readonly #started: Config;
	readonly #log: Log;
	readonly #board = new Board();
	readonly #reactors: Reactors;
	readonly #registry: Registry;
	readonly #upstreams: Upstreams;
	readonly #owners: Owners;
	readonly #ledger: Ledger;
	readonly #listeners: HeldListeners;
	readonly #plans: PlanSwitch;
	readonly #tls: Tls;
	#pressure: MemoryPressure | undefined;
	#sessionLog: SessionLog | undefined;
	readonly #ended: EndedSessions;
	readonly #desk: Desk;
	/** What is measured there is read by who reads a gateway's metrics. For an agent it would wake its thread fifty times a second. */
	readonly #mainThread: MainThread | undefined;
	readonly #operator: Operator;
	readonly #hub: HubPart;
	readonly #view: AdminView;
	/** Of an agent. */
	readonly ownLines: OwnLines | undefined;
	#admin: OpenAdmin | undefined;
	#state: "starting" | "ready" | "draining" = "starting";
	/** Of `performance`; `undefined`: it has not been ready. */
	#readyAtMs: number | undefined;
	/** How many it may use. */
	readonly #descriptors: number;
	/** Sessions that the reactors' tables have rows for: sized at start, so limits cannot grow beyond it. */
	#rows = 0;
	readonly #reloads = new Reloads();
	/** What the file said when it was taken over last. */
	#parts: WrittenParts;
	#trimTimer: NodeJS.Timeout | undefined;
	/** Turns of the reactors as of the last trim, and how many trims there were since: when none has passed for a while, nothing was freed. */
	#trimmedTurns = 0;
	#idleTrims = 0;
	#stopping = false;
	/** The last reload, drain or stop asked for. */
	#turn: Promise<void> = Promise.resolve();

	private constructor(config: Config, log: Log, options: GatewayOptions) {
		const { ownsProcess = false, logFd = 1, turnClock = "wall", supervisor, ownLines } = options;
		this.#turnClock = turnClock;
		this.#supervisor = supervisor;
		this.#mainThread = ownLines === undefined ? new MainThread() : undefined;
		const { logger } = log;
		this.#started = config;
		this.#parts = config.parts;
		this.#log = log;
		this.#descriptors = raiseDescriptorLimit(descriptorsWanted(config));
		this.#owners = new Owners(this.#descriptors);
		this.#reactors = new Reactors(
			logger,
			() => this.#sessionLog?.told(),
			(reactor, notice) => {
				if (notice.kind === "ownLines") this.ownLines?.heard(notice.items);
				else if (notice.kind === "hub") this.#hub.heard(reactor, notice.items);
				else this.#tunnels.heard(reactor, notice);
			},
		);
		this.#hub = new HubPart(logger, this.#reactors, (session) => this.#desk.place(session));
		this.#registry = new Registry(this.#board, this.#reactors.counters);
		const names = namesIn(this.#registry);
		this.#ended = new EndedSessions(names);
		this.#desk = new Desk(this.#reactors, names, this.#ended, () => this.#sessionLog?.drain());
		this.#tls = new Tls({
			logger,
			filesChanged: () => void this.#inTurn(() => this.#renewCertificates()),
			keysChanged: (keys) => this.#reactors.tell({ kind: "ticketKeys", keys }),
		});
		this.#ledger = new Ledger({
			books: () => this.#reactors.books,
			owners: this.#owners,
			listenerSlots: () => this.#registry.listeners.slots(),
			logger,
			ownsProcess,
		});
		this.#ledger.adopt("log", logFd);
		this.#listeners = new HeldListeners({
			logger,
			ledger: this.#ledger,
			sessionsOf: (listener) => this.#sessionsOf(listener),
			adminAt: () => this.#adminAt(),
			inherited: options.inherited ?? [],
		});
		this.#upstreams = new Upstreams({
			logger,
			registry: this.#registry,
			board: this.#board,
			counters: () => this.#reactors.counters,
			changed: (upstream) => this.#reactors.tell({ kind: "upstream", upstream }),
			avoided: (address) => this.#reactors.tell({ kind: "sendElsewhere", address }),
			freeNumbers: () => this.#inTurn(() => this.#freeNumbers()),
			opened: (socket) => this.#ledger.follow("check", socket),
		});
		this.#plans = new PlanSwitch(config, {
			...{ reactors: this.#reactors, registry: this.#registry, upstreams: this.#upstreams },
			...{ listeners: this.#listeners, tls: this.#tls, descriptors: this.#descriptors },
			takeRecords: () => this.#sessionLog?.drain(),
		});
		this.#tunnels = new Tunnels({
			...{ logger, registry: this.#registry, reactors: this.#reactors },
			setDown: (address, why) => this.#upstreams.setDown(address, why),
			replan: async () => {
				await this.#becameReady;
				await this.#inTurn(() => this.#followTunnels());
			},
			cut: (upstream, address) => void this.#desk.close({ upstream, address }, SUPERSEDED),
			portOf: (name) => this.#listeners.present.get(name)?.port,
			opened: (socket) => this.#ledger.follow("tunnel", socket),
		});
		this.#operator = this.#newOperator();
		this.ownLines =
			ownLines === undefined
				? undefined
				: new OwnLines(
						{
							reactors: this.#reactors,
							slotOf: (name) => this.#registry.listeners.take(name),
							cut: () => void this.#desk.close({}, DRAINED),
						},
						ownLines,
					);
		this.#view = adminView({
			...{ reactors: this.#reactors, registry: this.#registry, upstreams: this.#upstreams },
			...{ listeners: this.#listeners, plans: this.#plans, ledger: this.#ledger, log, tls: this.#tls },
			...{ reloads: this.#reloads, desk: this.#desk, operator: this.#operator, tunnels: this.#tunnels },
			...{ hub: this.#hub, mainThread: this.#mainThread, descriptors: this.#descriptors },
			...{ state: () => this.#state, pressure: () => this.#pressure, sessionLog: () => this.#sessionLog },
		});
	}

	#newOperator(): Operator {
		return new Operator({
			...{ reactors: this.#reactors, upstreams: this.#upstreams, desk: this.#desk, logger: this.#log.logger },
			config: () => this.#plans.config,
			state: () => this.#state,
			limits: () => ({
				...{ sessions: this.#plans.connections, descriptors: this.#descriptors },
				...{ memory: this.#pressure?.limitBytes ?? 0, pressure: this.#pressure?.under ?? false },
			}),
			listeners: () => this.#listeners.present,
			slotOf: (listener) => this.#registry.listeners.take(listener),
			reloads: () => this.#reloads,
			reload: () => this.reloadFile(),
		});
	}

	/**
	 * Opens everything and starts relaying. Rejects with a `StartError` that says what to do, and leaves
	 * nothing open, when a port cannot be bound or the descriptor limit is too low.
	 */
	static async start(config: Config, options: GatewayOptions = {}): Promise<Gateway> {
		const why = whyNoSystemCalls();
		if (why !== undefined) throw new StartError(why);
		const log = openLog(config.log, options.logFd);
		const gateway = new Gateway(config, log, options);
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
		return this.#plans.config;
	}

	/** Listeners with the ports that were really bound, in the config's order. */
	get listeners(): BoundListener[] {
		return [...this.#listeners.present.values()].map(({ config, port }) => ({
			name: config.name,
			host: config.host,
			port,
		}));
	}

	/** Port of the admin server; `undefined` without one, and on a Unix socket. */
	get adminPort(): number | undefined {
		return this.#admin?.port;
	}

	/**
	 * Where programs publish to channels of the hub, and hear them; `undefined`: the configuration has no `hub`.
	 *
	 * @example
	 * gateway.hub?.publish("prices", { data: "42.07", key: "ACME" });
	 */
	get hub(): HubDesk | undefined {
		return this.#hub.desk;
	}

	/** The text of `/metrics`; the admin port's own connections are in it where there is one. */
	metrics(): string {
		return renderMetrics(this.#view) + (this.#admin?.metrics() ?? "");
	}

	/**
	 * Holds the ledger against the kernel's table of descriptors, now. Takes a second longer when something
	 * seems wrong, because that is looked at twice.
	 */
	checkLedger(): Promise<LedgerReport> {
		return this.#ledger.check();
	}

	async #start(): Promise<void> {
		const started = performance.now();
		const { written } = this.#plans;
		const config = this.#tunnels.expand(written);
		this.#plans.config = config;
		const keys = this.#hub.prepare(config);
		const reactors = reactorCount(config);
		limitArenas();
		this.#tls.certificates = this.#tls.read(config);
		this.#warnAboutConfig(config);
		const { sessions, descriptors, arithmetic } = sessionLimit(
			config,
			this.#descriptors,
			reactors,
			openWithoutThreads(),
		);
		const { hard } = descriptorLimits();
		if (hard > this.#descriptors && config.limits.connections === null)
			this.#log.logger.info(
				{ sessions, arithmetic, limit: hard, used: this.#descriptors },
				"descriptors: the limit allows more than are used; limits.connections asks for more",
			);
		else this.#log.logger.info({ sessions, arithmetic }, "descriptors");
		growDescriptorTable(Math.min(descriptors, this.#descriptors));
		this.#plans.connections = sessions;
		this.#rows = sessions;
		this.#listeners.open(config, reactors);
		if (config.admin !== null) await this.#openAdmin(config.admin);
		const resolved = this.#upstreams.follow(config);
		const share = {
			sessions: this.#rows,
			bufferedBytes: Math.floor(config.limits.bufferedBytes / reactors),
			pipes: pipesPerReactor(this.#descriptors),
			turnClock: this.#turnClock,
		};
		await this.#reactors.start(reactors, share, this.#board, this.#owners);
		this.#hub.follow(config, keys);
		this.#sessionLog = new SessionLog(
			this.#reactors.journals,
			namesIn(this.#registry),
			this.#log.logger,
			this.#log.lines,
			config.log.sessions,
			(journal, record) => {
				if (config.admin !== null) this.#ended.take(journal, record);
				this.#tunnels.ended(journal, record);
				this.ownLines?.ended(journal, record);
			},
		);
		// Addresses wait for no name, which may be silent.
		const nameless = listenersWithoutNames(config);
		if (nameless.length < config.listeners.length) {
			if (nameless.length > 0) await this.#plans.send(nameless);
			await resolved;
		}
		this.#tunnels.follow(written, this.#tls.certificates.tunnels);
		await this.#plans.send();
		this.#pressure = new MemoryPressure({
			reactors: this.#reactors,
			logger: this.#log.logger,
			limitBytes: memoryLimit(config),
		});
		this.#trimTimer = setInterval(() => this.#trim(), TRIM_MS).unref();
		this.#ledger.begin(config.ledger.intervalMs);
		this.#tls.watch(config);
		this.#state = "ready";
		this.#readyAtMs = performance.now();
		this.#tellReady();
		this.#logReady(reactors, started);
	}

	#logReady(reactors: number, startedMs: number): void {
		const { silentMs, unacknowledgedMs } = deadPeerDetection(this.#plans.config);
		this.#log.logger.info(
			{
				listeners: this.listeners.map(({ name, port }) =>
					name.endsWith(`:${port}`) ? name : `${name} (port ${port})`,
				),
				admin: this.#admin?.name ?? null,
				reactors,
				connections: this.#plans.connections,
				memory_bytes: this.#pressure?.limitBytes,
				dead_peer_silent_ms: silentMs,
				dead_peer_unacknowledged_ms: unacknowledgedMs,
				ready_ms: Math.round(performance.now() - startedMs),
			},
			"ready",
		);
	}

	#adminAt(): Place | null {
		const { admin } = this.#started;
		const port = this.adminPort;
		return admin?.kind === "ip" && port !== undefined ? { host: admin.host, port } : null;
	}

	#sessionsOf(listener: string): number {
		const slot = this.#registry.listeners.numberOf(listener);
		return slot === undefined ? 0 : this.#reactors.sessionsOf(slot);
	}

	#trim(): void {
		const turns = this.#reactors.counters.reduce((sum, counters) => sum + counters.get("turns"), 0);
		this.#idleTrims = turns === this.#trimmedTurns ? this.#idleTrims + 1 : 0;
		if (this.#idleTrims > IDLE_TRIMS) return;
		this.#trimmedTurns = turns;
		trimHeap();
	}

	async #openAdmin(admin: AdminConfig): Promise<void> {
		this.#admin = await openAdminPort(admin, this.#view, this.#tls.certificates);
		const { server } = this.#admin;
		this.#ledger.follow("admin", server);
		server.on("connection", (socket) => this.#ledger.follow("admin", socket));
	}

	/** Whoever connects to the admin port from now on is shown the certificate that its files hold now. */
	#secureAdmin(): void {
		const { admin } = this.#tls.certificates;
		if (admin !== null) this.#admin?.secure(admin);
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

	async #freeNumbers(): Promise<void> {
		if (!this.#stopping) await this.#plans.freeNumbers();
	}

	/**
	 * Takes over routes, upstreams, timeouts, limits and listeners of a new config, for connections that
	 * come from now on; live sessions go on as they began. Rejects, and changes nothing, when that is not
	 * possible.
	 */
	async reload(config: Config): Promise<void> {
		await this.#reloadWith(() => config);
	}

	async #reloadWith(read: () => Config): Promise<Reloaded> {
		this.#supervisor?.reloading();
		try {
			const config = read();
			const changes = await this.#inTurn(() => this.#reload(config));
			this.#reloads.success();
			this.#supervisor?.reloaded();
			return changes;
		} catch (error) {
			this.#reloads.failure();
			this.#supervisor?.reloaded(error as Error);
			throw error;
		}
	}

	/**
	 * Reads the file that the configuration came from again, and reloads. Rejects, with nothing changed and the log told why, when it
	 * cannot be followed.
	 */
	async reloadFile(): Promise<Reloaded> {
		const { logger } = this.#log;
		try {
			const { file } = this.#plans.config;
			if (file === null) throw new StartError("the configuration came from no file that could be read again");
			return await this.#reloadWith(() => reloadConfigFile(file));
		} catch (error) {
			if (error instanceof ConfigError)
				logger.error(
					{ problems: error.problems.map(headline) },
					"not reloaded: the configuration has problems",
				);
			else logger.error({ error: (error as Error).message }, "not reloaded");
			throw error;
		}
	}

	async #reload(written: Config): Promise<Reloaded> {
		if (this.#state !== "ready") throw new StartError(`cannot reload while ${this.#state}`);
		const config = this.#tunnels.expand(written);
		const rows = this.#rows;
		const wanted = config.limits.connections ?? rows;
		if (wanted > rows)
			throw new StartError(
				`limits.connections cannot grow from ${rows} to ${wanted} without a restart: the table is sized at start`,
			);
		const certificates = this.#tls.read(config);
		const waiting = restartKeys(config, this.#started, this.#hub.startedWith);
		for (const key of waiting) this.#log.logger.warn({ key }, "this setting changes only with a restart");
		this.#warnAboutConfig(config);

		const keys = this.#hub.prepare(config);
		await this.#plans.switchTo({ written, config, connections: wanted, certificates }, () =>
			this.#hub.follow(config, keys),
		);
		this.#secureAdmin();
		this.#tunnels.follow(written, certificates.tunnels);
		this.#tls.watch(config);
		retune(this.#listeners.present, config);
		if (this.#pressure !== undefined) this.#pressure.limitBytes = memoryLimit(config);
		this.#ledger.every(config.ledger.intervalMs);
		const reloaded = reloadedBy(changesBetween(this.#parts, written.parts), waiting);
		this.#parts = written.parts;
		this.#log.logger.info(
			{ revision: this.#plans.revision, ...shortened(reloaded, LOGGED_CHANGES) },
			"reloaded",
		);
		return reloaded;
	}

	/** Tunnels have been opened or closed. */
	async #followTunnels(): Promise<void> {
		if (this.#state !== "ready") return;
		const { written, connections } = this.#plans;
		const config = this.#tunnels.expand(written);
		await this.#plans.switchTo({ written, config, connections, certificates: this.#tls.certificates });
	}

	async #renewCertificates(): Promise<void> {
		if (this.#state !== "ready") return;
		await this.#tls.renew(this.#plans.config, async () => {
			await this.#plans.send();
			this.#secureAdmin();
			this.#tunnels.follow(this.#plans.written, this.#tls.certificates.tunnels);
		});
	}

	#warnAboutConfig({ warnings }: Config): void {
		for (const warning of warnings) this.#log.logger.warn(headline(warning));
	}

	/**
	 * Stops accepting, lets sessions end by themselves until `timeouts.drain`, closes the rest as
	 * `drained`, and gives everything back.
	 */
	async drain(): Promise<void> {
		this.#state = "draining";
		this.#upstreams.hurry();
		await this.#inTurn(() => this.#drain());
	}

	async #drain(): Promise<void> {
		if (this.#stopping) return;
		const { drainMs } = this.#plans.config.timeouts;
		this.#supervisor?.stopping(drainMs);
		this.#log.logger.info({ sessions: this.sessions, drain_ms: drainMs }, "draining");
		const closed = this.#reactors.all((notice) => notice.kind === "listenersClosed");
		// Where a reactor fails, or the time is over, nothing is left to wait for.
		const drained = this.#reactors.all((notice) => notice.kind === "drained", drainMs).catch(() => {});
		this.#tunnels.drain();
		this.#hub.end("the gateway drains");
		this.#reactors.tell({ kind: "drain" });
		try {
			await closed;
			this.#listeners.leaveAll();
			await drained;
		} catch (error) {
			await this.#close({ hasFailed: true });
			throw error;
		}
		await this.#close();
	}

	/** Ends at once: sessions that are left are closed as `drained`. */
	async stop(): Promise<void> {
		this.#state = "draining";
		this.#upstreams.hurry();
		await this.#inTurn(() => this.#close());
	}

	/** Settles when every reactor has taken a turn; rejects when one is stuck, or has failed. */
	live(): Promise<void> {
		return this.#reactors.live();
	}

	/** Sessions alive now. */
	get sessions(): number {
		return this.#reactors.sessions;
	}

	async #close({ hasFailed = false } = {}): Promise<void> {
		if (this.#stopping) return;
		this.#stopping = true;
		clearInterval(this.#trimTimer);
		this.#tls.close();
		this.#operator.close();
		this.#mainThread?.close();
		this.#ledger.close();
		this.#pressure?.close();
		this.#upstreams.close();
		await this.#tunnels.stop();
		this.#hub.close();
		await this.#reactors.stop();
		this.#listeners.closeAll();
		this.#sessionLog?.close();
		await this.#admin?.close();
		if (this.#readyAtMs !== undefined && !hasFailed)
			this.#log.logger.info(
				{ ready_s: Math.round((performance.now() - this.#readyAtMs) / 1_000) },
				"stopped",
			);
		await this.#log.flush();
	}
}
