/** Prometheus text, exposition format 0.0.4. */
import { SECONDS_BUCKETS } from "./buckets.js";

type Labels = Readonly<Record<string, string>>;

export class Page {
	#text = "";

	family(name: string, kind: "counter" | "gauge" | "histogram", help: string): void {
		this.#text += `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`;
	}

	sample(name: string, labels: Labels, value: number): void {
		const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
		this.#text += `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${formatNumber(value)}\n`;
	}

	single(name: string, kind: "counter" | "gauge", help: string, value: number): void {
		this.family(name, kind, help);
		this.sample(name, {}, value);
	}

	/** A figure whose reading needs a descriptor: left out while there is none, which is when the others matter most. */
	fragile(name: string, kind: "counter" | "gauge", help: string, read: () => number): void {
		let value: number;
		try {
			value = read();
		} catch {
			return;
		}
		this.single(name, kind, help, value);
	}

	/** `cells`: how many fell into each bucket, one above the highest bound, and the sum of all. */
	histogram(name: string, labels: Labels, cells: readonly number[]): void {
		let total = 0;
		for (const [index, bound] of SECONDS_BUCKETS.entries()) {
			total += cells[index] ?? 0;
			this.sample(`${name}_bucket`, { ...labels, le: String(bound) }, total);
		}
		total += cells[SECONDS_BUCKETS.length] ?? 0;
		this.sample(`${name}_bucket`, { ...labels, le: "+Inf" }, total);
		this.sample(`${name}_sum`, labels, cells[SECONDS_BUCKETS.length + 1] ?? 0);
		this.sample(`${name}_count`, labels, total);
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
