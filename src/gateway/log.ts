/**
 * The log: JSON lines, or readable ones on a terminal. Writing never blocks the main thread: lines wait
 * in a bounded buffer, and what finds no room is counted, and told when there is room again.
 */
import { isatty } from "node:tty";
import pino, { type Logger } from "pino";
import type { LogConfig } from "../config/config.js";

export type { Logger };

/** Lines waiting for a slow reader of the log; beyond that they are dropped and counted. */
const WAITING_MAX_BYTES = 16 * 1024 * 1024;

/** The end of the process is not put off for longer by a reader that takes nothing. */
const FLUSH_MS = 1_000;

export interface Log {
	readonly logger: Logger;
	/** Lines dropped because whoever reads the log is too slow. */
	readonly dropped: () => number;
	/** Resolves when what waits has been written, or its reader is too slow to be waited for. */
	flush(): Promise<void>;
}

/** `fd`: where lines go; 1 = standard output. */
export function openLog(config: LogConfig, fd = 1): Log {
	// With a least length of 1 lines are still written at once, and `flush` tells when none waits any more.
	const destination = pino.destination({ fd, sync: false, minLength: 1, maxLength: WAITING_MAX_BYTES });
	let dropped = 0;
	let droppedSaid = 0;
	destination.on("drop", () => dropped++);
	// There is room again.
	destination.on("drain", () => {
		if (dropped === droppedSaid) return;
		const lines = dropped - droppedSaid;
		droppedSaid = dropped;
		logger.warn({ lines }, "log lines were dropped: whoever reads the log is too slow");
	});
	// A reader that closed its end (`sluice run | head`) is no reason to stop relaying.
	destination.on("error", () => dropped++);
	const pretty = config.format === "pretty" || (config.format === "auto" && isatty(fd));
	const stream = pretty ? { write: (line: string) => destination.write(readable(line)) } : destination;
	const logger = pino(
		{
			level: config.level,
			base: null,
			timestamp: () => `,"time":"${new Date().toISOString()}"`,
			formatters: { level: (label) => ({ level: label }) },
			messageKey: "message",
		},
		stream,
	);
	return {
		logger,
		dropped: () => dropped,
		flush: () =>
			new Promise((resolve) => {
				const late = setTimeout(resolve, FLUSH_MS);
				destination.flush(() => {
					clearTimeout(late);
					resolve();
				});
			}),
	};
}

/** `12:03:44.120 warn  git 10.0.0.5:443 is down  error=ECONNREFUSED` */
function readable(line: string): string {
	const { time, level, message, ...rest } = JSON.parse(line) as Record<string, unknown>;
	let text = `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(message)}`;
	for (const [key, value] of Object.entries(rest)) {
		if (value === null || value === undefined || value === "") continue;
		text += `  ${key}=${typeof value === "object" ? JSON.stringify(value) : String(value)}`;
	}
	return `${text}\n`;
}
