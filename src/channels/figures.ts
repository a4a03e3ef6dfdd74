/**
 * What is counted of the hub, in memory that threads share: each reactor writes its own part, and the main thread adds them up. Of
 * channels it is counted by the rule of the configuration that they are under, so that there are never more figures than rules.
 */
import { f64 } from "../parts/at.js";
import { SECONDS_BUCKETS } from "../parts/buckets.js";

/** Rules that have figures of their own; what is beyond counts for the last one. */
export const RULES_MAX = 256;

/** Of a rule. */
export const RULE_FIGURES = [
	/** Subscriptions that there are. */
	"subscribers",
	/** Messages that went to subscribers. */
	"delivered",
	/** Messages that subscribers did not get, each counted for each of them; those that a newer one with their key stood for. */
	"missed",
	"conflated",
	/** Notices that said so. */
	"gaps",
	/** Subscribers that were closed because their outbox was full. */
	"overflowed",
] as const;
export type RuleFigure = (typeof RULE_FIGURES)[number];

/** Of a reactor. */
export const HUB_FIGURES = [
	/** Bytes of messages that were sent in part, and of what waits behind them; and what was sent in part by clients. */
	"outboxBytes",
	"incomingBytes",
	/** Subscribers that take no more at the moment. */
	"blocked",
] as const;
export type HubFigure = (typeof HUB_FIGURES)[number];

const LATENCY_CELLS = SECONDS_BUCKETS.length + 2;
const LATENCY = HUB_FIGURES.length;
const RULES = LATENCY + LATENCY_CELLS;
const CELLS = RULES + RULE_FIGURES.length * RULES_MAX;

export class HubFigures {
	readonly #cells: Float64Array;

	static bytesFor(reactors: number): number {
		return 8 * CELLS * reactors;
	}

	/** Those of one reactor. */
	constructor(buffer: SharedArrayBuffer, reactor: number) {
		this.#cells = new Float64Array(buffer, 8 * CELLS * reactor, CELLS);
	}

	get(figure: HubFigure): number {
		return f64(this.#cells, HUB_FIGURES.indexOf(figure));
	}

	add(figure: HubFigure, amount: number): void {
		const at = HUB_FIGURES.indexOf(figure);
		this.#cells[at] = f64(this.#cells, at) + amount;
	}

	ofRule(rule: number, figure: RuleFigure): number {
		return f64(this.#cells, placeOf(rule, figure));
	}

	addToRule(rule: number, figure: RuleFigure, amount: number): void {
		const at = placeOf(rule, figure);
		this.#cells[at] = f64(this.#cells, at) + amount;
	}

	/** `count` messages went so long after they had been published. */
	tookMs(ms: number, count: number): void {
		const seconds = Math.max(0, ms) / 1000;
		let bucket = 0;
		while (bucket < SECONDS_BUCKETS.length && seconds > (SECONDS_BUCKETS[bucket] as number)) bucket++;
		this.#cells[LATENCY + bucket] = f64(this.#cells, LATENCY + bucket) + count;
		const sum = LATENCY + LATENCY_CELLS - 1;
		this.#cells[sum] = f64(this.#cells, sum) + seconds * count;
	}

	/** As histograms are kept: a cell for each bucket, one for what is above, and the sum. */
	get latency(): Float64Array {
		return this.#cells.subarray(LATENCY, LATENCY + LATENCY_CELLS);
	}
}

function placeOf(rule: number, figure: RuleFigure): number {
	return RULES + RULE_FIGURES.length * Math.min(rule, RULES_MAX - 1) + RULE_FIGURES.indexOf(figure);
}
