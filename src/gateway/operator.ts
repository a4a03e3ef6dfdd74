/** What operators ask of a gateway that runs, beside its sessions, and change in it. Nothing of it outlives the process. */
import { memoryUsage } from "node:process";
import {
	type BanStatus,
	type Explanation,
	type GatewayStatus,
	OperationError,
	type Operations,
	type Question,
	type SourcesStatus,
	type UpstreamStatus,
} from "../admin/operation-view.js";
import { formatCidr, parseCidr } from "../config/address.js";
import type { Reloaded } from "../config/changes.js";
import type { Cidr, Config } from "../config/config.js";
import { InvalidValue } from "../config/errors.js";
import { orThereAre } from "../config/nearest.js";
import { shownConfig } from "../config/shown.js";
import { formatAddress } from "../protocol/address.js";
import { BANS_MAX } from "../reactor/records/bans.js";
import type { Counters } from "../reactor/records/counters.js";
import { isFrom } from "../route/explain.js";
import { explain } from "./explain.js";
import { acceptQueues, type OpenListener } from "./listeners.js";
import type { Logger } from "./log.js";
import { Profiles } from "./profiles.js";
import type { Reactors } from "./reactors.js";
import { kernelNowMs, WallClock } from "./sessions/clock.js";
import type { Desk } from "./sessions/desk.js";
import type { Upstreams } from "./upstreams.js";
import { packageVersion } from "./version.js";

export interface OperatorOptions {
	readonly reactors: Reactors;
	readonly upstreams: Upstreams;
	readonly desk: Desk;
	readonly logger: Logger;
	readonly config: () => Config;
	readonly state: () => GatewayStatus["state"];
	readonly limits: () => {
		readonly sessions: number;
		readonly descriptors: number;
		readonly memory: number;
		readonly pressure: boolean;
	};
	readonly listeners: () => ReadonlyMap<string, OpenListener>;
	/** Number of a listener, by its name. */
	readonly slotOf: (listener: string) => number;
	readonly reloads: () => { readonly succeeded: number; readonly failed: number };
	readonly reload: () => Promise<Reloaded>;
}

interface Ban {
	readonly block: Cidr;
	readonly untilMs: number;
	readonly operator: string;
}

const LEVELS = ["debug", "info", "warn", "error", "silent"];

export class Operator implements Operations {
	readonly #options: OperatorOptions;
	readonly #profiles: Profiles;
	/** By their text. */
	readonly #bans = new Map<string, Ban>();

	constructor(options: OperatorOptions) {
		this.#options = options;
		this.#profiles = new Profiles(options.reactors);
	}

	status(): GatewayStatus {
		const { reactors, upstreams, limits, listeners, slotOf, state, reloads } = this.#options;
		const { sessions, descriptors, memory, pressure } = limits();
		const queues = new Map(acceptQueues(listeners()).map(({ listener, depth }) => [listener, depth]));
		const { succeeded, failed } = reloads();
		return {
			version: packageVersion(),
			state: state(),
			pid: process.pid,
			started: new Date(Date.now() - process.uptime() * 1_000).toISOString(),
			...{ sessions: reactors.sessions, sessions_max: sessions, descriptors_max: descriptors },
			buffered_bytes: reactors.bufferedBytes,
			memory: { limit_bytes: memory, under_pressure: pressure, resident_bytes: residentBytes() },
			reloads: { succeeded, failed },
			listeners: [...listeners().values()].map(({ config: { name }, port, told: { rests } }) => ({
				...{ name, port, sessions: livingIn(reactors.counters, slotOf(name)) },
				...{ queued: queues.get(name) ?? 0, rests },
			})),
			upstreams: upstreams.list(),
		};
	}

	upstreams(): UpstreamStatus[] {
		return this.#options.upstreams.list();
	}

	drain(upstream: string, address: string | undefined, drained: boolean, operator: string): number {
		const known = this.#known(upstream);
		const count = this.#options.upstreams.drain(upstream, address, drained, operator);
		if (count > 0) return count;
		throw noAddress(known, address);
	}

	weigh(upstream: string, address: string, weight: number): number {
		const known = this.#known(upstream);
		const before = this.#options.upstreams.weigh(upstream, address, weight);
		if (before !== undefined) return before;
		throw noAddress(known, address);
	}

