/** What all rows of the library's bench have in common. */
import type { Generator } from "../load/driver.js";
import type { Claim, Round } from "./claims.js";

export interface LibraryRow {
	readonly id: string;
	/** What is done in one round, for the report. `quick` rounds are smaller. */
	describe(quick: boolean): string;
	readonly claims: readonly Claim[];
	/** Of the rounds asked for, for rows whose rounds are long. Default: all. */
	readonly share?: number;
	/** One round: every variant, in an order that `number` gives. */
	round(rig: Rig, number: number): Promise<Round>;
}

export interface Rig {
	readonly generator: Generator;
	readonly quick: boolean;
}

export function roundsOf({ share = 1 }: LibraryRow, rounds: number): number {
	return Math.ceil(share * rounds);
}
