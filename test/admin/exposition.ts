/**
 * The Prometheus text format 0.0.4, read as strictly as it can be: whatever a scraper might stumble over
 * is an error here.
 */
import assert from "node:assert/strict";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
	readonly name: string;
	readonly labels: Labels;
	readonly value: number;
}

export interface Family {
	readonly name: string;
	readonly kind: "counter" | "gauge" | "histogram";
	readonly samples: Sample[];
}

/** Families by name. Throws at the first thing that is not as it must be. */
export function parseExposition(text: string): Map<string, Family> {
	assert.ok(text.endsWith("\n"), "the last line has no end");
	const families = new Map<string, Family>();
	const series = new Set<string>();
	const lines = text.slice(0, -1).split("\n");
	let current: Family | undefined;
	for (let index = 0; index < lines.length; index++) {
		const line = lines[index] ?? "";
		if (line.startsWith("#")) {
			const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*)$/.exec(line);
			const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(lines[++index] ?? "");
			assert.ok(help, `not a HELP line: ${line}`);
			assert.ok(type, `no TYPE line after: ${line}`);
			const [, name = "", kind] = type;
			assert.equal(help[1], name, "HELP and TYPE name different families");
			assert.ok(!families.has(name), `the family ${name} comes twice`);
			current = { name, kind: kind as Family["kind"], samples: [] };
			families.set(name, current);
		} else {
			const sample = parseSample(line);
			assert.ok(current, `a sample before any family: ${line}`);
			assert.ok(belongs(sample.name, current), `${sample.name} stands among samples of ${current.name}`);
			const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
			assert.ok(!series.has(key), `a series comes twice: ${line}`);
			series.add(key);
			current.samples.push(sample);
		}
	}
	for (const family of families.values()) {
		if (family.kind === "counter") checkCounter(family);
		if (family.kind === "histogram") checkHistogram(family);
	}
	return families;
}

function belongs(name: string, family: Family): boolean {
	if (family.kind !== "histogram") return name === family.name;
	return ["_bucket", "_sum", "_count"].some((ending) => name === family.name + ending);
}

function parseSample(line: string): Sample {
	const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0];
	assert.ok(name, `no name: ${line}`);
	const labels: Record<string, string> = {};
	let at = name.length;
	if (line[at] === "{") {
		at++;
		for (;;) {
			const start = /^([a-zA-Z_][a-zA-Z0-9_]*)="/.exec(line.slice(at));
			assert.ok(start, `no label at ${at}: ${line}`);
			const [all, key = ""] = start;
			assert.ok(!key.startsWith("__"), `a reserved label: ${line}`);
			at += all.length;
			let value = "";
			for (; line[at] !== '"'; at++) {
				const character = line[at];
				assert.ok(character !== undefined, `an unended label: ${line}`);
				if (character !== "\\") value += character;
				else {
					const escaped = line[++at] ?? "";
					assert.ok(["\\", '"', "n"].includes(escaped), `an unknown escape: ${line}`);
					value += escaped === "n" ? "\n" : escaped;
				}
			}
			assert.ok(!(key in labels), `a label comes twice: ${line}`);
			labels[key] = value;
			at++;
			if (line[at] === "}") break;
			assert.equal(line[at], ",", `no comma at ${at}: ${line}`);
			at++;
		}
		at++;
	}
	const rest = line.slice(at);
	assert.match(rest, /^ (\+Inf|-?\d+(\.\d+)?(e[+-]?\d+)?)$/, `no number: ${line}`);
	return { name, labels, value: rest === " +Inf" ? Number.POSITIVE_INFINITY : Number(rest) };
}

function checkCounter({ name, samples }: Family): void {
	assert.ok(name.endsWith("_total"), `a counter's name ends with _total, not ${name}`);
	for (const sample of samples) assert.ok(sample.value >= 0, `${name} is negative`);
}

function checkHistogram({ name, samples }: Family): void {
	const groups = new Map<string, Sample[]>();
	for (const sample of samples) {
		const { le: _, ...labels } = sample.labels;
		const key = JSON.stringify(Object.entries(labels).sort());
		const group = groups.get(key);
		if (group === undefined) groups.set(key, [sample]);
		else group.push(sample);
	}
	for (const [key, group] of groups) {
		const where = `${name} ${key}`;
		const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
		const bounds = buckets.map(({ labels }) => (labels["le"] === "+Inf" ? Infinity : Number(labels["le"])));
		assert.ok(bounds.length > 1 && !bounds.some(Number.isNaN), `${where}: bounds`);
		for (let i = 1; i < bounds.length; i++) {
			assert.ok((bounds[i] ?? 0) > (bounds[i - 1] ?? 0), `${where}: bounds do not rise`);
			assert.ok(
				(buckets[i]?.value ?? 0) >= (buckets[i - 1]?.value ?? 0),
				`${where}: buckets are not cumulative`,
			);
		}
		assert.equal(bounds.at(-1), Infinity, `${where}: no le="+Inf"`);
		const counts = group.filter((sample) => sample.name === `${name}_count`);
		const sums = group.filter((sample) => sample.name === `${name}_sum`);
		assert.equal(counts.length, 1, `${where}: _count`);
		assert.equal(sums.length, 1, `${where}: _sum`);
		assert.equal(buckets.at(-1)?.value, counts[0]?.value, `${where}: le="+Inf" is not the count`);
	}
}
