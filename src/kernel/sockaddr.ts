/** `struct sockaddr` to and from bytes. The family is in host byte order (little-endian on both architectures). */
import { AF_INET, AF_INET6, AF_UNIX } from "./constants.js";

/** Room for `struct sockaddr_in6`, the largest address that accept and getsockname return here. */
export const SOCKADDR_BYTES = 28;

/** Longest Unix socket path: 108 bytes with its terminating NUL. */
export const UNIX_PATH_MAX_BYTES = 107;

/** `address` holds 4 bytes for IPv4, 16 for IPv6. */
export function encodeInternet(address: Uint8Array, port: number): Uint8Array {
	const v6 = address.length === 16;
	const out = new Uint8Array(v6 ? 28 : 16);
	out[0] = v6 ? AF_INET6 : AF_INET;
	out[2] = port >> 8;
	out[3] = port & 0xff;
	out.set(address, v6 ? 8 : 4);
	return out;
}

export function encodeUnix(path: string): Uint8Array {
	const bytes = new TextEncoder().encode(path);
	if (bytes.length > UNIX_PATH_MAX_BYTES)
		throw new RangeError(
			`the Unix socket path "${path}" has ${bytes.length} bytes; the kernel takes ${UNIX_PATH_MAX_BYTES}`,
		);
	const out = new Uint8Array(2 + bytes.length + 1);
	out[0] = AF_UNIX;
	out.set(bytes, 2);
	return out;
}

/** A name of the abstract kind, for which there is no file: a zero stands before it, and its length ends it. */
export function encodeAbstract(name: string): Uint8Array {
	const bytes = new TextEncoder().encode(name);
	if (bytes.length > UNIX_PATH_MAX_BYTES)
		throw new RangeError(
			`the abstract socket "@${name}" has ${bytes.length} bytes; the kernel takes ${UNIX_PATH_MAX_BYTES}`,
		);
	const out = new Uint8Array(3 + bytes.length);
	out[0] = AF_UNIX;
	out.set(bytes, 3);
	return out;
}

export function familyAt(memory: Uint8Array, offset: number): number {
	return (memory[offset] as number) | ((memory[offset + 1] as number) << 8);
}

export function portAt(memory: Uint8Array, offset: number): number {
	return ((memory[offset + 2] as number) << 8) | (memory[offset + 3] as number);
}

/**
 * Copies the address at `offset` into 16 bytes of `out` and returns its family, 4 or 6.
 * An IPv4 address that came through an IPv6 socket (`::ffff:1.2.3.4`) is an IPv4 address.
 */
export function copyAddress(memory: Uint8Array, offset: number, out: Uint8Array, outOffset: number): 4 | 6 {
	if (familyAt(memory, offset) === AF_INET) {
		for (let i = 0; i < 4; i++) out[outOffset + i] = memory[offset + 4 + i] as number;
		return 4;
	}
	const start = offset + 8;
	if (isMapped(memory, start)) {
		for (let i = 0; i < 4; i++) out[outOffset + i] = memory[start + 12 + i] as number;
		return 4;
	}
	for (let i = 0; i < 16; i++) out[outOffset + i] = memory[start + i] as number;
	return 6;
}

/**
 * Copies an address given by its family, as PROXY headers give it: one of IPv4 that is dressed as IPv6 becomes
 * IPv4 here too, so that routes see the same client however it came. Returns the family.
 */
export function copyUnmapped(family: 4 | 6, address: Uint8Array, out: Uint8Array, outOffset: number): 4 | 6 {
	const mapped = family === 6 && isMapped(address, 0);
	const start = mapped ? 12 : 0;
	const length = mapped || family === 4 ? 4 : 16;
	for (let i = 0; i < length; i++) out[outOffset + i] = address[start + i] as number;
	return length === 4 ? 4 : 6;
}

function isMapped(memory: Uint8Array, start: number): boolean {
	for (let i = 0; i < 10; i++) if (memory[start + i] !== 0) return false;
	return memory[start + 10] === 0xff && memory[start + 11] === 0xff;
}
