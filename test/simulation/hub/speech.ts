/** What clients of the hub say: handshakes, and frames of either protocol, written as their libraries do. */
import type { Random } from "../../../src/rig/random.js";

export type Protocol = "websocket" | "events" | "framed";

export interface Asked {
	readonly path: string;
	readonly isWebSocket: boolean;
	readonly fields: readonly string[];
}

export function requestOf({ path, isWebSocket, fields }: Asked): Buffer {
	const lines = [
		`GET ${path} HTTP/1.1`,
		"Host: hub.example",
		...(isWebSocket
			? [
					"Connection: Upgrade",
					"Upgrade: websocket",
					"Sec-WebSocket-Version: 13",
					"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
				]
			: ["Accept: text/event-stream"]),
		...fields,
	];
	return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** One frame, masked. */
export function frameOf(random: Random, opcode: number, payload: Uint8Array, isFinal = true): Buffer {
	const { length } = payload;
	const header = length <= 125 ? Buffer.alloc(2) : length <= 0xffff ? Buffer.alloc(4) : Buffer.alloc(10);
	header[0] = opcode | (isFinal ? 0x80 : 0);
	header[1] = 0x80 | (length <= 125 ? length : length <= 0xffff ? 126 : 127);
	if (header.length === 4) header.writeUInt16BE(length, 2);
	if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
	const key = Buffer.alloc(4);
	key.writeInt32BE(random.word());
	const masked = Buffer.from(payload.map((byte, index) => byte ^ (key[index % 4] ?? 0)));
	return Buffer.concat([header, key, masked]);
}

/** In fragments, with pings between them now and then. */
export function fragmentsOf(random: Random, opcode: number, payload: Uint8Array): Buffer {
	const frames: Buffer[] = [];
	for (let at = 0; ; ) {
		const end = at + random.below(payload.length - at + 1);
		const isFinal = end === payload.length;
		frames.push(
			frameOf(random, at === 0 && frames.length === 0 ? opcode : 0, payload.subarray(at, end), isFinal),
		);
		if (isFinal) return Buffer.concat(frames);
		at = end;
		if (random.chance(0.2)) frames.push(frameOf(random, OPCODE.pong, Buffer.alloc(random.below(8))));
	}
}

/** A frame of a length. */
export function framedOf(payload: Uint8Array, isBinary: boolean): Buffer {
	const length = Buffer.alloc(4);
	length.writeUInt32BE(((isBinary ? 0x80000000 : 0) + payload.length) >>> 0);
	return Buffer.concat([length, payload]);
}

/** What is published as bytes comes behind its header. */
export function withHeader(object: object, content: Uint8Array): Buffer {
	return framedOfHeader(Buffer.from(JSON.stringify(object)), content);
}

function framedOfHeader(header: Uint8Array, content: Uint8Array): Buffer {
	const length = Buffer.alloc(4);
	length.writeUInt32BE(header.length);
	return Buffer.concat([length, header, content]);
}
