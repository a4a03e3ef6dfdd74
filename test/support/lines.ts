/** A log in memory, for objects of the gateway's that a test runs by themselves. */
import type { Logger } from "../../src/gateway/log.js";

export interface Line {
	readonly level: "info" | "warn" | "error";
	readonly fields: Readonly<Record<string, unknown>>;
	readonly message: string;
}

export function linesLogger(): { logger: Logger; lines: Line[] } {
	const lines: Line[] = [];
	const note = (level: Line["level"]) => (fields: Line["fields"], message: string) => {
		lines.push({ level, fields, message });
	};
	// The calls that are made, of a logger that has many more.
	const logger = { info: note("info"), warn: note("warn"), error: note("error") } as unknown as Logger;
	return { logger, lines };
}
