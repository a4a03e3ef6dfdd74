/** Reads the facts of this machine. Whatever cannot be read is noted, and stops nothing: anybody may ask. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { availableParallelism, release, totalmem } from "node:os";
import type { Config } from "../config/config.js";
import { CertificateError, loadCertificates } from "../gateway/certificates.js";
import { StartError } from "../gateway/errors.js";
import { whyNoSystemCalls } from "../kernel/koffi.js";
import { SystemNames } from "../upstream/system-names.js";
import { readMemoryGroup, readPidsGroup } from "./cgroups.js";
import { type CertificateFacts, type Facts, type Limit, type NameFact, PAGE_BYTES } from "./facts.js";

/** All that any check looks at. */
const SETTINGS = [
	"fs.file-max",
	"fs.file-nr",
	"fs.nr_open",
	"fs.epoll.max_user_watches",
	"fs.inotify.max_user_instances",
	"kernel.io_uring_disabled",
	"net.core.rmem_default",
	"net.core.rmem_max",
	"net.core.somaxconn",
	"net.core.wmem_default",
	"net.core.wmem_max",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.ip_local_reserved_ports",
	"net.ipv4.tcp_abort_on_overflow",
	"net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_max_syn_backlog",
	"net.ipv4.tcp_mem",
	"net.ipv4.tcp_retries2",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_syncookies",
	"net.ipv4.tcp_tw_reuse",
	"net.ipv4.tcp_wmem",
	"net.ipv4.udp_mem",
	"net.ipv6.conf.all.disable_ipv6",
	"net.netfilter.nf_conntrack_count",
	"net.netfilter.nf_conntrack_max",
	"net.netfilter.nf_conntrack_tcp_timeout_established",
	"net.netfilter.nf_conntrack_udp_timeout_stream",
	"vm.swappiness",
] as const;

/** A name has so long; all are asked at once. */
const NAME_MS = 3_000;
const NAMES_MAX = 100;

const CAP_NET_ADMIN = 12n;
const CAP_SYS_RESOURCE = 24n;

/** Reads all of it. Takes as long as the slowest name of the configuration, three seconds at most. */
export async function readFacts(config: Config | null): Promise<Facts> {
	const unread: Record<string, string> = {};
	const read = (path: string, name = path): string => {
		try {
			return readFileSync(path, "latin1").trim();
		} catch (error) {
			const code = (error as NodeJS.ErrnoException).code ?? String(error);
			if (code !== "ENOENT") unread[name] = code;
			return "";
		}
	};
	const settings: Record<string, string> = {};
	for (const name of SETTINGS) {
		const text = read(`/proc/sys/${name.replaceAll(".", "/")}`, name);
		if (text !== "" || name === "net.ipv4.ip_local_reserved_ports")
			settings[name] = text.replaceAll(/\s+/g, " ");
	}
	const status = read("/proc/self/status");
	const memory = read("/proc/meminfo");
	const sockstat = read("/proc/net/sockstat");
	const kilobytes = (name: string): number | null => {
		const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(memory)?.[1];
		return found === undefined ? null : Number(found) * 1_024;
	};
	const swapBytes = kilobytes("SwapTotal") ?? 0;
	const sockets = (line: string, word: string): number | null => {
		const found = new RegExp(`^${line}:.* ${word} (\\d+)`, "m").exec(sockstat)?.[1];
		return found === undefined ? null : Number(found);
	};
	const inPages = (pages: number | null): number | null => (pages === null ? null : pages * PAGE_BYTES);
	const { names, leftOut } = await lookUpNames(config);
	return {
		nowMs: Date.now(),
		kernel: release(),
		node: process.versions.node,
		cores: availableParallelism(),
		uid: process.getuid?.() ?? -1,
		isNetworkAdmin: hasCapability(status, CAP_NET_ADMIN),
		mayRaiseLimits: hasCapability(status, CAP_SYS_RESOURCE),
		isContainer: isContainer(),
		noSystemCalls: whyNoSystemCalls() ?? null,
		limits: parseLimits(read("/proc/self/limits")),
		openDescriptors: openDescriptors(),
		settings,
		unread,
		memoryBytes: totalmem(),
		availableBytes: kilobytes("MemAvailable"),
		swapBytes,
		swapUsedBytes: swapBytes - (kilobytes("SwapFree") ?? swapBytes),
		tcpBytes: inPages(sockets("TCP", "mem")),
		udpBytes: inPages(sockets("UDP", "mem")),
		tcpSockets: sockets("TCP", "inuse"),
		timeWait: sockets("TCP", "tw"),
		memoryGroup: readMemoryGroup(read),
		pidsGroup: readPidsGroup(read),
		ipv6: ipv6From(read("/proc/net/if_inet6")),
		names,
		namesLeftOut: leftOut,
		certificates: certificatesOf(config),
	};
}

