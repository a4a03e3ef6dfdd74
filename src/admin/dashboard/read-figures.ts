/** Reads the dashboard's figures out of counters and tables that are there anyway: nobody is asked for them, and no reactor notices. */
import { REASONS } from "../../parts/reasons.js";
import {
	type Counters,
	FROM_CLIENT,
	type Scalar,
	STATUS_CLASSES,
	TO_CLIENT,
} from "../../reactor/records/counters.js";
import { DATAGRAM_DROPS } from "../../reactor/records/datagram-drops.js";
import type { SessionCensus } from "../session-view.js";
import { addUp, sum } from "../sums.js";
import type { AdminView } from "../view.js";
import { type FigurePoint, type Figures, PARTS_MAX } from "./figures.js";
import type { TurnTimes } from "./turn-times.js";

type Counted = Readonly<Record<string, number>>;

/** `turnTimes`: of the readings before. */
export function readFigures(view: AdminView, turnTimes: TurnTimes): Figures {
	const census = view.sessions().census();
	const descriptors = openDescriptors(view);
	const queues = view.acceptQueues();
	const { last, checks } = view.ledger();
	const { limit, under } = view.memory();
	const tunnels = tunnelFigures(view);
	const dropped = dropsOf(view);
	const reasons = reasonsOf(view);
	const discrepancies = last?.discrepancies.length ?? 0;
	const turns = turnTimes.since(addUp(view, (counters) => counters.turnSeconds()));
	return {
		...{ version: view.version(), state: view.state(), under_pressure: under },
		point: {
			at: Date.now() / 1_000,
			totals: totalsOf(view, allOf(reasons), allOf(dropped)),
			levels: {
				...{ sessions: census.total, descriptors: allOf(descriptors) },
				...{ buffered_bytes: scalar(view, "bufferedBytes"), socket_bytes: scalar(view, "socketBytes") },
				queued: queues.reduce((all, { depth }) => all + depth, 0),
				fullest_queue: Math.max(0, ...queues.map((queue) => queue.depth / Math.max(1, queue.limit))),
				...{ turn_p50_seconds: turns.p50, turn_p99_seconds: turns.p99, discrepancies },
				lines: (tunnels?.lines["parked"] ?? 0) + (tunnels?.lines["used"] ?? 0),
				flows: scalar(view, "datagramFlows"),
				...{ subscribers: ofHub(view, "subscribers"), outbox_bytes: view.hubCounts()?.outboxBytes ?? 0 },
			},
			reasons,
		},
		parts: partsOf(census),
		bounds: {
			...{ sessions: view.connectionsMax(), buffered_bytes: limit },
			...{ descriptors: view.descriptorsMax(), descriptors_reserved: view.descriptorsReserved() },
		},
		queues: queues.map(({ listener, depth, limit: most }) => ({ listener, depth, limit: most })),
		descriptors,
		reactors: view.counters().map((counters, reactor) => {
			const { p50, p99 } = turnTimes.of(reactor).since(counters.turnSeconds());
			return {
				...{ turns: counters.get("turns"), turn_p50_seconds: p50, turn_p99_seconds: p99 },
				...{ buffered_bytes: counters.get("bufferedBytes"), socket_bytes: counters.get("socketBytes") },
				heap_bytes: counters.get("heapBytes") + counters.get("externalBytes"),
			};
		}),
		ledger: { checks, checked: last?.checkedAt ?? null, discrepancies },
		tunnels,
		datagrams: { half_hellos: scalar(view, "halfHellos"), dropped },
		hub: hubFigures(view),
	};
}

