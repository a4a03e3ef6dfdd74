/** What the upstreams of the config mean now: their names are followed, their addresses checked. */

import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import type { AddressStatus, UpstreamStatus } from "../admin/operation-view.js";
import type { Config } from "../config/config.js";
import type { Counters } from "../reactor/records/counters.js";
import type { Board } from "../upstream/board.js";
import { HealthChecks } from "../upstream/health.js";
import type { UpstreamPlan } from "../upstream/plan.js";
import { Resolver } from "../upstream/resolver.js";
import { SystemNames } from "../upstream/system-names.js";
import type { Certificates } from "./certificates.js";
import { Ejections } from "./ejections.js";
import { FailingUpstreams } from "./failing-upstreams.js";
import type { Logger } from "./log.js";
import { checkedAddresses, type PlacedAddress, type Registry, type ResolvedUpstream } from "./plan.js";
import { kernelNowMs } from "./sessions/clock.js";
import { OutOfSlots } from "./slots.js";

/** How often it is looked whether addresses are ejected, and requests fail. */
const LOOK_MS = 1_000;

/** How long start waits for names of upstreams; what is not known by then is dialled when it is. */
const FIRST_RESOLVE_MS = 2_000;

export interface UpstreamsOptions {
	readonly logger: Logger;
	readonly registry: Registry;
	readonly board: Board;
	/** What the reactors count. */
	readonly counters: () => readonly Counters[];
	/** An upstream has other addresses from now on. */
	readonly changed: (plan: UpstreamPlan) => void;
	/** Nobody is sent to this address from now on: whoever waits for a line of it need not wait any longer. */
	readonly avoided: (address: number) => void;
	/** Looks for numbers that nothing holds any more. */
	readonly freeNumbers: () => Promise<void>;
	/** A health check opened a connection. */
	readonly opened: (socket: Socket) => void;
}

/** Since when an address gets no session, and why. */
type Note = Pick<AddressStatus, "since" | "why">;

const NOTHING: Note = { since: null, why: null };

function noteOf(why: string): Note {
	return { since: new Date().toISOString(), why };
}

