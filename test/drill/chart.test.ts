import assert from "node:assert/strict";
import { test } from "node:test";
import { makeScale, toSvg } from "../../src/drill/chart.js";
import type { Attempt } from "../../src/drill/messages.js";
import { type DrillOptions, readOptions } from "../../src/drill/options.js";
import { conclude, type DrillResult, toJson } from "../../src/drill/result.js";
import type { Recording } from "../../src/drill/run.js";
import { recording, sample } from "./recordings.js";

const MACHINE = { descriptors: 20_000, ephemeralPorts: { first: 32_768, last: 60_999 } };

function result(...recordings: Recording[]): DrillResult {
	const options: DrillOptions = {
		...readOptions("hold", {}, MACHINE),
		target: null,
		connections: 100,
		seconds: 2,
		json: false,
		svg: null,
		bare: false,
	};
	return conclude(options, MACHINE, recordings);
}

interface Element {
	readonly name: string;
	readonly attributes: Readonly<Record<string, string>>;
	readonly children: Element[];
	text: string;
}

/** Reads well-formed XML without comments and sections, and throws for any other. */
function parseXml(source: string): Element {
	const root: Element = { name: "", attributes: {}, children: [], text: "" };
	const open: Element[] = [root];
	let at = 0;
	const tag = /<(\/?)([a-zA-Z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/y;
	while (at < source.length) {
		const current = open[open.length - 1];
		assert.ok(current !== undefined, "something was closed twice");
		const next = source.indexOf("<", at);
		const text = source.slice(at, next < 0 ? source.length : next);
		assert.doesNotMatch(text, /&(?!(amp|lt|gt|quot);)/, "a bare ampersand");
		current.text += text;
		if (next < 0) break;
		tag.lastIndex = next;
		const found = tag.exec(source);
		assert.ok(found !== null, `not a tag: ${source.slice(next, next + 40)}`);
		const [whole, closing, name = "", written = "", empty] = found;
		at = next + whole.length;
		if (closing === "/") {
			assert.equal(open.pop()?.name, name);
			continue;
		}
		const attributes = Object.fromEntries(
			[...written.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value]),
		);
		const element: Element = { name, attributes, children: [], text: "" };
		current.children.push(element);
		if (empty !== "/") open.push(element);
	}
	assert.equal(open.length, 1, "something was not closed");
	const [svg, ...others] = root.children;
	assert.ok(svg !== undefined && others.length === 0);
	return svg;
}

function all(element: Element, matches: (element: Element) => boolean): Element[] {
	return [
		...(matches(element) ? [element] : []),
		...element.children.flatMap((child) => all(child, matches)),
	];
}

function points(line: Element | undefined): [number, number][] {
	return (line?.attributes["points"] ?? "").split(" ").map((pair) => {
		const [x = Number.NaN, y = Number.NaN] = pair.split(",").map(Number);
		return [x, y];
	});
}

test("the chart is well-formed, names what it shows, and everything lies on the paper", () => {
	const svg = parseXml(toSvg(result(recording())));
	assert.equal(svg.name, "svg");
	const width = Number(svg.attributes["width"]);
	const height = Number(svg.attributes["height"]);
	const texts = all(svg, ({ name }) => name === "text").map(({ text }) => text);
	for (const text of [
		"good client: latency, ms (logarithmic)",
		"memory, MiB",
		"p99",
		"calm",
		"attack",
		"after",
		"0 s",
	])
		assert.ok(texts.includes(text), text);
	const lines = all(svg, ({ name }) => name === "polyline");
	assert.ok(lines.length >= 7);
	for (const line of lines)
		for (const [x, y] of points(line)) assert.ok(x >= 0 && x <= width && y >= 0 && y <= height, `${x},${y}`);
});

test("the bands of the phases are as long as the phases", () => {
	const svg = parseXml(toSvg(result(recording())));
	const widthOf = (name: string): number =>
		Number(all(svg, ({ attributes }) => attributes["class"] === name)[0]?.attributes["width"]);
	assert.ok(Math.abs(widthOf("attack") - 2 * widthOf("calm")) < 0.5);
});

test("larger values lie higher, in proportion", () => {
	const samples = recording().samples.map((each, index) =>
		sample(each.atMs, { descriptors: index < 8 ? 100 : 400 }),
	);
	const svg = parseXml(toSvg(result(recording({ samples }))));
	const panels = all(svg, ({ attributes }) => attributes["class"] === "line a");
	const descriptors = points(panels[1]).map(([, y]) => y);
	const scale = makeScale(false, [0, 400], 0);
	const [low = 0, high = 0] = [descriptors[0], descriptors[descriptors.length - 1]];
	assert.ok(Math.abs(low - high - (scale.y(100) - scale.y(400))) < 0.2);
});

test("side by side, both targets share the scale of a row", () => {
	const samples = recording().samples.map((each) => sample(each.atMs, { acceptQueue: 500 }));
	const bare = recording({
		samples,
		target: { kind: "bare", label: "bare server", pid: 2, backlog: 4096, acceptQueueLimit: 8192 },
	});
	const svg = parseXml(toSvg(result(recording(), bare)));
	// Four lines of style a in each column; the queue's is the last.
	const lines = all(svg, ({ attributes }) => attributes["class"] === "line a");
	const [empty, full] = [points(lines[3])[0], points(lines[7])[0]];
	assert.ok(empty !== undefined && full !== undefined && full[1] < empty[1] - 100);
});

test("failures are marked where they happened", () => {
	const attempts = recording().attempts.map(
		([at, took]): Attempt => [at, took, at >= 12_000 && at < 12_250 ? "refused" : null],
	);
	const svg = parseXml(toSvg(result(recording({ attempts }))));
	assert.equal(all(svg, ({ attributes }) => attributes["class"] === "mark bad").length, 1);
});

test("a scale of nothing is still a scale", () => {
	for (const logarithmic of [true, false]) {
		const { y, ticks } = makeScale(logarithmic, [], 0);
		assert.ok(ticks.length >= 2);
		assert.ok(ticks.every((tick) => Number.isFinite(y(tick))));
	}
});

test("a logarithmic scale gives each power of ten the same room, and zero the bottom", () => {
	const { y, ticks } = makeScale(true, [0.2, 150], 0);
	assert.deepEqual(ticks, [0.1, 1, 10, 100, 1000]);
	assert.ok(Math.abs(y(1) - y(10) - (y(10) - y(100))) < 1e-9);
	assert.equal(y(0), y(0.1));
});

test("the JSON holds everything, with never as a number", () => {
	const assault = { ...recording().assault, measures: { "link.overdueMs": Number.POSITIVE_INFINITY } };
	const text = toJson(result(recording({ assault })));
	const parsed = JSON.parse(text) as DrillResult;
	assert.equal(parsed.drill, "hold");
	assert.equal(parsed.outcome, "held");
	const [target] = parsed.targets;
	assert.deepEqual(
		target?.phases.map(({ name, fromMs, toMs }) => [name, fromMs, toMs]),
		[
			["calm", 0, 1000],
			["attack", 1000, 3000],
			["after", 3000, 4000],
		],
	);
	assert.equal(target?.series.length, 16);
	assert.equal(target?.measures["link.overdueMs"], Number.MAX_VALUE);
	assert.doesNotMatch(text, /Infinity|NaN/);
});

test("the verdict is the gateway's, whatever becomes of the bare server", () => {
	const failing = recording({
		alive: false,
		target: { kind: "bare", label: "bare server", pid: 2, backlog: 4096, acceptQueueLimit: 8192 },
	});
	assert.equal(result(recording(), failing).outcome, "held");
	assert.equal(result(recording({ alive: false })).outcome, "not held");
});
