/** Lines out of bytes that come in pieces. */
import { readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";

/** Keeps what has come of a line until the rest of it comes. */
export class LineSplitter {
	readonly #decoder = new StringDecoder("utf8");
	#rest = "";

	/** The lines that end in this piece, without their ends. A character may be cut between two pieces of bytes. */
	take(piece: string | Uint8Array): string[] {
		const text = typeof piece === "string" ? piece : this.#decoder.write(Buffer.from(piece));
		const lines = (this.#rest + text).split("\n");
		this.#rest = lines.pop() ?? "";
		return lines;
	}
}

const BLOCK_BYTES = 64 * 1024;

/** Lines of a descriptor, read blocking, until its end; whoever stops early does not read the rest. */
export function* linesOf(fd: number): Generator<string> {
	const buffer = Buffer.alloc(BLOCK_BYTES);
	const splitter = new LineSplitter();
	for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer))
		yield* splitter.take(buffer.subarray(0, count));
}
