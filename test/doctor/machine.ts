/** A machine on which all is well, and others that differ from it. */
import assert from "node:assert/strict";
import { loadConfigText } from "../../src/config/load.js";
import { type Asked, asked } from "../../src/doctor/asked.js";
import { examine } from "../../src/doctor/examine.js";
import type { Facts, Limit } from "../../src/doctor/facts.js";
import type { Finding } from "../../src/doctor/finding.js";

const GIB = 1_073_741_824;
const NONE: Limit = { soft: Number.POSITIVE_INFINITY, hard: Number.POSITIVE_INFINITY };

export const GOOD: Facts = {
	nowMs: Date.UTC(2026, 10, 30),
	kernel: "6.1.0",
	node: "20.20.2",
	cores: 4,
	uid: 1_000,
	isNetworkAdmin: false,
	mayRaiseLimits: false,
	isContainer: false,
	noSystemCalls: null,
	limits: {
		"open files": { soft: 1_024, hard: 524_288 },
		processes: { soft: 63_000, hard: 63_000 },
		"locked memory": { soft: 8_388_608, hard: 8_388_608 },
		"stack size": { soft: 8_388_608, hard: Number.POSITIVE_INFINITY },
		"address space": NONE,
		"data size": NONE,
		"cpu time": NONE,
		"file size": NONE,
	},
	openDescriptors: 20,
	settings: {
		"fs.file-max": "9223372036854775807",
		"fs.file-nr": "2000 0 9223372036854775807",
		"fs.nr_open": "1048576",
		"fs.epoll.max_user_watches": "3600000",
		"fs.inotify.max_user_instances": "128",
		"kernel.io_uring_disabled": "0",
		"net.core.rmem_default": "212992",
		"net.core.rmem_max": "4194304",
		"net.core.somaxconn": "4096",
		"net.core.wmem_default": "212992",
		"net.core.wmem_max": "4194304",
		"net.ipv4.ip_local_port_range": "32768 60999",
		"net.ipv4.ip_local_reserved_ports": "",
		"net.ipv4.tcp_abort_on_overflow": "0",
		"net.ipv4.tcp_keepalive_intvl": "75",
		"net.ipv4.tcp_keepalive_probes": "9",
		"net.ipv4.tcp_keepalive_time": "7200",
		"net.ipv4.tcp_max_syn_backlog": "1024",
		"net.ipv4.tcp_mem": "2000000 3000000 4000000",
		"net.ipv4.tcp_retries2": "15",
		"net.ipv4.tcp_rmem": "4096 131072 6291456",
		"net.ipv4.tcp_syncookies": "1",
		"net.ipv4.tcp_tw_reuse": "1",
		"net.ipv4.tcp_wmem": "4096 16384 4194304",
		"net.ipv4.udp_mem": "200000 300000 400000",
		"net.ipv6.conf.all.disable_ipv6": "0",
		"vm.swappiness": "60",
	},
	unread: {},
	memoryBytes: 16 * GIB,
	availableBytes: 12 * GIB,
	swapBytes: 0,
	swapUsedBytes: 0,
	tcpBytes: 1_048_576,
	udpBytes: 0,
	tcpSockets: 40,
	timeWait: 3,
	memoryGroup: null,
	pidsGroup: null,
	ipv6: "global",
	names: [],
	namesLeftOut: 0,
	certificates: { problems: [], warnings: [], expiries: [] },
};

export const PLAIN = `
listeners: [{ listen: "0.0.0.0:443", routes: [{ to: a }] }]
upstreams: { a: 10.0.0.1:443 }
`;

export interface Case {
	/** How the machine differs. Settings that are `null` are not there. */
	readonly facts?: Partial<Facts>;
	readonly settings?: Readonly<Record<string, string | null>>;
	readonly limits?: Readonly<Record<string, Limit>>;
	readonly yaml?: string;
	readonly connections?: number;
}

export function askedOf({ facts, settings = {}, limits, yaml = PLAIN, connections }: Case): Asked {
	const all: Record<string, string> = { ...GOOD.settings };
	for (const [name, value] of Object.entries(settings))
		if (value === null) delete all[name];
		else all[name] = value;
	const machine = { ...GOOD, ...facts, settings: all, limits: { ...GOOD.limits, ...limits } };
	return asked(machine, loadConfigText(yaml, { env: {} }), connections ?? null);
}

export function findingsOf(given: Case): Finding[] {
	return examine(askedOf(given)).flatMap(({ findings }) => findings);
}

/** What there is to do: level, what was found, the command, and what keeps it, in one line each. */
export function toDo(given: Case): string[] {
	return findingsOf(given)
		.filter(({ level }) => level === "fails" || level === "advice")
		.map(lineOf);
}

export function lineOf({ id, level, found, now, keep }: Finding): string {
	const kept = keep === null ? "-" : `${keep.file}: ${keep.text.replaceAll("\n", " ")}`;
	return `${level} ${id} | ${found} | ${now ?? "-"} | ${kept}`;
}

/** The one finding with that id. */
export function one(given: Case, id: string): Finding {
	const found = findingsOf(given).filter((each) => each.id === id);
	assert.equal(found.length, 1, `${found.length} findings ${id}`);
	return found[0] as Finding;
}
