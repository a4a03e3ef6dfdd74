/** What is counted of the hub, added up over its reactors. */
import { HUB_FIGURES, type HubFigure, RULE_FIGURES, type RuleFigure } from "../channels/figures.js";
import type { Hub } from "./hub.js";

/** Of an entry of `hub.channels`: of all channels that go by it. */
export interface RuleCounts extends Readonly<Record<RuleFigure, number>> {
	readonly match: string;
	readonly published: number;
}

export interface HubCounts extends Readonly<Record<HubFigure, number>> {
	/** By what they match; entries beyond `RULES_MAX` are counted with the last one. */
	readonly rules: readonly RuleCounts[];
	readonly channels: number;
	/** Bytes of the log, and of those that messages take which are there. */
	readonly memoryBytes: number;
	readonly usedBytes: number;
	/** How long messages took to subscribers' sockets: as histograms are kept (`parts/buckets.ts`). */
	readonly latency: readonly number[];
}

export function countsOf(hub: Hub): HubCounts {
	const { figures, channelsThere, log, memory } = hub;
	const sum = (read: (each: (typeof figures)[number]) => number): number =>
		figures.reduce((total, each) => total + read(each), 0);
	const rules = [...channelsThere.ruleNames].map(([match, number]) => ({
		...{ match, published: channelsThere.publishedBy(number) },
		...ofEach(RULE_FIGURES, (figure) => sum((each) => each.ofRule(number, figure))),
	}));
	const cells = figures[0]?.latency.length ?? 0;
	return {
		...ofEach(HUB_FIGURES, (figure) => sum((each) => each.get(figure))),
		...{ rules, channels: channelsThere.count, memoryBytes: memory.sizes.bytes, usedBytes: log.usedBytes },
		latency: Array.from({ length: cells }, (_, cell) => sum((each) => each.latency[cell] ?? 0)),
	};
}

function ofEach<Name extends string>(
	names: readonly Name[],
	read: (name: Name) => number,
): Record<Name, number> {
	return Object.fromEntries(names.map((name) => [name, read(name)])) as Record<Name, number>;
}
