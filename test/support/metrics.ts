/** Reads the Prometheus text format, as far as Sluice writes it. */

export interface Sample {
	readonly name: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly value: number;
}

export class Metrics {
	readonly samples: readonly Sample[];
	/** Family name to its type: counter, gauge, histogram. */
	readonly types: ReadonlyMap<string, string>;

	constructor(samples: readonly Sample[], types: ReadonlyMap<string, string>) {
		this.samples = samples;
		this.types = types;
	}

	static parse(text: string): Metrics {
		const samples: Sample[] = [];
		const types = new Map<string, string>();
		for (const line of text.split("\n")) {
			if (line === "") continue;
			const type = /^# TYPE (\S+) (\S+)$/.exec(line);
			if (type !== null) types.set(type[1] ?? "", type[2] ?? "");
			if (line.startsWith("#")) continue;
			samples.push(parseSample(line));
		}
		return new Metrics(samples, types);
	}

	/** The same with counters and histograms as if they had been 0 at `before`. */
	since(before: Metrics): Metrics {
		const values = new Map(before.samples.map((sample) => [identity(sample), sample.value]));
		const samples = this.samples.map((sample) =>
			this.#counts(sample.name)
				? { ...sample, value: sample.value - (values.get(identity(sample)) ?? 0) }
				: sample,
		);
		return new Metrics(samples, this.types);
	}

	#counts(name: string): boolean {
		const type = this.types.get(name) ?? this.types.get(name.replace(/_(?:bucket|count|sum)$/, ""));
		return type === "counter" || type === "histogram";
	}

	/** All samples of that name that carry at least these labels. */
	find(name: string, labels: Readonly<Record<string, string>> = {}): Sample[] {
		return this.samples.filter(
			(sample) =>
				sample.name === name && Object.entries(labels).every(([key, text]) => sample.labels[key] === text),
		);
	}

	/** Their sum; 0 when there is none, as Prometheus would have it. */
	sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
		return this.find(name, labels).reduce((total, { value }) => total + value, 0);
	}
}

function parseSample(line: string): Sample {
	const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
	if (match === null) throw new Error(`not a sample: ${line}`);
	const labels: Record<string, string> = {};
	for (const [, key = "", text = ""] of (match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
		labels[key] = text.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
	const value = match[3] === "+Inf" ? Number.POSITIVE_INFINITY : Number(match[3]);
	if (Number.isNaN(value)) throw new Error(`not a number: ${line}`);
	return { name: match[1] ?? "", labels, value };
}

/** Of a sample among all others: its name with its labels. */
function identity({ name, labels }: Sample): string {
	return JSON.stringify([name, Object.entries(labels).sort()]);
}
