/** How numbers are written on the page. */

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export function whole(value: number): string {
	return WHOLE.format(value);
}

/** 1 session, 2 sessions */
export function counting(value: number, word: string): string {
	return `${whole(value)} ${word}${value === 1 ? "" : word.endsWith("s") ? "es" : "s"}`;
}

/** For axes: 12.5K */
export function short(value: number): string {
	return SHORT.format(value);
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(value: number): string {
	let [left, unit] = [value, 0];
	while (left >= 1_024 && unit < UNITS.length - 1) [left, unit] = [left / 1_024, unit + 1];
	return `${left >= 100 || unit === 0 ? Math.round(left) : left.toFixed(1)} ${UNITS[unit]}`;
}

export function seconds(value: number): string {
	if (value === 0) return "0";
	if (value < 1) return `${Number((value * 1_000).toPrecision(3))} ms`;
	return `${Number(value.toPrecision(3))} s`;
}

/** An age: 4s, 12m 05s, 3h 20m, 2d 4h. */
export function age(ms: number): string {
	const all = Math.floor(ms / 1_000);
	if (all < 60) return `${all}s`;
	if (all < 3_600) return `${Math.floor(all / 60)}m ${pad(all % 60)}s`;
	if (all < 86_400) return `${Math.floor(all / 3_600)}h ${pad(Math.floor(all / 60) % 60)}m`;
	return `${Math.floor(all / 86_400)}d ${Math.floor(all / 3_600) % 24}h`;
}

function pad(value: number): string {
	return String(value).padStart(2, "0");
}

export function percent(part: number, of: number): string {
	return of === 0 ? "" : `${((100 * part) / of).toFixed(1)} %`;
}
