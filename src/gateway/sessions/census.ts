/** How many sessions live, by what they are: counted in one walk through the reactors' tables, without an object for any of them. */
import type { SessionCensus } from "../../admin/session-view.js";
import { ref, u8, u16 } from "../../parts/at.js";
import { PROTOCOL_NAMES } from "../../protocol/index.js";
import type { ReactorRows } from "../../reactor/rows.js";
import type { Session } from "../../reactor/table/numbers.js";
import type { Names } from "../log-lines.js";
import { STATES } from "./live.js";
import { shownName } from "./names.js";

/** One that comes or goes during the walk may be missing. */
export function censusOf(all: readonly ReactorRows[], names: Names): SessionCensus {
	const states = new Map<number, number>();
	const protocols = new Map<number, number>();
	const routes = new Map<number, number>();
	const upstreams = new Map<number, number>();
	const listeners = new Map<number, number>();
	let total = 0;
	for (const { table } of all)
		for (let slot = 0; slot < table.sessions; slot++) {
			const row = slot as Session;
			const state = u8(table.state, row);
			if (!STATES.has(state)) continue;
			total++;
			more(states, state);
			more(protocols, u8(table.protocol, row));
			more(listeners, u16(table.listener, row));
			more(routes, ref(table.route, row));
			more(upstreams, ref(table.upstream, row));
		}
	return {
		total,
		states: named(states, (state) => STATES.get(state) ?? null),
		protocols: named(protocols, (protocol) => PROTOCOL_NAMES[protocol] ?? "unknown"),
		listeners: named(listeners, (slot) => names.listener.of(slot)),
		routes: named(routes, (slot) => shownName(names.route, slot)),
		upstreams: named(upstreams, (slot) => shownName(names.upstream, slot)),
	};
}

function more(counts: Map<number, number>, key: number): void {
	counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Routes of several listeners may have one label, and states one name. What has no name is not counted. */
function named(
	counts: ReadonlyMap<number, number>,
	nameOf: (key: number) => string | null,
): Map<string, number> {
	const byName = new Map<string, number>();
	for (const [key, count] of counts) {
		const name = nameOf(key);
		if (name !== null) byName.set(name, (byName.get(name) ?? 0) + count);
	}
	return byName;
}
