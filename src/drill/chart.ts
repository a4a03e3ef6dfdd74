/**
 * The chart: an SVG without dependencies, readable in light and dark. A column per target, a row per quantity;
 * within a row all targets share the scale, so that side by side is a comparison.
 *
 *     ┌ title ───────────────────────────────┐
 *     │ latency   │ calm │ attack    │ after │   bands: phases
 *     │ connections                          │
 *     │ memory                               │
 *     │ accept queue                         │
 *     └──────────────────────────── seconds ─┘
 */
import type { DrillResult, Point, TargetResult } from "./result.js";

const COLUMN_WIDTH = 640;
const PANEL_HEIGHT = 130;
const PANEL_GAP = 58;
const LEFT = 78;
const RIGHT = 16;
const TOP = 116;
const BOTTOM = 44;
const MIB = 1024 * 1024;

interface Line {
	readonly label: string;
	readonly style: string;
	readonly read: (point: Point) => number | null;
}

interface Panel {
	readonly title: string;
	readonly logarithmic: boolean;
	readonly lines: readonly Line[];
	/** Drawn as marks at the top, one for each point where it is not 0. */
	readonly marks: Line | null;
}

const PANELS: readonly Panel[] = [
	{
		title: "good client: latency, ms (logarithmic)",
		logarithmic: true,
		lines: [
			{ label: "p50", style: "a", read: ({ p50Ms }) => p50Ms },
			{ label: "p99", style: "b", read: ({ p99Ms }) => p99Ms },
		],
		marks: { label: "failures", style: "bad", read: ({ failures }) => failures },
	},
	{
		title: "connections and descriptors",
		logarithmic: false,
		lines: [
			{ label: "attackers", style: "b", read: ({ attackersAlive }) => attackersAlive },
			{ label: "target's descriptors", style: "a", read: ({ descriptors }) => descriptors },
		],
		marks: null,
	},
	{
		title: "memory, MiB",
		logarithmic: false,
		lines: [
			{
				label: "target, resident",
				style: "a",
				read: ({ residentBytes }) => (residentBytes === null ? null : residentBytes / MIB),
			},
			{
				label: "kernel, all TCP",
				style: "b",
				read: ({ tcpMemoryBytes }) => (tcpMemoryBytes === null ? null : tcpMemoryBytes / MIB),
			},
		],
		marks: null,
	},
	{
		title: "accept queue, connections",
		logarithmic: false,
		lines: [{ label: "waiting", style: "a", read: ({ acceptQueue }) => acceptQueue }],
		marks: null,
	},
];

const STYLE = `
svg { --ink: #1c2733; --dim: #5b6875; --grid: #d5dbe1; --paper: #ffffff; --calm: #eef3f8; --attack: #fdeee6; --a: #1667b7; --b: #c25a06; --bad: #c01c28; }
@media (prefers-color-scheme: dark) { svg { --ink: #e3e8ee; --dim: #9aa7b4; --grid: #35404b; --paper: #12181f; --calm: #19222c; --attack: #33231a; --a: #6db3f2; --b: #f2a25c; --bad: #ff7b86; } }
.paper { fill: var(--paper); } .calm, .after { fill: var(--calm); } .attack { fill: var(--attack); }
text { font: 12px system-ui, sans-serif; fill: var(--ink); } .dim { fill: var(--dim); } .title { font-size: 17px; font-weight: 600; } .panel { font-weight: 600; }
.grid { stroke: var(--grid); stroke-width: 1; } .line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.line.a, .key.a { stroke: var(--a); } .line.b, .key.b { stroke: var(--b); } .key { stroke-width: 3; } .mark.bad, .key.bad { stroke: var(--bad); stroke-width: 2; }
`;

