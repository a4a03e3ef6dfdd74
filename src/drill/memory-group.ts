/**
 * A control group that bounds a target's memory, as a container's would: what is beyond it is killed. Version 1 of
 * control groups counts the process and the kernel's own structures; version 2 what sockets hold as well.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { atEnd } from "../rig/processes.js";

export interface MemoryGroup {
	readonly limitBytes: number;
	/** A command before another that runs inside. */
	readonly enter: readonly string[];
	read(): MemoryGroupFigures;
	/** Removes the group. Nobody must be left in it. */
	remove(): void;
}

export interface MemoryGroupFigures {
	readonly limitBytes: number;
	/** `null`: this kernel does not tell. */
	readonly peakBytes: number | null;
	readonly oomKills: number;
}

const PREFIX = "sluice-drill-";

/** The files of the two versions. */
const FILES = {
	cgroup: { limit: "memory.limit_in_bytes", peak: "memory.max_usage_in_bytes", kills: "memory.oom_control" },
	cgroup2: { limit: "memory.max", peak: "memory.peak", kills: "memory.events" },
} as const;

type Version = keyof typeof FILES;

/** A directory in which a group may be made. */
interface Place {
	readonly version: Version;
	readonly directory: string;
}

/** Makes a group with that limit, or says why it cannot. */
export function makeMemoryGroup(limitBytes: number): MemoryGroup | string {
	const places = placesFor(
		readFileSync("/proc/self/cgroup", "utf8"),
		readFileSync("/proc/self/mountinfo", "utf8"),
	);
	let problem = "no memory controller of control groups is mounted";
	for (const place of places) {
		removeStale(place.directory);
		const made = makeIn(place, limitBytes);
		if (typeof made !== "string") return made;
		problem = made;
	}
	return problem;
}

/**
 * Where groups of this process may be made, from the two files that say where it is. Within its own; of version 2, in
 * which a group that has processes has no groups with limits, beside it.
 */
export function placesFor(ownGroups: string, mounts: string): Place[] {
	const places: Place[] = [];
	for (const line of mounts.split("\n")) {
		// 36 35 98:0 /root /mount/point options [tags] - type source options (proc_pid_mountinfo(5))
		const [front = "", back = ""] = line.split(" - ");
		const [, , , root = "/", directory = ""] = front.split(" ");
		const [type, , options = ""] = back.split(" ");
		if (type !== "cgroup2" && (type !== "cgroup" || !options.split(",").includes("memory"))) continue;
		const own = type === "cgroup2" ? /^0::(.*)$/m : /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m;
		const path = own.exec(ownGroups)?.[1];
		if (path === undefined) continue;
		const below = (root !== "/" && path.startsWith(root) ? path.slice(root.length) : path).replace(/\/$/, "");
		const home = join(directory, below);
		places.push({ version: type, directory: home });
		if (type === "cgroup2" && below !== "") places.push({ version: type, directory: dirname(home) });
	}
	return places;
}

function makeIn({ version, directory }: Place, limitBytes: number): MemoryGroup | string {
	const group = join(directory, `${PREFIX}${process.pid}`);
	const { limit, peak, kills } = FILES[version];
	try {
		mkdirSync(group);
	} catch (error) {
		return (error as Error).message;
	}
	const remove = atEnd(() => {
		try {
			rmdirSync(group);
		} catch {
			// Whoever was killed in it is there until init has noticed; the next drill removes it.
		}
	});
	try {
		// A directory may be made where the controller is not given on; then it has no such file.
		if (!existsSync(join(group, limit)))
			throw new Error(`${directory} gives no memory controller on to its groups`);
		writeFileSync(join(group, limit), String(limitBytes));
	} catch (error) {
		remove();
		return (error as Error).message;
	}
	return {
		limitBytes,
		enter: ["sh", "-c", `echo $$ > '${join(group, "cgroup.procs")}' && exec "$@"`, "-"],
		read: () => ({
			limitBytes,
			peakBytes: existsSync(join(group, peak)) ? Number(readFileSync(join(group, peak), "utf8")) : null,
			oomKills: Number(/^oom_kill (\d+)$/m.exec(readFileSync(join(group, kills), "utf8"))?.[1] ?? 0),
		}),
		remove,
	};
}

/** What a drill left that was killed: groups that carry the pid of nobody. */
function removeStale(directory: string): void {
	let names: string[];
	try {
		names = readdirSync(directory);
	} catch {
		return; // not ours to see
	}
	for (const name of names) {
		const pid = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : "";
		if (!/^\d+$/.test(pid) || existsSync(`/proc/${pid}`)) continue;
		try {
			rmdirSync(join(directory, name));
		} catch {
			// Somebody is still in it.
		}
	}
}
