/** All checks, in the order of the report. */
import type { Asked } from "./asked.js";
import { checkAcceptQueues } from "./checks/accept-queues.js";
import { checkCertificates } from "./checks/certificates.js";
import { checkConntrack } from "./checks/conntrack.js";
import { checkDeadlines } from "./checks/deadlines.js";
import { checkDescriptors } from "./checks/descriptors.js";
import { checkHub } from "./checks/hub.js";
import { checkKeepalive } from "./checks/keepalive.js";
import { checkMemory } from "./checks/memory.js";
import { checkNames } from "./checks/names.js";
import { checkPorts } from "./checks/ports.js";
import { checkProcessLimits } from "./checks/process-limits.js";
import { checkSocketMemory } from "./checks/socket-memory.js";
import { checkSystem } from "./checks/system.js";
import { checkTunnels } from "./checks/tunnels.js";
import type { Finding, Level } from "./finding.js";

/** What is asked about one subject. */
export interface Area {
	readonly title: string;
	readonly findings: readonly Finding[];
}

const AREAS: readonly (readonly [title: string, check: (asked: Asked) => Finding[]])[] = [
	["system", checkSystem],
	["descriptors", checkDescriptors],
	["limits of the process", checkProcessLimits],
	["accept queues", checkAcceptQueues],
	["local ports", checkPorts],
	["memory", checkMemory],
	["memory of sockets", checkSocketMemory],
	["keepalive", checkKeepalive],
	["connection tracking", checkConntrack],
	["tunnels", checkTunnels],
	["hub", checkHub],
	["time-outs and configuration", checkDeadlines],
	["certificates", checkCertificates],
	["names", checkNames],
];

export function examine(asked: Asked): Area[] {
	return AREAS.map(([title, check]) => ({ title, findings: check(asked) })).filter(
		({ findings }) => findings.length > 0,
	);
}

/** Exit status: 2, something asked for will not work; 1, there is advice; 0 otherwise. */
export function statusOf(areas: readonly Area[]): 0 | 1 | 2 {
	const levels = new Set<Level>(areas.flatMap(({ findings }) => findings.map(({ level }) => level)));
	if (levels.has("fails")) return 2;
	return levels.has("advice") ? 1 : 0;
}
