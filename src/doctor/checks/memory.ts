/** Memory of the machine and of the control group, and what sessions may have of it. */
import type { Asked } from "../asked.js";
import type { Facts } from "../facts.js";
import { numberOf } from "../facts.js";
import { bytes, type Finding, finding, inConfig, sysctl } from "../finding.js";

/** Two reactors were ready with 62 MB; what V8 compiles and collects under load comes to some more. */
export const PROCESS_BYTES = 128 * 1_048_576;

export function checkMemory(asked: Asked): Finding[] {
	return [ofLimit(asked), ...ofGroup(asked), ofSwap(asked)];
}

/** The machine's memory, or the control group's when that is less. */
export function memoryLimit({ memoryBytes, memoryGroup }: Facts): number {
	return Math.min(memoryBytes, memoryGroup?.limitBytes ?? Number.POSITIVE_INFINITY);
}

/** What sessions may hold: `limits.memory`, or a quarter. */
export function sessionMemoryLimit({ config, facts }: Asked): number {
	return config.limits.memoryBytes ?? Math.floor(memoryLimit(facts) / 4);
}

function ofLimit(asked: Asked): Finding {
	const { config, facts } = asked;
	const all = memoryLimit(facts);
	const limit = sessionMemoryLimit(asked);
	const whose =
		(facts.memoryGroup?.limitBytes ?? Number.POSITIVE_INFINITY) < facts.memoryBytes
			? "the control group"
			: "the machine";
	const left = facts.availableBytes === null ? "" : `, of which ${bytes(facts.availableBytes)} are available`;
	const says = config.limits.memoryBytes === null ? "a quarter of it" : "as limits.memory says";
	const found = `${whose} has ${bytes(all)}${whose === "the machine" ? left : ""}; sessions may hold ${bytes(limit)} (${says})`;
	const why =
		"from there on the sessions that have earned least are closed; without such a bound the kernel kills the whole process";
	if (limit + PROCESS_BYTES <= all) return finding("memory.limit", "fine", found, why);
	const room = Math.max(16, Math.floor((all - PROCESS_BYTES) / 2 / 1_048_576));
	return finding(
		"memory.limit",
		limit >= all ? "fails" : "advice",
		`${found}, and the process itself takes up to ${bytes(PROCESS_BYTES)}`,
		why,
		inConfig(config.file, `limits: { memory: ${room}MiB }`),
	);
}

function ofGroup({ facts }: Asked): Finding[] {
	const { memoryGroup } = facts;
	if (memoryGroup === null)
		return [
			finding(
				"cgroup.memory",
				"note",
				"no memory controller of control groups is to be seen",
				"nothing but the machine bounds the process",
			),
		];
	const { version, directory, limitBytes, highBytes, usedBytes } = memoryGroup;
	const where = `the control group (version ${version}, ${directory})`;
	const why = "the buffers of its sockets count in it as well; whoever is beyond it is killed";
	if (limitBytes === null) return [finding("cgroup.memory", "fine", `${where} has no limit of memory`, why)];
	const used =
		usedBytes === null ? "" : `, and ${bytes(usedBytes)} are in use, files that are kept in memory included`;
	const found = `${where} may have ${bytes(limitBytes)}${used}`;
	const findings = [finding("cgroup.memory", "fine", found, why)];
	if (limitBytes < 2 * PROCESS_BYTES)
		findings[0] = finding("cgroup.memory", limitBytes < PROCESS_BYTES ? "fails" : "advice", found, why, {
			now: `echo ${4 * PROCESS_BYTES} > ${directory}/${version === 2 ? "memory.max" : "memory.limit_in_bytes"}`,
			keep: {
				file: "/etc/systemd/system/sluice.service.d/limits.conf",
				text: `[Service]\nMemoryMax=${bytes(4 * PROCESS_BYTES).replace(" MiB", "M")}`,
			},
		});
	if (highBytes !== null)
		findings.push(
			finding(
				"cgroup.memory-high",
				"advice",
				`memory.high of the control group is ${bytes(highBytes)}`,
				"beyond it every thread of the gateway is made to wait, and all sessions with it; leave the bound to limits.memory and memory.max",
				{
					now: `echo max > ${directory}/memory.high`,
					keep: {
						file: "/etc/systemd/system/sluice.service.d/limits.conf",
						text: "[Service]\nMemoryHigh=infinity",
					},
				},
			),
		);
	return findings;
}

function ofSwap({ facts }: Asked): Finding {
	const why =
		"a page of the table that was swapped out stops its reactor, and all sessions of it, until the disk has brought it back";
	if (facts.swapBytes === 0) return finding("memory.swap", "fine", "there is no swap", why);
	const found = `${bytes(facts.swapBytes)} of swap, of which ${bytes(facts.swapUsedBytes)} are in use`;
	const swappiness = numberOf(facts, "vm.swappiness");
	if (facts.swapUsedBytes < facts.swapBytes / 10 && (swappiness ?? 60) <= 10)
		return finding("memory.swap", "fine", `${found}; vm.swappiness is ${swappiness}`, why);
	return finding(
		"memory.swap",
		"advice",
		`${found}; vm.swappiness is ${swappiness ?? "not known"}`,
		`${why}. MemorySwapMax=0 in the unit keeps the gateway out of it`,
		sysctl("vm.swappiness", 1),
	);
}
