/** What `/metrics` shows: what the reactors counted in shared memory, and what the kernel says. */

import { Page } from "../parts/exposition.js";
import { REASONS } from "../parts/reasons.js";
import { causeName, HTTP_CAUSES } from "../protocol/http/causes.js";
import {
	type Counters,
	FROM_CLIENT,
	type Scalar,
	STATUS_CLASSES,
	TO_CLIENT,
} from "../reactor/records/counters.js";
import { RECYCLE_REASONS } from "../reactor/records/recycle-reasons.js";
import { datagrams } from "./datagram-metrics.js";
import { FAMILIES, type MetricsPage } from "./families/families.js";
import { handshakes } from "./handshake-metrics.js";
import { hub } from "./hub-metrics.js";
import { processFigures, threads } from "./process-metrics.js";
import { addUp, scalar, sum } from "./sums.js";
import { tunnels } from "./tunnel-metrics.js";
import { upstreams } from "./upstream-metrics.js";
import type { AdminView } from "./view.js";

export function renderMetrics(view: AdminView): string {
	const page = new Page(FAMILIES);
	sessions(page, view);
	timings(page, view);
	datagrams(page, view);
	upstreams(page, view);
	requests(page, view);
	pools(page, view);
	tunnels(page, view);
	hub(page, view);
	tls(page, view);
	resources(page, view);
	threads(page, view);
	processFigures(page, view);
	return page.toString();
}

function sessions(page: MetricsPage, view: AdminView): void {
	const listeners = view.listeners();
	page.family("sluice_connections_active");
	for (const { slot, name } of listeners)
		page.sample(
			"sluice_connections_active",
			{ listener: name },
			sum(view, (counters) => counters.active(slot)),
		);
	page.family("sluice_connections_total");
	for (const { slot, name } of listeners)
		page.sample(
			"sluice_connections_total",
			{ listener: name },
			sum(view, (counters) => counters.accepted(slot)),
		);
	page.single("sluice_connections_limit", view.connectionsMax());
	page.family("sluice_listener_connections_limit");
	for (const { listener, limit } of view.connectionsOfListener())
		page.sample("sluice_listener_connections_limit", { listener }, limit);
	const { addresses, most } = view.sources();
	page.single("sluice_source_addresses", addresses);
	page.single("sluice_source_sessions_max", most);
	scalar(page, view, "sluice_source_not_counted_total", "sourcesNotCounted");
	scalar(page, view, "sluice_shed_total", "shed");

	page.family("sluice_reactor_sessions");
	for (const [reactor, counters] of view.counters().entries()) {
		const active = listeners.reduce((total, { slot }) => total + counters.active(slot), 0);
		page.sample("sluice_reactor_sessions", { reactor: String(reactor) }, active);
	}

	page.family("sluice_sessions_closed_total");
	for (const { slot, name } of listeners) {
		for (const [index, reason] of REASONS.entries()) {
			const count = sum(view, (counters) => counters.closed(slot, index));
			// Reasons of the two normal ends are always shown, so that a rate exists from the start.
			if (count > 0 || index < 2)
				page.sample("sluice_sessions_closed_total", { listener: name, reason }, count);
		}
	}

	page.family("sluice_bytes_total");
	for (const { slot, name } of listeners) {
		const bytes = (direction: number) => sum(view, (counters) => counters.bytes(slot, direction));
		page.sample("sluice_bytes_total", { listener: name, direction: "from_client" }, bytes(FROM_CLIENT));
		page.sample("sluice_bytes_total", { listener: name, direction: "to_client" }, bytes(TO_CLIENT));
	}

	page.family("sluice_route_sessions_total");
	for (const { slot, listener, name } of view.routes()) {
		const count = sum(view, (counters) => counters.routeSessions(slot));
		// Ten thousand routes that nobody takes would make the page useless; an absent one is 0.
		if (count > 0) page.sample("sluice_route_sessions_total", { listener, route: name }, count);
	}
}

