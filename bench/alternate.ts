/** Rounds in which systems take turns, each being measured once in each of them. */
import type { Figure } from "./figure.js";
import { inOrder } from "./order.js";

export interface Alternation<System> {
	readonly systems: readonly System[];
	/** The values of the figures, in their order. */
	readonly figures: readonly Figure[];
	readonly rounds: number;
	/** Each is measured once before, uncounted. */
	readonly warmUp: boolean;
	/** Who is still in this round. */
	stays(system: System, round: number): boolean;
	measure(system: System): Promise<readonly number[]>;
	/** Somebody may want to know; `round` -1 is the warm-up. */
	progress(round: number, rounds: number, system: System): void;
	/** It failed, and is in no further round. */
	lost(system: System): Promise<void>;
}

/** The order rotates and turns round, so that none always runs in the wake of the same other. */
export async function alternate<System extends { readonly id: string }>(
	alternation: Alternation<System>,
): Promise<void> {
	const { figures, rounds } = alternation;
	let { systems } = alternation;
	for (let round = alternation.warmUp ? -1 : 0; round < rounds; round++) {
		systems = systems.filter((system) => alternation.stays(system, round));
		for (const system of inOrder(systems, round + 1)) {
			alternation.progress(round, rounds, system);
			try {
				const values = await alternation.measure(system);
				if (round < 0) continue;
				for (const [i, figure] of figures.entries()) figure.record(system.id, values[i] ?? Number.NaN);
			} catch (error) {
				markFailed(figures, system.id, error);
				systems = systems.filter((other) => other !== system);
				await alternation.lost(system);
			}
		}
	}
}

export function markFailed(figures: readonly Figure[], system: string, error: unknown): void {
	const reason = error instanceof Error ? error.message : String(error);
	for (const figure of figures) figure.markAbsent(system, reason);
}

/** A line for whoever waits. */
export function tellProgress(rowId: string, round: number, rounds: number, systemId: string): void {
	const counted = round < 0 ? "warm-up" : `round ${round + 1} of ${rounds}`;
	process.stderr.write(`${rowId}: ${counted}: ${systemId}\n`);
}
