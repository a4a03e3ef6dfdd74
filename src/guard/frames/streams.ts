/** Frames in a pipeline: one stream that makes them, one that takes them apart. */
import { Transform, type TransformCallback } from "node:stream";
import { FrameDecoder, type FrameDecoderOptions } from "./decoder.js";
import { encodeShared, joins, type Payload, piecesShared } from "./encode.js";
import { FrameFormat, type FrameOptions } from "./format.js";

/**
 * Payloads in (objects: Uint8Array or string), bytes out. A payload over the limit destroys the stream with
 * FrameTooLargeError. Waits while 16 KiB (Node's default of bytes) are unread.
 *
 *     pipeline(messages, new FrameEncoderStream(), socket, done);
 */
export class FrameEncoderStream extends Transform {
	readonly #format: FrameFormat;

	/** Throws OptionError. */
	constructor(options?: FrameOptions | FrameFormat) {
		super({ writableObjectMode: true });
		this.#format = FrameFormat.of(options);
	}

	/** @internal For Node's streams to call. */
	override _transform(payload: Payload, _encoding: BufferEncoding, done: TransformCallback): void {
		try {
			if (joins(payload)) {
				this.push(encodeShared(payload, this.#format));
			} else {
				for (const piece of piecesShared(payload, this.#format)) this.push(piece);
			}
			done();
		} catch (error) {
			done(asError(error));
		}
	}
}

/**
 * Bytes in, payloads out (each one Buffer, as an object). A fault destroys the stream with FrameTooLargeError,
 * FrameLengthError, or FrameTruncatedError; as with every destroyed stream, frames that nobody has read by then are gone.
 * `frames()` hands them out first.
 *
 * At most 16 frames (Node's default of objects) wait to be read: a chunk with thousands of tiny frames is taken apart only as
 * fast as they are.
 *
 *     pipeline(socket, new FrameDecoderStream({ maxFrameBytes: "64KiB" }), handler, done);
 */
export class FrameDecoderStream extends Transform {
	readonly #decoder: FrameDecoder;
	/** To be called when the last chunk is used up; there while the reader is behind. */
	#chunkDone: TransformCallback | undefined;

	/** Throws OptionError. */
	constructor(options?: FrameDecoderOptions) {
		super({ readableObjectMode: true });
		this.#decoder = new FrameDecoder(options);
	}

	/** @internal For Node's streams to call. */
	override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
		this.#decoder.push(chunk);
		this.#chunkDone = done;
		this.#advance();
	}

	/** @internal For Node's streams to call. */
	override _read(size: number): void {
		if (this.#chunkDone !== undefined) this.#advance();
		else super._read(size);
	}

	/** @internal For Node's streams to call. */
	override _flush(done: TransformCallback): void {
		try {
			this.#decoder.end();
			done();
		} catch (error) {
			done(asError(error));
		}
	}

	/** Hands out frames until the reader has enough; `_read` goes on from there. */
	#advance(): void {
		const done = this.#chunkDone;
		if (done === undefined) return;
		try {
			for (const frame of this.#decoder) if (!this.push(frame)) return;
		} catch (error) {
			this.#chunkDone = undefined;
			done(asError(error));
			return;
		}
		this.#chunkDone = undefined;
		done();
	}
}

function asError(error: unknown): Error {
	return error instanceof Error ? error : new Error(String(error));
}
