/** Builds ClientHellos piece by piece, the wrong ones too. */
import { concat, latin1 } from "./samples.js";

export function u8(value: number): Uint8Array {
	return Uint8Array.of(value);
}

export function u16(value: number): Uint8Array {
	return Uint8Array.of(value >> 8, value & 0xff);
}

export function u24(value: number): Uint8Array {
	return Uint8Array.of(value >> 16, (value >> 8) & 0xff, value & 0xff);
}

export function vector8(...parts: Uint8Array[]): Uint8Array {
	const body = concat(...parts);
	return concat(u8(body.length), body);
}

export function vector16(...parts: Uint8Array[]): Uint8Array {
	const body = concat(...parts);
	return concat(u16(body.length), body);
}

export function extension(type: number, ...parts: Uint8Array[]): Uint8Array {
	return concat(u16(type), vector16(...parts));
}

export function nameEntry(name: string, type = 0): Uint8Array {
	return concat(u8(type), vector16(latin1(name)));
}

export function serverName(...entries: Uint8Array[]): Uint8Array {
	return extension(0, vector16(...entries));
}

export function sni(name: string): Uint8Array {
	return serverName(nameEntry(name));
}

export function alpn(...protocols: string[]): Uint8Array {
	return extension(16, vector16(...protocols.map((protocol) => vector8(latin1(protocol)))));
}

export function supportedVersions(...versions: number[]): Uint8Array {
	return extension(43, vector8(...versions.map(u16)));
}

/** An outer encrypted_client_hello: HPKE suite, config id, enc, payload. */
export function echOuter(enc: number, payload: number): Uint8Array {
	return extension(
		0xfe0d,
		u8(0),
		u16(1),
		u16(1),
		u8(7),
		vector16(new Uint8Array(enc)),
		vector16(new Uint8Array(payload)),
	);
}

export interface HelloParts {
	version?: number;
	sessionId?: Uint8Array;
	cipherSuites?: Uint8Array;
	compression?: Uint8Array;
	/** Undefined: no extensions block at all. */
	extensions?: readonly Uint8Array[] | undefined;
	/** Stands after the extensions, inside the message. */
	trailing?: Uint8Array;
}

/** The handshake message, its header included. */
export function message(parts: HelloParts = {}, type = 1): Uint8Array {
	const body = concat(
		u16(parts.version ?? 0x0303),
		new Uint8Array(32).fill(0xab),
		vector8(parts.sessionId ?? new Uint8Array(32)),
		vector16(parts.cipherSuites ?? Uint8Array.of(0x13, 0x01, 0x13, 0x02)),
		vector8(parts.compression ?? u8(0)),
		parts.extensions === undefined ? new Uint8Array(0) : vector16(...parts.extensions),
		parts.trailing ?? new Uint8Array(0),
	);
	return concat(u8(type), u24(body.length), body);
}

export function record(payload: Uint8Array, type = 22, version = 0x0301): Uint8Array {
	return concat(u8(type), u16(version), vector16(payload));
}

/** The message cut at the given lengths, the last of which repeats until all is sent. */
export function records(payload: Uint8Array, ...lengths: number[]): Uint8Array {
	const parts: Uint8Array[] = [];
	for (let start = 0, i = 0; start < payload.length; i++) {
		const length = lengths[Math.min(i, lengths.length - 1)] ?? payload.length;
		parts.push(record(payload.subarray(start, start + length)));
		start += length;
	}
	return concat(...parts);
}

export function helloWith(...extensions: Uint8Array[]): Uint8Array {
	return record(message({ extensions }));
}
