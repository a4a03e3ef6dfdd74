/** The log: JSON lines, or readable ones on a terminal. */
import { isatty } from "node:tty";
import pino, { type Logger } from "pino";
import type { LogConfig } from "../config/config.js";
import { type LineSink, LogWriter } from "./log-writer.js";

export type { Logger };

export interface Log {
	readonly logger: Logger;
	/** For what operators change, which is told at every level. */
	readonly audit: Logger;
	/** Takes the lines of sessions and requests, in JSON; `undefined` where the level leaves them out. */
	readonly lines: LineSink | undefined;
	/** Lines lost: whoever reads the log is too slow, or they could not be written. */
	readonly dropped: () => number;
	/** Resolves when what waits has been written, and after a second at the latest: see `LogWriter`. */
	flush(): Promise<void>;
}

/** `fd`: where lines go; 1 = standard output. */
export function openLog(config: LogConfig, fd = 1): Log {
	const writer = new LogWriter(fd, ({ tooSlow, refused, error }) => {
		if (tooSlow > 0)
			logger.warn({ lines: tooSlow }, "log lines were dropped: whoever reads the log is too slow");
		if (refused > 0) logger.warn({ lines: refused, error }, "log lines were lost: they could not be written");
	});
	const pretty = config.format === "pretty" || (config.format === "auto" && isatty(fd));
	const loggerAt = (level: string): Logger =>
		pino(
			{
				level,
				base: null,
				timestamp: () => `,"time":"${new Date().toISOString()}"`,
				formatters: { level: (label) => ({ level: label }) },
				messageKey: "message",
			},
			{ write: (line: string) => writer.write(pretty ? readable(line) : line) },
		);
	const logger = loggerAt(config.level);
	const lines = pretty ? new ReadableLines(writer) : writer;
	return {
		logger,
		// Not a child: that would fall silent with its parent.
		audit: loggerAt("info"),
		lines: logger.isLevelEnabled("info") ? lines : undefined,
		dropped: () => writer.lost,
		flush: () => writer.flush(),
	};
}

/** For people, who read few: each line is made into text and written in another form. */
class ReadableLines implements LineSink {
	readonly #writer: LogWriter;
	bytes = Buffer.alloc(0);
	readonly start = 0;

	constructor(writer: LogWriter) {
		this.#writer = writer;
	}

	begin(maxBytes: number): boolean {
		if (this.bytes.length < maxBytes) this.bytes = Buffer.alloc(maxBytes);
		return true;
	}

	end(end: number): void {
		this.#writer.write(readable(this.bytes.toString("utf8", 0, end)));
	}

	/** Each line was sent when it ended. */
	send(): void {}
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