export function toSvg(result: DrillResult): string {
	const width = LEFT + result.targets.length * COLUMN_WIDTH;
	const height = TOP + PANELS.length * (PANEL_HEIGHT + PANEL_GAP) - PANEL_GAP + BOTTOM;
	const title = `sluice drill ${result.drill}: ${result.summary}`;
	const subtitle = `${result.connections.toLocaleString("en-US")} connections, ${result.machine.cores} cores, Linux ${result.machine.kernel}, Node ${result.machine.node}`;
	const columns = result.targets.map((target, index) => drawColumn(result, target, index));
	return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${escapeXml(title)}</title>
<style>${STYLE}</style>
<rect class="paper" width="${width}" height="${height}"/>
<text class="title" x="20" y="30">${escapeXml(title)}</text>
<text class="dim" x="20" y="50">${escapeXml(subtitle)}</text>
${columns.join("\n")}
</svg>
`;
}

function drawColumn(result: DrillResult, target: TargetResult, index: number): string {
	const left = LEFT + index * COLUMN_WIDTH;
	const width = COLUMN_WIDTH - LEFT - RIGHT + (index === 0 ? 0 : RIGHT);
	const endMs = Math.max(1, ...target.phases.map(({ toMs }) => toMs));
	const x = (ms: number): number => left + (Math.min(ms, endMs) / endMs) * width;
	const verdict = target.outcome === "held" ? "all held" : target.outcome;
	const parts = [`<text class="panel" x="${left}" y="78">${escapeXml(target.target)}: ${verdict}</text>`];
	for (const [row, panel] of PANELS.entries()) {
		const top = TOP + row * (PANEL_HEIGHT + PANEL_GAP);
		const scale = makeScale(
			panel.logarithmic,
			result.targets.flatMap(({ series }) => valuesOf(panel, series)),
			top,
		);
		parts.push(drawPanel(panel, target, { x, scale, top, left, width }));
	}
	parts.push(drawSeconds(x, endMs, height()));
	return parts.join("\n");
}

/** Where the last panel ends. */
function height(): number {
	return TOP + PANELS.length * (PANEL_HEIGHT + PANEL_GAP) - PANEL_GAP;
}

interface Place {
	readonly x: (ms: number) => number;
	readonly scale: Scale;
	readonly top: number;
	readonly left: number;
	readonly width: number;
}

function drawPanel(panel: Panel, target: TargetResult, { x, scale, top, left, width }: Place): string {
	const parts: string[] = [];
	for (const { name, fromMs, toMs } of target.phases) {
		const start = x(fromMs);
		parts.push(
			`<rect class="${name}" x="${round(start)}" y="${top}" width="${round(x(toMs) - start)}" height="${PANEL_HEIGHT}"/>`,
			`<text class="dim" x="${round(start + 4)}" y="${top + 14}">${name}</text>`,
		);
	}
	for (const value of scale.ticks) {
		const y = round(scale.y(value));
		parts.push(
			`<line class="grid" x1="${left}" x2="${left + width}" y1="${y}" y2="${y}"/>`,
			`<text class="dim" x="${left - 6}" y="${y + 4}" text-anchor="end">${tickLabel(value)}</text>`,
		);
	}
	parts.push(`<text class="panel" x="${left}" y="${top - 8}">${escapeXml(panel.title)}</text>`);
	for (const line of panel.lines)
		for (const points of runs(target.series, line))
			parts.push(
				`<polyline class="line ${line.style}" points="${points.map(([ms, value]) => `${round(x(ms))},${round(scale.y(value))}`).join(" ")}"/>`,
			);
	if (panel.marks !== null)
		for (const point of target.series)
			if ((panel.marks.read(point) ?? 0) > 0)
				parts.push(
					`<line class="mark ${panel.marks.style}" x1="${round(x(point.atMs))}" x2="${round(x(point.atMs))}" y1="${top + 18}" y2="${top + 30}"/>`,
				);
	parts.push(drawLegend(panel, left + width, top - 8));
	return parts.join("\n");
}

/** From the right, so that it never meets the title. */
function drawLegend(panel: Panel, right: number, y: number): string {
	const entries = panel.marks === null ? panel.lines : [...panel.lines, panel.marks];
	let x = right;
	const parts: string[] = [];
	for (const { label, style } of [...entries].reverse()) {
		x -= label.length * 6.6;
		parts.push(`<text class="dim" x="${round(x)}" y="${y}">${escapeXml(label)}</text>`);
		parts.push(
			`<line class="key ${style}" x1="${round(x - 22)}" x2="${round(x - 6)}" y1="${y - 4}" y2="${y - 4}"/>`,
		);
		x -= 36;
	}
	return parts.join("\n");
}

function drawSeconds(x: (ms: number) => number, endMs: number, bottom: number): string {
	const step = niceStep(endMs / 1000, 8);
	const parts: string[] = [];
	for (let second = 0; second * 1000 <= endMs; second += step)
		parts.push(
			`<text class="dim" x="${round(x(second * 1000))}" y="${bottom + 18}" text-anchor="middle">${tickLabel(second)} s</text>`,
		);
	return parts.join("\n");
}

/** Pieces of a line between gaps. A piece of one point becomes a short dash, so that it is seen. */
function runs(series: readonly Point[], { read }: Line): [number, number][][] {
	const pieces: [number, number][][] = [];
	let piece: [number, number][] = [];
	for (const point of series) {
		const value = read(point);
		if (value !== null) {
			piece.push([point.atMs, value]);
			continue;
		}
		if (piece.length > 0) pieces.push(piece);
		piece = [];
	}
	if (piece.length > 0) pieces.push(piece);
	for (const [first, ...others] of pieces)
		if (first !== undefined && others.length === 0)
			pieces[pieces.findIndex(([at]) => at === first)] = [first, [first[0] + 60, first[1]]];
	return pieces;
}

function valuesOf(panel: Panel, series: readonly Point[]): number[] {
	return series.flatMap((point) =>
		panel.lines.map(({ read }) => read(point)).filter((value) => value !== null),
	);
}

export interface Scale {
	/** From a value to a height; larger values lie higher, which is a smaller y. */
	y(value: number): number;
	readonly ticks: readonly number[];
}

/** A scale on which all values fit between `top` and the bottom of its panel. */
export function makeScale(logarithmic: boolean, values: readonly number[], top: number): Scale {
	const bottom = top + PANEL_HEIGHT;
	const highest = Math.max(0, ...values);
	if (!logarithmic) {
		const step = niceStep(Math.max(highest, 1), 4);
		const limit = Math.max(step, Math.ceil(highest / step) * step);
		const ticks = Array.from({ length: Math.round(limit / step) + 1 }, (_, index) => index * step);
		return { y: (value) => bottom - (value / limit) * PANEL_HEIGHT, ticks };
	}
	const positive = values.filter((value) => value > 0);
	const lowest = positive.length === 0 ? 0.1 : Math.min(...positive);
	const from = Math.floor(Math.log10(lowest));
	const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(highest, lowest))));
	const ticks = Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
	const share = (value: number): number => (Math.log10(Math.max(value, 10 ** from)) - from) / (to - from);
	return { y: (value) => bottom - share(value) * PANEL_HEIGHT, ticks };
}

/** 1, 2 or 5 times a power of ten, so that about so many steps reach `span`. */
function niceStep(span: number, steps: number): number {
	const raw = span / steps;
	const power = 10 ** Math.floor(Math.log10(raw));
	const found = [1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10;
	return found * power;
}

function tickLabel(value: number): string {
	return value >= 1000 ? value.toLocaleString("en-US") : String(Number(value.toPrecision(3)));
}

function round(value: number): number {
	return Math.round(value * 10) / 10;
}

function escapeXml(text: string): string {
	return text
		.replaceAll("&", "&amp;")
		.replaceAll("<", "&lt;")
		.replaceAll(">", "&gt;")
		.replaceAll('"', "&quot;");
}
