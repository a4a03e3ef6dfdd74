/**
 * Families of metrics, declared in tables: `Page` writes their help and type from there and takes no other labels than theirs,
 * and `docs/reference/metrics.md` is made of the same tables.
 */

export interface Family<Label extends string = string> {
	readonly type: "counter" | "gauge" | "histogram";
	/** One sentence or two, as the page says it. */
	readonly help: string;
	readonly labels: readonly Label[];
	/** What else there is to know, for the reference alone. */
	readonly more?: string | undefined;
	/** Where `docs/` says more: a file, and a heading of it. */
	readonly see?: string | undefined;
}

export type Families = Readonly<Record<string, Family>>;

interface Notes {
	readonly more?: string;
	readonly see?: string;
}

export function counter<Label extends string = never>(
	help: string,
	labels: readonly Label[] = [],
	notes: Notes = {},
): Family<Label> {
	return { type: "counter", help, labels, ...notes };
}

export function gauge<Label extends string = never>(
	help: string,
	labels: readonly Label[] = [],
	notes: Notes = {},
): Family<Label> {
	return { type: "gauge", help, labels, ...notes };
}

/** Of seconds: all have the same buckets. */
export function histogram<Label extends string = never>(
	help: string,
	labels: readonly Label[] = [],
	notes: Notes = {},
): Family<Label> {
	return { type: "histogram", help, labels, ...notes };
}
