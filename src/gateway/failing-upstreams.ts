/**
 * Tells of upstreams whose requests fail: once when many or all of them do, and once when they are answered again. What
 * counts is what a client sees of it: 502, 503 and 504, from the gateway in the upstream's place, or from the upstream
 * itself, which may stand in front of others.
 */

import { REASONS } from "../parts/reasons.js";
import { type Counters, GATEWAY_STATUSES, STATUS_CLASSES } from "../reactor/records/counters.js";
import { UPSTREAM_FAULTS } from "../reactor/records/reasons.js";
import type { Logger } from "./log.js";

/** Looks that are judged together. */
const WINDOW_LOOKS = 10;
/** Fewer failures in a window are no bulk, unless nothing but failures has come for longer. */
const FAILURES_MIN = 5;
/** So many of a window's requests failed. */
const FAILING_SHARE = 0.1;
/** So many in a row, however seldom they are. */
const FAILURES_IN_A_ROW = 3;

/** What was counted of an upstream, from its beginning or between two looks. */
interface Figures {
	readonly requests: number;
	readonly failures: number;
	/** By reason, and by status where the upstream said it. */
	readonly by: readonly number[];
}

interface Watched {
	readonly slot: number;
	total: Figures;
	/** What came between the last looks. */
	window: Figures[];
	/** Failures since a request was answered otherwise. */
	inARow: number;
	/** What was counted when it was told; `undefined`: nothing is told. */
	toldAt: { readonly figures: Figures; readonly ms: number } | undefined;
}

const NAMES: readonly string[] = [
	...UPSTREAM_FAULTS.map((reason) => REASONS[reason] ?? "internal"),
	...GATEWAY_STATUSES.map(String),
];

const NOTHING: Figures = { requests: 0, failures: 0, by: NAMES.map(() => 0) };

export class FailingUpstreams {
	readonly #counters: () => readonly Counters[];
	readonly #logger: Logger;
	#watched = new Map<string, Watched>();

	constructor(counters: () => readonly Counters[], logger: Logger) {
		this.#counters = counters;
		this.#logger = logger;
	}

	/** Watches exactly these upstreams from now on. `slot`: their place in the counters. */
	follow(upstreams: readonly { readonly name: string; readonly slot: number }[]): void {
		const before = this.#watched;
		this.#watched = new Map();
		for (const { name, slot } of upstreams) {
			const known = before.get(name);
			this.#watched.set(
				name,
				known?.slot === slot
					? known
					: { slot, total: this.#figuresOf(slot), window: [], inARow: 0, toldAt: undefined },
			);
		}
	}

	look(nowMs: number): void {
		for (const [name, watched] of this.#watched) {
			const total = this.#figuresOf(watched.slot);
			const come = difference(total, watched.total);
			watched.total = total;
			watched.window = [...watched.window, come].slice(-WINDOW_LOOKS);
			watched.inARow = come.requests > come.failures ? 0 : watched.inARow + come.failures;
			this.#judge(name, watched, nowMs);
		}
	}

	#judge(upstream: string, watched: Watched, nowMs: number): void {
		if (watched.toldAt === undefined && watched.window.every(({ failures }) => failures === 0)) return;
		const recent = watched.window.reduce(sum, NOTHING);
		const isBulk = recent.failures >= FAILURES_MIN && recent.failures >= FAILING_SHARE * recent.requests;
		if (watched.toldAt === undefined) {
			if (!isBulk && watched.inARow < FAILURES_IN_A_ROW) return;
			watched.toldAt = { figures: difference(watched.total, recent), ms: nowMs };
			this.#logger.warn(
				{ upstream, requests: recent.requests, failures: recent.failures, by: named(recent) },
				"requests to an upstream fail",
			);
			return;
		}
		// While nobody asks, nobody knows; and a window that still holds failures of before says nothing of now.
		if (isBulk || recent.requests === 0 || recent.failures >= FAILING_SHARE * recent.requests) return;
		if (watched.inARow > 0) return;
		const { figures, ms } = watched.toldAt;
		const since = difference(watched.total, figures);
		watched.toldAt = undefined;
		this.#logger.info(
			{
				upstream,
				requests: since.requests,
				failures: since.failures,
				by: named(since),
				seconds: Math.round((nowMs - ms) / 1_000),
			},
			"requests to an upstream are answered again",
		);
	}

	#figuresOf(slot: number): Figures {
		let requests = 0;
		const by = NAMES.map(() => 0);
		for (const counters of this.#counters()) {
			for (let group = 0; group < STATUS_CLASSES; group++) requests += counters.upstreamRequests(slot, group);
			for (const index of by.keys())
				by[index] =
					(by[index] ?? 0) +
					(index < UPSTREAM_FAULTS.length
						? counters.upstreamFaults(slot, index)
						: counters.upstreamGatewayStatuses(slot, index - UPSTREAM_FAULTS.length));
		}
		return { requests, failures: by.reduce((total, count) => total + count, 0), by };
	}
}

function difference(later: Figures, earlier: Figures): Figures {
	return {
		requests: later.requests - earlier.requests,
		failures: later.failures - earlier.failures,
		by: later.by.map((count, index) => count - (earlier.by[index] ?? 0)),
	};
}

function sum(one: Figures, other: Figures): Figures {
	return {
		requests: one.requests + other.requests,
		failures: one.failures + other.failures,
		by: one.by.map((count, index) => count + (other.by[index] ?? 0)),
	};
}

/** `{"connect_refused":12,"503":4}` */
function named({ by }: Figures): Record<string, number> {
	const pairs = by.map((count, index) => [NAMES[index] ?? "", count] as const);
	return Object.fromEntries(pairs.filter(([, count]) => count > 0));
}
