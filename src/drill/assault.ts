/** Who attacks, as the run sees it: something that starts, tells how it goes, and ends with a report. */
import { setTimeout as sleep } from "node:timers/promises";
import { Helper } from "../rig/helper.js";
import type { Attack, AttackReport, AttackStatus, Behaviour } from "./attack.js";
import type { Link } from "./link.js";
import type { AttackNews, AttackOrder, HubAudienceNews } from "./messages.js";
import type { Target } from "./target.js";
import { toBase64 } from "./traffic.js";
import type { DrillPorts } from "./upstream-ports.js";

/** What an attack may know of its surroundings. */
export interface Scene {
	readonly target: Target;
	/** Where the drill's upstreams listen; `null`: a given target has its own. */
	readonly ports: DrillPorts | null;
	/** The command line's, or the drill's default. */
	readonly connections: number;
	readonly seconds: number;
	/** When the target should have closed an attacker; `null`: it need not. */
	readonly deadlineMs: number | null;
	/** A link of the drill's own, for drills that asked for one; otherwise why there is none. */
	readonly link: Link | string;
}

export interface Assault {
	/** Begins, and returns when it has begun. */
	start(): Promise<void>;
	/** Nobody new comes; who is there goes on. */
	stop(): void;
	/** Everybody leaves. */
	release(): Promise<AssaultReport>;
	/** The good client has finished, and has said this last: for those who had to stay until then. Returns what takes the place of the report. */
	settle?(report: AssaultReport, last: HubAudienceNews): Promise<AssaultReport>;
	readonly status: AttackStatus;
	/** Resolves when a counted attack has done what it came for. */
	readonly done: Promise<void>;
	/** Rejects when an attacker fails by its own fault. */
	readonly failure: Promise<never>;
	/** Ends its processes. */
	dispose(): Promise<void>;
}

export interface AssaultReport {
	readonly attackers: AttackReport;
	/** Measures that only this drill has. */
	readonly measures: Readonly<Record<string, number | null>>;
	/** What was not run, and why. */
	readonly notRun: readonly string[];
}

/** On a machine that may be busy. */
const OPENED_WITHIN_MS = 20_000;
const OPENED_STEP_MS = 20;

const NO_STATUS: AttackStatus = { atMs: 0, opened: 0, established: 0, alive: 0, ended: 0 };

/** Attackers in a process of their own, which is told what to do by a `Kind` of attack. */
export class Attackers<Kind = Attack> implements Assault {
	readonly #attack: Kind;
	readonly #helper: Helper<AttackOrder<Kind>, AttackNews>;
	readonly done: Promise<void>;
	/** Resolves with the first news: the process has started, and the first of them connect. */
	readonly #begun: Promise<void>;
	status = NO_STATUS;

	/** `script`: which process carries it out. */
	constructor(attack: Kind, through: readonly string[] = [], script = "attacker.js") {
		this.#attack = attack;
		this.#helper = new Helper(new URL(script, import.meta.url), { through });
		let begun: () => void;
		this.#begun = new Promise((resolve) => {
			begun = resolve;
		});
		this.done = new Promise((resolve) => {
			this.#helper.listen((news) => {
				if (news.news === "done") resolve();
				if (news.news !== "status") return;
				this.status = news.status;
				begun();
			});
		});
	}

	get failure(): Promise<never> {
		return this.#helper.failure;
	}

	async start(): Promise<void> {
		this.#helper.order({ do: "attack", attack: this.#attack });
		await Promise.race([this.#begun, this.failure]);
	}

	/** Waits until so many have begun to connect; the report tells of those who had not. */
	async opened(count: number): Promise<void> {
		const giveUpAtMs = performance.now() + OPENED_WITHIN_MS;
		while (this.status.opened < count && performance.now() < giveUpAtMs) await sleep(OPENED_STEP_MS);
	}

	stop(): void {
		this.#helper.order({ do: "stop" });
	}

	async release(): Promise<AssaultReport> {
		this.#helper.order({ do: "release" });
		const { report } = await this.#helper.answer((news) => news.news === "report");
		this.status = { ...this.status, alive: 0 };
		return { attackers: report, measures: {}, notRun: [] };
	}

	dispose(): Promise<void> {
		return this.#helper.stop();
	}
}

/** What an attack says of its own; the rest is the scene's. */
export interface AttackOnScene {
	/** In TLS for this name. Default: in the open. */
	readonly tls?: string;
	/** At once. Default: as many as the scene has. */
	readonly connections?: number;
	/** In all. Default: whoever was closed comes again. */
	readonly total?: number;
	/** `null`: as fast as the machine allows. */
	readonly opensPerSecond: number | null;
	/** Said in turn. */
	readonly sayings: readonly Uint8Array[];
	/** Default: said as they are. */
	readonly mutationSeed?: number;
	readonly behaviour: Behaviour;
}

export function attackersOf({ target, connections, deadlineMs }: Scene, own: AttackOnScene): Attackers {
	return new Attackers({
		address: target.address,
		port: target.port,
		connections,
		total: null,
		mutationSeed: null,
		deadlineMs,
		...own,
		sayings: own.sayings.map(toBase64),
	});
}
