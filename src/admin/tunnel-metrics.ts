/** What `/metrics` shows of tunnels: agents, what they have opened, and their lines. */

import type { LineCounts, TunnelsView } from "../tunnel/gateway/interfaces.js";
import type { MetricsPage } from "./families/families.js";
import { scalar } from "./sums.js";
import type { AdminView } from "./view.js";

const STATES = ["opening", "up", "down", "closing"] as const;
const LINES = [
	"asked",
	"proving",
	"parked",
	"used",
	"retiring",
] as const satisfies readonly (keyof LineCounts)[];

const NONE: TunnelsView = {
	agents: [],
	tunnels: [],
	loggingIn: 0,
	totals: { logins: 0, reconnects: 0, refused: {}, visitors: [], recycled: {} },
};

/** Without tunnels in the configuration there are none. */
export function tunnels(page: MetricsPage, gateway: AdminView): void {
	const view = gateway.tunnels() ?? NONE;
	const { agents, loggingIn, totals } = view;
	page.single("sluice_tunnel_agents", agents.length);
	page.single("sluice_tunnel_agents_logging_in", loggingIn);
	page.family("sluice_tunnels");
	for (const state of STATES)
		page.sample("sluice_tunnels", { state }, view.tunnels.filter((each) => each.state === state).length);
	page.family("sluice_tunnel_lines");
	for (const state of LINES)
		page.sample(
			"sluice_tunnel_lines",
			{ state },
			view.tunnels.reduce((sum, { lines }) => sum + lines[state], 0),
		);
	page.family("sluice_tunnel_up");
	for (const { name: tunnel, identity: agent, canary } of view.tunnels)
		if (canary !== undefined) page.sample("sluice_tunnel_up", { tunnel, agent }, canary.isUp ? 1 : 0);
	page.family("sluice_tunnel_rtt_seconds");
	for (const { name: tunnel, identity: agent, canary } of view.tunnels)
		if (canary?.roundTripMs != null)
			page.sample("sluice_tunnel_rtt_seconds", { tunnel, agent }, canary.roundTripMs / 1_000);
	page.family("sluice_tunnel_local_up");
	for (const { name: tunnel, identity: agent, localDown } of view.tunnels)
		page.sample("sluice_tunnel_local_up", { tunnel, agent }, localDown === null ? 1 : 0);
	page.family("sluice_tunnel_visitors_total");
	for (const { tunnel, reason, count } of totals.visitors)
		page.sample("sluice_tunnel_visitors_total", { tunnel, reason }, count);
	page.family("sluice_tunnel_lines_recycled_total");
	for (const [reason, count] of Object.entries(totals.recycled))
		page.sample("sluice_tunnel_lines_recycled_total", { reason }, count);
	page.single("sluice_tunnel_logins_total", totals.logins);
	page.single("sluice_tunnel_reconnects_total", totals.reconnects);
	page.family("sluice_tunnel_refused_total");
	for (const [code, count] of Object.entries(totals.refused))
		page.sample("sluice_tunnel_refused_total", { code }, count);
	scalar(page, gateway, "sluice_tunnel_strangers_total", "linesUnrecognized");
}
