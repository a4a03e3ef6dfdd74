/**
 * Reads files by names that somebody wrote down. What has that name may be, or may have become, a pipe without a writer,
 * a device or a directory: reading waits for none of them longer than a moment, because the main thread waits with it.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";

/** Whoever generates a configuration into a pipe has so long, from the first look to the last byte. */
const PIPE_MS = 5_000;

/** How often a pipe that is empty is looked at. */
const PIPE_LOOK_MS = 10;

const STEP_BYTES = 65_536;

export interface ReadOptions {
	readonly maxBytes: number;
	/** Takes what comes out of a pipe or a device, as `<(command)` and `/dev/stdin` are. */
	readonly pipes: boolean;
}

/** It is there, and is nothing that can be read. The message is what follows behind its name. */
export class NoFileError extends Error {
	override readonly name = "NoFileError";
}

/**
 * The bytes of a file.
 *
 * @throws NoFileError, or the error of the system call
 */
export function readFileWithin(path: string, { maxBytes, pipes }: ReadOptions): Buffer {
	// Without O_NONBLOCK, opening a pipe waits for its writer.
	const descriptor = open(path);
	try {
		const stats = fstatSync(descriptor);
		if (stats.isDirectory()) throw new NoFileError("is a directory: name the file in it");
		if (!stats.isFile() && !pipes)
			throw new NoFileError(`is ${kindOf(stats)}: name a file, which can be read again`);
		return readAll(descriptor, maxBytes);
	} finally {
		closeSync(descriptor);
	}
}

/** What is said of a file that cannot be read, behind its name. */
export function whyUnread(error: unknown): string {
	const { code, message } = error as NodeJS.ErrnoException;
	if (code === "ENOENT") return "no such file";
	if (code === "EACCES") return "permission denied: the user that runs sluice must be able to read it";
	return message;
}

function open(path: string): number {
	try {
		return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENXIO") throw new NoFileError("is a socket: name a file");
		throw error;
	}
}

function kindOf(stats: Stats): string {
	return stats.isFIFO() ? "a pipe" : "a device";
}

function readAll(descriptor: number, maxBytes: number): Buffer {
	const chunks: Buffer[] = [];
	const began = performance.now();
	let size = 0;
	while (size <= maxBytes) {
		const chunk = Buffer.allocUnsafe(STEP_BYTES);
		const taken = readSome(descriptor, chunk);
		if (taken === 0) return Buffer.concat(chunks);
		if (taken === undefined) Atomics.wait(PAUSE, 0, 0, PIPE_LOOK_MS);
		else {
			chunks.push(chunk.subarray(0, taken));
			size += taken;
		}
		if (performance.now() - began > PIPE_MS)
			throw new NoFileError(`is a pipe whose writer has not ended within ${PIPE_MS / 1000} s`);
	}
	throw new NoFileError(`larger than ${maxBytes} bytes: is this the right file?`);
}

const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/** How much came; 0 at the end, `undefined` when nothing is there yet. */
function readSome(descriptor: number, chunk: Buffer): number | undefined {
	try {
		return readSync(descriptor, chunk);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "EAGAIN") return undefined;
		throw error;
	}
}
