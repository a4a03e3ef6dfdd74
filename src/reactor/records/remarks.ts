/**
 * What a reactor has to say to the operator, beside the lines of sessions. Each remark is a message to the main thread,
 * which keeps it until it is written; so that clients who can provoke one cannot fill the memory with them, only some pass
 * in a second, and the next one that passes says how many did not.
 */
import type { Notice } from "../plan/plan.js";

/** More than an operator reads, and few enough to be written at any time. */
const REMARKS_PER_SECOND = 10;

export class Remarks {
	readonly #notify: (notice: Notice) => void;
	#second = Number.NaN;
	#said = 0;
	#unsaid = 0;

	constructor(notify: (notice: Notice) => void) {
		this.#notify = notify;
	}

	say(level: "warn" | "error", message: string, nowMs: number): void {
		const second = Math.floor(nowMs / 1_000);
		if (second !== this.#second) {
			this.#second = second;
			this.#said = 0;
		}
		if (this.#said === REMARKS_PER_SECOND) {
			this.#unsaid++;
			return;
		}
		this.#said++;
		const more =
			this.#unsaid === 0 ? "" : ` (and ${this.#unsaid} more such lines, left out since the last one)`;
		this.#unsaid = 0;
		this.#notify({ kind: "log", level, message: `${message}${more}` });
	}
}
