/** Prints lines as they come, no faster than they are taken, until a signal or their reader ends it. */
import { once } from "node:events";
import { OperateError } from "./operate-error.js";
import type { Told } from "./subscribe.js";

/** `work` hears by its signal that nobody wants more: that is no failure. @throws OperateError where the output fails */
export async function printed(work: (told: Told, signal: AbortSignal) => Promise<void>): Promise<void> {
	const ending = new AbortController();
	const end = (): void => ending.abort();
	process.once("SIGINT", end).once("SIGTERM", end);
	let failure: NodeJS.ErrnoException | undefined;
	process.stdout.on("error", (error: NodeJS.ErrnoException) => {
		// Of a pipe: its reader has left, as `head` does.
		if (error.code !== "EPIPE") failure = error;
		end();
	});
	process.stderr.on("error", () => {});
	try {
		await work({ lines: (text) => write(text, ending.signal), note }, ending.signal);
	} finally {
		process.off("SIGINT", end).off("SIGTERM", end);
	}
	if (failure !== undefined) throw new OperateError(`cannot write to standard output: ${failure.message}`);
}

async function write(text: string, signal: AbortSignal): Promise<void> {
	if (process.stdout.write(text) || signal.aborted) return;
	// What ends the output ends the waiting for it.
	await once(process.stdout, "drain", { signal }).catch(() => {});
}

function note(text: string): void {
	process.stderr.write(`sluice: ${text}\n`);
}
