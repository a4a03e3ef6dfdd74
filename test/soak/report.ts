/** What a soak came to, as a table for people. */
import type { End, SoakFigures } from "./tunnels.js";

export function soakTable(figures: SoakFigures): string {
	const { users, seconds, reconnects, messages, lost, agentReconnects } = figures;
	const minutes = seconds / 60;
	const rows: [string, string][] = [
		["Active connections", `${users} WebSocket users for ${duration(seconds)}, through one tunnel`],
		["Reconnection rate", `${rounded(reconnects / users)} per user (${reconnects} in all)`],
		["Total reconnections", `${rounded(reconnects / minutes)}/min; of the agent: ${agentReconnects}`],
		["Messages", `${messages.toLocaleString("en")}, each echoed; lost: ${lost}`],
		...ends("gateway", figures.gateway, users),
		...ends("agent", figures.agent, users),
	];
	const width = Math.max(...rows.map(([name]) => name.length)) + 1;
	return rows.map(([name, text]) => `${`${name}:`.padEnd(width)} ${text}\n`).join("");
}

function ends(name: string, { before, thirds, cpu, descriptors }: End, users: number): [string, string][] {
	const perUser = Math.max(0, thirds[2] - before) / users / 1024;
	return [
		[
			`Memory, ${name}`,
			`${mib(before)} before, ${thirds.map(mib).join(" → ")} in the thirds of the time; ${users} × ${Math.round(perUser)} KiB`,
		],
		[`Descriptors, ${name}`, `${descriptors[0]} → ${descriptors[1]}`],
		[`CPU, ${name}`, `${(cpu * 100).toFixed(1)} % of a core`],
	];
}

function duration(seconds: number): string {
	return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}

function rounded(value: number): string {
	return Number(value.toFixed(2)).toString();
}

function mib(bytes: number): string {
	return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
