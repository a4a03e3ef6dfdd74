/**
 * A link of the drill's own: a pair of virtual interfaces, one end here and one in a network namespace. Taking
 * it down is what happens when a cable is pulled: nobody is told.
 */
import { ip, makeNamespace } from "../rig/network-namespace.js";
import { atEnd } from "../rig/processes.js";

export interface Link {
	/** Address of the end on this side. */
	readonly hostAddress: string;
	/** Address of the end inside. */
	readonly address: string;
	/** A command before another runs that inside. */
	readonly enter: readonly string[];
	/** Pulls the cable. */
	cut(): void;
	/** Removes namespace and interfaces. */
	remove(): void;
}

/** Makes a link, or says why it cannot. */
export function makeLink(): Link | string {
	const namespace = makeNamespace("sluice-drill-");
	if (typeof namespace === "string") return namespace;
	const { name, enter } = namespace;
	const here = `sd${process.pid}h`;
	const there = `sd${process.pid}n`;
	// 198.18.0.0/15 is set aside for measuring (RFC 2544); a /30 of it by our pid keeps two drills apart.
	const base = `198.18.${(process.pid >> 6) & 0xff}.`;
	const first = (process.pid & 0x3f) * 4;
	const hostAddress = `${base}${first + 1}`;
	const address = `${base}${first + 2}`;
	const remove = atEnd(() => {
		// With one end goes the other.
		ip("link", "del", here);
		namespace.remove();
	});
	const steps: readonly (readonly string[])[] = [
		["link", "add", here, "type", "veth", "peer", "name", there, "netns", name],
		["addr", "add", `${hostAddress}/30`, "dev", here],
		["link", "set", here, "up"],
		["-n", name, "addr", "add", `${address}/30`, "dev", there],
		["-n", name, "link", "set", there, "up"],
	];
	for (const step of steps) {
		const problem = ip(...step);
		if (problem === null) continue;
		remove();
		return `ip ${step.join(" ")}: ${problem}`;
	}
	return {
		hostAddress,
		address,
		enter,
		cut: () => {
			const problem = ip("-n", name, "link", "set", there, "down");
			if (problem !== null) throw new Error(`the link could not be taken down: ${problem}`);
		},
		remove,
	};
}
