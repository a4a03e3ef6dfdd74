/** Frames go out, many in one write. */
import type { Writable } from "node:stream";
import { Waiters } from "../../parts/waiters.js";
import { OptionError, type Size, toBytes } from "../units.js";
import { encodeShared, joins, type Payload, piecesShared } from "./encode.js";
import { FrameBacklogError, FrameWriterClosedError } from "./errors.js";
import { FrameFormat, type FrameOptions } from "./format.js";

/**
 * 64 KiB: 45 full segments, or nearly a thousand frames of 64 bytes. What a write costs by itself is nothing beside theirs by
 * then, so more of them together would save nothing.
 */
const HIGH_WATER_BYTES = 64 * 1024;

/** 4 MiB: four of the largest frames by default, and sixty times the mark at which callers are asked to wait. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

/**
 * How often `drained()` looks at what only others have written: Node tells nobody when that is gone, unless the stream's own mark
 * was reached. Ten milliseconds are short beside what a full socket takes, and a hundred looks a second cost nothing.
 */
const LOOK_MS = 10;

/** When frames are written. */
export interface FrameWriterOptions extends FrameOptions {
	/**
	 * - `"tick"` (default): all frames of one turn of JavaScript together, when it is over. Nothing waits for a timer.
	 * - `"immediate"`: each frame by itself. A system call, and often a segment, for each.
	 * - `"manual"`: when `flush()` is called, or `highWaterBytes` are together. Who forgets to flush sends nothing.
	 */
	readonly flush?: "tick" | "immediate" | "manual";
	/**
	 * With so much together, it is written without waiting for the policy; with so much unwritten, `write` returns `false`.
	 * Default 64 KiB.
	 */
	readonly highWaterBytes?: Size;
	/**
	 * The most that may wait in the stream. Default 4 MiB. A caller who does not wait gets a FrameBacklogError, not an
	 * unlimited queue. A single frame is always taken when nothing waits.
	 */
	readonly maxBufferedBytes?: Size;
}

/** What a FrameWriter has done since it was made. */
export interface FrameWriterCounts {
	/** Frames that were taken. */
	readonly frames: number;
	/** Times that frames were handed on. If the stream is behind, it may join several. */
	readonly writes: number;
	/** With prefixes. */
	readonly bytes: number;
}

/**
 * Writes frames to a stream, and joins small ones to one write: a frame that is flushed by itself costs a system call, and a
 * segment with 40 bytes of headers and more.
 *
 * It joins with `cork()`, so what others write to the stream keeps its place between the frames. "tick" means
 * `process.nextTick`, which runs when the current callback and all promises that it settles are through: the answers to all
 * frames of one chunk go out together, and still before any other event is looked at. `setImmediate` would join the answers of
 * one socket no better, as a socket is read once in a turn, and hold them back until all other sockets were served.
 *
 * Large payloads are not copied, and must not be changed before they are written.
 *
 *     const writer = new FrameWriter(socket);
 *     for (const message of messages) {
 *         if (!writer.write(message)) await writer.drained({ signal });
 *     }
 *     writer.end();
 */
export class FrameWriter {
	readonly #stream: Writable;
	readonly #format: FrameFormat;
	readonly #policy: "tick" | "immediate" | "manual";
	readonly #highWaterBytes: number;
	readonly #maxBufferedBytes: number;

	/** Whether the stream is corked by us, and what was written since. */
	#corked = false;
	#corkedBytes = 0;
	#tickWaits = false;

	/** Pieces of ours that the stream has not called back for. */
	#waitingPieces = 0;
	/** There while somebody waits and none of ours do. */
	#look: NodeJS.Timeout | undefined;

	#frames = 0;
	#writes = 0;
	#bytes = 0;

