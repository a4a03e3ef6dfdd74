/** One line of the report: a number per system and round, and what it must reach. */

import { type Estimate, estimate } from "./statistics.js";

export interface FigureSpec {
	/** `request-64.cpu`: the row's id, and which of its figures. */
	readonly id: string;
	readonly title: string;
	readonly unit: string;
	/** Digits behind the point in the report. */
	readonly digits: number;
	readonly target: Target | null;
	/** The system that the target is for, where it is not Sluice. */
	readonly subject?: string;
	/** The system that ratios are to, where it is not the bench's own reference; of several, the one with the best median. */
	readonly reference?: string | readonly string[];
	/** The reference once more, where it is not the bench's own. */
	readonly again?: string;
	/** For rates. */
	readonly moreIsBetter?: true;
	/** It repeats the values of the figure above for another subject or reference: the table of all systems has them once. */
	readonly repeats?: true;
}

/** A bound for the subject: on the median of its ratios to the reference in the same rounds, or on its own median. */
export type Target =
	| { readonly kind: "ratio"; readonly atMost: number }
	| { readonly kind: "ratio"; readonly atLeast: number }
	| { readonly kind: "value"; readonly atMost: number }
	| { readonly kind: "value"; readonly exactly: number; readonly tolerance?: number };

export class Figure {
	readonly spec: FigureSpec;
	readonly #values = new Map<string, number[]>();
	readonly #absences = new Map<string, string>();

	constructor(spec: FigureSpec) {
		this.spec = spec;
	}

	/**
	 * Values are recorded once per system and round, so that the n-th of two systems are a pair. A system that is only
	 * in the first rounds has fewer.
	 */
	record(system: string, value: number): void {
		const values = this.#values.get(system);
		if (values === undefined) this.#values.set(system, [value]);
		else values.push(value);
	}

	/** Why there is no number; what was recorded before is dropped, because its pairs would not match. */
	markAbsent(system: string, reason: string): void {
		this.#values.delete(system);
		this.#absences.set(system, reason);
	}

	get absences(): ReadonlyMap<string, string> {
		return this.#absences;
	}

	/** Who has numbers. */
	get systems(): string[] {
		return [...this.#values.keys()];
	}

	valuesOf(system: string): readonly number[] {
		return this.#values.get(system) ?? [];
	}

	estimate(system: string): Estimate | null {
		return estimate(this.valuesOf(system));
	}

	/** Ratios of the same rounds. Empty when either system has no numbers. */
	ratios(system: string, reference: string): number[] {
		const references = this.valuesOf(reference);
		return this.valuesOf(system).flatMap((value, round) => {
			const base = references[round];
			return base === undefined || base <= 0 ? [] : [value / base];
		});
	}

	ratioEstimate(system: string, reference: string): Estimate | null {
		return estimate(this.ratios(system, reference));
	}
}
