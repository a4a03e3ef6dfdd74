/** What else of /proc/self/limits matters to the gateway, and the control group's limit of threads. */
import { tableRows } from "../../reactor/rows.js";
import type { Asked } from "../asked.js";
import { bytes, count, type Finding, finding, limit, type Mend, unknown } from "../finding.js";
import { rowBytesReserved } from "../row-bytes.js";
import { sessionsByDescriptors } from "./descriptors.js";

/** Node's own: the main thread, four for V8, four for files, one for signals, and one to spare. */
const THREADS = 11;

/** Node 20 reserves so much before a row of the table is made: 1 GiB was too little for a start, 1.85 GiB was in use with two reactors. */
const ADDRESS_SPACE_BYTES = 2 * 1_073_741_824;

/** Of this some is written: 275 MB were counted with two reactors, and 256 MiB were too little for a start. */
const DATA_BYTES = 300 * 1_048_576;

/** V8 takes nearly 1 MiB of the main thread's stack, and dies where there is less. */
const STACK_BYTES = 1_048_576;

const LIMITS = "/proc/self/limits";

export function checkProcessLimits(asked: Asked): Finding[] {
	if (asked.facts.limits["open files"] === undefined)
		return [unknown(asked.facts, "process.limits", LIMITS, "limits of the process bound all that it does")];
	const findings = [
		...ofThreads(asked),
		...ofMemory(asked, "process.address-space", "address space", ADDRESS_SPACE_BYTES, "as", "LimitAS"),
		...ofMemory(asked, "process.data", "data size", DATA_BYTES, "data", "LimitDATA"),
		...ofStack(asked),
		...ofTime(asked),
		...ofFileSize(asked),
	];
	const fine = finding(
		"process.limits",
		"fine",
		"of the other limits in /proc/self/limits none is in the way",
		"core files, file locks, pending signals, message queues and priorities are not used; Linux ignores the limit of resident memory",
	);
	return [...(findings.length === 0 ? [fine] : findings), lockedMemory(asked), ...ofPids(asked)];
}

/** Threads of a gateway. */
export function threadsOf({ reactors }: Asked): number {
	return THREADS + reactors;
}

function ofThreads(asked: Asked): Finding[] {
	const { facts } = asked;
	const soft = facts.limits["processes"]?.soft ?? Number.POSITIVE_INFINITY;
	const needed = threadsOf(asked);
	// Root is never held to it.
	if (facts.uid === 0 || soft >= 4 * needed) return [];
	return [
		finding(
			"process.threads",
			soft < needed ? "fails" : "advice",
			`this user may have ${count(soft)} processes and threads, all programs together, and the gateway alone has ${needed} threads`,
			"a thread that cannot be started keeps the gateway from starting",
			limit("nproc", "LimitNPROC", 4_096),
		),
	];
}

function ofMemory(
	asked: Asked,
	id: string,
	name: string,
	base: number,
	option: string,
	directive: string,
): Finding[] {
	const soft = asked.facts.limits[name]?.soft ?? Number.POSITIVE_INFINITY;
	if (soft === Number.POSITIVE_INFINITY) return [];
	const sessions = asked.connections ?? sessionsByDescriptors(asked);
	const needed = base + asked.reactors * tableRows(sessions) * rowBytesReserved();
	const found = `the limit of ${name === "data size" ? "data" : name} is ${bytes(soft)}, and the gateway needs about ${bytes(needed)}`;
	const why =
		"most of it is only reserved: tables for all sessions that there may be, and what Node sets aside; limit memory by the control group instead (MemoryMax=)";
	const mend: Mend = limit(option, directive, "unlimited");
	return [finding(id, soft < needed ? "fails" : "advice", found, why, mend)];
}

function ofStack({ facts }: Asked): Finding[] {
	const soft = facts.limits["stack size"]?.soft ?? Number.POSITIVE_INFINITY;
	if (soft >= STACK_BYTES) return [];
	return [
		finding(
			"process.stack",
			"fails",
			`the stack may have ${bytes(soft)}`,
			"V8 takes nearly 1 MiB of it, and the process dies where it is not there",
			limit("stack", "LimitSTACK", 8_388_608),
		),
	];
}

function ofTime({ facts }: Asked): Finding[] {
	const soft = facts.limits["cpu time"]?.soft ?? Number.POSITIVE_INFINITY;
	if (soft === Number.POSITIVE_INFINITY) return [];
	return [
		finding(
			"process.cpu-time",
			"fails",
			`the process may use ${count(soft)} s of processor time`,
			"the kernel kills it then (SIGXCPU), with all its sessions",
			limit("cpu", "LimitCPU", "unlimited"),
		),
	];
}

function ofFileSize({ facts }: Asked): Finding[] {
	const soft = facts.limits["file size"]?.soft ?? Number.POSITIVE_INFINITY;
	if (soft === Number.POSITIVE_INFINITY) return [];
	return [
		finding(
			"process.file-size",
			"advice",
			`a file may have ${bytes(soft)}`,
			"where the log is a file, its lines are lost from there on; a pipe or the journal is not held to it",
			limit("fsize", "LimitFSIZE", "unlimited"),
		),
	];
}

function lockedMemory({ facts }: Asked): Finding {
	const soft = facts.limits["locked memory"]?.soft ?? Number.POSITIVE_INFINITY;
	return finding(
		"process.locked-memory",
		"note",
		`${soft === Number.POSITIVE_INFINITY ? "memory may be locked without limit" : `${bytes(soft)} of memory may be locked`}`,
		"the gateway locks none",
	);
}

function ofPids(asked: Asked): Finding[] {
	const { pidsGroup } = asked.facts;
	if (pidsGroup === null || pidsGroup.max === null) return [];
	const { max, used, directory } = pidsGroup;
	const needed = threadsOf(asked);
	const left = max - (used ?? 0);
	const found = `the control group may have ${count(max)} processes and threads, of which ${used === null ? "an unknown number" : count(used)} are there (${directory}); the gateway has ${needed}`;
	const why = "a thread that cannot be started keeps the gateway from starting";
	if (left >= 2 * needed) return [finding("cgroup.pids", "fine", found, why)];
	return [
		finding("cgroup.pids", left < needed ? "fails" : "advice", found, why, {
			now: `echo ${max + 4 * needed} > ${directory}/pids.max`,
			keep: {
				file: "/etc/systemd/system/sluice.service.d/limits.conf",
				text: `[Service]\nTasksMax=${max + 4 * needed}`,
			},
		}),
	];
}