/** `Max open files   1024   4096   files` */
export function parseLimits(text: string): Record<string, Limit> {
	const limits: Record<string, Limit> = {};
	const amount = (word = ""): number => (word === "unlimited" ? Number.POSITIVE_INFINITY : Number(word));
	for (const line of text.split("\n")) {
		const [, name, soft, hard] = /^Max (.+?)\s{2,}(\S+)\s+(\S+)/.exec(line) ?? [];
		if (name !== undefined) limits[name] = { soft: amount(soft), hard: amount(hard) };
	}
	return limits;
}

/** Columns of if_inet6: address, index, prefix, scope (`00` is global, `10` loopback, `20` link), flags, device. */
export function ipv6From(interfaces: string): Facts["ipv6"] {
	const scopes = interfaces.split("\n").map((line) => line.trim().split(/\s+/)[3]);
	if (scopes.includes("00")) return "global";
	return scopes.includes("10") ? "loopback" : "none";
}

function hasCapability(status: string, capability: bigint): boolean {
	const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(status)?.[1];
	return effective !== undefined && ((BigInt(`0x${effective}`) >> capability) & 1n) === 1n;
}

function openDescriptors(): number {
	try {
		return readdirSync("/proc/self/fd").length;
	} catch {
		return 0;
	}
}

/** Docker, Podman and Kubernetes each leave a mark. */
function isContainer(): boolean {
	if (process.env["KUBERNETES_SERVICE_HOST"] !== undefined) return true;
	return ["/.dockerenv", "/run/.containerenv"].some(
		(path) => statSync(path, { throwIfNoEntry: false }) !== undefined,
	);
}

async function lookUpNames(config: Config | null): Promise<{ names: NameFact[]; leftOut: number }> {
	const upstreams = new Map<string, Set<string>>();
	for (const { name, addresses } of config?.upstreams ?? [])
		for (const address of addresses) {
			if (address.kind !== "name") continue;
			const users = upstreams.get(address.host) ?? new Set();
			upstreams.set(address.host, users.add(name));
		}
	if (upstreams.size === 0) return { names: [], leftOut: 0 };
	const lookup = new SystemNames({ deadlineMs: NAME_MS });
	const hosts = [...upstreams].slice(0, NAMES_MAX);
	try {
		const names = await Promise.all(
			hosts.map(async ([host, users]): Promise<NameFact> => {
				const startMs = performance.now();
				const told = { host, upstreams: [...users] };
				const since = (): number => Math.round(performance.now() - startMs);
				try {
					const { addresses } = await lookup.lookUp(host);
					return {
						...told,
						tookMs: since(),
						addresses: addresses.map(({ address }) => address),
						error: null,
					};
				} catch (error) {
					return { ...told, tookMs: since(), addresses: [], error: (error as Error).message };
				}
			}),
		);
		return { names, leftOut: upstreams.size - hosts.length };
	} finally {
		lookup.close();
	}
}

function certificatesOf(config: Config | null): CertificateFacts {
	if (config === null) return { problems: [], warnings: [], expiries: [] };
	try {
		const { warnings, expiries } = loadCertificates(config);
		return {
			problems: [],
			warnings,
			expiries: expiries.map(({ file, expirySeconds }) => ({ file, expiresMs: expirySeconds * 1_000 })),
		};
	} catch (error) {
		if (error instanceof CertificateError) return { problems: error.problems, warnings: [], expiries: [] };
		if (error instanceof StartError) return { problems: [error.message], warnings: [], expiries: [] };
		throw error;
	}
}
