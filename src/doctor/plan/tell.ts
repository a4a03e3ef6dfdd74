/** The plan in words, behind what was found. */
import { bytes, count, type Finding, finding, plural } from "../finding.js";
import { chart } from "./chart.js";
import type { Plan, Resource } from "./plan.js";

export function planText(plan: Plan): string[] {
	const { connections, first } = plan;
	const bars = plan.resources.map((resource) => ({
		name: resource.name,
		value: resource.givesOutAt,
		remark: remarkOf(resource, plan),
		isLight: !resource.isBound,
	}));
	const answer =
		first === null
			? "nothing that was read bounds them"
			: first.at < connections
				? `${nameOf(first.id, plan)} gives out first, at ${count(first.at)}`
				: `there is room; ${nameOf(first.id, plan)} gives out first, at ${count(first.at)}`;
	return [
		`plan for ${plural(connections, "session")}: ${answer}`,
		"",
		...chart(bars, connections).map((line) => `  ${line}`),
		"",
		...table(plan.resources).map((line) => `  ${line}`),
		"",
		...ofSession(plan).map((line) => `  ${line}`),
		...ofKinds(plan).map((line) => `  ${line}`),
		...ofRates(plan).map((line) => `  ${line}`),
	];
}

/** Memory is all that no check of the machine has looked at for this number. */
export function planFindings(plan: Plan): Finding[] {
	const memory = plan.resources.find(({ id }) => id === "memory-idle");
	if (memory?.givesOutAt == null || memory.givesOutAt >= plan.connections) return [];
	return [
		finding(
			"plan.memory",
			"fails",
			`${plural(plan.connections, "idle session")} need ${bytes(memory.needs ?? 0)}, and ${bytes(memory.has ?? 0)} are left for them`,
			"the kernel's part of it cannot be swapped; where memory runs out, it kills the process",
			{
				now: null,
				keep: { file: "the machine, or MemoryMax= of the unit", text: `${bytes(plan.idleBytes)} at least` },
			},
		),
	];
}

function nameOf(id: string, { resources }: Plan): string {
	return resources.find((each) => each.id === id)?.name ?? id;
}

function remarkOf({ id, givesOutAt, isBound }: Resource, { first, connections }: Plan): string {
	if (id === first?.id) return "◄ first";
	return !isBound && givesOutAt !== null && givesOutAt < connections ? "at once" : "";
}

function table(resources: readonly Resource[]): string[] {
	const rows = resources.map(({ name, needs, has, unit }) => [name, amount(needs, unit), amount(has, unit)]);
	return aligned([["", "needs", "has"], ...rows]);
}

/** The first column on the left, the others on the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
	const widths = (rows[0] ?? []).map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
	return rows.map((row) =>
		row
			.map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
			.join("  ")
			.trimEnd(),
	);
}

/** Where there is more than sessions of TCP. */
function ofKinds(plan: Plan): string[] {
	const used = plan.kinds.filter(({ isUsed }) => isUsed);
	if (used.every(({ id }) => id === "session")) return [];
	const rows = used.map(({ name, descriptors, kernelIdle, kernelBusy, user, first }) => [
		name,
		count(descriptors),
		bytes(kernelIdle),
		bytes(kernelBusy),
		bytes(user),
		first === null ? "any number" : count(first.at),
		first === null ? "" : nameOf(first.id, plan),
	]);
	const heads = ["one alone", "descriptors", "kernel, idle", "buffers full", "process", "at most", ""];
	return ["", ...aligned([heads, ...rows]).map((line) => line.trimEnd()), ""];
}

function amount(value: number | null, unit: Resource["unit"]): string {
	if (value === null) return "any number";
	return unit === "bytes" ? bytes(value) : count(value);
}

function ofSession({ perSession, measured, idleBytes, connections }: Plan): string[] {
	const { kernelIdle, kernelBusy, kernelMost, user, isAssumed } = perSession;
	const how = isAssumed
		? `assumed${measured.unmeasured === null ? "" : `: ${measured.unmeasured}`}`
		: `measured here: ${bytes(measured.socketBytes ?? 0)} for each of ${count(measured.sockets)} sockets`;
	return [
		`one session idle: ${bytes(kernelIdle)} of the kernel (${how}) and ${bytes(user)} of the process`,
		`its buffers full: ${bytes(kernelBusy)} as they begin, ${bytes(kernelMost)} as they may grow; where more are full than the light bars show, the kernel drops segments, or sessions end as memory_pressure`,
		`all ${count(connections)} idle, and the process: ${bytes(idleBytes)}`,
	];
}

function ofRates({ rates, measured, connections }: Plan): string[] {
	const { acceptsPerSecond, sessionsPerSecond, sessionsSeconds } = rates;
	const { handshakesPerSecond, key, handshakesSeconds, queue } = rates;
	const lines: string[] = [];
	if (acceptsPerSecond !== null && sessionsPerSecond !== null)
		lines.push(
			`new sessions: about ${count(sessionsPerSecond)} a second (${count(acceptsPerSecond)} accepts without a byte); all ${count(connections)} in ${sessionsSeconds} s`,
		);
	if (handshakesPerSecond !== null)
		lines.push(
			`TLS handshakes: ${count(handshakesPerSecond)} a second at most (${key}, not resumed); all ${count(connections)} in ${handshakesSeconds} s`,
		);
	if (lines.length === 0) return [`rates are not known: ${measured.unmeasured ?? "nothing was measured"}`];
	if (queue > 0)
		lines.push(
			queue < connections
				? `where all come at once, ${count(queue)} can wait to be accepted, and the others try again a second later`
				: `where all come at once, all ${count(connections)} can wait to be accepted`,
		);
	return lines;
}
