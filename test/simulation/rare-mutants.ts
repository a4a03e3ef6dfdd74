import type { Mutant } from "./faults.js";

/** Hundreds of thousands of turns pass before these show: simulation.long.test.ts looks for them. */
export const RARE_MUTANTS: readonly Mutant[] = ["blind_batch", "repeated_post"];
/** The same in runs with lines of agents. */
export const RARE_LINE_MUTANTS: readonly Mutant[] = ["lost_websocket"];
