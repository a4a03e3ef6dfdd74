/** Bytes become frames, wherever they were cut. */
import { FrameTruncatedError } from "./errors.js";
import { FrameFormat, type FrameOptions } from "./format.js";

/**
 * A frame may hold at most twice its own length of memory. Under that, a copy would cost more than it saves; over it, one
 * frame of 20 bytes that somebody keeps would keep the 64 KiB with it that it was read with.
 */
const PIN_FACTOR_MAX = 2;

const NOTHING = Buffer.alloc(0);

/** How frames are cut out of what arrives. */
export interface FrameDecoderOptions extends FrameOptions {
	/**
	 * Whether frames may hold on to the chunk that they arrived in, however large it is. Default `false`: a frame that lies
	 * whole in a chunk is a view of it only if the chunk's memory is at most twice the frame's length, else it is copied to
	 * memory of its own. `true` copies no whole frame: right where frames are used up at once, and kept by nobody.
	 */
	readonly pin?: boolean;
}

/**
 * Cuts frames out of chunks.
 *
 * It holds no more than about twice what has arrived of one frame: an announced length alone allocates nothing. A frame in
 * several chunks is put together in memory of its own.
 *
 * `push` throws nothing; reading does: FrameTooLargeError, FrameLengthError, and after `end()` FrameTruncatedError. All frames
 * before the fault have been read by then. After a fault the decoder keeps nothing, and throws it again on every read, as
 * nobody knows where the next frame would start.
 *
 *     const decoder = new FrameDecoder();
 *     socket.on("data", (chunk) => {
 *         for (const frame of decoder.push(chunk)) handle(frame);
 *     });
 *     socket.on("end", () => decoder.end());
 */
export class FrameDecoder implements Iterable<Buffer> {
	readonly #format: FrameFormat;
	readonly #pin: boolean;

	/** What was pushed and not yet read: whole, apart from the first one, of which `#at` bytes are read. */
	#chunks: Buffer[] = [];
	#at = 0;
	#unreadBytes = 0;

	#prefixBytesRead = 0;
	#declaredBytes = 0;
	/** Of the payload that is being read; -1 while its prefix is. */
	#frameBytes = -1;

	/**
	 * The frame that did not come whole. Its memory grows with what arrives and ends at the frame's length:
	 *
	 *     | arrived ---- #partialBytes | room | not allocated ---- #frameBytes |
	 */
	#partial = NOTHING;
	#partialBytes = 0;

	#ended = false;
	#fault: Error | undefined;

	/** Throws OptionError. */
	constructor(options: FrameDecoderOptions | FrameFormat = {}) {
		this.#format = FrameFormat.of(options, ["pin"]);
		this.#pin = options instanceof FrameFormat ? false : (options.pin ?? false);
	}

	/** Bytes that are held: chunks not yet read, and the part of a frame. */
	get bufferedBytes(): number {
		return this.#unreadBytes + this.#partialBytes;
	}

	/** Memory that is allocated for the part of a frame. At most twice what has arrived of it. */
	get partialCapacityBytes(): number {
		return this.#partial.byteLength;
	}

