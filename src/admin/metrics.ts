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
import { processFigures, threads } from "./process-metrics.js";
import { addUp, scalar, sum } from "./sums.js";
import { tunnels } from "./tunnel-metrics.js";
import { upstreams } from "./upstream-metrics.js";
import type { AdminView } from "./view.js";

export function renderMetrics(view: AdminView): string {
	const page = new Page();
	sessions(page, view);
	timings(page, view);
	upstreams(page, view);
	requests(page, view);
	pools(page, view);
	tunnels(page, view);
	tls(page, view);
	resources(page, view);
	threads(page, view);
	processFigures(page, view);
	return page.toString();
}

function sessions(page: Page, view: AdminView): void {
	const listeners = view.listeners();
	page.family("sluice_connections_active", "gauge", "Sessions alive.");
	for (const { slot, name } of listeners)
		page.sample(
			"sluice_connections_active",
			{ listener: name },
			sum(view, (counters) => counters.active(slot)),
		);
	page.family("sluice_connections_total", "counter", "Connections accepted.");
	for (const { slot, name } of listeners)
		page.sample(
			"sluice_connections_total",
			{ listener: name },
			sum(view, (counters) => counters.accepted(slot)),
		);
	page.single(
		"sluice_connections_limit",
		"gauge",
		"Sessions that may live at once (limits.connections).",
		view.connectionsMax(),
	);
	page.family("sluice_listener_connections_limit", "gauge", "Sessions that a listener may have.");
	for (const { listener, limit } of view.connectionsOfListener())
		page.sample("sluice_listener_connections_limit", { listener }, limit);
	const { addresses, most } = view.sources();
	page.single("sluice_source_addresses", "gauge", "Client addresses that have sessions.", addresses);
	page.single("sluice_source_sessions_max", "gauge", "Sessions of the client address that has most.", most);
	scalar(
		page,
		view,
		"sluice_source_not_counted_total",
		"counter",
		"Connections whose address found no place to be counted in.",
		"sourcesNotCounted",
	);
	scalar(page, view, "sluice_shed_total", "counter", "Sessions closed to make room.", "shed");

	page.family(
		"sluice_reactor_sessions",
		"gauge",
		"Sessions alive in each reactor: the kernel shares them by hash.",
	);
	for (const [reactor, counters] of view.counters().entries()) {
		const active = listeners.reduce((total, { slot }) => total + counters.active(slot), 0);
		page.sample("sluice_reactor_sessions", { reactor: String(reactor) }, active);
	}

	page.family("sluice_sessions_closed_total", "counter", "Sessions ended, by the one reason each has.");
	for (const { slot, name } of listeners) {
		for (const [index, reason] of REASONS.entries()) {
			const count = sum(view, (counters) => counters.closed(slot, index));
			// Reasons of the two normal ends are always shown, so that a rate exists from the start.
			if (count > 0 || index < 2)
				page.sample("sluice_sessions_closed_total", { listener: name, reason }, count);
		}
	}

	page.family(
		"sluice_bytes_total",
		"counter",
		"Bytes relayed: from_client reached an upstream, to_client reached a client.",
	);
	for (const { slot, name } of listeners) {
		const bytes = (direction: number) => sum(view, (counters) => counters.bytes(slot, direction));
		page.sample("sluice_bytes_total", { listener: name, direction: "from_client" }, bytes(FROM_CLIENT));
		page.sample("sluice_bytes_total", { listener: name, direction: "to_client" }, bytes(TO_CLIENT));
	}

	page.family(
		"sluice_route_sessions_total",
		"counter",
		"Sessions that took a route; requests, where they are read.",
	);
	for (const { slot, listener, name } of view.routes()) {
		const count = sum(view, (counters) => counters.routeSessions(slot));
		// Ten thousand routes that nobody takes would make the page useless; an absent one is 0.
		if (count > 0) page.sample("sluice_route_sessions_total", { listener, route: name }, count);
	}
}

function timings(page: Page, view: AdminView): void {
	page.family(
		"sluice_accept_wait_seconds",
		"histogram",
		"How long connections waited to be accepted: of each listener's one in a millisecond, the one that waited longest.",
	);
	for (const { slot, name } of view.listeners())
		page.histogram(
			"sluice_accept_wait_seconds",
			{ listener: name },
			addUp(view, (counters) => counters.acceptWaits(slot)),
		);
	page.family("sluice_handshake_seconds", "histogram", "From accept until the connection could be routed.");
	for (const { slot, name } of view.listeners())
		page.histogram(
			"sluice_handshake_seconds",
			{ listener: name },
			addUp(view, (counters) => counters.handshakes(slot)),
		);
}

