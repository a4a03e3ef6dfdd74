/** How the kernel finds that the other side of a line is gone: the gateway's side and the agent's side ask alike. */
import type { LineOptions } from "../upstream/plan.js";

/** Questions that go unanswered before a silent line is given up. */
const PROBES = 3;

/** A line that says nothing is asked for when a control connection would be, and given up when one would be. */
export function lineOptions(heartbeatMs: number, deadAfterMs: number): LineOptions {
	return {
		// The kernel knows whole seconds, from 1.
		keepaliveIdleSeconds: Math.max(1, Math.round(heartbeatMs / 1_000)),
		keepaliveIntervalSeconds: Math.max(1, Math.floor((deadAfterMs - heartbeatMs) / PROBES / 1_000)),
		keepaliveProbes: PROBES,
		userTimeoutMs: deadAfterMs,
	};
}
