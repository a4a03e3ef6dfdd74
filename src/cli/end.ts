/**
 * How a process that runs a gateway ends, when it is not told to. Node's own end would wait for its threads, one of which may
 * be in a look-up of a silent name server, or writing to a pipe that nobody reads: none of these ends does.
 */
import { ConfigError, ConfigFileError, formatProblems } from "../config/errors.js";
import { StartError } from "../gateway/errors.js";
import type { Gateway } from "../gateway/gateway.js";
import { print } from "../kernel/print.js";
import { exitNow } from "../kernel/sockets.js";

/** EX_SOFTWARE of sysexits(3). */
export const EXIT_FAULT = 70;

/** Standard error has so long to take what is said there. */
const PRINT_MS = 1_000;

/** The gateway could not be started: 2 for the configuration, 1 for the world around it. */
export async function endUnstarted(error: unknown): Promise<never> {
	if (error instanceof ConfigError) return endSaying(`${formatProblems(error)}\n`, 2);
	if (error instanceof ConfigFileError || error instanceof StartError)
		return endSaying(`sluice: ${error.message}\n`, 1);
	throw error;
}

/** Waits for a reactor to fail, and ends the process then. */
export async function endOnFailure(gateway: Gateway): Promise<never> {
	const error = await gateway.failed;
	gateway.log.logger.error(
		{ error: error.message },
		"a reactor has failed; its sessions are lost, so the process ends",
	);
	await gateway.log.flush();
	return exitNow(EXIT_FAULT);
}

/** An error that nobody caught leaves the main thread in an unknown state. */
export function endOnFault(): void {
	process.on("uncaughtException", (error) =>
		endSaying(`sluice: a fault of its own: ${error.stack ?? error.message}\n`, EXIT_FAULT),
	);
}

async function endSaying(text: string, status: number): Promise<never> {
	await print(2, text, PRINT_MS);
	return exitNow(status);
}
