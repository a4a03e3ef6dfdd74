/**
 * A link of the drill's own: a pair of virtual interfaces, one end here and one in a network namespace. Taking
 * it down is what happens when a cable is pulled: nobody is told.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { atEnd } from "../rig/processes.js";

export interface Link {
	/** Address of the end on this side. */
	readonly hostAddress: string;
	/** A command before another runs that inside. */
	readonly enter: readonly string[];
	/** Pulls the cable. */
	cut(): void;
	/** Removes namespace and interfaces. */
	remove(): void;
}

const PREFIX = "sluice-drill-";

/** Makes a link, or says why it cannot. */
export function makeLink(): Link | string {
	if (process.getuid?.() !== 0) return "a network namespace needs the rights of root";
	if (spawnSync("ip", ["-V"]).error !== undefined)
		return "a network namespace needs ip: apt-get install iproute2";
	removeStale();
	const namespace = `${PREFIX}${process.pid}`;
	const here = `sd${process.pid}h`;
	const there = `sd${process.pid}n`;
	// 198.18.0.0/15 is set aside for measuring (RFC 2544); a /30 of it by our pid keeps two drills apart.
	const base = `198.18.${(process.pid >> 6) & 0xff}.`;
	const first = (process.pid & 0x3f) * 4;
	const hostAddress = `${base}${first + 1}`;
	const remove = atEnd(() => {
		// With one end goes the other.
		ip("link", "del", here);
		ip("netns", "del", namespace);
	});
	const steps: readonly (readonly string[])[] = [
		["netns", "add", namespace],
		["link", "add", here, "type", "veth", "peer", "name", there, "netns", namespace],
		["addr", "add", `${hostAddress}/30`, "dev", here],
		["link", "set", here, "up"],
		["-n", namespace, "addr", "add", `${base}${first + 2}/30`, "dev", there],
		["-n", namespace, "link", "set", there, "up"],
	];
	for (const step of steps) {
		const problem = ip(...step);
		if (problem === null) continue;
		remove();
		return `ip ${step.join(" ")}: ${problem}`;
	}
	return {
		hostAddress,
		enter: ["ip", "netns", "exec", namespace],
		cut: () => {
			const problem = ip("-n", namespace, "link", "set", there, "down");
			if (problem !== null) throw new Error(`the link could not be taken down: ${problem}`);
		},
		remove,
	};
}

/** What a drill left that was killed: namespaces that carry the pid of nobody. Their interfaces go with them. */
function removeStale(): void {
	const listed = spawnSync("ip", ["netns", "list"], { encoding: "utf8" }).stdout ?? "";
	for (const [, pid] of listed.matchAll(/^sluice-drill-(\d+)\b/gm))
		if (pid !== undefined && !existsSync(`/proc/${pid}`)) ip("netns", "del", `${PREFIX}${pid}`);
}

/** `null`, or what went wrong. */
function ip(...args: readonly string[]): string | null {
	const { status, stderr, error } = spawnSync("ip", args, { encoding: "utf8" });
	if (error !== undefined) return error.message;
	return status === 0 ? null : stderr.trim() || `exit code ${status}`;
}
