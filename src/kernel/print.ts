/** What a command says on standard output or standard error, which may be a full disk, a reader that left, or one that sleeps. */
import { write } from "node:fs";

/** A non-blocking pipe that is full is tried again after so long. */
const FULL_PIPE_MS = 10;

/**
 * Writes a whole text. Resolves with what kept it from that, if anything: an error's code, or `ETIMEDOUT` when nothing was
 * taken for `patienceMs`. A write may still be under way then, and only `exitNow` ends the process in spite of it.
 */
export function print(
	fd: 1 | 2,
	text: string,
	patienceMs = Number.POSITIVE_INFINITY,
): Promise<string | undefined> {
	return new Promise((resolve) => {
		let rest = Buffer.from(text);
		let late: NodeJS.Timeout | undefined;
		const end = (problem: string | undefined): void => {
			clearTimeout(late);
			resolve(problem);
		};
		const wait = (): void => {
			clearTimeout(late);
			if (patienceMs < Number.POSITIVE_INFINITY) late = setTimeout(() => end("ETIMEDOUT"), patienceMs);
		};
		const step = (): void => {
			if (rest.length === 0) end(undefined);
			else
				write(fd, rest, (error, count) => {
					if (error === null) {
						rest = rest.subarray(count);
						wait();
						step();
					} else if (error.code === "EAGAIN") setTimeout(step, FULL_PIPE_MS);
					else end(error.code ?? error.message);
				});
		};
		wait();
		step();
	});
}