	/**
	 * Takes a chunk, and returns the decoder to read frames from. What is not read now can be read later, but until then the
	 * chunk is kept: who does not read must stop pushing. The chunk must not be changed afterwards.
	 */
	push(chunk: Uint8Array): this {
		if (this.#fault !== undefined || chunk.byteLength === 0) return this;
		const { buffer, byteOffset, byteLength } = chunk;
		this.#chunks.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(buffer, byteOffset, byteLength));
		this.#unreadBytes += byteLength;
		return this;
	}

	/**
	 * Says that nothing follows. Throws FrameTruncatedError if a frame was begun; if there are chunks not yet read, reading
	 * them does.
	 */
	end(): void {
		this.#ended = true;
		if (this.#unreadBytes === 0) this.read();
	}

	/** All whole frames, one after the other. Throws what `read` throws. */
	*[Symbol.iterator](): Generator<Buffer, void, undefined> {
		for (let frame = this.read(); frame !== undefined; frame = this.read()) yield frame;
	}

	/**
	 * The next frame's payload, or `undefined` if it is not whole yet. Throws FrameTooLargeError, FrameLengthError,
	 * FrameTruncatedError.
	 */
	read(): Buffer | undefined {
		if (this.#fault !== undefined) throw this.#fault;
		try {
			if (this.#readPrefix()) {
				const frame = this.#readPayload();
				if (frame !== undefined) return frame;
			}
			if (this.#ended) this.#throwIfTruncated();
			return undefined;
		} catch (error) {
			if (error instanceof Error) this.#fail(error);
			throw error;
		}
	}

	/** Whether the prefix is known. */
	#readPrefix(): boolean {
		if (this.#frameBytes >= 0) return true;
		const { prefixBytes } = this.#format;
		for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
			const until = Math.min(chunk.length, this.#at + prefixBytes - this.#prefixBytesRead);
			for (let at = this.#at; at < until; at++)
				this.#declaredBytes = this.#format.addByte(
					this.#declaredBytes,
					this.#prefixBytesRead++,
					chunk[at] ?? 0,
				);
			this.#skip(chunk, until - this.#at);
			if (this.#prefixBytesRead < prefixBytes) continue;
			// The limit is checked here, before anything is kept for the payload.
			this.#frameBytes = this.#format.payloadBytes(this.#declaredBytes);
			return true;
		}
		return false;
	}

	#readPayload(): Buffer | undefined {
		if (this.#frameBytes === 0) return this.#whole(NOTHING);
		for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
			const missingBytes = this.#frameBytes - this.#partialBytes;
			const here = Math.min(missingBytes, chunk.length - this.#at);
			if (here === this.#frameBytes) {
				const frame = this.#cut(chunk, this.#at, here);
				this.#skip(chunk, here);
				return this.#whole(frame);
			}
			this.#keep(chunk, here);
			this.#skip(chunk, here);
			if (here === missingBytes) return this.#whole(this.#partial);
		}
		return undefined;
	}

	/** A frame that lies whole in a chunk. */
	#cut(chunk: Buffer, at: number, bytes: number): Buffer {
		const view = chunk.subarray(at, at + bytes);
		if (this.#pin || chunk.buffer.byteLength <= PIN_FACTOR_MAX * bytes) return view;
		// Not from the shared pool: a frame of 20 bytes would hold 8 KiB of it.
		const copy = Buffer.allocUnsafeSlow(bytes);
		copy.set(view);
		return copy;
	}

	/**
	 * Copies a part of a frame. Chunks are not kept as they are: a peer who sends single bytes would cost an object of a
	 * hundred bytes and more for each.
	 */
	#keep(chunk: Buffer, bytes: number): void {
		const filledBytes = this.#partialBytes + bytes;
		if (filledBytes > this.#partial.byteLength) {
			const grown = Buffer.allocUnsafeSlow(
				Math.min(this.#frameBytes, Math.max(filledBytes, 2 * this.#partialBytes)),
			);
			grown.set(this.#partial.subarray(0, this.#partialBytes));
			this.#partial = grown;
		}
		chunk.copy(this.#partial, this.#partialBytes, this.#at, this.#at + bytes);
		this.#partialBytes = filledBytes;
	}

	#skip(chunk: Buffer, bytes: number): void {
		this.#unreadBytes -= bytes;
		this.#at += bytes;
		if (this.#at < chunk.length) return;
		this.#chunks.shift();
		this.#at = 0;
	}

	#whole(frame: Buffer): Buffer {
		this.#prefixBytesRead = 0;
		this.#declaredBytes = 0;
		this.#frameBytes = -1;
		this.#partial = NOTHING;
		this.#partialBytes = 0;
		return frame;
	}

	#throwIfTruncated(): void {
		if (this.#frameBytes >= 0) throw new FrameTruncatedError(this.#frameBytes, this.#partialBytes);
		if (this.#prefixBytesRead > 0) throw new FrameTruncatedError(undefined, this.#prefixBytesRead);
	}

	#fail(error: Error): void {
		this.#fault = error;
		this.#chunks = [];
		this.#at = 0;
		this.#unreadBytes = 0;
		this.#partial = NOTHING;
		this.#partialBytes = 0;
	}
}