	readonly #waiters = new Waiters(() => {
		this.#stream.off("close", this.#closed);
		this.#stream.off("drain", this.#drain);
		clearInterval(this.#look);
		this.#look = undefined;
	});

	/** Throws OptionError. */
	constructor(stream: Writable, options: FrameWriterOptions = {}) {
		const { flush = "tick" } = options;
		if (flush !== "tick" && flush !== "immediate" && flush !== "manual")
			throw new OptionError(
				"flush",
				flush,
				`expected "tick", "immediate" or "manual", found ${String(flush)}`,
			);
		this.#stream = stream;
		this.#format = new FrameFormat(options, ["flush", "highWaterBytes", "maxBufferedBytes"]);
		this.#policy = flush;
		this.#highWaterBytes = toBytes("highWaterBytes", options.highWaterBytes ?? HIGH_WATER_BYTES);
		this.#maxBufferedBytes = toBytes(
			"maxBufferedBytes",
			options.maxBufferedBytes ?? Math.max(MAX_BUFFERED_BYTES, this.#highWaterBytes),
			this.#highWaterBytes,
		);
	}

	/** What waits in the stream, by whomever it was written. */
	get bufferedBytes(): number {
		return this.#stream.writableLength;
	}

	/** What was done so far: `frames / writes` frames go in one write. */
	get counts(): FrameWriterCounts {
		return { frames: this.#frames, writes: this.#writes, bytes: this.#bytes };
	}

	/**
	 * Takes a frame. `false`: wait with `drained()` before the next. After the stream has closed or was ended it is `false` as
	 * well, the frame is dropped, and `drained()` rejects. Throws FrameTooLargeError, FrameBacklogError; the frame was not
	 * taken then, and the writer can be used on.
	 */
	write(payload: Payload): boolean {
		if (!this.#stream.writable) return false;
		// First, as it may throw: nothing is half written then.
		const pieces: readonly Uint8Array[] = joins(payload)
			? [encodeShared(payload, this.#format)]
			: piecesShared(payload, this.#format);
		let bytes = 0;
		for (const piece of pieces) bytes += piece.byteLength;
		const buffered = this.#stream.writableLength;
		if (buffered > 0 && buffered + bytes > this.#maxBufferedBytes)
			throw new FrameBacklogError(buffered, this.#maxBufferedBytes);

		this.#cork();
		this.#waitingPieces += pieces.length;
		for (const piece of pieces) this.#stream.write(piece, this.#written);
		this.#frames++;
		this.#bytes += bytes;
		this.#corkedBytes += bytes;
		if (this.#policy === "immediate" || this.#corkedBytes >= this.#highWaterBytes) this.flush();
		else if (this.#policy === "tick") this.#flushLater();
		return this.#stream.writableLength < this.#highWaterBytes;
	}

	/** Hands on what is together, whatever the policy. */
	flush(): void {
		if (!this.#corked) return;
		this.#corked = false;
		this.#corkedBytes = 0;
		this.#writes++;
		this.#stream.uncork();
	}

	/** Flushes, and ends the stream when everything is written. */
	end(): void {
		this.flush();
		this.#stream.end();
	}

	/**
	 * Resolves as soon as less than `highWaterBytes` wait, at once if that is so. Flushes first. Rejects with
	 * FrameWriterClosedError when the stream closes, with the signal's reason when that comes first.
	 */
	async drained(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
		const { signal } = options;
		signal?.throwIfAborted();
		this.flush();
		if (!this.#stream.writable) throw new FrameWriterClosedError(this.#stream.errored ?? undefined);
		if (this.#stream.writableLength < this.#highWaterBytes) return;
		// One listener for all who wait, and none when nobody does. What others write tells us nothing but "drain", if anything.
		if (this.#waiters.size === 0) {
			this.#stream.on("close", this.#closed);
			this.#stream.on("drain", this.#drain);
		}
		const waiting = this.#waiters.wait(signal);
		this.#lookWhereNobodyTells();
		await waiting;
	}

	#cork(): void {
		if (this.#corked) return;
		this.#corked = true;
		this.#stream.cork();
	}

	#flushLater(): void {
		if (this.#tickWaits) return;
		this.#tickWaits = true;
		process.nextTick(this.#tick);
	}

	readonly #tick = (): void => {
		this.#tickWaits = false;
		this.flush();
	};

	/** After each piece: "drain" comes only from Node's own mark, which is not ours. */
	readonly #written = (error?: Error | null): void => {
		this.#waitingPieces--;
		if (this.#waiters.size === 0) return;
		if (error != null) this.#waiters.reject(new FrameWriterClosedError(error));
		else this.#drain();
	};

	readonly #drain = (): void => {
		if (this.#stream.writableLength < this.#highWaterBytes) this.#waiters.resolve();
		else this.#lookWhereNobodyTells();
	};

	#lookWhereNobodyTells(): void {
		if (this.#waitingPieces > 0 || this.#waiters.size === 0) return;
		this.#look ??= setInterval(this.#drain, LOOK_MS).unref();
	}

	readonly #closed = (): void =>
		this.#waiters.reject(new FrameWriterClosedError(this.#stream.errored ?? undefined));
}
