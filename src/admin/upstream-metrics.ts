/** What `/metrics` shows of upstreams: their addresses, and how they answer. */

import { REASONS } from "../parts/reasons.js";
import { STATUS_CLASSES } from "../reactor/records/counters.js";
import { UPSTREAM_FAULTS } from "../reactor/records/reasons.js";
import type { MetricsPage } from "./families/families.js";
import { addUp, scalar, sum } from "./sums.js";
import type { AdminView, Named } from "./view.js";

export function upstreams(page: MetricsPage, view: AdminView): void {
	const addresses = view.addresses();
	page.family("sluice_upstream_healthy");
	for (const { upstream, address, healthy } of addresses)
		page.sample("sluice_upstream_healthy", { upstream, address }, healthy ? 1 : 0);
	page.family("sluice_upstream_sessions");
	for (const { upstream, address, active } of addresses)
		page.sample("sluice_upstream_sessions", { upstream, address }, active);
	scalar(page, view, "sluice_dial_retries_total", "dialRetries");
	scalar(page, view, "sluice_upstream_ejections_total", "ejections");
	answers(page, view, view.upstreams());
	times(page, view, view.upstreams());
}

function answers(page: MetricsPage, view: AdminView, upstreams: readonly Named[]): void {
	page.family("sluice_upstream_requests_total");
	for (const { slot, name } of upstreams)
		for (let group = 0; group < STATUS_CLASSES; group++) {
			const count = sum(view, (counters) => counters.upstreamRequests(slot, group));
			// Most have answers of two or three classes, or take no requests; an absent one is 0.
			if (count === 0) continue;
			page.sample("sluice_upstream_requests_total", { upstream: name, status: `${group + 1}xx` }, count);
		}
	page.family("sluice_upstream_failures_total");
	for (const { slot, name } of upstreams)
		for (const [index, reason] of UPSTREAM_FAULTS.entries()) {
			const count = sum(view, (counters) => counters.upstreamFaults(slot, index));
			if (count === 0) continue;
			const labels = { upstream: name, reason: REASONS[reason] ?? "internal" };
			page.sample("sluice_upstream_failures_total", labels, count);
		}
}

function times(page: MetricsPage, view: AdminView, upstreams: readonly Named[]): void {
	page.family("sluice_connect_seconds");
	for (const { slot, name } of upstreams)
		page.histogram(
			"sluice_connect_seconds",
			{ upstream: name },
			addUp(view, (counters) => counters.connects(slot)),
		);
	page.family("sluice_upstream_seconds");
	for (const { slot, name } of upstreams) {
		const cells = addUp(view, (counters) => counters.upstreamSeconds(slot));
		// One that takes no requests has none to show.
		if (cells.some((count) => count > 0))
			page.histogram("sluice_upstream_seconds", { upstream: name }, cells);
	}
}
