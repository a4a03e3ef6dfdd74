/**
 * How many sessions each resource bears, drawn for a terminal: bars over a logarithmic scale, which end where their resource gives out.
 * The line of dots is the number that is asked for.
 *
 *                    100        1k       10k      100k        1M
 *                    ├─────────┼─────────┼─────────┼─────────┤
 *     descriptors    ███████████████████▉   ·                  9,816 ◄ first
 */
import { count } from "../finding.js";

export interface Bar {
	readonly name: string;
	/** `null`: it has no end. */
	readonly value: number | null;
	/** What is said behind its number. */
	readonly remark: string;
	/** Drawn lighter: it ends no session. */
	readonly isLight: boolean;
}

/** Columns of a power of ten. */
const DECADE = 10;
const FROM = 2;
const TO_MIN = 6;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

export function chart(bars: readonly Bar[], asked: number): string[] {
	const most = Math.max(asked, ...bars.map(({ value }) => value ?? 0));
	const to = Math.min(9, Math.max(TO_MIN, Math.ceil(Math.log10(most))));
	const width = (to - FROM) * DECADE;
	const names = Math.max(...bars.map(({ name }) => name.length));
	const mark = Math.min(width, Math.max(0, Math.round(column(asked))));
	const lines = bars.map(({ name, value, remark, isLight }) => {
		const bar = drawn(value === null ? width : Math.min(width, column(value)), isLight, width);
		const marked = bar[mark] === " " ? `${bar.slice(0, mark)}·${bar.slice(mark + 1)}` : bar;
		const number = value === null ? "any number" : count(value);
		return `${name.padEnd(names)}  ${marked} ${number}${remark === "" ? "" : ` ${remark}`}`;
	});
	return [...scale(to, names), ...lines].map((line) => line.trimEnd());
}

/** Columns from the left; less than the scale begins with is none. */
function column(value: number): number {
	return value <= 10 ** FROM ? 0 : (Math.log10(value) - FROM) * DECADE;
}

function drawn(columns: number, isLight: boolean, width: number): string {
	const whole = Math.floor(columns);
	const part = isLight ? "" : (EIGHTHS[Math.floor((columns - whole) * 8)] ?? "");
	// Whatever there is at all is seen.
	const bar = `${(isLight ? "░" : "█").repeat(whole)}${part}`;
	return (bar === "" ? "▏" : bar).padEnd(width + 1);
}

function scale(to: number, names: number): string[] {
	let numbers = " ".repeat(names + 2);
	let line = " ".repeat(names + 2);
	for (let power = FROM; power <= to; power++) {
		const at = names + 2 + (power - FROM) * DECADE;
		const label = shortened(power);
		numbers = numbers.padEnd(at - (power === FROM ? 0 : label.length - 1)) + label;
		line = line.padEnd(at, "─") + (power === FROM ? "├" : power === to ? "┤" : "┼");
	}
	return [numbers, line];
}

/** 100, 1k, 10k, 100k, 1M */
function shortened(power: number): string {
	const unit = ["", "k", "M", "G"][Math.floor(power / 3)] ?? "";
	return `${10 ** (power % 3)}${unit}`;
}
