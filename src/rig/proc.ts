/** What /proc says about processes: family, CPU, memory, descriptors. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";

/** USER_HZ, the unit of times in /proc/PID/stat: 100 on every Linux port that Node runs on. */
const TICK_NS = 1e9 / 100;

/** A process and all its descendants, as far as they are alive. */
export function family(pid: number): number[] {
	const children = new Map<number, number[]>();
	for (const name of readdirSync("/proc")) {
		if (!/^\d+$/.test(name)) continue;
		const parent = statField(Number(name), STAT_PARENT);
		if (parent === null) continue;
		const siblings = children.get(parent);
		if (siblings === undefined) children.set(parent, [Number(name)]);
		else siblings.push(Number(name));
	}
	const all = [pid];
	// Grows while it is walked: each member brings its children.
	for (const member of all) all.push(...(children.get(member) ?? []));
	return all;
}

export interface CpuReading {
	/** utime + stime of all threads, ended ones included: 10 ms steps. */
	readonly statNs: number;
	/** The scheduler's own count, all living threads: nanoseconds. `null` where the kernel keeps none. */
	readonly schedstatNs: number | null;
}

/** CPU that these processes have used so far. */
export function readCpu(pids: readonly number[]): CpuReading {
	let statNs = 0;
	let schedstatNs = 0;
	for (const pid of pids) {
		statNs += ((statField(pid, STAT_UTIME) ?? 0) + (statField(pid, STAT_STIME) ?? 0)) * TICK_NS;
		if (HAS_SCHEDSTAT) schedstatNs += schedstat(pid);
	}
	return { statNs, schedstatNs: HAS_SCHEDSTAT ? schedstatNs : null };
}

/** CPU of a process and of all its descendants that have ended. Each counts from when its parent has noticed its end. */
export function cpuWithEndedNs(pid: number): number {
	const fields = [STAT_UTIME, STAT_STIME, STAT_CHILDREN_UTIME, STAT_CHILDREN_STIME];
	return fields.reduce((sum, field) => sum + (statField(pid, field) ?? 0), 0) * TICK_NS;
}

/** Time of all cores of this machine since it started, in ticks. */
export interface MachineCpu {
	/** Programs ran that do not make way for others. */
	readonly busy: number;
	readonly all: number;
}

/** Programs of lower priority (nice) make way, so theirs counts as idle. */
export function readMachineCpu(): MachineCpu {
	// cpu user nice system idle iowait irq softirq steal …: proc_stat(5)
	const [, user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] =
		readFileSync("/proc/stat", "utf8")
			.split("\n", 1)
			.flatMap((line) => line.split(/\s+/).map(Number));
	const busy = user + system + irq + softirq + steal;
	return { busy, all: busy + nice + idle + iowait };
}

/** Where `cpuNs` comes from, for the report. */
export const HAS_SCHEDSTAT =
	existsSync("/proc/self/schedstat") && !/^0 /.test(readFileSync("/proc/self/schedstat", "utf8"));

/** CPU used between two readings, by the finer of the two clocks. */
export function cpuNs(before: CpuReading, after: CpuReading): number {
	if (before.schedstatNs !== null && after.schedstatNs !== null)
		return after.schedstatNs - before.schedstatNs;
	return after.statNs - before.statNs;
}

export interface Memory {
	/** Proportional set size: shared pages count in parts. */
	readonly pssBytes: number;
	/** Pages that belong to no file, so that their count is not changed by anybody else who starts or ends the same program. */
	readonly anonymousBytes: number;
}

export function readMemory(pids: readonly number[]): Memory {
	let pssBytes = 0;
	let anonymousBytes = 0;
	for (const pid of pids) {
		const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
		pssBytes += kilobytes(text, "Pss");
		anonymousBytes += kilobytes(text, "Anonymous");
	}
	return { pssBytes, anonymousBytes };
}

/** Open descriptors of all these processes. */
export function countDescriptors(pids: readonly number[]): number {
	return pids.reduce((sum, pid) => sum + descriptorsOf(pid), 0);
}

function descriptorsOf(pid: number): number {
	// Since Linux 6.2 the directory's size is their number: no list of 20,000 names four times a second.
	const { size } = statSync(`/proc/${pid}/fd`);
	return size > 0 ? size : readdirSync(`/proc/${pid}/fd`).length;
}

/** Resident memory of a process, file-backed pages included; 0 when it has ended. */
export function residentBytes(pid: number): number {
	const found = /^VmRSS:\s+(\d+) kB$/m.exec(readOrNull(`/proc/${pid}/status`) ?? "");
	return Number(found?.[1] ?? 0) * 1024;
}

/** It exists, and is not merely waiting for its parent to notice that it has ended. */
export function isAlive(pid: number): boolean {
	const text = readOrNull(`/proc/${pid}/stat`);
	return text !== null && !/^[ZX]/.test(text.slice(text.lastIndexOf(")") + 2));
}

function kilobytes(text: string, field: string): number {
	const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(text);
	if (found?.[1] === undefined) throw new Error(`smaps_rollup has no ${field}`);
	return Number(found[1]) * 1024;
}

/** Fields of /proc/PID/stat after the name, see proc_pid_stat(5): its numbers minus 3. */
const STAT_PARENT = 1;
const STAT_UTIME = 11;
const STAT_STIME = 12;
const STAT_CHILDREN_UTIME = 13;
const STAT_CHILDREN_STIME = 14;

/** `null`: the process has ended. */
function statField(pid: number, field: number): number | null {
	const text = readOrNull(`/proc/${pid}/stat`);
	if (text === null) return null;
	// The name stands in parentheses and may contain anything, also parentheses.
	const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
	return Number(fields[field]);
}

/** Nanoseconds on a CPU, all threads. /proc/PID/schedstat alone would be the main thread's. */
function schedstat(pid: number): number {
	let sum = 0;
	for (const task of tasksOf(pid)) {
		const text = readOrNull(`/proc/${pid}/task/${task}/schedstat`);
		if (text !== null) sum += Number(text.split(" ")[0]);
	}
	return sum;
}

/** Its threads; none when it has ended, which it may do between two looks. */
function tasksOf(pid: number): string[] {
	try {
		return readdirSync(`/proc/${pid}/task`);
	} catch {
		return [];
	}
}

function readOrNull(path: string): string | null {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return null;
	}
}
