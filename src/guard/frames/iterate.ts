/** Frames in a `for await` loop. */
import { Readable } from "node:stream";
import { onAbort } from "../../parts/on-abort.js";
import { requireKnown } from "../units.js";
import { FrameDecoder, type FrameDecoderOptions } from "./decoder.js";
import { FRAME_OPTIONS } from "./format.js";

/** How frames are read from a source. */
export interface FramesOptions extends FrameDecoderOptions {
	/** Ends the loop with the signal's reason, even while nothing arrives, and destroys the source. */
	readonly signal?: AbortSignal;
}

/**
 * The frames of a socket, any other Readable, or an async iterable of bytes, one at a time. While the loop's body is busy
 * nothing is read beyond the current chunk, so the sender is slowed down by TCP.
 *
 * When the source ends between two frames the loop ends, and the source's other direction stays open: answers that are still
 * on their way arrive. Left in any other way, by `break`, a throw, a fault, or the signal, the loop destroys the source (an
 * iterable: its `return` is called), as the rest of its bytes cannot be understood by anybody else.
 *
 * Throws OptionError at once; in the loop FrameTooLargeError, FrameLengthError, FrameTruncatedError, the signal's reason, and
 * what the source fails with.
 *
 *     for await (const frame of frames(socket, { maxFrameBytes: "64KiB", signal })) await handle(frame);
 */
export function frames(
	source: AsyncIterable<Uint8Array> | Readable,
	options: FramesOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
	requireKnown("", options, [...FRAME_OPTIONS, "pin", "signal"]);
	const { signal, ...decoding } = options;
	return iterate(source, new FrameDecoder(decoding), signal);
}

async function* iterate(
	source: AsyncIterable<Uint8Array> | Readable,
	decoder: FrameDecoder,
	signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, undefined> {
	// A Readable's own iterator would destroy a socket at the end of what it reads, and with it what is still to be written.
	const chunks: AsyncIterator<Uint8Array> =
		source instanceof Readable ? source.iterator({ destroyOnReturn: false }) : source[Symbol.asyncIterator]();
	let ended = false;
	try {
		for (;;) {
			signal?.throwIfAborted();
			const step = await unlessAborted(chunks.next(), signal);
			if (step.done === true) break;
			for (const frame of decoder.push(step.value)) {
				yield frame;
				signal?.throwIfAborted();
			}
		}
		decoder.end();
		ended = true;
	} finally {
		if (!ended) release(source, chunks);
	}
}

function release(source: AsyncIterable<Uint8Array> | Readable, chunks: AsyncIterator<Uint8Array>): void {
	if (source instanceof Readable) source.destroy();
	// Not awaited: an iterator that waits for bytes answers only when they come. What it fails with comes too late for anybody.
	chunks.return?.().then(undefined, () => {});
}

/** The promise's outcome, or the signal's reason if that comes first. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
	if (signal === undefined) return promise;
	return new Promise((resolve, reject) => {
		const deaf = onAbort(signal, () => {
			deaf();
			reject(signal.reason);
		});
		promise.then(resolve, reject).finally(deaf);
	});
}