export class Upstreams {
	readonly #options: UpstreamsOptions;
	readonly #resolver: Resolver;
	readonly #health: HealthChecks;
	readonly #ejections: Ejections;
	readonly #failing: FailingUpstreams;
	readonly #looks: NodeJS.Timeout;
	#stopWaiting: () => void = () => {};
	/** Settles when nothing is to wait for names any more. */
	readonly #ending = new Promise<void>((resolve) => {
		this.#stopWaiting = resolve;
	});
	#config: Config | undefined;
	#certificates: Certificates | undefined;
	/** Who had an address drained, and what its checks found, by its place. Each counts for as long as the board says the same. */
	readonly #drained = new Map<number, Note>();
	readonly #foundDown = new Map<number, Note>();
	/** Empty before the first plan. */
	#resolved: readonly ResolvedUpstream[] = [];

	constructor(options: UpstreamsOptions) {
		const { logger, board } = options;
		this.#options = options;
		this.#resolver = new Resolver(
			{
				changed: (host) => void this.#nameChanged(host),
				failed: (host, error, kept) =>
					logger.warn(
						{ host, error: error.message },
						kept ? "a name cannot be resolved; its last addresses stay in use" : "a name cannot be resolved",
					),
				recovered: (host) => logger.info({ host }, "a name can be resolved again"),
			},
			new SystemNames(),
		);
		this.#health = new HealthChecks({
			changed: (address, down, error) => {
				this.setDown(address.board, down ? `a check failed: ${error?.message ?? "no answer"}` : undefined);
				logger[down ? "warn" : "info"](
					{ address: address.label, error: error?.message },
					down ? "an upstream address is down" : "an upstream address is up",
				);
			},
			forgotten: (address) => {
				this.setDown(address.board, undefined);
				logger.info({ address: address.label }, "an upstream address that was down is checked no longer");
			},
			opened: options.opened,
		});
		this.#ejections = new Ejections(board, logger);
		this.#failing = new FailingUpstreams(options.counters, logger);
		this.#looks = setInterval(() => {
			this.#ejections.look();
			this.#failing.look(performance.now());
		}, LOOK_MS).unref();
	}

	/** Follows the config's names. Resolves when every new one has been asked for once, or takes too long. */
	async follow(config: Config): Promise<void> {
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
		await Promise.race([this.#resolver.follow(names), late, this.#ending]);
		clearTimeout(timer);
	}

	/**
	 * The upstreams of a config, which is in force from now on, with the addresses known now.
	 *
	 * @throws OutOfSlots and changes nothing, when the board has no place for one of them
	 */
	resolve(config: Config, certificates: Certificates): readonly ResolvedUpstream[] {
		this.#resolved = this.#options.registry.resolve(config, this.#resolver, certificates);
		this.#config = config;
		this.#certificates = certificates;
		for (const { addresses } of this.#resolved)
			for (const { board, share } of addresses) this.#options.board.setFileWeight(board, share.weight);
		this.#health.follow(checkedAddresses(this.#resolved));
		this.#ejections.follow(
			this.#resolved.flatMap(({ config, addresses }) =>
				addresses.map(({ board, label }) => ({ board, upstream: config.name, label })),
			),
		);
		this.#failing.follow(
			this.#resolved
				.filter(({ config }) => config.http !== null)
				.map(({ config, plan }) => ({ name: config.name, slot: plan.slot })),
		);
		return this.#resolved;
	}

	/** Each upstream of the config, and its addresses, for operators. The hub, which has none, is no place to drain. */
	list(): UpstreamStatus[] {
		return this.#resolved
			.filter(({ config }) => config.hub === undefined)
			.map(({ config, addresses }) => ({
				name: config.name,
				addresses: addresses.map((address) => this.#statusOf(address)),
			}));
	}

	#statusOf({ board: place, label: address, share }: PlacedAddress): AddressStatus {
		const { board } = this.#options;
		return {
			...{ address, ...this.#conditionOf(place), weight: board.weight(place), backup: share.backup },
			...{ sessions: board.active(place), max_connections: share.maxConnections },
			failures: board.failures(place),
		};
	}

	#conditionOf(place: number): Pick<AddressStatus, "state" | "since" | "why"> {
		const { board } = this.#options;
		if (board.isDrained(place)) return { state: "draining", ...(this.#drained.get(place) ?? NOTHING) };
		if (board.isDown(place)) return { state: "down", ...(this.#foundDown.get(place) ?? NOTHING) };
		if (!board.isEjected(place, kernelNowMs())) return { state: "up", ...NOTHING };
		return { state: "ejected", since: null, why: "connecting to it fails again and again" };
	}

	/** An address gets no session, because of this; nothing: it gets them again. The reactors see it at once. */
	setDown(address: number, why: string | undefined): void {
		this.#options.board.setDown(address, why !== undefined);
		if (why === undefined) this.#foundDown.delete(address);
		else {
			this.#foundDown.set(address, noteOf(why));
			this.#options.avoided(address);
		}
	}

	/** An address gets no new session, or gets them again. Without an address: all of the upstream. Returns how many there are. */
	drain(upstream: string, address: string | undefined, drained: boolean, operator: string): number {
		const found = this.#resolved.find(({ config }) => config.name === upstream);
		const places = (found?.addresses ?? []).filter(({ label }) => address === undefined || label === address);
		for (const { board } of places) {
			this.#options.board.setDrained(board, drained);
			if (!drained) continue;
			this.#drained.set(board, noteOf(`drained by ${operator}`));
			this.#options.avoided(board);
		}
		return places.length;
	}

	/** The reactors see it at once. Returns the weight before; `undefined`: there is no such address. */
	weigh(upstream: string, address: string, weight: number): number | undefined {
		const { board } = this.#options;
		const found = this.#resolved.find(({ config }) => config.name === upstream);
		const place = found?.addresses.find(({ label }) => label === address)?.board;
		if (place === undefined) return undefined;
		const before = board.weight(place);
		board.setWeight(place, weight);
		return before;
	}

	/** The gateway ends: names that are still being asked for hold nothing up from now on. */
	hurry(): void {
		this.#stopWaiting();
	}

	/** For the metrics. */
	addresses(): { upstream: string; address: string; healthy: boolean; active: number }[] {
		const { board } = this.#options;
		const nowMs = kernelNowMs();
		return this.#resolved.flatMap(({ config, addresses }) =>
			addresses.map((address) => ({
				upstream: config.name,
				address: address.label,
				healthy: board.isHealthy(address.board, nowMs),
				active: board.active(address.board),
			})),
		);
	}

	close(): void {
		this.hurry();
		clearInterval(this.#looks);
		this.#resolver.close();
		this.#health.close();
	}

	async #nameChanged(host: string): Promise<void> {
		const { logger, changed, freeNumbers } = this.#options;
		let resolved: readonly ResolvedUpstream[] | undefined;
		try {
			try {
				resolved = this.#resolveAgain();
			} catch (error) {
				// Names whose addresses change every minute have had them all after some days.
				if (!(error instanceof OutOfSlots)) throw error;
				await freeNumbers();
				resolved = this.#resolveAgain();
			}
		} catch (error) {
			logger.error({ host, error: (error as Error).message }, "a name's new addresses are not used");
			return;
		}
		for (const { config, plan } of resolved ?? []) {
			if (!config.addresses.some((endpoint) => endpoint.kind === "name" && endpoint.host === host)) continue;
			changed(plan);
			logger.info(
				{ upstream: config.name, host, addresses: plan.addresses.length },
				"a name has new addresses",
			);
		}
	}
	/** Undefined before the first plan: there is nobody to tell, and it will hold what is known by then. */
	#resolveAgain(): readonly ResolvedUpstream[] | undefined {
		if (this.#config === undefined || this.#certificates === undefined) return undefined;
		return this.resolve(this.#config, this.#certificates);
	}
}
