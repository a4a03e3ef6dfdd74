/** Frames of RFC 6455, as far as an echo needs them: whole messages of up to 64 KiB. */

export const TEXT = 1;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

const FINAL = 0x80;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

export interface Frame {
	readonly opcode: number;
	readonly payload: Buffer;
	/** Of the frame in the bytes that were read. */
	readonly bytes: number;
}

/** The first frame of a client, unmasked; `null` when it is not whole. Throws for what no client may send. */
export function readFrame(bytes: Buffer): Frame | null {
	if (bytes.length < 2) return null;
	const first = bytes[0] as number;
	const second = bytes[1] as number;
	if ((first & FINAL) === 0 || (second & MASKED) === 0) throw new Error("not a whole message of a client");
	const short = second & ~MASKED;
	if (short === LENGTH_64) throw new Error("a message of more than 64 KiB");
	const maskAt = short === LENGTH_16 ? 4 : 2;
	if (bytes.length < maskAt + 4) return null;
	const length = short === LENGTH_16 ? bytes.readUInt16BE(2) : short;
	const end = maskAt + 4 + length;
	if (bytes.length < end) return null;
	const payload = Buffer.alloc(length);
	for (let i = 0; i < length; i++)
		payload[i] = (bytes[maskAt + 4 + i] as number) ^ (bytes[maskAt + (i % 4)] as number);
	return { opcode: first & 0x0f, payload, bytes: end };
}

/** A frame of a server. */
export function writeFrame(opcode: number, payload: Buffer): Buffer {
	const { length } = payload;
	const head = length < LENGTH_16 ? Buffer.alloc(2) : Buffer.alloc(4);
	head[0] = FINAL | opcode;
	head[1] = Math.min(length, LENGTH_16);
	if (length >= LENGTH_16) head.writeUInt16BE(length, 2);
	return Buffer.concat([head, payload]);
}
