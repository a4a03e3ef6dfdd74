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

	constructor(text: string) {
		const samples: Sample[] = [];
		const types = new Map<string, string>();
		for (const line of text.split("\n")) {
			if (line === "") continue;
			const type = /^# TYPE (\S+) (\S+)$/.exec(line);
			if (type !== null) types.set(type[1] ?? "", type[2] ?? "");
			if (line.startsWith("#")) continue;
			samples.push(parseSample(line));
		}
		this.samples = samples;
		this.types = types;
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
