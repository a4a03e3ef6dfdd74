/** Frames as servers of WebSockets send them, and as clients do (RFC 6455, section 5.2): as far as a load generator needs them. */

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

const FINAL = 0x80;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** Of the bytes that were read. */
export interface ServerFrame {
	opcode: number;
	payloadAt: number;
	end: number;
}

/** Reads the frame at bytes[start, end). False: it has not come whole. Throws for what no server sends whose messages are one frame each. */
export function readServerFrame(bytes: Uint8Array, start: number, end: number, out: ServerFrame): boolean {
	if (end - start < 2) return false;
	const first = bytes[start] as number;
	const second = bytes[start + 1] as number;
	if ((first & 0xf0) !== FINAL || (second & MASKED) !== 0)
		throw new Error(`not a whole message of a server: ${first.toString(16)} ${second.toString(16)}`);
	const lengthBytes = second === LENGTH_16 ? 2 : second === LENGTH_64 ? 8 : 0;
	out.opcode = first & 0x0f;
	out.payloadAt = start + 2 + lengthBytes;
	if (out.payloadAt > end) return false;
	let length = lengthBytes === 0 ? second : 0;
	for (let i = 0; i < lengthBytes; i++) length = length * 256 + (bytes[start + 2 + i] as number);
	out.end = out.payloadAt + length;
	return out.end <= end;
}

/** A whole message of a client. Its mask is zero, so that the payload is what it is. */
export function clientFrame(opcode: number, payload: Uint8Array): Uint8Array {
	const { length } = payload;
	if (length > 0xffff) throw new RangeError(`${length} bytes are more than a client says here`);
	const head =
		length < LENGTH_16
			? [FINAL | opcode, MASKED | length]
			: [FINAL | opcode, MASKED | LENGTH_16, length >> 8, length & 0xff];
	return Uint8Array.of(...head, 0, 0, 0, 0, ...payload);
}
