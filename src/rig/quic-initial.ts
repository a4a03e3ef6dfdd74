/** Makes Initial packets (RFC 9001, section 5) with node:crypto, which shares no code with what opens them. */
import { createCipheriv, createHmac } from "node:crypto";
import { INITIAL_VERSIONS, QUIC_V1, QUIC_V2 } from "../protocol/quic/versions.js";

export function varint(value: number, bytes = value < 64 ? 1 : value < 16384 ? 2 : 4): Uint8Array {
	const out = new Uint8Array(bytes);
	let rest = value;
	for (let i = bytes - 1; i >= 0; i--) {
		out[i] = rest % 256;
		rest = Math.floor(rest / 256);
	}
	out[0] = (out[0] as number) | (Math.log2(bytes) << 6);
	return out;
}

export function crypto(offset: number, data: Uint8Array): Uint8Array {
	return concat(u8(6), varint(offset), varint(data.length), data);
}

export const PING = u8(1);

export function padding(bytes: number): Uint8Array {
	return new Uint8Array(bytes);
}

export interface InitialParts {
	readonly version?: number;
	readonly destination?: Uint8Array;
	/** The ID that its keys are of, where that is not the one in its header. */
	readonly keysOf?: Uint8Array;
	readonly source?: Uint8Array;
	readonly token?: Uint8Array;
	readonly number?: number;
	readonly numberBytes?: number;
	/** Bits of the first byte that are turned over: the reserved ones, the fixed one. */
	readonly firstByte?: number;
	/** Padded until the packet has so many bytes; 0: not at all. */
	readonly bytes?: number;
}

export const DESTINATION = latin1("8 bytes+");

/** An Initial with these frames, sealed, 1,200 bytes long unless told otherwise. */
export function initial(frames: readonly Uint8Array[], parts: InitialParts = {}): Uint8Array {
	const { version = QUIC_V1, destination = DESTINATION, source = latin1("src"), token = padding(0) } = parts;
	const { number = 0, numberBytes = 1, firstByte = 0, bytes = 1200 } = parts;
	const type = version === QUIC_V2 ? 0x10 : 0;
	const head = concat(
		u8((0xc0 | type | (numberBytes - 1)) ^ firstByte),
		u32(version),
		u8(destination.length),
		destination,
		u8(source.length),
		source,
		varint(token.length),
		token,
	);
	const content = concat(...frames);
	const least = Math.max(0, 4 - numberBytes - content.length);
	const room = Math.max(least, bytes - head.length - 2 - numberBytes - content.length - 16);
	const payload = concat(content, padding(room));
	const header = concat(
		head,
		varint(numberBytes + payload.length + 16, 2),
		u32(number).subarray(4 - numberBytes),
	);
	return seal(header, payload, { version, destination: parts.keysOf ?? destination, number, numberBytes });
}

interface Sealing {
	readonly version: number;
	readonly destination: Uint8Array;
	readonly number: number;
	readonly numberBytes: number;
}

/** RFC 9001, sections 5.2 to 5.4. */
export function seal(
	header: Uint8Array,
	payload: Uint8Array,
	{ number, numberBytes, ...of }: Sealing,
): Uint8Array {
	const keys = keysOf(of.version, of.destination);
	const nonce = Buffer.from(keys.iv);
	nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ number) >>> 0, 8);
	const cipher = createCipheriv("aes-128-gcm", keys.key, nonce);
	cipher.setAAD(header);
	const packet = concat(header, cipher.update(payload), cipher.final(), cipher.getAuthTag());
	const numberAt = header.length - numberBytes;
	const mask = createCipheriv("aes-128-ecb", keys.headerKey, null).update(
		packet.subarray(numberAt + 4, numberAt + 20),
	);
	packet[0] = (packet[0] as number) ^ ((mask[0] as number) & 15);
	for (let i = 0; i < numberBytes; i++)
		packet[numberAt + i] = (packet[numberAt + i] as number) ^ (mask[1 + i] as number);
	return packet;
}

export function keysOf(version: number, destination: Uint8Array) {
	const { salt, labelPrefix } = INITIAL_VERSIONS.find(
		({ number }) => number === version,
	) as (typeof INITIAL_VERSIONS)[0];
	const hmac = (key: Uint8Array, data: Uint8Array) => createHmac("sha256", key).update(data).digest();
	const label = (text: string, bytes: number) =>
		concat(u16(bytes), u8(6 + text.length), latin1(`tls13 ${text}`), u8(0), u8(1));
	const secret = hmac(hmac(salt, destination), label("client in", 32));
	return {
		key: hmac(secret, label(`${labelPrefix}key`, 16)).subarray(0, 16),
		iv: hmac(secret, label(`${labelPrefix}iv`, 12)).subarray(0, 12),
		headerKey: hmac(secret, label(`${labelPrefix}hp`, 16)).subarray(0, 16),
	};
}

export function u32(value: number): Uint8Array {
	const out = new Uint8Array(4);
	new DataView(out.buffer).setUint32(0, value);
	return out;
}

function u8(value: number): Uint8Array {
	return Uint8Array.of(value);
}

function u16(value: number): Uint8Array {
	return Uint8Array.of(value >> 8, value & 0xff);
}

function latin1(text: string): Uint8Array {
	return new Uint8Array(Buffer.from(text, "latin1"));
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
	return new Uint8Array(Buffer.concat(parts));
}
