/**
 * Memory that sessions hold, the kernel's included: readers that stop behind large buffers can hold gigabytes
 * that no counter of this process shows.
 *
 * The kernel's own sum for all sockets is cheap to read, and includes other processes'. Only when it reaches
 * the high mark are this process's sockets asked one by one; only if their sum reaches it, too, are sessions
 * closed, down to the low mark.
 */
import type { Config } from "../config/config.js";
import { memoryLimitBytes, ProcFile, tcpMemoryBytes } from "../kernel/proc.js";
import type { Logger } from "./log.js";
import type { Reactors } from "./reactors.js";

/** Buffers fill at the speed of the network: half a second at 10 Gbit/s is 600 MB. */
const INTERVAL_MS = 500;

/** Where this process holds less than half of its limit, somebody else holds what the system's sum shows. */
const QUIET_MS = 5_000;

/** Below this part of the limit nothing more is closed. */
const LOW_MARK = 7 / 8;

/** What sessions may hold: as configured, or a quarter of what the process may have. */
export function memoryLimit({ limits }: Config): number {
	return limits.memoryBytes ?? Math.floor(memoryLimitBytes() / 4);
}

export interface PressureOptions {
	readonly reactors: Reactors;
	readonly logger: Logger;
	readonly limitBytes: number;
}

export class MemoryPressure {
	readonly #reactors: Reactors;
	readonly #logger: Logger;
	readonly #sockstat = new ProcFile("/proc/net/sockstat");
	readonly #timer: NodeJS.Timeout;
	#limitBytes: number;
	#under = false;
	/** Others' sockets hold the memory: these are not asked again before then. */
	#quietUntilMs = 0;
	#busy = false;
	#closed = false;

	constructor({ reactors, logger, limitBytes }: PressureOptions) {
		this.#reactors = reactors;
		this.#logger = logger;
		this.#limitBytes = limitBytes;
		this.#timer = setInterval(() => void this.#look(), INTERVAL_MS).unref();
	}

	get limitBytes(): number {
		return this.#limitBytes;
	}

	set limitBytes(bytes: number) {
		this.#limitBytes = bytes;
	}

	/** Whether sessions are being closed for memory. */
	get under(): boolean {
		return this.#under;
	}

	/** What the buffers of all TCP sockets of the system hold; 0 when it is closed, for whoever asks even then. */
	get systemBytes(): number {
		return this.#closed ? 0 : tcpMemoryBytes(this.#sockstat.read());
	}

	close(): void {
		this.#closed = true;
		clearInterval(this.#timer);
		this.#sockstat.close();
	}

	async #look(): Promise<void> {
		if (this.#busy || performance.now() < this.#quietUntilMs) return;
		const { sessions, bufferedBytes } = this.#reactors;
		if (sessions === 0 || this.systemBytes + bufferedBytes < this.#limitBytes) {
			this.#calm();
			return;
		}
		this.#busy = true;
		// A reactor that fails ends the process; there is nothing to add to that.
		await this.#reactors.measure().catch(() => {});
		this.#busy = false;
		if (!this.#closed) this.#relieve();
	}

	#relieve(): void {
		const held = this.#reactors.heldBytes();
		const total = held.reduce((sum, bytes) => sum + bytes, 0);
		if (total < this.#limitBytes) {
			this.#calm();
			if (total < this.#limitBytes / 2) this.#quietUntilMs = performance.now() + QUIET_MS;
			return;
		}
		if (!this.#under)
			this.#logger.warn(
				{ held_bytes: total, limit_bytes: this.#limitBytes },
				"memory pressure: sessions that have earned least are closed",
			);
		this.#under = true;
		const surplus = total - LOW_MARK * this.#limitBytes;
		this.#reactors.tell((index) => ({
			kind: "shedMemory",
			bytes: Math.ceil((surplus * (held[index] ?? 0)) / total),
		}));
	}

	#calm(): void {
		if (!this.#under) return;
		this.#under = false;
		this.#logger.info({ limit_bytes: this.#limitBytes }, "memory pressure is over");
	}
}
