/** What an agent counts, and how it is told (Prometheus). */
import { Page } from "../../parts/exposition.js";
import { counter, gauge } from "../../parts/families.js";
import type { Reason } from "../../parts/reasons.js";
import type { AgentDrop } from "./agent-drops.js";
import { LINE_STATES, type LineState } from "./line-states.js";

/** Families of an agent's metrics (`sluice tunnel --admin`). */
export const AGENT_FAMILIES = {
	sluice_agent_connected: gauge("Whether the agent is logged in."),
	sluice_agent_reconnects_total: counter("Control connections that were lost or did not come to be."),
	sluice_agent_lines: gauge("Lines, by what they are at.", ["state"]),
	sluice_agent_lines_opened_total: counter("Lines that were parked."),
	sluice_agent_lines_closed_total: counter("Lines that ended, by what they were at.", ["state"]),
	sluice_agent_visitors_total: counter("Visitors that have ended, by why.", ["tunnel", "reason"], {
		see: "reference/reasons.md",
	}),
	sluice_agent_bytes_total: counter("Bytes of visitors that have ended.", ["direction"], {
		more: "`direction` is `from_visitors` or `to_visitors`.",
	}),
	sluice_agent_local_failures_total: counter("Visitors for whom the local service could not be reached."),
	sluice_agent_datagrams_dropped_total: counter(
		"Datagrams that Node's streams did not pass on, by why; a reactor has sluice_datagrams_dropped_total.",
		["cause"],
	),
	sluice_agent_local_up: gauge(
		"1: the check of the tunnel's local service finds it up; 0: down. Without a check, no sample.",
		["tunnel"],
		{ see: "tunnels.md#a-service-that-is-down" },
	),
	sluice_agent_local_checks_total: counter("Checks of local services, by what they found.", [
		"tunnel",
		"result",
	]),
};

/** Why a line was closed. */
export type LineClosing = "used" | "failed" | "parked";

export class Figures {
	reconnects = 0;
	linesOpened = 0;
	readonly linesClosed: Record<LineClosing, number> = { used: 0, failed: 0, parked: 0 };
	bytesFromVisitors = 0;
	bytesToVisitors = 0;
	localFailures = 0;
	/** Datagrams that were not passed on. */
	readonly dropped: Record<AgentDrop, number> = { slow_line: 0, too_long: 0, send_buffer: 0 };
	/** What the checks of local services found last, by tunnel. */
	readonly localUp = new Map<string, boolean>();
	readonly #localChecks = new Map<string, { good: number; failed: number }>();
	readonly #visitors = new Map<string, Map<Reason, number>>();

	visitorEnded(tunnel: string, reason: Reason): void {
		const reasons = this.#visitors.get(tunnel) ?? new Map<Reason, number>();
		this.#visitors.set(tunnel, reasons);
		reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
	}

	localChecked(tunnel: string, isGood: boolean): void {
		const counts = this.#localChecks.get(tunnel) ?? { good: 0, failed: 0 };
		counts[isGood ? "good" : "failed"]++;
		this.#localChecks.set(tunnel, counts);
	}

	/** A tunnel that a reload took away has no figures any more. */
	forget(tunnel: string): void {
		this.#visitors.delete(tunnel);
		this.#localChecks.delete(tunnel);
	}

	page(connected: boolean, lines: Readonly<Record<LineState, number>>): string {
		const page = new Page(AGENT_FAMILIES);
		page.single("sluice_agent_connected", connected ? 1 : 0);
		page.single("sluice_agent_reconnects_total", this.reconnects);
		page.family("sluice_agent_lines");
		for (const state of LINE_STATES) page.sample("sluice_agent_lines", { state }, lines[state]);
		page.single("sluice_agent_lines_opened_total", this.linesOpened);
		page.family("sluice_agent_lines_closed_total");
		for (const [state, count] of Object.entries(this.linesClosed))
			page.sample("sluice_agent_lines_closed_total", { state }, count);
		page.family("sluice_agent_visitors_total");
		for (const [tunnel, reasons] of this.#visitors)
			for (const [reason, count] of reasons)
				page.sample("sluice_agent_visitors_total", { tunnel, reason }, count);
		page.family("sluice_agent_bytes_total");
		page.sample("sluice_agent_bytes_total", { direction: "from_visitors" }, this.bytesFromVisitors);
		page.sample("sluice_agent_bytes_total", { direction: "to_visitors" }, this.bytesToVisitors);
		page.single("sluice_agent_local_failures_total", this.localFailures);
		page.family("sluice_agent_datagrams_dropped_total");
		for (const [cause, count] of Object.entries(this.dropped))
			page.sample("sluice_agent_datagrams_dropped_total", { cause }, count);
		page.family("sluice_agent_local_up");
		for (const [tunnel, isUp] of this.localUp) page.sample("sluice_agent_local_up", { tunnel }, isUp ? 1 : 0);
		page.family("sluice_agent_local_checks_total");
		for (const [tunnel, counts] of this.#localChecks)
			for (const [result, count] of Object.entries(counts))
				page.sample("sluice_agent_local_checks_total", { tunnel, result }, count);
		return page.toString();
	}
}
