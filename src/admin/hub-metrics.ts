/** What `/metrics` shows of the hub: by the entries of `hub.channels`, so that there are never more figures than those. */
import type { HubCounts, RuleCounts } from "../hub/counts.js";
import { SECONDS_BUCKETS } from "../parts/buckets.js";
import type { MetricsPage } from "./families/families.js";
import type { AdminView } from "./view.js";

const NONE: HubCounts = {
	...{ rules: [], channels: 0, memoryBytes: 0, usedBytes: 0 },
	...{ outboxBytes: 0, incomingBytes: 0, blocked: 0 },
	latency: new Array<number>(SECONDS_BUCKETS.length + 2).fill(0),
};

const BY_RULE = [
	["sluice_hub_subscribers", "subscribers"],
	["sluice_hub_published_total", "published"],
	["sluice_hub_delivered_total", "delivered"],
	["sluice_hub_missed_total", "missed"],
	["sluice_hub_conflated_total", "conflated"],
	["sluice_hub_gaps_total", "gaps"],
	["sluice_hub_overflowed_total", "overflowed"],
] as const satisfies readonly (readonly [string, keyof RuleCounts])[];

/** Without a hub in the configuration there is nothing of it. */
export function hub(page: MetricsPage, gateway: AdminView): void {
	const counts = gateway.hubCounts() ?? NONE;
	for (const [name, figure] of BY_RULE) {
		page.family(name);
		for (const rule of counts.rules) page.sample(name, { match: rule.match }, Number(rule[figure]));
	}
	page.single("sluice_hub_channels", counts.channels);
	page.single("sluice_hub_blocked", counts.blocked);
	page.single("sluice_hub_outbox_bytes", counts.outboxBytes);
	page.single("sluice_hub_incoming_bytes", counts.incomingBytes);
	page.single("sluice_hub_log_bytes", counts.memoryBytes);
	page.single("sluice_hub_log_used_bytes", counts.usedBytes);
	page.family("sluice_hub_delivery_seconds");
	page.histogram("sluice_hub_delivery_seconds", {}, counts.latency);
}
