/** Datagrams that say which ones they are, and frames of them, as tests put them together and take them apart. */
import assert from "node:assert/strict";

/** Its number, and then what the number says. */
export function datagram(number: number, length: number): Buffer {
	const bytes = Buffer.alloc(length, number % 251);
	if (length >= 4) bytes.writeUInt32BE(number);
	return bytes;
}

export function frame(bytes: Buffer): Buffer {
	const length = Buffer.alloc(2);
	length.writeUInt16BE(bytes.length);
	return Buffer.concat([length, bytes]);
}

/** Adds the datagrams of all frames that are whole to `heard`. Returns the rest. */
export function takeFrames(bytes: Buffer, heard: Buffer[]): Buffer<ArrayBuffer> {
	let rest = Buffer.from(bytes);
	while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
		const length = rest.readUInt16BE(0);
		heard.push(Buffer.from(rest.subarray(2, 2 + length)));
		rest = rest.subarray(2 + length);
	}
	return rest;
}

/** How many of those that were sent have not come; those that have came whole and in their order. */
export function missingOf(sent: readonly Buffer[], heard: readonly Buffer[]): number {
	let at = 0;
	for (const bytes of heard) {
		while (at < sent.length && sent[at]?.equals(bytes) !== true) at++;
		assert.ok(at < sent.length, "what came was sent, behind what came before it");
		at++;
	}
	return sent.length - heard.length;
}
