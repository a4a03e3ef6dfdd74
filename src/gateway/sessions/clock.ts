/** The kernel's clock, in which reactors count, and the wall's, in which operators read. */

/** Milliseconds since the machine was started. */
export function kernelNowMs(): number {
	return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** Tells times of the kernel's clock as the wall's. Made anew for each answer: the wall clock may be set. */
export class WallClock {
	readonly nowMs = kernelNowMs();
	readonly #offsetMs = Date.now() - this.nowMs;

	at(ms: number): string {
		return new Date(ms + this.#offsetMs).toISOString();
	}

	/** `null` where it has not come to that: 0. */
	atOrNull(ms: number): string | null {
		return ms === 0 ? null : this.at(ms);
	}
}
