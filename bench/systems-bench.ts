/** What benches of systems side by side have in common: who is able, instances that are up, rounds in turn, and what they cost. */
import { cpuNs, readCpu } from "../src/rig/proc.js";
import { alternate, tellProgress } from "./alternate.js";
import type { Figure } from "./figure.js";
import type { Measured, Roles, Taken } from "./report.js";

interface Comparable extends Measured {
	/** Why a row cannot be run on it, by row id. */
	readonly cannot: Readonly<Record<string, string>>;
}

/** An instance of a system that is up. */
interface Up<System> {
	readonly system: System;
	stop(): Promise<void>;
}

/** How a row takes its rounds. */
export interface Turns {
	/** Each system is measured once before, uncounted. */
	readonly warmUp: boolean;
	/** For rows whose rounds are long. */
	readonly roundsMax?: number;
}

/**
 * Rounds of systems by which nothing is judged: enough to see where they stand. They are the first ones, so that their
 * pairs are those of the same rounds.
 */
export const BYSTANDER_ROUNDS = 5;

export abstract class SystemsBench<
	System extends Comparable,
	Running extends Up<System>,
	HowTurns extends Turns = Turns,
> implements Taken
{
	abstract readonly title: string;
	abstract readonly roles: Roles;
	abstract readonly generator: { ask(name: "close", ask: Record<never, never>): Promise<unknown> };
	readonly systems: readonly System[];
	readonly rounds: number;
	readonly quick: boolean;
	/** All that was charged to each system in measured rounds, by both of the kernel's clocks. */
	readonly cpuTotals = new Map<string, { statNs: number; finestNs: number }>();
	readonly #running = new Map<string, Running>();

	protected constructor(systems: readonly System[], rounds: number, quick: boolean) {
		this.systems = systems;
		this.rounds = rounds;
		this.quick = quick;
	}

	/** A fresh instance, for the caller to stop. */
	abstract launch(system: System): Promise<Running>;

	/** Why a row cannot be run on a system. */
	protected lacks(rowId: string, { cannot }: System): string | undefined {
		return cannot[rowId];
	}

	/** Whether anything is judged by a system's numbers. The others are in the first rounds only. */
	protected isJudgedBy(_system: System, _figures: readonly Figure[], _turns: HowTurns): boolean {
		return true;
	}

	/** Who is in the first round. */
	protected entrants(rowId: string, figures: readonly Figure[], _turns: HowTurns): System[] {
		return this.able(rowId, figures);
	}

	/** Those that can run a row; of the others its figures are told why not. */
	able(rowId: string, figures: readonly Figure[]): System[] {
		return this.systems.filter((system) => {
			const reason = this.lacks(rowId, system);
			if (reason !== undefined) for (const figure of figures) figure.markAbsent(system.id, reason);
			return reason === undefined;
		});
	}

	/** Runs `measure` for each able system once per round: a value for each of the figures, in their order. */
	async alternate(
		rowId: string,
		figures: readonly Figure[],
		turns: HowTurns,
		measure: (system: System) => Promise<readonly number[]>,
	): Promise<void> {
		const { warmUp, roundsMax = this.rounds } = turns;
		await alternate({
			...{ systems: this.entrants(rowId, figures, turns), figures, warmUp, measure },
			rounds: Math.min(this.rounds, roundsMax),
			stays: (system, round) => round < BYSTANDER_ROUNDS || this.isJudgedBy(system, figures, turns),
			progress: (round, rounds, { id }) => tellProgress(rowId, round, rounds, id),
			lost: async (system) => {
				// What is left of its load must not disturb the next one's.
				await this.generator.ask("close", {});
				await this.discard(system);
			},
		});
	}

	/** The instance that serves all rows which do not need a fresh one. */
	async running(system: System): Promise<Running> {
		const known = this.#running.get(system.id);
		if (known !== undefined) return known;
		const running = await this.launch(system);
		this.#running.set(system.id, running);
		return running;
	}

	/** Stops the shared instance, if there is one; the next row starts another. */
	async discard({ id }: System): Promise<void> {
		const running = this.#running.get(id);
		this.#running.delete(id);
		await running?.stop();
	}

	async stop(): Promise<void> {
		for (const system of this.systems) await this.discard(system);
	}

	/** Does something and charges a system with the CPU that its processes took meanwhile, in nanoseconds. */
	protected async charge<T>(
		{ id }: System,
		pids: () => number[],
		something: () => Promise<T>,
	): Promise<{ done: T; cpuNs: number }> {
		const before = readCpu(pids());
		const done = await something();
		const after = readCpu(pids());
		const total = this.cpuTotals.get(id) ?? { statNs: 0, finestNs: 0 };
		const spentNs = cpuNs(before, after);
		total.statNs += after.statNs - before.statNs;
		total.finestNs += spentNs;
		this.cpuTotals.set(id, total);
		return { done, cpuNs: spentNs };
	}
}
