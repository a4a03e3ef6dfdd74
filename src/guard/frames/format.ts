/** How a frame looks on the wire: a length, and as many bytes. */
import { OptionError, requireKnown, type Size, toBytes } from "../units.js";
import { FrameLengthError, FrameTooLargeError } from "./errors.js";

/**
 * 1 MiB. More than nearly every message needs, and little enough that a thousand peers who each send a frame of that length
 * to its last byte but one hold 1 GiB (2 GiB while a buffer grows), not a whole machine. A prefix of 4 bytes alone would let
 * each of them announce 4 GiB.
 */
const MAX_FRAME_BYTES = 1024 * 1024;

const WIDTHS: readonly number[] = [1, 2, 3, 4, 6, 8];

/** The frame's shape. Both sides must agree on all but `maxFrameBytes`, which each side holds against the other. */
export interface FrameOptions {
	/** Bytes of the length that stands before each payload. Default 4. */
	readonly prefixBytes?: 1 | 2 | 3 | 4 | 6 | 8;
	/** Which end of the length comes first. Default `"big"`, network byte order. */
	readonly byteOrder?: "big" | "little";
	/** Whether the length counts the prefix as well. Default `false`: it counts the payload only. */
	readonly lengthIncludesPrefix?: boolean;
	/**
	 * The longest payload, in either direction. Default 1 MiB, or what the prefix can say if that is less. A longer one is a
	 * FrameTooLargeError.
	 */
	readonly maxFrameBytes?: Size;
}

/** Their names. */
export const FRAME_OPTIONS: readonly (keyof FrameOptions)[] = [
	"prefixBytes",
	"byteOrder",
	"lengthIncludesPrefix",
	"maxFrameBytes",
];

/**
 * Options that were read once. Every function here takes it in place of options: worth it where `encodeFrame` is called often.
 *
 * Throws OptionError.
 *
 *     const format = new FrameFormat({ prefixBytes: 2 });
 *     socket.write(encodeFrame(payload, format));
 */
export class FrameFormat {
	/** Bytes of the length: 1, 2, 3, 4, 6 or 8. */
	readonly prefixBytes: number;
	/** Whether the length's lowest byte comes first. */
	readonly littleEndian: boolean;
	/** Whether the length counts the prefix as well. */
	readonly lengthIncludesPrefix: boolean;
	/** Of the payload. Never more than the prefix can say. */
	readonly maxFrameBytes: number;

	/** `others`: options that are the caller's own, and may be among these. Throws OptionError. */
	constructor(options: FrameOptions = {}, others: readonly string[] = []) {
		requireKnown("", options, others.length === 0 ? FRAME_OPTIONS : [...FRAME_OPTIONS, ...others]);
		const { prefixBytes = 4, byteOrder = "big", lengthIncludesPrefix = false } = options;
		if (!WIDTHS.includes(prefixBytes))
			throw new OptionError("prefixBytes", prefixBytes, `expected 1, 2, 3, 4, 6 or 8, found ${prefixBytes}`);
		if (byteOrder !== "big" && byteOrder !== "little")
			throw new OptionError("byteOrder", byteOrder, `expected "big" or "little", found ${String(byteOrder)}`);
		this.prefixBytes = prefixBytes;
		this.littleEndian = byteOrder === "little";
		this.lengthIncludesPrefix = lengthIncludesPrefix;
		const sayable = 256 ** prefixBytes - 1 - (lengthIncludesPrefix ? prefixBytes : 0);
		this.maxFrameBytes = Math.min(
			toBytes("maxFrameBytes", options.maxFrameBytes ?? MAX_FRAME_BYTES),
			sayable,
		);
	}

	/** The format itself, or one that is made of options as by the constructor. Throws OptionError. */
	static of(options: FrameOptions | FrameFormat = {}, others: readonly string[] = []): FrameFormat {
		return options instanceof FrameFormat ? options : new FrameFormat(options, others);
	}

	/** Writes the length of a payload to `target` at `at`. Throws FrameTooLargeError. */
	writePrefix(target: Uint8Array, at: number, payloadBytes: number): void {
		this.checkLimit(payloadBytes);
		let rest = this.lengthIncludesPrefix ? payloadBytes + this.prefixBytes : payloadBytes;
		for (let byte = 0; byte < this.prefixBytes; byte++) {
			target[this.littleEndian ? at + byte : at + this.prefixBytes - 1 - byte] = rest % 256;
			rest = Math.floor(rest / 256);
		}
	}

	/**
	 * The value of a length of which `value` was read from its first `bytesRead` bytes, and `byte` is the next. Byte by byte,
	 * as a prefix may be cut anywhere, without a buffer to collect it in. Above 2^53 the value is rounded, which never brings it
	 * below a limit.
	 */
	addByte(value: number, bytesRead: number, byte: number): number {
		return this.littleEndian ? value + byte * 256 ** bytesRead : value * 256 + byte;
	}

	/** Bytes of the payload behind a length. Throws FrameTooLargeError, FrameLengthError. */
	payloadBytes(declaredBytes: number): number {
		const payloadBytes = this.lengthIncludesPrefix ? declaredBytes - this.prefixBytes : declaredBytes;
		if (payloadBytes < 0) throw new FrameLengthError(declaredBytes, this.prefixBytes);
		this.checkLimit(payloadBytes);
		return payloadBytes;
	}

	/** Throws FrameTooLargeError for a payload over the limit. */
	checkLimit(payloadBytes: number): void {
		if (payloadBytes > this.maxFrameBytes) throw new FrameTooLargeError(payloadBytes, this.maxFrameBytes);
	}
}