function timings(page: MetricsPage, view: AdminView): void {
	page.family("sluice_accept_wait_seconds");
	for (const { slot, name } of view.listeners())
		page.histogram(
			"sluice_accept_wait_seconds",
			{ listener: name },
			addUp(view, (counters) => counters.acceptWaits(slot)),
		);
	page.family("sluice_handshake_seconds");
	for (const { slot, name } of view.listeners())
		page.histogram(
			"sluice_handshake_seconds",
			{ listener: name },
			addUp(view, (counters) => counters.handshakes(slot)),
		);
}

function requests(page: MetricsPage, view: AdminView): void {
	page.family("sluice_requests_total");
	for (const { slot, listener, name } of view.routes()) {
		for (let group = 0; group < STATUS_CLASSES; group++) {
			const count = sum(view, (counters) => counters.routeRequests(slot, group));
			// As with sessions: an absent one is 0.
			if (count === 0) continue;
			page.sample("sluice_requests_total", { route: name, listener, status: `${group + 1}xx` }, count);
		}
	}
	for (const { slot, name } of view.listeners()) {
		for (let group = 0; group < STATUS_CLASSES; group++) {
			const count = sum(view, (counters) => counters.unroutedRequests(slot, group));
			if (count === 0) continue;
			page.sample("sluice_requests_total", { route: "", listener: name, status: `${group + 1}xx` }, count);
		}
	}
	page.family("sluice_request_seconds");
	for (const { slot, name } of view.listeners())
		page.histogram(
			"sluice_request_seconds",
			{ listener: name },
			addUp(view, (counters) => counters.requests(slot)),
		);
	page.family("sluice_requests_refused_total");
	for (const [index, reason] of REASONS.entries()) {
		const count = sum(view, (counters) => counters.requestsRefused(index));
		if (count > 0) page.sample("sluice_requests_refused_total", { reason }, count);
	}
	scalar(page, view, "sluice_wrong_passwords_total", "wrongPasswords");
	page.family("sluice_bad_requests_total");
	causes(page, view, "sluice_bad_requests_total", (counters, cause) => counters.badRequests(cause));
	page.family("sluice_bad_responses_total");
	causes(page, view, "sluice_bad_responses_total", (counters, cause) => counters.badResponses(cause));
}

function causes(
	page: MetricsPage,
	view: AdminView,
	name: "sluice_bad_requests_total" | "sluice_bad_responses_total",
	read: (counters: Counters, cause: number) => number,
): void {
	for (const cause of HTTP_CAUSES.keys()) {
		const count = sum(view, (counters) => read(counters, cause));
		if (count > 0) page.sample(name, { cause: causeName(cause) }, count);
	}
}

function pools(page: MetricsPage, view: AdminView): void {
	const total = (figure: Scalar) => sum(view, (counters) => counters.get(figure));
	const idle = total("poolIdle");
	const active = total("poolBorrowed") - total("poolReturned");
	page.single("sluice_pool_size", active + idle);
	page.single("sluice_pool_active", active);
	page.single("sluice_pool_idle", idle);
	scalar(page, view, "sluice_pool_borrowed_total", "poolBorrowed");
	scalar(page, view, "sluice_pool_returned_total", "poolReturned");
	page.family("sluice_pool_recycled_total");
	for (const [index, reason] of RECYCLE_REASONS.entries()) {
		const count = sum(view, (counters) => counters.poolRecycled(index));
		if (count > 0) page.sample("sluice_pool_recycled_total", { reason }, count);
	}
}

/** Handshakes by side and how they ended. */
const HANDSHAKES: readonly (readonly [side: string, result: string, counter: Scalar])[] = [
	["client", "full", "tlsFull"],
	["client", "resumed", "tlsResumed"],
	["client", "failed", "tlsFailed"],
	["upstream", "full", "tlsUpstreamFull"],
	["upstream", "resumed", "tlsUpstreamResumed"],
	["upstream", "failed", "tlsUpstreamFailed"],
];

