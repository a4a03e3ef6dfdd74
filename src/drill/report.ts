/** The report as text: what was done, what was seen in each phase, and the verdict line by line. */
import { formatBound, formatBytes, formatCount, formatMs, formatValue } from "./format.js";
import type { DrillResult, JudgementResult, PhaseResult, TargetResult } from "./result.js";
import { isCompared } from "./target.js";

export function toText(result: DrillResult): string {
	const { machine } = result;
	const parts = [
		`drill ${result.drill}: ${result.summary}`,
		`${LISTENERS[result.listener]}; ${formatCount(result.connections)} ${result.counted}, ${result.seconds} s; ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}, ${formatCount(machine.descriptors)} descriptors`,
		...warnings(result),
		...result.targets.map((target) => describeTarget(target, result)),
		...(result.targets.length > 1 ? [table(sideBySide(result.targets))] : []),
		...result.notRun.map((sentence) => `not run: ${sentence}`),
		verdictLine(result),
	];
	return `${parts.join("\n\n")}\n`;
}

const LISTENERS: Readonly<Record<DrillResult["listener"], string>> = {
	relay: "a listener that relays by name",
	http: "a listener that reads requests",
	tls: "a listener that terminates TLS and reads requests",
	agents: "the port of agents",
	udp: "a listener that takes datagrams",
	hub: "a listener that leads to the hub",
};

function warnings({ machine, targets }: DrillResult): string[] {
	const asked = Math.max(0, ...targets.map(({ backlog }) => backlog ?? 0));
	if (machine.somaxconn === null || machine.somaxconn >= asked) return [];
	return [
		`net.core.somaxconn is ${machine.somaxconn}, so the backlog of ${asked} is not what listeners get; more than ${machine.somaxconn} who come at once try again after a second`,
	];
}

function describeTarget(target: TargetResult, result: DrillResult): string {
	const lines = [
		`── ${target.target} ──`,
		table([
			["phase", "good client", "p50", "p99", "max", "descriptors", "memory", "accept queue", "TCP memory"],
			...target.phases.map(phaseRow),
		]),
		...target.phases.flatMap(failures),
		attackers(target, result),
	];
	lines.push(...target.attackers.faults.map((fault) => `fault: ${fault}`));
	const reasons = Object.entries(target.closedByReason).map(
		([reason, count]) => `${reason} ${formatCount(count)}`,
	);
	if (reasons.length > 0) lines.push(`sessions closed: ${reasons.join(", ")}`);
	const limit = target.measures["group.limitBytes"] ?? null;
	if (limit !== null)
		lines.push(
			`memory control group: at most ${formatBytes(target.measures["group.peakBytes"] ?? null)} of ${formatBytes(limit)} in use`,
		);
	lines.push(...target.errors.map((line) => `logged: ${line}`));
	if (target.lastWords !== null) lines.push(`it has ended; its last words:\n${target.lastWords}`);
	lines.push("", table(target.verdict.map(verdictRow)));
	return lines.join("\n");
}

function phaseRow(phase: PhaseResult): string[] {
	const { attempts, succeeded, latencyMs } = phase.client;
	return [
		phase.name,
		`${succeeded} of ${attempts}`,
		formatMs(latencyMs?.p50 ?? null),
		formatMs(latencyMs?.p99 ?? null),
		formatMs(latencyMs?.max ?? null),
		formatCount(phase.descriptorsMax),
		formatBytes(phase.residentBytesMax),
		formatCount(phase.acceptQueueMax),
		formatBytes(phase.tcpMemoryBytesMax),
	];
}

function failures({ name, client }: PhaseResult): string[] {
	const causes = Object.entries(client.failures).map(([cause, count]) => `${cause} ${count}`);
	return causes.length === 0 ? [] : [`failed in "${name}": ${causes.join(", ")}`];
}

function attackers({ attackers: report, deadlineMs }: TargetResult, { listener }: DrillResult): string {
	const ends = Object.entries(report.ends).map(([end, count]) => `${end} ${formatCount(count)}`);
	const overdue =
		report.overdueMs === null || deadlineMs === null
			? ""
			: `; against a deadline of ${formatMs(deadlineMs)}, closed at p50 ${signed(report.overdueMs.p50)}, p99 ${signed(report.overdueMs.p99)}, last ${signed(report.overdueMs.max)}`;
	const opened = formatCount(report.opened);
	// What is sent and forgotten is nowhere at once.
	const came =
		report.alivePeak === 0
			? `${opened} ${listener === "udp" ? "datagrams" : "SYNs"}`
			: `${opened} ${listener === "udp" ? "sessions" : "connections"}, ${formatCount(report.alivePeak)} at once`;
	return `attackers: ${came}; ${ends.join(", ") || "none ended"}${overdue}`;
}

function signed(ms: number): string {
	if (!Number.isFinite(ms)) return "never";
	return `${ms >= 0 ? "+" : ""}${formatMs(ms)}`;
}

function verdictRow({ title, unit, bound, value, held }: JudgementResult): string[] {
	return [mark(held), title, formatValue(value, unit), formatBound(bound, unit)];
}

function mark(held: boolean | null): string {
	if (held === null) return "not judged";
	return held ? "held" : "NOT HELD";
}

function sideBySide(targets: readonly TargetResult[]): string[][] {
	const [first] = targets;
	if (first === undefined) return [];
	return [
		["", ...targets.map(({ target }) => target)],
		...first.verdict.map(({ measure, title, unit }) => [
			title,
			...targets.map(({ verdict }) => {
				const other = verdict.find((each) => each.measure === measure);
				return `${formatValue(other?.value ?? null, unit)}${other?.held === false ? " (not held)" : ""}`;
			}),
		]),
	];
}

function verdictLine(result: DrillResult): string {
	const judged = result.targets.find(({ kind }) => !isCompared(kind));
	const failed = judged?.verdict.filter(({ held }) => held === false) ?? [];
	const what = `${judged?.target ?? "target"}: `;
	switch (result.outcome) {
		case "held":
			return `${what}all held`;
		case "not held":
			return `${what}NOT HELD (${failed.map(({ title }) => title).join("; ") || "nothing was judged"})`;
		case "too busy to judge":
			return `${what}no verdict. This machine is too busy to judge: ${judged?.noise ?? ""}. Run the drill again when it has less to do.`;
	}
}

/** Columns as wide as what stands in them. */
function table(rows: readonly (readonly string[])[]): string {
	const widths: number[] = [];
	for (const row of rows)
		for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
	return rows
		.map((row) =>
			row
				.map((cell, column) => cell.padEnd(widths[column] ?? 0))
				.join("  ")
				.trimEnd(),
		)
		.join("\n");
}
