/** Network namespaces of the running program: what happens in one is nobody else's. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { atEnd } from "./processes.js";

export interface NetworkNamespace {
	readonly name: string;
	/** A command before another runs that inside. */
	readonly enter: readonly string[];
	/** With it go the interfaces that are inside. It goes at the end, otherwise. */
	remove(): void;
}

/** Makes one whose name is `prefix` and our pid, or says why it cannot. */
export function makeNamespace(prefix: string): NetworkNamespace | string {
	if (process.getuid?.() !== 0) return "a network namespace needs the rights of root";
	if (spawnSync("ip", ["-V"]).error !== undefined)
		return "a network namespace needs ip: apt-get install iproute2";
	removeStale(prefix);
	const name = `${prefix}${process.pid}`;
	const remove = atEnd(() => {
		ip("netns", "del", name);
	});
	const problem = ip("netns", "add", name);
	if (problem === null) return { name, enter: ["ip", "netns", "exec", name], remove };
	remove();
	return `ip netns add ${name}: ${problem}`;
}

/** What somebody left who was killed: namespaces that carry the pid of nobody. */
function removeStale(prefix: string): void {
	const listed = spawnSync("ip", ["netns", "list"], { encoding: "utf8" }).stdout ?? "";
	for (const name of listed.split(/\s/)) {
		const pid = name.startsWith(prefix) ? name.slice(prefix.length) : "";
		if (/^\d+$/.test(pid) && !existsSync(`/proc/${pid}`)) ip("netns", "del", name);
	}
}

/** `null`, or what went wrong. */
export function ip(...args: readonly string[]): string | null {
	const { status, stderr, error } = spawnSync("ip", args, { encoding: "utf8" });
	if (error !== undefined) return error.message;
	return status === 0 ? null : stderr.trim() || `exit code ${status}`;
}
