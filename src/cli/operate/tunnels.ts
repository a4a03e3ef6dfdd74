/** `sluice tunnels`: agents that are logged in, and what they have opened. */
import type { TunnelsStatus } from "../../admin/tunnel-view.js";
import { AdminClient } from "./client.js";
import type { Where } from "./operate-error.js";
import { json, table } from "./table.js";

export async function tunnels(options: Where): Promise<string> {
	const value = await new AdminClient(options).get<TunnelsStatus>("/api/tunnels");
	return options.json === true ? json(value) : tunnelsText(value);
}

export function tunnelsText({ agents, tunnels }: TunnelsStatus): string {
	return [
		table(
			["AGENT", "ADDRESS", "PROGRAM", "SINCE", "RTT"],
			agents.map(({ id, address, program, since, rtt_ms: rtt }) => [
				...[id, address, program, since, rtt === null ? "-" : `${rtt.toFixed(1)}ms`],
			]),
		),
		table(
			["TUNNEL", "KIND", "AGENT", "STATE", "PARKED", "USED", "FAILED", "USERS", "ADDRESSES"],
			tunnels.map(({ name, kind, agent, state, why, users, addresses, lines }) => [
				...[
					name,
					kind,
					agent,
					why === null ? state : `${state}: ${why}`,
					`${lines.parked} of ${lines.depth}`,
				],
				...[String(lines.used), String(lines.failed), users?.join(",") ?? "all", addresses.join(", ") || "-"],
			]),
		),
	].join("\n");
}