function totalsOf(view: AdminView, closed: number, dropped: number): FigurePoint["totals"] {
	const slots = view.listeners().map(({ slot }) => slot);
	const ofListeners = (read: (counters: Counters, slot: number) => number): number =>
		sum(view, (counters) => slots.reduce((all, slot) => all + read(counters, slot), 0));
	return {
		accepted: ofListeners((counters, slot) => counters.accepted(slot)),
		...{ closed, requests: requestsOf(view, slots) },
		bytes_from_client: ofListeners((counters, slot) => counters.bytes(slot, FROM_CLIENT)),
		bytes_to_client: ofListeners((counters, slot) => counters.bytes(slot, TO_CLIENT)),
		datagrams_from_client: ofListeners((counters, slot) => counters.datagrams(slot, FROM_CLIENT)),
		datagrams_to_client: ofListeners((counters, slot) => counters.datagrams(slot, TO_CLIENT)),
		datagrams_dropped: dropped,
		...{ published: ofHub(view, "published"), delivered: ofHub(view, "delivered") },
		...{ missed: ofHub(view, "missed"), shed: scalar(view, "shed") },
	};
}

function requestsOf(view: AdminView, listeners: readonly number[]): number {
	const routes = view.routes().map(({ slot }) => slot);
	return sum(view, (counters) => {
		let all = 0;
		for (let group = 0; group < STATUS_CLASSES; group++) {
			for (const slot of routes) all += counters.routeRequests(slot, group);
			for (const slot of listeners) all += counters.unroutedRequests(slot, group);
		}
		return all;
	});
}

function reasonsOf(view: AdminView): Counted {
	const reasons: Record<string, number> = {};
	for (const { slot } of view.listeners())
		for (const [index, reason] of REASONS.entries()) {
			const count = sum(view, (counters) => counters.closed(slot, index));
			if (count > 0) reasons[reason] = (reasons[reason] ?? 0) + count;
		}
	return reasons;
}

function dropsOf(view: AdminView): Counted {
	const drops: Record<string, number> = {};
	for (const [index, cause] of DATAGRAM_DROPS.entries()) {
		const count = sum(view, (counters) => counters.datagramsDropped(index));
		if (count > 0) drops[cause] = count;
	}
	return drops;
}

function openDescriptors(view: AdminView): Counted {
	return Object.fromEntries(
		Object.entries(view.descriptors()).map(([kind, { opened, closed }]) => [kind, opened - closed]),
	);
}

function partsOf({ states, protocols, listeners, routes, upstreams }: SessionCensus): Figures["parts"] {
	return {
		...{ states: mostOf(states), protocols: mostOf(protocols), listeners: mostOf(listeners) },
		...{ routes: mostOf(routes), upstreams: mostOf(upstreams) },
	};
}

/** Of equal ones the first by name, so that a list does not jump about. */
function mostOf(counts: ReadonlyMap<string, number>): Figures["parts"]["states"] {
	return [...counts]
		.sort(([a, most], [b, more]) => more - most || (a < b ? -1 : 1))
		.slice(0, PARTS_MAX)
		.map(([name, sessions]) => ({ name, sessions }));
}

function tunnelFigures(view: AdminView): Figures["tunnels"] {
	const there = view.tunnels();
	if (there === undefined) return null;
	const tunnels: Record<string, number> = {};
	const lines: Record<string, number> = { parked: 0, used: 0, asked: 0, proving: 0, retiring: 0 };
	for (const tunnel of there.tunnels) {
		tunnels[tunnel.state] = (tunnels[tunnel.state] ?? 0) + 1;
		for (const state of Object.keys(lines))
			lines[state] = (lines[state] ?? 0) + tunnel.lines[state as keyof typeof tunnel.lines];
	}
	return { agents: there.agents.length, tunnels, lines };
}

function hubFigures(view: AdminView): Figures["hub"] {
	const counts = view.hubCounts();
	if (view.hub() === undefined || counts === undefined) return null;
	return {
		...{ channels: counts.channels, blocked: counts.blocked },
		...{ log_bytes: counts.memoryBytes, log_used_bytes: counts.usedBytes },
	};
}

/** Of a hub that there is, or was before a reload. */
function ofHub(view: AdminView, figure: "subscribers" | "published" | "delivered" | "missed"): number {
	return view.hubCounts()?.rules.reduce((all, rule) => all + rule[figure], 0) ?? 0;
}

function scalar(view: AdminView, figure: Scalar): number {
	return sum(view, (counters) => counters.get(figure));
}

function allOf(counts: Counted): number {
	return Object.values(counts).reduce((all, count) => all + count, 0);
}
