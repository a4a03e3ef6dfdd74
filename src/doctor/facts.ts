/** What `sluice doctor` judges: all that was read of this machine, as plain data. `read.ts` reads it, and tests make it up. */

/** A limit of the process; `Infinity`: none. */
export interface Limit {
	readonly soft: number;
	readonly hard: number;
}

/** A control group's limit of memory: the lowest of those on the way from the process's group to the root. `null`: none. */
export interface MemoryGroup {
	readonly version: 1 | 2;
	/** The directory whose limit is lowest, or the process's own. */
	readonly directory: string;
	readonly limitBytes: number | null;
	/** Of version 2: above it the group is slowed down instead of killed. */
	readonly highBytes: number | null;
	readonly usedBytes: number | null;
}

/** The same for processes and threads. */
export interface PidsGroup {
	readonly directory: string;
	readonly max: number | null;
	readonly used: number | null;
}

/** What became of a name in the configuration. */
export interface NameFact {
	readonly host: string;
	/** Upstreams that have it among their addresses. */
	readonly upstreams: readonly string[];
	readonly tookMs: number;
	/** Empty where `error` says why. */
	readonly addresses: readonly string[];
	readonly error: string | null;
}

export interface CertificateFact {
	readonly file: string;
	readonly expiresMs: number;
}

/** What the files that the configuration names say. */
export interface CertificateFacts {
	/** What keeps them from being used, as sentences. */
	readonly problems: readonly string[];
	/** What clients would refuse of them. */
	readonly warnings: readonly string[];
	readonly expiries: readonly CertificateFact[];
}

export interface Facts {
	readonly nowMs: number;
	readonly kernel: string;
	readonly node: string;
	readonly cores: number;
	readonly uid: number;
	/** It may set buffers beyond the machine's limits (CAP_NET_ADMIN). */
	readonly isNetworkAdmin: boolean;
	/** It may raise hard limits (CAP_SYS_RESOURCE). */
	readonly mayRaiseLimits: boolean;
	readonly isContainer: boolean;
	/** Why the gateway cannot make system calls here; `null`: it can. */
	readonly noSystemCalls: string | null;
	/** Of this process, by the kernel's names: `open files`. */
	readonly limits: Readonly<Record<string, Limit>>;
	readonly openDescriptors: number;
	/** By sysctl(8)'s names. One that this kernel has not is absent. */
	readonly settings: Readonly<Record<string, string>>;
	/** Why a setting, or a file, could not be read. */
	readonly unread: Readonly<Record<string, string>>;
	readonly memoryBytes: number;
	/** Without swapping; `null`: not known. */
	readonly availableBytes: number | null;
	readonly swapBytes: number;
	readonly swapUsedBytes: number;
	/** What the buffers of all TCP and all UDP sockets of the machine hold; `null`: not known. */
	readonly tcpBytes: number | null;
	readonly udpBytes: number | null;
	/** Connections of TCP in this network namespace, and those that wait out TIME_WAIT. */
	readonly tcpSockets: number | null;
	readonly timeWait: number | null;
	readonly memoryGroup: MemoryGroup | null;
	readonly pidsGroup: PidsGroup | null;
	readonly ipv6: "none" | "loopback" | "global";
	readonly names: readonly NameFact[];
	/** Names that were not asked for, because there are too many. */
	readonly namesLeftOut: number;
	readonly certificates: CertificateFacts;
}

/** A page of the kernel's, in which `tcp_mem` and `udp_mem` count. */
export const PAGE_BYTES = 4_096;

/** The numbers of a setting, such as `4096 131072 6291456`; empty where it is not known. */
export function numbersOf({ settings }: Facts, name: string): readonly number[] {
	const text = settings[name];
	return text === undefined || text === "" ? [] : text.split(/\s+/).map(Number);
}

/** The first of them. */
export function numberOf(facts: Facts, name: string): number | undefined {
	return numbersOf(facts, name)[0];
}
