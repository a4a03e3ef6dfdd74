/** Numbers for people. */
import type { JudgementResult } from "./result.js";

const NEVER = "never";
const UNKNOWN = "–";

export function formatValue(value: number | null, unit: string): string {
	if (value === null) return UNKNOWN;
	if (!Number.isFinite(value)) return NEVER;
	switch (unit) {
		case "share":
			// 99.996 % is not 100 %.
			return `${value < 1 ? Math.min(99.99, value * 100).toFixed(2) : (value * 100).toFixed(0)} %`;
		case "ms":
			return formatMs(value);
		case "bytes":
			return formatBytes(value);
		case "times":
			return `${value.toFixed(2)}×`;
		case "cores":
			return `${(value * 100).toFixed(1)} % of a core`;
		default:
			return formatCount(value);
	}
}

export function formatMs(ms: number | null): string {
	if (ms === null) return UNKNOWN;
	const size = Math.abs(ms);
	return `${ms.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0)} ms`;
}

export function formatBytes(bytes: number | null): string {
	if (bytes === null) return UNKNOWN;
	const size = Math.abs(bytes);
	if (size < 1024) return `${bytes.toFixed(0)} B`;
	return size < 1024 * 1024 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

export function formatCount(value: number | null): string {
	if (value === null) return UNKNOWN;
	const rounded =
		Math.abs(value) >= 100 || Number.isInteger(value) ? Math.round(value) : Number(value.toFixed(2));
	return rounded.toLocaleString("en-US");
}

export function formatBound(bound: JudgementResult["bound"], unit: string): string {
	if ("atMost" in bound) return `≤ ${formatValue(bound.atMost, unit)}`;
	if ("atLeast" in bound) return `≥ ${formatValue(bound.atLeast, unit)}`;
	return `= ${formatValue(bound.exactly, unit)}`;
}
