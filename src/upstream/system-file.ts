/** A small file of the system, read again when it has changed: its owners edit it while a gateway runs for months. */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";

/** Lists of blocked advertisers in /etc/hosts have a few MiB. More would hold the main thread up. */
const SIZE_MAX_BYTES = 8 * 1_048_576;

export class SystemFile<Content> {
	readonly #path: string;
	readonly #parse: (text: string) => Content;
	#looks: string | undefined;
	#content: Content | undefined;

	constructor(path: string, parse: (text: string) => Content) {
		this.#path = path;
		this.#parse = parse;
	}

	/** What is in it now; the same object for as long as the file is the same. A missing file is an empty one. */
	read(): Content {
		const looks = looksOf(this.#path);
		if (this.#content === undefined || looks !== this.#looks) {
			this.#content = this.#parse(textOf(this.#path));
			this.#looks = looks;
		}
		return this.#content;
	}
}

function looksOf(path: string): string {
	try {
		const { dev, ino, size, mtimeMs } = statSync(path);
		return `${dev} ${ino} ${size} ${mtimeMs}`;
	} catch (error) {
		return String((error as NodeJS.ErrnoException).code);
	}
}

function textOf(path: string): string {
	let fd: number;
	try {
		// Opening a FIFO would wait for its writer.
		fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
		throw error;
	}
	try {
		const stats = fstatSync(fd);
		if (!stats.isFile()) throw new Error(`${path} is not a file`);
		return readAll(fd, path, stats);
	} finally {
		closeSync(fd);
	}
}

function readAll(fd: number, path: string, { size }: Stats): string {
	if (size > SIZE_MAX_BYTES)
		throw new Error(`${path} is larger than ${SIZE_MAX_BYTES / 1_048_576} MiB: shorten it`);
	const bytes = Buffer.alloc(size);
	let length = 0;
	while (length < size) {
		const count = readSync(fd, bytes, length, size - length, null);
		if (count === 0) break; // it has become shorter
		length += count;
	}
	return bytes.toString("utf8", 0, length);
}
