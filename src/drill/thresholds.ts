/** Thresholds that several drills share. Each says which measure of measures.ts it is about. */
import type { Threshold } from "./drill.js";

/** What an attacker may outlive its deadline: the wheel's step, a busy turn, and the way back. */
export const OVERDUE_MAX_MS = 500;

/** How much slower the good client may be under attack. */
export const P99_RATIO_MAX = 3;

/** Without attackers everything must be served; otherwise the drill says nothing about attackers. */
export const SERVED_IN_CALM: Threshold = {
	measure: "calm.success",
	title: "good client before the attack: succeeded",
	unit: "share",
	bound: { exactly: 1 },
	byClock: { unless: "calm.wrong" },
};

const SERVED_UNDER_ATTACK: Threshold = {
	measure: "attack.success",
	title: "good client under attack: succeeded",
	unit: "share",
	bound: { exactly: 1 },
	byClock: { unless: "attack.wrong" },
};

const SERVED_AFTER: Threshold = {
	measure: "after.success",
	title: "good client after the attack: succeeded",
	unit: "share",
	bound: { exactly: 1 },
	byClock: { unless: "after.wrong" },
};

const LATENCY_UNDER_ATTACK: Threshold = {
	measure: "p99Ratio",
	title: "good client under attack: p99 as a multiple of calm",
	unit: "times",
	bound: { atMost: P99_RATIO_MAX },
	byClock: true,
};

/** Where the attack is itself a load that real clients would be. */
export const GOOD_CLIENT_SERVED: readonly Threshold[] = [SERVED_IN_CALM, SERVED_UNDER_ATTACK, SERVED_AFTER];

/** Where attackers should be hardly noticed. */
export const GOOD_CLIENT: readonly Threshold[] = [...GOOD_CLIENT_SERVED, LATENCY_UNDER_ATTACK];

/** An attack of another size than asked for proves nothing. */
export const FULL_SIZE: Threshold = {
	measure: "attackersPeakShare",
	title: "attackers there at once, of those asked for",
	unit: "share",
	bound: { atLeast: 1 },
	byClock: true,
};

export const ATTACKERS_GONE: readonly Threshold[] = [
	{
		measure: "neverGone",
		title: "attackers that the target never closed",
		unit: "count",
		bound: { exactly: 0 },
	},
	{
		measure: "overdueMaxMs",
		title: "attackers closed later than their deadline, at most",
		unit: "ms",
		bound: { atMost: OVERDUE_MAX_MS },
		byClock: true,
	},
];

/** What the target must have given back when all is over. */
export const NOTHING_LEFT: readonly Threshold[] = [
	{ measure: "alive", title: "target still runs", unit: "count", bound: { exactly: 1 } },
	{
		measure: "descriptorsLeft",
		title: "descriptors more than before, pipes for splicing aside",
		unit: "count",
		bound: { exactly: 0 },
		optional: true,
	},
	{
		measure: "ledgerDiscrepancyMax",
		title: "discrepancy of the gateway's ledger, at most",
		unit: "count",
		bound: { exactly: 0 },
		optional: true,
	},
];
