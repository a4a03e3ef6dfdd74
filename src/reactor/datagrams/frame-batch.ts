/**
 * Frames that are about to be sent by a line, one behind the other, perhaps behind a PROXY header:
 *
 *     │ header │ length, datagram │ length, datagram │ …
 *     0        └ headerBytes                           └ bytes
 */
import { datagramOfFrame, LENGTH_BYTES, writeFrameLength } from "../../protocol/tunnel/index.js";

export class FrameBatch {
	/** What is there, the header included. */
	bytes = 0;
	headerBytes = 0;
	frames = 0;
	#memory: Uint8Array = new Uint8Array(0);
	#at = 0;
	#size = 0;

	/** An empty one, in memory[at, at + size). */
	begin(memory: Uint8Array, at: number, size: number): void {
		this.#memory = memory;
		this.#at = at;
		this.#size = size;
		this.clear();
	}

	clear(): void {
		this.bytes = 0;
		this.headerBytes = 0;
		this.frames = 0;
	}

	/** A header has been written to the beginning. */
	noteHeader(bytes: number): void {
		this.headerBytes = bytes;
		this.bytes = bytes;
	}

	/** A datagram of that length fits. */
	hasRoom(length: number): boolean {
		return this.bytes + LENGTH_BYTES + length <= this.#size;
	}

	add(from: Uint8Array, at: number, length: number): void {
		const start = writeFrameLength(this.#memory, this.#at + this.bytes, length);
		this.#memory.set(from.subarray(at, at + length), start);
		this.bytes += LENGTH_BYTES + length;
		this.frames++;
	}

	/** Where the frame ends in which the byte `least` - 1 lies; what is behind it can be left out. */
	endOfFrame(least: number): number {
		let end = this.headerBytes;
		while (end < least && end < this.bytes) end = this.#behindFrame(end);
		return end;
	}

	/** How many frames lie in the first `bytes`. */
	framesIn(bytes: number): number {
		let count = 0;
		for (let end = this.headerBytes; end < bytes; end = this.#behindFrame(end)) count++;
		return count;
	}

	#behindFrame(at: number): number {
		const start = this.#at + at;
		return at + LENGTH_BYTES + datagramOfFrame(this.#memory, start, this.#at + this.bytes);
	}
}
