/**
 * `npm run bench -- tunnels`: a gateway and an agent beside those of other programs.
 *
 *     generator ──► gateway ◄── lines ── agent ──► backend        systems/: whose gateways and agents
 *     (../load/)    └──── both are measured ────┘  (../load/)     rows/: what is done and measured
 *
 * Rounds, statistics and report are those of the other bench.
 */
import type { Report } from "../report.js";
import { type Said, sideBySide } from "../side-by-side.js";
import { TunnelBench } from "./bench.js";
import { readTunnelOptions, TUNNELS_USAGE } from "./options.js";

/** What was asked for, or the usage. */
export async function benchTunnels(args: readonly string[]): Promise<Said<Report> | string> {
	const chosen = readTunnelOptions(args);
	return chosen.help ? TUNNELS_USAGE : sideBySide(chosen, TunnelBench.start);
}
