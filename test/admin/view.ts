/** An admin view over counters that a test fills in. */
import type { AdminView } from "../../src/admin/metrics.js";
import { Counters } from "../../src/reactor/counters.js";

export function viewOf(changes: Partial<AdminView> = {}): AdminView {
	const counters = [new Counters(), new Counters()];
	return {
		counters: () => counters,
		listeners: () => [],
		routes: () => [],
		upstreams: () => [],
		addresses: () => [],
		acceptQueues: () => [],
		connectionsMax: () => 9_000,
		descriptorsMax: () => 20_000,
		logLinesDropped: () => 0,
		reloads: () => ({ succeeded: 0, failed: 0 }),
		state: () => "ready",
		...changes,
	};
}
