/** What a reactor could know of the log, over a run. */
import type { Sight } from "./expected.js";

/** What a reactor could know, each time that it changed. */
export class Sights {
	readonly #all: Sight[] = [{ moment: 0, seen: 0, fromMs: 0, untilMs: Number.POSITIVE_INFINITY }];

	get last(): number {
		return this.#all.length - 1;
	}

	/** Something was published, or forgotten. */
	happened(moment: number, nowMs: number): void {
		const { seen } = this.#all[this.last] as Sight; // never empty
		this.#add(moment, seen, nowMs);
	}

	/** It looks. */
	looked(moment: number, nowMs: number): void {
		const { seen } = this.#all[this.last] as Sight; // never empty
		if (seen !== moment) this.#add(moment, moment, nowMs);
	}

	#add(moment: number, seen: number, nowMs: number): void {
		const before = this.#all[this.last] as Sight; // never empty
		before.untilMs = nowMs;
		this.#all.push({ moment, seen, fromMs: nowMs, untilMs: Number.POSITIVE_INFINITY });
	}

	/** Both included. */
	within(from: number, to: number): readonly Sight[] {
		return this.#all.slice(from, to + 1);
	}
}
