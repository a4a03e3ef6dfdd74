/** A payload becomes a frame. */
import { OptionError } from "../units.js";
import { FrameFormat, type FrameOptions } from "./format.js";

/**
 * Up to 16 KiB a payload is copied behind its prefix where the choice is open: such a copy costs about a microsecond, a second
 * piece in a write about as much, and a second write several times that.
 */
const JOIN_BYTES_MAX = 16 * 1024;

type Allocate = (bytes: number) => Buffer;

/** A payload. A string is written as UTF-8. */
export type Payload = Uint8Array | string;

/**
 * One buffer with prefix and payload: the payload is copied. The buffer has memory of exactly its length: keep it as long as
 * you like. Throws FrameTooLargeError, OptionError.
 *
 *     socket.write(encodeFrame("hello"));                      // 00 00 00 05 h e l l o
 *     socket.write(encodeFrame("hello", { prefixBytes: 1 }));  // 05 h e l l o
 */
export function encodeFrame(payload: Payload, options?: FrameOptions | FrameFormat): Buffer {
	return join(payload, FrameFormat.of(options), Buffer.allocUnsafeSlow);
}

/**
 * The same for a stream that is to write it at once. A small frame lies in the 8 KiB that Node shares among small buffers, all of
 * which one that is kept would hold.
 *
 * @internal
 */
export function encodeShared(payload: Payload, format: FrameFormat): Buffer {
	return join(payload, format, Buffer.allocUnsafe);
}

function join(payload: Payload, format: FrameFormat, allocate: Allocate): Buffer {
	checkKind(payload);
	const payloadBytes = typeof payload === "string" ? Buffer.byteLength(payload) : payload.byteLength;
	// The limit comes first, before there is memory for the frame.
	format.checkLimit(payloadBytes);
	const frame = allocate(format.prefixBytes + payloadBytes);
	format.writePrefix(frame, 0, payloadBytes);
	if (typeof payload === "string") frame.write(payload, format.prefixBytes);
	else frame.set(payload, format.prefixBytes);
	return frame;
}

/**
 * Prefix and payload as two pieces: nothing is copied, and the payload must not be changed until both are written. Write them
 * between `cork()` and `uncork()`, or they may become two segments. What is made here, the prefix and the bytes of a string, has
 * memory of exactly its length. Throws FrameTooLargeError, OptionError.
 *
 *     const [prefix, body] = framePieces(payload);
 *     socket.cork();
 *     socket.write(prefix);
 *     socket.write(body);
 *     socket.uncork();
 */
export function framePieces(
	payload: Payload,
	options?: FrameOptions | FrameFormat,
): [prefix: Buffer, payload: Uint8Array] {
	return split(payload, FrameFormat.of(options), Buffer.allocUnsafeSlow);
}

/**
 * The same for a stream that is to write them at once: `encodeShared` says why.
 *
 * @internal
 */
export function piecesShared(payload: Payload, format: FrameFormat): [prefix: Buffer, payload: Uint8Array] {
	return split(payload, format, Buffer.allocUnsafe);
}

function split(
	payload: Payload,
	format: FrameFormat,
	allocate: Allocate,
): [prefix: Buffer, payload: Uint8Array] {
	checkKind(payload);
	const payloadBytes = typeof payload === "string" ? Buffer.byteLength(payload) : payload.byteLength;
	format.checkLimit(payloadBytes);
	const prefix = allocate(format.prefixBytes);
	format.writePrefix(prefix, 0, payloadBytes);
	if (typeof payload !== "string") return [prefix, payload];
	const body = allocate(payloadBytes);
	body.write(payload);
	return [prefix, body];
}

/** Whether a copy is cheaper than a second piece. */
export function joins(payload: Payload): boolean {
	// A string has to be copied anyway.
	return typeof payload === "string" || payload.byteLength <= JOIN_BYTES_MAX;
}

/** Streams take any object, and one without bytes would become a frame that says nothing, or a wrong length. */
function checkKind(payload: unknown): void {
	if (typeof payload === "string" || payload instanceof Uint8Array) return;
	throw new OptionError("payload", payload, `expected a Uint8Array or a string, found ${typeof payload}`);
}
