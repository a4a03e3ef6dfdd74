/** The news of a completion engine: completions, and what polls say; one event for each row. */
import type { Readiness } from "../../../src/kernel/kernel.js";
import { cell } from "../../../src/parts/at.js";
import type { SimulatedReadiness } from "../simulated-readiness.js";
import type { Completion, SimulatedRing } from "./ring.js";

/** Who makes news of it. */
export interface Listening {
	/** A row's poll has said `bits`. Returns which of them are news. */
	polled(slot: number, generation: number, bits: number): number;
	completed(completion: Completion): void;
}

export class CompletionReadiness implements Readiness {
	/** News that was missed would be of other rows than those that are reported. */
	readonly mayHaveMore = true;
	readonly #polls: SimulatedReadiness;
	readonly #ring: SimulatedRing;
	readonly #listening: Listening;
	#flags: number[] = [];
	#slots: number[] = [];
	#generations: number[] = [];
	/** For the next wait. */
	#told: { slot: number; generation: number; bits: number }[] = [];

	constructor(polls: SimulatedReadiness, ring: SimulatedRing, listening: Listening) {
		this.#polls = polls;
		this.#ring = ring;
		this.#listening = listening;
	}

	// Listeners, and the wake-up.

	add(fd: number, interest: number, slot: number, generation: number): number {
		return this.#polls.add(fd, interest, slot, generation);
	}

	modify(fd: number, interest: number, slot: number, generation: number): number {
		return this.#polls.modify(fd, interest, slot, generation);
	}

	remove(fd: number): number {
		return this.#polls.remove(fd);
	}

	/** A row has news. */
	tell(slot: number, generation: number, bits: number): void {
		const known = this.#told.find((each) => each.slot === slot && each.generation === generation);
		if (known === undefined) this.#told.push({ slot, generation, bits });
		else known.bits |= bits;
	}

	get hasNews(): boolean {
		return this.#told.length > 0 || this.#ring.hasNews || this.#polls.hasNews;
	}

	wait(timeoutMs: number): number {
		const count = this.#polls.wait(this.#told.length > 0 || this.#ring.hasNews ? 0 : timeoutMs);
		this.#ring.reap((completion) => this.#listening.completed(completion));
		this.#flags = [];
		this.#slots = [];
		this.#generations = [];
		for (let event = 0; event < count; event++) {
			const slot = this.#polls.slotOf(event);
			const generation = this.#polls.generationOf(event);
			const bits = this.#polls.flagsOf(event);
			if (slot < 0) this.#report(slot, generation, bits);
			else {
				const news = this.#listening.polled(slot, generation, bits);
				if (news !== 0) this.tell(slot, generation, news);
			}
		}
		for (const { slot, generation, bits } of this.#told) this.#report(slot, generation, bits);
		this.#told = [];
		return this.#flags.length;
	}

	#report(slot: number, generation: number, bits: number): void {
		this.#flags.push(bits);
		this.#slots.push(slot);
		this.#generations.push(generation);
	}

	flagsOf(event: number): number {
		return cell(this.#flags, event);
	}

	slotOf(event: number): number {
		return cell(this.#slots, event);
	}

	generationOf(event: number): number {
		return cell(this.#generations, event);
	}
}
