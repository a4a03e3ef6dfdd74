/** Limits of the control groups that this process is in, of both versions. A limit may be any group's on the way to the root. */
import { dirname, join } from "node:path";
import type { MemoryGroup, PidsGroup } from "./facts.js";

/** The text of a file; empty where it cannot be read. */
export type ReadText = (path: string) => string;

/** Version 1 has this number, rounded to pages, where there is no limit. */
const NO_LIMIT_BYTES = 2 ** 62;

interface Group {
	readonly version: 1 | 2;
	/** The process's own first, then those around it. */
	readonly directories: readonly string[];
}

export function readMemoryGroup(read: ReadText): MemoryGroup | null {
	for (const group of groupsOf(read, "memory")) {
		const [limitFile, usedFile] =
			group.version === 2
				? (["memory.max", "memory.current"] as const)
				: (["memory.limit_in_bytes", "memory.usage_in_bytes"] as const);
		const own = group.directories.filter((directory) => read(join(directory, usedFile)) !== "");
		const lowest = lowestOf(own, (directory) => amountOf(read(join(directory, limitFile))));
		if (lowest === null) continue;
		return {
			version: group.version,
			directory: lowest.directory,
			limitBytes: lowest.amount,
			highBytes:
				group.version === 2
					? (lowestOf(own, (directory) => amountOf(read(join(directory, "memory.high"))))?.amount ?? null)
					: null,
			usedBytes: amountOf(read(join(lowest.directory, usedFile))),
		};
	}
	return null;
}

export function readPidsGroup(read: ReadText): PidsGroup | null {
	for (const { directories } of groupsOf(read, "pids")) {
		const own = directories.filter((directory) => read(join(directory, "pids.current")) !== "");
		const lowest = lowestOf(own, (directory) => amountOf(read(join(directory, "pids.max"))));
		if (lowest === null) continue;
		return {
			directory: lowest.directory,
			max: lowest.amount,
			used: amountOf(read(join(lowest.directory, "pids.current"))),
		};
	}
	return null;
}

/** The directory with the lowest limit; the first one where none has a limit; `null`: there is no directory. */
function lowestOf(
	directories: readonly string[],
	limitOf: (directory: string) => number | null,
): { readonly directory: string; readonly amount: number | null } | null {
	let lowest: { directory: string; amount: number | null } | null = null;
	for (const directory of directories) {
		const amount = limitOf(directory);
		if (lowest === null || (amount !== null && (lowest.amount === null || amount < lowest.amount)))
			lowest = { directory, amount };
	}
	return lowest;
}

function amountOf(text: string): number | null {
	const amount = text === "" || text === "max" ? Number.NaN : Number(text);
	return Number.isFinite(amount) && amount < NO_LIMIT_BYTES ? amount : null;
}

/** From the two files that say where a process is: cgroup(7), proc_pid_mountinfo(5). */
function groupsOf(read: ReadText, controller: string): Group[] {
	const memberships = read("/proc/self/cgroup");
	const groups: Group[] = [];
	for (const line of read("/proc/self/mountinfo").split("\n")) {
		// 36 35 98:0 /root /mount/point options [tags] - type source options
		const [front = "", back = ""] = line.split(" - ");
		const [, , , root = "/", mount = ""] = front.split(" ");
		const [type, , options = ""] = back.split(" ");
		if (type !== "cgroup2" && (type !== "cgroup" || !options.split(",").includes(controller))) continue;
		const membership =
			type === "cgroup2" ? /^0::(.*)$/m : new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(.*)$`, "m");
		const path = membership.exec(memberships)?.[1];
		if (path === undefined) continue;
		const below = root !== "/" && path.startsWith(root) ? path.slice(root.length) : path;
		groups.push({ version: type === "cgroup2" ? 2 : 1, directories: upwards(mount, join(mount, below)) });
	}
	return groups;
}

function upwards(mount: string, from: string): string[] {
	const directories: string[] = [];
	for (let directory = from.replace(/\/$/, ""); directory.startsWith(mount); directory = dirname(directory))
		directories.push(directory);
	return directories;
}
