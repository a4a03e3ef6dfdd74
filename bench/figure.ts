/** One line of the report: a number per system and round, and what it must reach. */
import { median } from "../src/rig/percentile.js";

export interface FigureSpec {
	/** `request-64.cpu`: the row's id, and which of its figures. */
	readonly id: string;
	readonly title: string;
	readonly unit: string;
	/** Digits behind the point in the report. */
	readonly digits: number;
	readonly target: Target | null;
	/** The system that ratios are to, where it is not HAProxy. */
	readonly reference?: string;
}

/** A bound for Sluice: on the median of its ratios to HAProxy in the same rounds, or on its own median. */
export type Target =
	| { readonly kind: "ratio"; readonly atMost: number }
	| { readonly kind: "value"; readonly atMost: number }
	| { readonly kind: "value"; readonly exactly: number };

export class Figure {
	readonly spec: FigureSpec;
	readonly #values = new Map<string, number[]>();
	readonly #absences = new Map<string, string>();

	constructor(spec: FigureSpec) {
		this.spec = spec;
	}

	/** Values are recorded once per system and round, so that the n-th of two systems are a pair. */
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

	valuesOf(system: string): readonly number[] {
		return this.#values.get(system) ?? [];
	}

	median(system: string): number | null {
		return median(this.valuesOf(system));
	}

	/** Ratios of the same rounds. Empty when either system has no numbers. */
	ratios(system: string, reference: string): number[] {
		const references = this.valuesOf(reference);
		return this.valuesOf(system).flatMap((value, round) => {
			const base = references[round];
			return base === undefined || base <= 0 ? [] : [value / base];
		});
	}

	/** Whether `subject` reaches the target; `null` when there is none, or nothing to judge by. */
	isMet(subject: string, reference: string): boolean | null {
		const { target, digits } = this.spec;
		if (target === null) return null;
		if (target.kind === "ratio") {
			const ratio = median(this.ratios(subject, reference));
			return ratio === null ? null : ratio <= target.atMost;
		}
		const value = this.median(subject);
		if (value === null) return null;
		if ("atMost" in target) return value <= target.atMost;
		return Number(value.toFixed(digits)) === target.exactly;
	}
}
