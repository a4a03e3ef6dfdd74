/** What the kernel tells about itself in /proc and /sys. Read by the control plane only, so it may allocate. */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
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

export interface ListenFailures {
	/** Handshakes that met a full accept queue. */
	readonly overflows: number;
	/** All that were dropped at a listener, overflows among them. */
	readonly drops: number;
}

/** ListenOverflows and ListenDrops of this network namespace (TcpExt in /proc/net/netstat). */
export function listenFailures(netstat = readFileSync("/proc/net/netstat", "latin1")): ListenFailures {
	const [names = [], values = []] = netstat
		.split("\n")
		.filter((line) => line.startsWith("TcpExt:"))
		.map((line) => line.split(" "));
	const figure = (name: string) => Number(values[names.indexOf(name)] ?? 0);
	return { overflows: figure("ListenOverflows"), drops: figure("ListenDrops") };
}

/** What this process may use: the machine's memory, or the control group's when that is less. */
export function memoryLimitBytes(): number {
	const constrained = process.constrainedMemory();
	return constrained > 0 ? Math.min(totalmem(), constrained) : totalmem();
}
