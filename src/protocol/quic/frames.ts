/**
 * The frames of a client's Initial packets (RFC 9000, sections 12.4 and 19): CRYPTO with pieces of the hello, PADDING and PING
 * anywhere between, ACK and CONNECTION_CLOSE. All others are faults there, and servers close for them.
 */
import { at } from "../bytes.js";
import { CUT_SHORT, varint, varintBytes } from "./varint.js";

export const FRAMES_END = 0;
export const FRAME_CRYPTO = 1;
export const FRAME_CLOSE = 2;
export const FRAMES_MALFORMED = 3;

export type FrameFault = "no_frames" | "frame_type" | "frame_cut_short";

const PADDING = 0x00;
const PING = 0x01;
const ACK = 0x02;
const ACK_WITH_ECN = 0x03;
const CRYPTO = 0x06;
const CONNECTION_CLOSE = 0x1c;

/** Goes through the frames of one payload. One object serves all of them. */
export class Frames {
	/** With FRAME_CRYPTO: where in the stream of the handshake its bytes belong, and where they are. */
	offset = 0;
	dataAt = 0;
	dataEnd = 0;
	/** With FRAMES_MALFORMED. */
	cause: FrameFault | "" = "";
	#bytes: Uint8Array = NOTHING;
	#position = 0;
	#end = 0;
	#isEmpty = true;

	/** Begins with bytes[start, end). */
	begin(bytes: Uint8Array, start: number, end: number): void {
		this.#bytes = bytes;
		this.#position = start;
		this.#end = end;
		this.#isEmpty = start >= end;
		this.cause = "";
	}

	/** The next frame that says something: FRAME_CRYPTO, FRAME_CLOSE, FRAMES_END, or FRAMES_MALFORMED, after which there is none. */
	next(): number {
		// RFC 9000, section 12.4: a packet without frames is a violation.
		if (this.#isEmpty) return this.#fail("no_frames");
		while (this.#position < this.#end) {
			const type = at(this.#bytes, this.#position++);
			switch (type) {
				case PADDING:
					this.#skipPadding();
					continue;
				case PING:
					continue;
				case ACK:
				case ACK_WITH_ECN:
					if (!this.#skipAck(type)) return this.#fail("frame_cut_short");
					continue;
				case CRYPTO:
					return this.#readCrypto();
				case CONNECTION_CLOSE:
					return FRAME_CLOSE;
				default:
					// Types that are written longer than they need are among these (section 12.4).
					return this.#fail("frame_type");
			}
		}
		return FRAMES_END;
	}

	/** Most of a packet, often. */
	#skipPadding(): void {
		const bytes = this.#bytes;
		const end = this.#end;
		let position = this.#position;
		while (position < end && at(bytes, position) === PADDING) position++;
		this.#position = position;
	}

	#readCrypto(): number {
		const offset = this.#number();
		const length = this.#number();
		if (offset === CUT_SHORT || length === CUT_SHORT || length > this.#end - this.#position)
			return this.#fail("frame_cut_short");
		this.offset = offset;
		this.dataAt = this.#position;
		this.dataEnd = this.#position + length;
		this.#position = this.dataEnd;
		return FRAME_CRYPTO;
	}

	/** Section 19.3: largest, delay, count of ranges, first range; a gap and a length each; three counts with ECN. */
	#skipAck(type: number): boolean {
		if (this.#number() === CUT_SHORT || this.#number() === CUT_SHORT) return false;
		const ranges = this.#number();
		if (ranges === CUT_SHORT || this.#number() === CUT_SHORT) return false;
		// However many are claimed, each takes two bytes of what is there.
		for (let i = 0; i < ranges; i++)
			if (this.#number() === CUT_SHORT || this.#number() === CUT_SHORT) return false;
		if (type === ACK) return true;
		return this.#number() !== CUT_SHORT && this.#number() !== CUT_SHORT && this.#number() !== CUT_SHORT;
	}

	#number(): number {
		const value = varint(this.#bytes, this.#position, this.#end);
		if (value !== CUT_SHORT) this.#position += varintBytes(at(this.#bytes, this.#position));
		return value;
	}

	#fail(cause: FrameFault): number {
		this.cause = cause;
		this.#position = this.#end;
		return FRAMES_MALFORMED;
	}
}

const NOTHING = new Uint8Array(0);
