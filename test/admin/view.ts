/** An admin view over counters that a test fills in. */
import type { SessionDesk } from "../../src/admin/session-view.js";
import type { AdminView } from "../../src/admin/view.js";
import { Counters } from "../../src/reactor/records/counters.js";

const ZERO = { opened: 0, closed: 0 };
const NONE = {
	downstream: ZERO,
	upstream: ZERO,
	pipe: ZERO,
	listener: ZERO,
	admin: ZERO,
	log: ZERO,
	check: ZERO,
	tunnel: ZERO,
};

export const NO_SESSIONS: SessionDesk = {
	census: () => ({
		...{ total: 0, states: new Map(), protocols: new Map() },
		...{ listeners: new Map(), routes: new Map(), upstreams: new Map() },
	}),
	list: () => ({ total: 0, matched: 0, sessions: [] }),
	details: () => undefined,
	ended: () => ({ matched: 0, sessions: [] }),
	close: () => 0,
};

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
		descriptorsReserved: () => 64,
		connectionsOfListener: () => [],
		sources: () => ({ addresses: 0, most: 0 }),
		halfOpen: () => [],
		handshakes: () => ({ overflows: 0, drops: 0, cookiesSent: 0, cookiesFailed: 0 }),
		memory: () => ({ limit: 1 << 30, system: 0, under: false }),
		descriptors: () => NONE,
		ledger: () => ({ checks: 0, last: undefined }),
		checkLedger: () => Promise.reject(new Error("this test has no ledger")),
		logLinesDropped: () => 0,
		reloads: () => ({ succeeded: 0, failed: 0, lastSucceeded: true, succeededAtMs: 0 }),
		certificates: () => [],
		adminHosts: () => [],
		mainThread: () => ({ collectedSeconds: 0, longestDelaySeconds: 0 }),
		adminTokens: () => ({ full: null, read: null }),
		sessions: () => NO_SESSIONS,
		operations: () => {
			throw new Error("this test has no operations");
		},
		tunnels: () => undefined,
		hub: () => undefined,
		hubCounts: () => undefined,
		audit: () => {},
		version: () => "0.0.0",
		state: () => "ready",
		...changes,
	};
}