function requests(page: Page, view: AdminView): void {
	page.family(
		"sluice_requests_total",
		"counter",
		"Requests answered, by an upstream or here, by class of status. Without a route: none took it.",
	);
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
	page.family("sluice_request_seconds", "histogram", "From a request's whole head to the end of its answer.");
	for (const { slot, name } of view.listeners())
		page.histogram(
			"sluice_request_seconds",
			{ listener: name },
			addUp(view, (counters) => counters.requests(slot)),
		);
	page.family(
		"sluice_requests_refused_total",
		"counter",
		"Requests that the gateway answered itself, by why.",
	);
	for (const [index, reason] of REASONS.entries()) {
		const count = sum(view, (counters) => counters.requestsRefused(index));
		if (count > 0) page.sample("sluice_requests_refused_total", { reason }, count);
	}
	scalar(
		page,
		view,
		"sluice_wrong_passwords_total",
		"counter",
		"Requests with a name and a password that are not good on their route (basic_auth).",
		"wrongPasswords",
	);
	page.family("sluice_bad_requests_total", "counter", "Requests that RFC 9112 forbids, by what is wrong.");
	causes(page, view, "sluice_bad_requests_total", (counters, cause) => counters.badRequests(cause));
	page.family("sluice_bad_responses_total", "counter", "Responses that RFC 9112 forbids, by what is wrong.");
	causes(page, view, "sluice_bad_responses_total", (counters, cause) => counters.badResponses(cause));
}

function causes(
	page: Page,
	view: AdminView,
	name: string,
	read: (counters: Counters, cause: number) => number,
): void {
	for (const cause of HTTP_CAUSES.keys()) {
		const count = sum(view, (counters) => read(counters, cause));
		if (count > 0) page.sample(name, { cause: causeName(cause) }, count);
	}
}

function pools(page: Page, view: AdminView): void {
	const total = (figure: Scalar) => sum(view, (counters) => counters.get(figure));
	const idle = total("poolIdle");
	const active = total("poolBorrowed") - total("poolReturned");
	page.single(
		"sluice_pool_size",
		"gauge",
		"Upstream connections of pools: those in use and the idle ones.",
		active + idle,
	);
	page.single(
		"sluice_pool_active",
		"gauge",
		"Pooled connections in use: borrowed and not returned yet.",
		active,
	);
	page.single("sluice_pool_idle", "gauge", "Pooled connections that nobody uses, one descriptor each.", idle);
	scalar(page, view, "sluice_pool_borrowed_total", "counter", "Times one was lent.", "poolBorrowed");
	scalar(page, view, "sluice_pool_returned_total", "counter", "Times one came back.", "poolReturned");
	page.family("sluice_pool_recycled_total", "counter", "Pooled connections not lent again, by reason.");
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

function tls(page: Page, view: AdminView): void {
	page.family(
		"sluice_certificate_expiry_seconds",
		"gauge",
		"When a file of certificates in force expires: the first of its chain (Unix time).",
	);
	for (const { file, expirySeconds } of view.certificates())
		page.sample("sluice_certificate_expiry_seconds", { file }, expirySeconds);
	scalar(page, view, "sluice_tls_sessions", "gauge", "TLS sessions alive, on both sides.", "tlsSessions");
	page.family(
		"sluice_tls_handshakes_total",
		"counter",
		"TLS handshakes with clients and upstreams, by how they ended.",
	);
	for (const [side, result, counter] of HANDSHAKES)
		page.sample(
			"sluice_tls_handshakes_total",
			{ side, result },
			sum(view, (counters) => counters.get(counter)),
		);
}

function resources(page: Page, view: AdminView): void {
	scalar(
		page,
		view,
		"sluice_buffered_bytes",
		"gauge",
		"Bytes taken from one side and not yet by the other.",
		"bufferedBytes",
	);
	scalar(page, view, "sluice_chunks_lent", "gauge", "Buffers in use.", "chunksLent");
	scalar(page, view, "sluice_pipes_open", "gauge", "Pipes for splicing, two descriptors each.", "pipesOpen");
	scalar(page, view, "sluice_pipes_lent", "gauge", "Pipes that hold bytes now.", "pipesLent");
	scalar(
		page,
		view,
		"sluice_spliced_bytes_total",
		"counter",
		"Bytes moved inside the kernel.",
		"splicedBytes",
	);

	memory(page, view);
	ledger(page, view);

	page.family("sluice_accept_pauses_total", "counter", "Times a listener rested, by cause.");
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
		"counter",
		"Times a session was not read from because it had used up its bytes_per_second.",
		sum(view, (c) => c.get("pacedWaits")),
	);
	page.family("sluice_accept_queue_depth", "gauge", "Connections waiting to be accepted.");
	for (const { listener, depth } of view.acceptQueues())
		page.sample("sluice_accept_queue_depth", { listener }, depth);
	page.family("sluice_accept_queue_limit", "gauge", "How many may wait, over all reactors.");
	for (const { listener, limit } of view.acceptQueues())
		page.sample("sluice_accept_queue_limit", { listener }, limit);

	page.fragile(
		"sluice_kernel_listen_overflows_total",
		"counter",
		"Handshakes that met a full accept queue, in the whole network namespace (ListenOverflows).",
		() => view.listenFailures().overflows,
	);
	page.fragile(
		"sluice_kernel_listen_drops_total",
		"counter",
		"Handshakes dropped at listeners, in the whole network namespace (ListenDrops).",
		() => view.listenFailures().drops,
	);

	scalar(
		page,
		view,
		"sluice_accept_aborted_total",
		"counter",
		"Connections that were gone before they could be accepted.",
		"acceptAborted",
	);
	scalar(
		page,
		view,
		"sluice_stale_events_total",
		"counter",
		"Readiness events for connections closed before.",
		"staleEvents",
	);
	scalar(page, view, "sluice_turns_total", "counter", "Turns of the reactors' loops.", "turns");
	page.family(
		"sluice_turn_seconds",
		"histogram",
		"How long turns of the reactors' loops take: others wait for their end.",
	);
	page.histogram(
		"sluice_turn_seconds",
		{},
		addUp(view, (counters) => counters.turnSeconds()),
	);
	page.single(
		"sluice_turn_longest_seconds",
		"gauge",
		"The longest turn since the start.",
		Math.max(0, ...view.counters().map((counters) => counters.get("longestTurnMs"))) / 1000,
	);
	page.single(
		"sluice_log_lines_dropped_total",
		"counter",
		"Log lines lost because their reader was too slow, or because they could not be written.",
		view.logLinesDropped(),
	);
	reloads(page, view);
}

