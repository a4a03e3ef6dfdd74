/** What every row of the hub's bench works with: the programs, their audiences, and what deliveries cost. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type CertificateFiles, writeCertificate } from "../../src/rig/certificate.js";
import { issue } from "../../src/rig/issue.js";
import { temporaryDirectory } from "../../src/rig/processes.js";
import { alternate, markFailed, tellProgress } from "../alternate.js";
import type { Figure } from "../figure.js";
import { TLS_NAME } from "../load/wire.js";
import type { Roles } from "../report.js";
import { BYSTANDER_ROUNDS, SystemsBench, type Turns } from "../systems-bench.js";
import { launchHub } from "./launch.js";
import type { Delivered, Publishing } from "./load/commands.js";
import type { HubSystem, RunningHub } from "./system.js";
import { ROLES } from "./systems/index.js";

export interface HubRow {
	readonly id: string;
	/** What is done in one round, for the report's notes. `quick` rounds are smaller. */
	describe(quick: boolean): string;
	run(bench: HubBench): Promise<readonly Figure[]>;
}

export interface HubTurns extends Turns {
	/** Nothing is judged by ratios: only Sluice's own figures are. */
	readonly alone?: true;
	/** The second instance of the reference takes part. */
	readonly again?: true;
}

/** Where some do not read, it is one subscriber in so many. */
export const DEAF = 20;
/** What fills the buffers of those who do not read, before the others come: a socket's with segments of 536 bytes has room for less. */
export const FILLING = { messages: 24, bytes: 8 * 1024, everyMs: 10 };
/** Until whoever has come is subscribed also where that is not confirmed, and what its coming left behind is cleared up. */
const SETTLE_MS = 1_000;
const SETTLE_QUICK_MS = 200;

export class HubBench extends SystemsBench<HubSystem, RunningHub, HubTurns> {
	readonly title = "The hub";
	readonly roles: Roles = ROLES;
	/** Each instance has an audience of its own, which goes when it goes. */
	readonly generator = { ask: async () => {} };
	readonly #certificate: CertificateFiles;
	readonly #attended = new WeakSet<RunningHub>();

	private constructor(systems: readonly HubSystem[], rounds: number, quick: boolean) {
		super(systems, rounds, quick);
		const path = join(temporaryDirectory(), TLS_NAME);
		this.#certificate = writeCertificate(path, issue({ commonName: TLS_NAME }));
	}

	static async start(systems: readonly HubSystem[], rounds: number, quick: boolean): Promise<HubBench> {
		return new HubBench(systems, rounds, quick);
	}

	/** `collects`: see Assignment. */
	launch(system: HubSystem, collects = false): Promise<RunningHub> {
		return launchHub(system, { certificate: this.#certificate, collects });
	}

	protected override entrants(rowId: string, figures: readonly Figure[], turns: HubTurns): HubSystem[] {
		const all = super.entrants(rowId, figures, turns);
		return all.filter(
			({ id, variantOf }) => variantOf === undefined || (turns.again === true && id === ROLES.again),
		);
	}

	protected override isJudgedBy(system: HubSystem, _figures: readonly Figure[], turns: HubTurns): boolean {
		const isReference = system.id === ROLES.reference || system.variantOf === ROLES.reference;
		return system.isJudged && !(turns.alone === true && isReference);
	}

	/**
	 * For loads that take turns between all instances of a system within a round. `measure` has those instances, and says how what it has
	 * measured of each is recorded. Systems of which there is one instance have no part.
	 */
	async together(
		rowId: string,
		figures: readonly Figure[],
		measure: (instances: readonly HubSystem[]) => Promise<(system: HubSystem) => Promise<void>>,
	): Promise<void> {
		const instancesOf = (system: HubSystem): HubSystem[] =>
			this.systems.filter(({ id, variantOf }) => id === system.id || variantOf === system.id);
		let counts = false;
		await alternate({
			systems: this.systems.filter(
				(system) => system.variantOf === undefined && instancesOf(system).length > 1,
			),
			...{ figures: [], rounds: this.rounds, warmUp: true },
			stays: (system, round) => round < BYSTANDER_ROUNDS || /^sluice/.test(system.id),
			progress(round, rounds, { id }) {
				counts = round >= 0;
				tellProgress(rowId, round, rounds, id);
			},
			measure: async (system) => {
				const instances = instancesOf(system);
				try {
					const record = await measure(instances);
					for (const instance of counts ? instances : []) await record(instance);
				} catch (error) {
					for (const { id } of instances) markFailed(figures, id, error);
					throw error;
				}
				return [];
			},
			lost: async (system) => {
				for (const instance of instancesOf(system)) await this.discard(instance);
			},
		});
		await this.stop();
	}

	/** The instance that serves all rounds, with so many subscribers, of whom some do not read where that is its manner. */
	async attended(system: HubSystem, count: number): Promise<RunningHub> {
		const running = await this.running(system);
		if (this.#attended.has(running)) return running;
		const { audience, doors } = running;
		const deaf = deafOf(system, count);
		const open = (count: number, deaf: boolean): Promise<unknown> =>
			audience.ask("open", { door: doors.plain, count, tls: false, deaf });
		if (deaf > 0) {
			await open(deaf, true);
			await audience.ask("fill", { door: doors.publish, ...FILLING });
		}
		await open(count - deaf, false);
		await sleep(this.quick ? SETTLE_QUICK_MS : SETTLE_MS);
		this.#attended.add(running);
		return running;
	}

	/** Publishes, and says what that cost the system. */
	async spend(
		{ system, audience, pids, doors }: RunningHub,
		publishing: Omit<Publishing, "door">,
	): Promise<Delivered & { cpuNs: number }> {
		const ask = { door: doors.publish, ...publishing };
		const { done, cpuNs } = await this.charge(system, pids, () => audience.ask("publish", ask));
		return { ...done, cpuNs };
	}
}

/** How many of so many subscribers do not read. */
export function deafOf({ manner }: HubSystem, count: number): number {
	return manner === "some-deaf" ? Math.ceil(count / DEAF) : 0;
}
