/** Settings of the kernel that a drill changes in the network namespace that it has made (own-namespace.ts), and nowhere else. */
import { readlinkSync, writeFileSync } from "node:fs";
import { waysOut } from "../kernel/raw-socket.js";
import { ip } from "../rig/network-namespace.js";

/** Names the namespace that was left. */
const MARK = "SLUICE_DRILL_LEFT_NAMESPACE";

export function markInside(): void {
	process.env[MARK] = readlinkSync("/proc/self/ns/net");
}

/** This process, or the one that started it, has left a namespace for one of its own. */
export function isInside(): boolean {
	const left = process.env[MARK];
	return left !== undefined && left !== readlinkSync("/proc/self/ns/net");
}

export function setSysctl(path: string, value: number): void {
	if (!isInside() || waysOut().length > 0)
		throw new Error(`${path} is the machine's, and no drill's to change`);
	writeFileSync(`/proc/sys/${path}`, String(value));
}

/** Answers to these addresses go nowhere: they are dropped on loopback, where nobody has them. */
export function swallow(net: string): void {
	for (const device of ["all", "lo"]) setSysctl(`net/ipv4/conf/${device}/rp_filter`, 0);
	const problem = ip("route", "replace", net, "dev", "lo");
	if (problem !== null) throw new Error(`ip route replace ${net} dev lo: ${problem}`);
}
