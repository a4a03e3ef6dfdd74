/** What an agent counts, and how it is told (Prometheus). */
import { Page } from "../../parts/exposition.js";
import type { Reason } from "../../parts/reasons.js";
import { LINE_STATES, type LineState } from "./line-states.js";

/** Why a line was closed. */
export type LineClosing = "used" | "failed" | "parked";

export class Figures {
	reconnects = 0;
	linesOpened = 0;
	readonly linesClosed: Record<LineClosing, number> = { used: 0, failed: 0, parked: 0 };
	bytesFromVisitors = 0;
	bytesToVisitors = 0;
	localFailures = 0;
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
		const page = new Page();
		page.single("sluice_agent_connected", "gauge", "Whether the agent is logged in.", connected ? 1 : 0);
		page.single(
			"sluice_agent_reconnects_total",
			"counter",
			"Control connections that were lost or did not come to be.",
			this.reconnects,
		);
		page.family("sluice_agent_lines", "gauge", "Lines, by what they are at.");
		for (const state of LINE_STATES) page.sample("sluice_agent_lines", { state }, lines[state]);
		page.single("sluice_agent_lines_opened_total", "counter", "Lines that were parked.", this.linesOpened);
		page.family("sluice_agent_lines_closed_total", "counter", "Lines that ended, by what they were at.");
		for (const [state, count] of Object.entries(this.linesClosed))
			page.sample("sluice_agent_lines_closed_total", { state }, count);
		page.family("sluice_agent_visitors_total", "counter", "Visitors that have ended, by why.");
		for (const [tunnel, reasons] of this.#visitors)
			for (const [reason, count] of reasons)
				page.sample("sluice_agent_visitors_total", { tunnel, reason }, count);
		page.family("sluice_agent_bytes_total", "counter", "Bytes of visitors that have ended.");
		page.sample("sluice_agent_bytes_total", { direction: "from_visitors" }, this.bytesFromVisitors);
		page.sample("sluice_agent_bytes_total", { direction: "to_visitors" }, this.bytesToVisitors);
		page.single(
			"sluice_agent_local_failures_total",
			"counter",
			"Visitors for whom the local service could not be reached.",
			this.localFailures,
		);
		page.family(
			"sluice_agent_local_up",
			"gauge",
			"1: the check of the tunnel's local service finds it up; 0: down. Without a check, no sample.",
		);
		for (const [tunnel, isUp] of this.localUp) page.sample("sluice_agent_local_up", { tunnel }, isUp ? 1 : 0);
		page.family(
			"sluice_agent_local_checks_total",
			"counter",
			"Checks of local services, by what they found.",
		);
		for (const [tunnel, counts] of this.#localChecks)
			for (const [result, count] of Object.entries(counts))
				page.sample("sluice_agent_local_checks_total", { tunnel, result }, count);
		return page.toString();
	}
}
