/** Prometheus text, exposition format 0.0.4. */
import { SECONDS_BUCKETS } from "./buckets.js";
import type { Families, Family } from "./families.js";

type NameIn<F extends Families> = keyof F & string;

/** A value for each label of the family, and for no other. */
type LabelsOf<F> =
	F extends Family<infer Label>
		? [Label] extends [never]
			? Readonly<Record<string, never>>
			: Readonly<Record<Label, string>>
		: never;

/** Families of which there is one figure. */
export type SingleIn<F extends Families> = {
	[Name in NameIn<F>]: F[Name] extends Family<infer Label> ? ([Label] extends [never] ? Name : never) : never;
}[NameIn<F>];

/** What is shown of some families: each is begun, and then has its samples. */
export class Page<F extends Families> {
	readonly #families: F;
	#text = "";

	constructor(families: F) {
		this.#families = families;
	}

	family(name: NameIn<F>): void {
		const { type, help } = this.#families[name] as Family;
		this.#text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
	}

	sample<Name extends NameIn<F>>(name: Name, labels: LabelsOf<F[Name]>, value: number): void {
		this.#sample(name, labels, value);
	}

	single(name: SingleIn<F>, value: number): void {
		this.family(name);
		this.#sample(name, {}, value);
	}

	/** A figure whose reading needs a descriptor: left out while there is none, which is when the others matter most. */
	fragile(name: SingleIn<F>, read: () => number): void {
		let value: number;
		try {
			value = read();
		} catch {
			return;
		}
		this.single(name, value);
	}

	/** `cells`: how many fell into each bucket, one above the highest bound, and the sum of all. */
	histogram<Name extends NameIn<F>>(name: Name, labels: LabelsOf<F[Name]>, cells: readonly number[]): void {
		let total = 0;
		for (const [index, bound] of SECONDS_BUCKETS.entries()) {
			total += cells[index] ?? 0;
			this.#sample(`${name}_bucket`, { ...labels, le: String(bound) }, total);
		}
		total += cells[SECONDS_BUCKETS.length] ?? 0;
		this.#sample(`${name}_bucket`, { ...labels, le: "+Inf" }, total);
		this.#sample(`${name}_sum`, labels, cells[SECONDS_BUCKETS.length + 1] ?? 0);
		this.#sample(`${name}_count`, labels, total);
	}

	#sample(name: string, labels: Readonly<Record<string, string>>, value: number): void {
		const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
		this.#text += `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${formatNumber(value)}\n`;
	}

	toString(): string {
		return this.#text;
	}
}

function escapeLabel(text: string): string {
	return text.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}

function formatNumber(value: number): string {
	if (value === Number.POSITIVE_INFINITY) return "+Inf";
	return String(value);
}