function reloads(page: Page, view: AdminView): void {
	const { succeeded, failed, lastSucceeded, succeededAtMs } = view.reloads();
	page.family("sluice_reloads_total", "counter", "Reloads of the configuration.");
	page.sample("sluice_reloads_total", { result: "succeeded" }, succeeded);
	page.sample("sluice_reloads_total", { result: "failed" }, failed);
	page.single(
		"sluice_reload_success",
		"gauge",
		"1 when the last reload succeeded, or there was none yet; 0 when it failed and the configuration before is in force.",
		lastSucceeded ? 1 : 0,
	);
	page.single(
		"sluice_reload_success_timestamp_seconds",
		"gauge",
		"When the configuration in force was taken: at start, or at the last reload that succeeded (Unix time).",
		succeededAtMs / 1_000,
	);
}

function memory(page: Page, view: AdminView): void {
	const { limit, system, under } = view.memory();
	page.single("sluice_memory_limit_bytes", "gauge", "What sessions may hold (limits.memory).", limit);
	scalar(
		page,
		view,
		"sluice_socket_memory_bytes",
		"gauge",
		"What the kernel held for this process's connections when it was asked last.",
		"socketBytes",
	);
	page.single(
		"sluice_system_socket_memory_bytes",
		"gauge",
		"What the kernel holds for all TCP sockets of the system.",
		system,
	);
	page.single(
		"sluice_memory_pressure",
		"gauge",
		"1 while sessions are closed because memory has run out.",
		under ? 1 : 0,
	);
}

function ledger(page: Page, view: AdminView): void {
	const kinds = Object.entries(view.descriptors());
	page.family("sluice_descriptors_opened_total", "counter", "Descriptors that the ledger saw opened.");
	for (const [kind, { opened }] of kinds) page.sample("sluice_descriptors_opened_total", { kind }, opened);
	page.family("sluice_descriptors_closed_total", "counter", "Descriptors that the ledger saw closed.");
	for (const [kind, { closed }] of kinds) page.sample("sluice_descriptors_closed_total", { kind }, closed);
	const { checks, last } = view.ledger();
	page.single(
		"sluice_ledger_checks_total",
		"counter",
		"Times the ledger was held against the kernel.",
		checks,
	);
	page.single(
		"sluice_ledger_discrepancy",
		"gauge",
		"What did not fit when it was: descriptors without an owner, owners without theirs, sums that differ.",
		last?.discrepancies.length ?? 0,
	);
}
