/** An address and a port, as whoever sends or receives datagrams has them. */
import { AF_INET6 } from "../../../src/kernel/constants.js";
import { encodeInternet, familyAt, portAt } from "../../../src/kernel/sockaddr.js";

export interface Endpoint {
	/** 4 bytes, or 16; an IPv4 address that is dressed as IPv6 is an IPv4 address here. */
	readonly bytes: Uint8Array;
	readonly port: number;
	/** Equal for equal ones. */
	readonly key: string;
}

export function endpoint(bytes: Uint8Array, port: number): Endpoint {
	const unmapped = isMapped(bytes) ? bytes.slice(12) : bytes.slice();
	return { bytes: unmapped, port, key: `${unmapped.join(".")}:${port}` };
}

/** Of a `sockaddr` that lies at `at`. */
export function endpointAt(memory: Uint8Array, at: number): Endpoint {
	const isV6 = familyAt(memory, at) === AF_INET6;
	const start = at + (isV6 ? 8 : 4);
	return endpoint(memory.subarray(start, start + (isV6 ? 16 : 4)), portAt(memory, at));
}

/** As a socket of that family has it. */
export function sockaddrOf({ bytes, port }: Endpoint, family: number): Uint8Array {
	return encodeInternet(family === AF_INET6 ? mapped(bytes) : bytes, port);
}

/** 16 bytes, IPv4 mapped into IPv6. */
export function mapped(bytes: Uint8Array): Uint8Array {
	if (bytes.length === 16) return bytes;
	return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes);
}

function isMapped(bytes: Uint8Array): boolean {
	return bytes.length === 16 && bytes.subarray(0, 12).every((byte, i) => byte === (i < 10 ? 0 : 0xff));
}
