/** Durations and sizes as they stand in the file: `500ms`, `5s`, `64MiB`. */

import { InvalidValue } from "./errors.js";

const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const SIZE_UNITS = {
	B: 1,
	KB: 1_000,
	MB: 1_000_000,
	GB: 1_000_000_000,
	KiB: 1_024,
	MiB: 1_048_576,
	GiB: 1_073_741_824,
} as const;

/** Deadlines are 32-bit milliseconds (Node's timers and the reactor's wheel), which end at 24.8 days. */
export const DURATION_MAX_MS = 24 * DURATION_UNITS.d;

/** More than any machine this runs on has, and far from where doubles stop counting in ones. */
export const SIZE_MAX_BYTES = 1_024 * SIZE_UNITS.GiB;

/** For the JSON Schema: what an editor accepts while typing. */
export const DURATION_PATTERN = "^[0-9]+(ms|s|m|h|d)$";
export const SIZE_PATTERN = "^[0-9]+(B|KB|MB|GB|KiB|MiB|GiB)?$";

const AMOUNT = /^([0-9]+(?:\.[0-9]+)?)\s*([A-Za-zµ]*)$/;

/** What people write for a unit besides its name here; only for the hint, never accepted. */
const DURATION_ALIASES: Readonly<Record<string, keyof typeof DURATION_UNITS>> = {
	msec: "ms",
	millis: "ms",
	millisecond: "ms",
	milliseconds: "ms",
	sec: "s",
	secs: "s",
	second: "s",
	seconds: "s",
	min: "m",
	mins: "m",
	minute: "m",
	minutes: "m",
	hr: "h",
	hrs: "h",
	hour: "h",
	hours: "h",
	day: "d",
	days: "d",
};

/**
 * Milliseconds of `500ms`, `5s`, `10m`, `2h` or `1d`; from 1 ms to 24 days. Whole numbers and one unit, so
 * that a value has one spelling.
 *
 * @throws InvalidValue that says how to write it
 */
export function parseDuration(text: string): number {
	const [, amount, unit] = AMOUNT.exec(text) ?? [];
	if (amount === undefined || unit === undefined) {
		const sum = sumOf(text);
		if (sum > 0)
			throw new InvalidValue(`a duration has one unit: write ${formatDuration(sum)} instead of ${text}`);
		throw new InvalidValue(
			`expected a duration such as 5s, found "${text}": a whole number, then ms, s, m, h or d`,
		);
	}
	if (unit === "") throw new InvalidValue(`a duration needs a unit: write ${amount}s or ${amount}ms`);
	if (!isDurationUnit(unit)) {
		const meant = durationUnit(unit);
		const hint = meant === undefined ? "use ms, s, m, h or d, such as 5s" : `write ${amount}${meant}`;
		throw new InvalidValue(`unknown unit "${unit}": ${hint}`);
	}
	const ms = Number(amount) * DURATION_UNITS[unit];
	if (ms > DURATION_MAX_MS) {
		throw new InvalidValue(`${text} is too long: at most ${formatDuration(DURATION_MAX_MS)}`);
	}
	if (amount.includes(".")) {
		const rounded = formatDuration(Math.max(1, Math.round(ms)));
		throw new InvalidValue(`a duration is a whole number: write ${rounded} instead of ${text}`);
	}
	if (ms === 0) throw new InvalidValue(`${text} is too short: at least 1ms`);
	return text === `${amount}${unit}` ? ms : spaced(text, `${amount}${unit}`);
}

/** Milliseconds of `1h30m`, as other programs write it; 0 for what is none. */
function sumOf(text: string): number {
	if (!/^(?:[0-9]{1,9}\s*[a-z]+\s*){2,}$/i.test(text)) return 0;
	let sum = 0;
	for (const [, amount, written = ""] of text.matchAll(/([0-9]+)\s*([a-z]+)/gi)) {
		const unit = durationUnit(written);
		if (unit === undefined) return 0;
		sum += Number(amount) * DURATION_UNITS[unit];
	}
	return sum <= DURATION_MAX_MS ? sum : 0;
}

/** The unit that is meant by `min`, `Hours` or `S`. */
function durationUnit(written: string): keyof typeof DURATION_UNITS | undefined {
	const lower = written.toLowerCase();
	if (isDurationUnit(lower)) return lower;
	return Object.hasOwn(DURATION_ALIASES, lower) ? DURATION_ALIASES[lower] : undefined;
}

/** The shortest spelling that `parseDuration` reads back as the same number. */
export function formatDuration(ms: number): string {
	return spell(ms, DURATION_UNITS);
}

/**
 * Bytes of `64KiB`, `64MiB`, `1GiB` (powers of 1,024), `64KB`, `64MB`, `1GB` (powers of 1,000), `512B` or a
 * plain whole number.
 *
 * @throws InvalidValue that says how to write it
 */
export function parseSize(text: string): number {
	const [, amount, unit] = AMOUNT.exec(text) ?? [];
	if (amount === undefined || unit === undefined) {
		const [, size] = /^([0-9]+[A-Za-z]+)\/(?:s|sec|second)$/.exec(text) ?? [];
		if (size !== undefined) throw new InvalidValue(`a size stands alone: write ${size} instead of ${text}`);
		throw new InvalidValue(
			`expected a size such as 64MiB, found "${text}": a whole number, then B, KiB, MiB or GiB (or KB, MB, GB)`,
		);
	}
	const known = unit === "" ? "B" : unit;
	if (!isSizeUnit(known)) {
		const prefix = known[0]?.toUpperCase() ?? "";
		const hint = "KMG".includes(prefix)
			? `write ${amount}${prefix}iB (× 1,024) or ${amount}${prefix}B (× 1,000)`
			: "use B, KiB, MiB or GiB, such as 64MiB";
		throw new InvalidValue(`unknown unit "${unit}": ${hint}`);
	}
	const bytes = Number(amount) * SIZE_UNITS[known];
	if (bytes > SIZE_MAX_BYTES) {
		throw new InvalidValue(`${text} is too much: at most ${formatSize(SIZE_MAX_BYTES)}`);
	}
	if (amount.includes(".")) {
		throw new InvalidValue(
			`a size is a whole number: write ${formatSize(Math.round(bytes))} instead of ${text}`,
		);
	}
	return text === `${amount}${unit}` ? bytes : spaced(text, `${amount}${unit}`);
}

/** The shortest spelling that `parseSize` reads back as the same number; binary units only. */
export function formatSize(bytes: number): string {
	const { B, KiB, MiB, GiB } = SIZE_UNITS;
	return spell(bytes, { B, KiB, MiB, GiB });
}

function spaced(text: string, meant: string): never {
	throw new InvalidValue(`no space between number and unit: write ${meant} instead of "${text}"`);
}

/** The largest unit, smallest first in `units`, that leaves a whole number. */
function spell(amount: number, units: Readonly<Record<string, number>>): string {
	let spelling = "";
	for (const [unit, factor] of Object.entries(units)) {
		if (spelling === "" || (amount !== 0 && amount % factor === 0)) spelling = `${amount / factor}${unit}`;
	}
	return spelling;
}

function isDurationUnit(unit: string): unit is keyof typeof DURATION_UNITS {
	return Object.hasOwn(DURATION_UNITS, unit);
}

function isSizeUnit(unit: string): unit is keyof typeof SIZE_UNITS {
	return Object.hasOwn(SIZE_UNITS, unit);
}