	#known(upstream: string): UpstreamStatus {
		const all = this.upstreams();
		const known = all.find(({ name }) => name === upstream);
		if (known !== undefined) return known;
		throw new OperationError(
			`there is no upstream "${upstream}"${orThereAre(
				upstream,
				all.map(({ name }) => name),
			)}`,
		);
	}

	sources(count: number): SourcesStatus {
		const { reactors } = this.#options;
		const clock = new WallClock();
		return {
			addresses: reactors.sources.addresses,
			sources: reactors.topSources(count).map(({ family, bytes, sessions }) => ({
				source: family === 4 ? formatAddress(bytes, 0, 4) : `${formatAddress(bytes, 0, 6)}/64`,
				sessions,
			})),
			bans: this.#living().map(
				([source, { untilMs, operator }]): BanStatus => ({
					...{ source, until: clock.at(untilMs), operator },
				}),
			),
		};
	}

	ban(source: string, forMs: number, operator: string): number {
		const block = blockOf(source);
		const name = formatCidr(block);
		if (!this.#bans.has(name) && this.#living().length >= BANS_MAX)
			throw new OperationError(
				`${BANS_MAX} are banned already, and each connection is compared with all: lift some`,
			);
		this.#bans.set(name, { block, untilMs: kernelNowMs() + forMs, operator });
		const closing = this.#options.desk.count({ source: block });
		// The reactors close them: one that they let in before they hear of this is seen by nobody here.
		this.#tellBans();
		return closing;
	}

	unban(source: string): boolean {
		const found = this.#bans.delete(formatCidr(blockOf(source)));
		if (found) this.#tellBans();
		return found;
	}

	/** Those whose time has not passed. */
	#living(): [string, Ban][] {
		const nowMs = kernelNowMs();
		for (const [name, { untilMs }] of this.#bans) if (untilMs <= nowMs) this.#bans.delete(name);
		return [...this.#bans];
	}

	#tellBans(): void {
		const bans = this.#living().map(([, { block, untilMs }]) => ({ block, untilMs }));
		this.#options.reactors.tell({ kind: "bans", bans });
	}

	rest(listener: string, rests: boolean): void {
		const { listeners, reactors, slotOf } = this.#options;
		const found = listeners().get(listener);
		if (found === undefined)
			throw new OperationError(
				`there is no listener "${listener}"${orThereAre(listener, [...listeners().keys()])}`,
			);
		found.told.rests = rests;
		reactors.tell({ kind: "rest", listener: slotOf(listener), rests });
	}

	config(): unknown {
		return shownConfig(this.#options.config());
	}

	explain(question: Question): Explanation[] {
		const isBanned = (source: string | null): boolean =>
			source !== null && this.#living().some(([, { block }]) => isFrom(block, source));
		return explain(this.#options.config(), question, this.upstreams(), isBanned);
	}

	setLogLevel(level: string): void {
		if (!LEVELS.includes(level))
			throw new OperationError(`no such level: ${level}${orThereAre(level, LEVELS)}`);
		this.#options.logger.level = level;
	}

	profile(thread: string, kind: "cpu" | "heap", seconds: number): number {
		return this.#profiles.begin(thread, kind, seconds);
	}

	profileText(id: number): string | undefined {
		return this.#profiles.take(id);
	}

	/** The gateway ends. */
	close(): void {
		this.#profiles.close();
	}

	reload(): Promise<Reloaded> {
		return this.#options.reload();
	}
}

function noAddress({ name, addresses }: UpstreamStatus, address: string | undefined): OperationError {
	const there = addresses.map((each) => each.address).join(", ");
	return new OperationError(`"${name}" has no address ${address}: there are ${there}`);
}

/** Asking takes a descriptor, and this is asked when there is none left. */
function residentBytes(): number | null {
	try {
		return memoryUsage.rss();
	} catch {
		return null;
	}
}

function livingIn(counters: readonly Counters[], slot: number): number {
	return counters.reduce((sum, each) => sum + each.active(slot), 0);
}

function blockOf(source: string): Cidr {
	try {
		return parseCidr(source);
	} catch (error) {
		if (error instanceof InvalidValue) throw new OperationError(`source: ${error.message}`);
		throw error;
	}
}
