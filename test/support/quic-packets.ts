/** Packets of QUIC that a test makes itself: those of a client's first flight, and headers behind which nothing can be read. */
import { randomBytes } from "node:crypto";
import { captureHello } from "../../src/rig/hello.js";
import { crypto, initial } from "../../src/rig/quic-initial.js";

export const ID_BYTES = 8;

/** A TLS record around it is no part of the message. */
export async function helloFor(name: string): Promise<Uint8Array> {
	return (await captureHello(name, "TLSv1.3", ["h3"])).subarray(5);
}

/** The first flight of a client: its hello in `count` datagrams, the last piece first. */
export function flight(hello: Uint8Array, destination: Uint8Array, count: number): Uint8Array[] {
	const size = Math.ceil(hello.length / count);
	return Array.from({ length: count }, (_, index) => {
		const at = index * size;
		return initial([crypto(at, hello.subarray(at, at + size))], { destination, number: index });
	}).reverse();
}

/** A long header in which its sender calls itself `source`; what follows is none of the gateway's business. */
export function longHeader(destination: Uint8Array, source: Uint8Array): Uint8Array {
	const head = [0xe0, 0, 0, 0, 1, destination.length, ...destination, source.length, ...source];
	return Uint8Array.from([...head, 0x40, 40, ...randomBytes(40)]);
}

export function shortHeader(destination: Uint8Array, text: string): Buffer {
	return Buffer.concat([Uint8Array.of(0x41), destination, Buffer.from(text)]);
}

export const textOf = (bytes: Buffer): string => bytes.subarray(1 + ID_BYTES).toString();
