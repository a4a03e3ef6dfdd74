/** What the kernel tells about itself in /proc and /sys. Read by the control plane only, so it may allocate. */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from "node:fs";
import { totalmem } from "node:os";

/** Pages in /proc are counted in the system's page size: 4 KiB on x86-64 and by default on arm64. */
const PAGE_BYTES = 4_096;

/** A file of /proc that is read again and again, also when no descriptor is left for opening it. */
export class ProcFile {
	readonly fd: number;
	readonly #buffer = Buffer.alloc(4_096);

	constructor(path: string) {
		this.fd = openSync(path, "r");
	}

	read(): string {
		return this.#buffer.toString("latin1", 0, readSync(this.fd, this.#buffer, 0, this.#buffer.length, 0));
	}

	close(): void {
		closeSync(this.fd);
	}
}

/** From /proc/net/sockstat: memory that the buffers of all TCP sockets of the system hold. */
export function tcpMemoryBytes(sockstat: string): number {
	return Number(/^TCP:.* mem (\d+)/m.exec(sockstat)?.[1] ?? 0) * PAGE_BYTES;
}

/** What the kernel has counted of handshakes in this network namespace. */
export interface Handshakes {
	/** Those that met a full accept queue (ListenOverflows). */
	readonly overflows: number;
	/** All that were dropped at a listener, overflows among them (ListenDrops). */
	readonly drops: number;
	/** SYNs that were answered with a cookie, because as many connections were half-open as the backlog allows (SyncookiesSent). */
	readonly cookiesSent: number;
	/** Acknowledgements that came where no connection was, and whose cookie was none, or too old (SyncookiesFailed). */
	readonly cookiesFailed: number;
}

/** From TcpExt in /proc/net/netstat. */
export function handshakes(netstat = readFileSync("/proc/net/netstat", "latin1")): Handshakes {
	const [names = [], values = []] = netstat
		.split("\n")
		.filter((line) => line.startsWith("TcpExt:"))
		.map((line) => line.split(" "));
	const figure = (name: string) => Number(values[names.indexOf(name)] ?? 0);
	return {
		overflows: figure("ListenOverflows"),
		drops: figure("ListenDrops"),
		cookiesSent: figure("SyncookiesSent"),
		cookiesFailed: figure("SyncookiesFailed"),
	};
}

/** What this process may use: the machine's memory, or the control group's when that is less. */
export function memoryLimitBytes(): number {
	const constrained = process.constrainedMemory();
	return constrained > 0 ? Math.min(totalmem(), constrained) : totalmem();
}

/** What each descriptor of this process points to: `socket:[123]`, or a path. Throws where there is no /proc. */
export function descriptorTargets(): Map<number, string> {
	const targets = new Map<number, string>();
	for (const name of readdirSync("/proc/self/fd")) {
		try {
			targets.set(Number(name), readlinkSync(`/proc/self/fd/${name}`));
		} catch {
			// That of the directory itself, which is closed by now.
		}
	}
	return targets;
}

/** The limit of descriptors that holds for this process; Infinity where it cannot be known. Needs no system call of our own. */
export function descriptorLimit(): number {
	try {
		const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
		return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
	} catch {
		return Number.POSITIVE_INFINITY;
	}
}
