/** What operators and their programs read: columns, durations and sizes; JSON. */

/** `--json` */
export function json(value: unknown): string {
	return `${JSON.stringify(value, undefined, "\t")}\n`;
}

/** Rows under their headings, each column as wide as its widest cell. What strangers have said cannot move the cursor. */
export function table(headings: readonly string[], written: readonly (readonly string[])[]): string {
	const rows = written.map((cells) => cells.map((cell) => cell.replace(/\p{Cc}/gu, " ")));
	const widths = headings.map((heading, column) =>
		Math.max(heading.length, ...rows.map((row) => (row[column] ?? "").length)),
	);
	const line = (cells: readonly string[]): string =>
		cells
			.map((cell, column) => cell.padEnd(widths[column] ?? 0))
			.join("  ")
			.trimEnd();
	return `${[headings, ...rows].map(line).join("\n")}\n`;
}

/** A name and its value on each line. */
export function facts(entries: readonly (readonly [string, string])[]): string {
	const width = Math.max(...entries.map(([name]) => name.length));
	return `${entries.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n")}\n`;
}

/** `3.2s`, `14m`, `5h 3m`, `2d 4h`. */
export function duration(ms: number): string {
	if (ms < 1_000) return `${Math.round(ms)}ms`;
	if (ms < 60_000) return `${(ms / 1_000).toFixed(1)}s`;
	const minutes = Math.floor(ms / 60_000);
	if (minutes < 60) return `${minutes}m ${Math.floor((ms % 60_000) / 1_000)}s`;
	const hours = Math.floor(minutes / 60);
	return hours < 24 ? `${hours}h ${minutes % 60}m` : `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `17 B`, `3.4 MiB`. */
export function size(bytes: number): string {
	let unit = 0;
	let value = bytes;
	while (value >= 1_024 && unit < UNITS.length - 1) {
		value /= 1_024;
		unit++;
	}
	return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}
