/** `sluice run`: start, reload on SIGHUP, drain on SIGTERM. */
import { watch } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { Config } from "../config/config.js";
import { ConfigError, ConfigFileError, formatProblems } from "../config/errors.js";
import { loadConfigFile } from "../config/load.js";
import { StartError } from "../gateway/errors.js";
import { Gateway } from "../gateway/gateway.js";
import { exitNow } from "../kernel/sockets.js";

/** Editors write a file in several steps; the last one counts. */
const WATCH_SETTLE_MS = 200;

export async function run(file: string): Promise<void> {
	const gateway = await start(file);
	if (gateway === undefined) return;

	const reload = serialize(() => reloadFrom(gateway, file));
	process.on("SIGHUP", reload);
	if (gateway.config.watch) watchFile(file, reload);
	endOnSignal(gateway);

	const error = await gateway.failed;
	gateway.log.logger.fatal(
		{ error: error.message },
		"a reactor has failed; its sessions are lost, so the process ends",
	);
	gateway.log.flush();
	exitNow(70);
}

async function start(file: string): Promise<Gateway | undefined> {
	try {
		return await Gateway.start(loadConfigFile(file));
	} catch (error) {
		process.exitCode = report(error);
		return undefined;
	}
}

/** Prints what is wrong, and returns the exit status: 2 for the configuration, 1 for the world around it. */
function report(error: unknown): number {
	if (error instanceof ConfigError) {
		process.stderr.write(`${formatProblems(error)}\n`);
		return 2;
	}
	if (error instanceof ConfigFileError || error instanceof StartError) {
		process.stderr.write(`sluice: ${error.message}\n`);
		return 1;
	}
	throw error;
}

async function reloadFrom(gateway: Gateway, file: string): Promise<void> {
	const { logger } = gateway.log;
	let config: Config;
	try {
		config = loadConfigFile(file);
	} catch (error) {
		gateway.reloadFailed();
		if (error instanceof ConfigError)
			logger.error(
				{ problems: error.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`) },
				"not reloaded: the configuration has problems",
			);
		else logger.error({ error: (error as Error).message }, "not reloaded");
		return;
	}
	try {
		await gateway.reload(config);
	} catch (error) {
		logger.error({ error: (error as Error).message }, "not reloaded");
	}
}

/** Runs one at a time; a call during a run makes one more run after it. */
function serialize(task: () => Promise<void>): () => void {
	let running = false;
	let again = false;
	const start = async (): Promise<void> => {
		running = true;
		do {
			again = false;
			await task();
		} while (again);
		running = false;
	};
	return () => {
		if (running) again = true;
		else void start();
	};
}

/** Watches the directory, because editors and config maps replace the file instead of writing into it. */
function watchFile(file: string, changed: () => void): void {
	const path = resolve(file);
	let timer: NodeJS.Timeout | undefined;
	watch(dirname(path), { persistent: false }, (_, name) => {
		// Kubernetes swaps a link called ..data; everything else is named.
		if (name !== basename(path) && name !== "..data") return;
		clearTimeout(timer);
		timer = setTimeout(changed, WATCH_SETTLE_MS);
	});
}

/** The first SIGTERM or SIGINT drains; a second ends at once, whatever is stuck. */
export function endOnSignal(gateway: Gateway, beforeExit: () => void = () => {}): void {
	let ending = false;
	const end = (): void => {
		if (ending) exitNow(130);
		ending = true;
		void gateway.drain().then(() => {
			beforeExit();
			process.exit(0);
		});
	};
	process.on("SIGTERM", end);
	process.on("SIGINT", end);
}
