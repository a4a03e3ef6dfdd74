/** What `/metrics` shows of tunnels: agents, what they have opened, and their lines. */
import type { Page } from "../parts/exposition.js";
import type { LineCounts, TunnelsView } from "../tunnel/gateway/interfaces.js";
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
export function tunnels(page: Page, gateway: AdminView): void {
	const view = gateway.tunnels() ?? NONE;
	const { agents, loggingIn, totals } = view;
	page.single("sluice_tunnel_agents", "gauge", "Agents that are logged in.", agents.length);
	page.single(
		"sluice_tunnel_agents_logging_in",
		"gauge",
		"Control connections whose agent has not logged in yet.",
		loggingIn,
	);
	page.family(
		"sluice_tunnels",
		"gauge",
		"Tunnels: up, down because their local service is, opening, or closed and with visitors yet.",
	);
	for (const state of STATES)
		page.sample("sluice_tunnels", { state }, view.tunnels.filter((each) => each.state === state).length);
	page.family("sluice_tunnel_lines", "gauge", "Lines of all tunnels; asked: their agents will open them.");
	for (const state of LINES)
		page.sample(
			"sluice_tunnel_lines",
			{ state },
			view.tunnels.reduce((sum, { lines }) => sum + lines[state], 0),
		);
	page.family(
		"sluice_tunnel_up",
		"gauge",
		"1: the last canary came back through a parked line of the tunnel's agent; 0: it did not.",
	);
	for (const { name: tunnel, identity: agent, canary } of view.tunnels)
		if (canary !== undefined) page.sample("sluice_tunnel_up", { tunnel, agent }, canary.isUp ? 1 : 0);
	page.family("sluice_tunnel_rtt_seconds", "gauge", "How long that took, to the agent and back.");
	for (const { name: tunnel, identity: agent, canary } of view.tunnels)
		if (canary?.roundTripMs != null)
			page.sample("sluice_tunnel_rtt_seconds", { tunnel, agent }, canary.roundTripMs / 1_000);
	page.family(
		"sluice_tunnel_local_up",
		"gauge",
		"1: the local service is up, as far as the tunnel's agent looks; 0: it is down, and gets no visitor.",
	);
	for (const { name: tunnel, identity: agent, localDown } of view.tunnels)
		page.sample("sluice_tunnel_local_up", { tunnel, agent }, localDown === null ? 1 : 0);
	page.family("sluice_tunnel_visitors_total", "counter", "Visitors of tunnels that ended, by why.");
	for (const { tunnel, reason, count } of totals.visitors)
		page.sample("sluice_tunnel_visitors_total", { tunnel, reason }, count);
	byKey(page, "sluice_tunnel_lines_recycled_total", "Lines that ended, by why.", "reason", totals.recycled);
	page.single("sluice_tunnel_logins_total", "counter", "Logins of agents that succeeded.", totals.logins);
	page.single(
		"sluice_tunnel_reconnects_total",
		"counter",
		"Of these, those of an agent that had been there before.",
		totals.reconnects,
	);
	byKey(
		page,
		"sluice_tunnel_refused_total",
		"Logins and tunnels that were refused, by the code that the agent was told.",
		"code",
		totals.refused,
	);
	scalar(
		page,
		gateway,
		"sluice_tunnel_strangers_total",
		"counter",
		"Connections to the agents' port that were none of an agent's.",
		"linesUnrecognized",
	);
}

function byKey(
	page: Page,
	name: string,
	help: string,
	label: string,
	counts: Readonly<Record<string, number>>,
): void {
	page.family(name, "counter", help);
	for (const [key, count] of Object.entries(counts)) page.sample(name, { [label]: key }, count);
}
