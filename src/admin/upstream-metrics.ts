/** What `/metrics` shows of upstreams: their addresses, and how they answer. */

import type { Page } from "../parts/exposition.js";
import { REASONS } from "../parts/reasons.js";
import { STATUS_CLASSES } from "../reactor/records/counters.js";
import { UPSTREAM_FAULTS } from "../reactor/records/reasons.js";
import { addUp, scalar, sum } from "./sums.js";
import type { AdminView, Named } from "./view.js";

export function upstreams(page: Page, view: AdminView): void {
	const addresses = view.addresses();
	page.family("sluice_upstream_healthy", "gauge", "1 when an address is used, 0 when it is down or ejected.");
	for (const { upstream, address, healthy } of addresses)
		page.sample("sluice_upstream_healthy", { upstream, address }, healthy ? 1 : 0);
	page.family("sluice_upstream_sessions", "gauge", "Sessions that use an address, dials included.");
	for (const { upstream, address, active } of addresses)
		page.sample("sluice_upstream_sessions", { upstream, address }, active);
	scalar(
		page,
		view,
		"sluice_dial_retries_total",
		"counter",
		"Dials of a further address after one failed.",
		"dialRetries",
	);
	scalar(
		page,
		view,
		"sluice_upstream_ejections_total",
		"counter",
		"Addresses ejected after failed connects.",
		"ejections",
	);
	answers(page, view, view.upstreams());
	times(page, view, view.upstreams());
}

function answers(page: Page, view: AdminView, upstreams: readonly Named[]): void {
	page.family(
		"sluice_upstream_requests_total",
		"counter",
		"Requests for an upstream that were answered, by it or by Sluice in its place, by class of status.",
	);
	for (const { slot, name } of upstreams)
		for (let group = 0; group < STATUS_CLASSES; group++) {
			const count = sum(view, (counters) => counters.upstreamRequests(slot, group));
			// Most have answers of two or three classes, or take no requests; an absent one is 0.
			if (count === 0) continue;
			page.sample("sluice_upstream_requests_total", { upstream: name, status: `${group + 1}xx` }, count);
		}
	page.family(
		"sluice_upstream_failures_total",
		"counter",
		"Of these, the requests that Sluice answered with 502, 503 or 504 because the upstream did not, by why.",
	);
	for (const { slot, name } of upstreams)
		for (const [index, reason] of UPSTREAM_FAULTS.entries()) {
			const count = sum(view, (counters) => counters.upstreamFaults(slot, index));
			if (count === 0) continue;
			const labels = { upstream: name, reason: REASONS[reason] ?? "internal" };
			page.sample("sluice_upstream_failures_total", labels, count);
		}
}

function times(page: Page, view: AdminView, upstreams: readonly Named[]): void {
	page.family("sluice_connect_seconds", "histogram", "From dialling an upstream address until it accepted.");
	for (const { slot, name } of upstreams)
		page.histogram(
			"sluice_connect_seconds",
			{ upstream: name },
			addUp(view, (counters) => counters.connects(slot)),
		);
	page.family(
		"sluice_upstream_seconds",
		"histogram",
		"From a request's whole head to the head of its upstream's answer.",
	);
	for (const { slot, name } of upstreams) {
		const cells = addUp(view, (counters) => counters.upstreamSeconds(slot));
		// One that takes no requests has none to show.
		if (cells.some((count) => count > 0))
			page.histogram("sluice_upstream_seconds", { upstream: name }, cells);
	}
}