function tls(page: MetricsPage, view: AdminView): void {
	page.family("sluice_certificate_expiry_seconds");
	for (const { file, expirySeconds } of view.certificates())
		page.sample("sluice_certificate_expiry_seconds", { file }, expirySeconds);
	scalar(page, view, "sluice_tls_sessions", "tlsSessions");
	page.family("sluice_tls_handshakes_total");
	for (const [side, result, counter] of HANDSHAKES)
		page.sample(
			"sluice_tls_handshakes_total",
			{ side, result },
			sum(view, (counters) => counters.get(counter)),
		);
}

function resources(page: MetricsPage, view: AdminView): void {
	scalar(page, view, "sluice_buffered_bytes", "bufferedBytes");
	scalar(page, view, "sluice_chunks_lent", "chunksLent");
	scalar(page, view, "sluice_pipes_open", "pipesOpen");
	scalar(page, view, "sluice_pipes_lent", "pipesLent");
	scalar(page, view, "sluice_spliced_bytes_total", "splicedBytes");

	memory(page, view);
	ledger(page, view);

	page.family("sluice_accept_pauses_total");
	page.sample(
		"sluice_accept_pauses_total",
		{ cause: "descriptors" },
		sum(view, (c) => c.get("acceptPausesDescriptors")),
	);
	page.sample(
		"sluice_accept_pauses_total",
		{ cause: "connections" },
		sum(view, (c) => c.get("acceptPausesFull")),
	);
	page.sample(
		"sluice_accept_pauses_total",
		{ cause: "rate" },
		sum(view, (c) => c.get("acceptPausesRate")),
	);
	page.single(
		"sluice_rate_waits_total",
		sum(view, (c) => c.get("pacedWaits")),
	);
	handshakes(page, view);

	scalar(page, view, "sluice_accept_aborted_total", "acceptAborted");
	scalar(page, view, "sluice_stale_events_total", "staleEvents");
	scalar(page, view, "sluice_turns_total", "turns");
	page.family("sluice_turn_seconds");
	page.histogram(
		"sluice_turn_seconds",
		{},
		addUp(view, (counters) => counters.turnSeconds()),
	);
	page.single(
		"sluice_turn_longest_seconds",
		Math.max(0, ...view.counters().map((counters) => counters.get("longestTurnMs"))) / 1000,
	);
	page.single("sluice_log_lines_dropped_total", view.logLinesDropped());
	reloads(page, view);
}

function reloads(page: MetricsPage, view: AdminView): void {
	const { succeeded, failed, lastSucceeded, succeededAtMs } = view.reloads();
	page.family("sluice_reloads_total");
	page.sample("sluice_reloads_total", { result: "succeeded" }, succeeded);
	page.sample("sluice_reloads_total", { result: "failed" }, failed);
	page.single("sluice_reload_success", lastSucceeded ? 1 : 0);
	page.single("sluice_reload_success_timestamp_seconds", succeededAtMs / 1_000);
}

function memory(page: MetricsPage, view: AdminView): void {
	const { limit, system, under } = view.memory();
	page.single("sluice_memory_limit_bytes", limit);
	scalar(page, view, "sluice_socket_memory_bytes", "socketBytes");
	page.single("sluice_system_socket_memory_bytes", system);
	page.single("sluice_memory_pressure", under ? 1 : 0);
}

function ledger(page: MetricsPage, view: AdminView): void {
	const kinds = Object.entries(view.descriptors());
	page.family("sluice_descriptors_opened_total");
	for (const [kind, { opened }] of kinds) page.sample("sluice_descriptors_opened_total", { kind }, opened);
	page.family("sluice_descriptors_closed_total");
	for (const [kind, { closed }] of kinds) page.sample("sluice_descriptors_closed_total", { kind }, closed);
	const { checks, last } = view.ledger();
	page.single("sluice_ledger_checks_total", checks);
	page.single("sluice_ledger_discrepancy", last?.discrepancies.length ?? 0);
}
