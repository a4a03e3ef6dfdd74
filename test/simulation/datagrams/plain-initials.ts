/**
 * Initial packets that hide nothing: as QUIC's, with the first byte, the number and the payload as they are, and a tag that tells
 * every change. What opens them stands in a reactor's place of what opens real ones; `test/reactor/datagrams/` has those.
 */
import { u8 } from "../../../src/parts/at.js";
import { QUIC_V1, QUIC_V2 } from "../../../src/protocol/quic/versions.js";
import type { InitialOpener } from "../../../src/reactor/datagrams/quic-hellos.js";
import { u32, varint } from "../../../src/rig/quic-initial.js";
import { concat } from "../../protocol/samples.js";

const KEYS_BYTES = 44;
const TAG_BYTES = 16;
const NOT_AUTHENTIC = -1;

const PRIME = 0x01000193;

function digest(start: number, bytes: Uint8Array, from: number, to: number): number {
	let sum = start;
	for (let i = from; i < to; i++) sum = Math.imul(sum ^ u8(bytes, i), PRIME);
	return sum;
}

/** Of what a packet is before its tag, and of the keys that it is sealed with. */
function tagOf(keys: Uint8Array, keysAt: number, bytes: Uint8Array, start: number, end: number): Uint8Array {
	const tag = new Uint8Array(TAG_BYTES);
	const view = new DataView(tag.buffer);
	for (let i = 0; i < 4; i++) {
		const seed = digest(0x811c9dc5 + i, keys, keysAt, keysAt + KEYS_BYTES);
		view.setInt32(4 * i, digest(seed, bytes, start, end));
	}
	return tag;
}

function writeKeys(
	version: number,
	bytes: Uint8Array,
	id: number,
	idBytes: number,
	keys: Uint8Array,
	at: number,
): void {
	const view = new DataView(keys.buffer, keys.byteOffset);
	for (let i = 0; i < KEYS_BYTES; i += 4) view.setInt32(at + i, digest(version + i, bytes, id, id + idBytes));
}

export class PlainInitials implements InitialOpener {
	readonly plain = new Uint8Array(65_536);
	packetNumber = 0;
	packetNumberBytes = 0;
	firstByte = 0;
	readonly #memory: Uint8Array;

	/** @param memory where packets lie: positions below are of it */
	constructor(memory: Uint8Array) {
		this.#memory = memory;
	}

	deriveKeys(version: number, id: number, idBytes: number, keys: Uint8Array, keysAt: number): void {
		writeKeys(version, this.#memory, id, idBytes, keys, keysAt);
	}

	open(start: number, number: number, end: number, keys: Uint8Array, keysAt: number): number {
		const memory = this.#memory;
		const numberBytes = (u8(memory, start) & 3) + 1;
		const payload = number + numberBytes;
		const payloadEnd = end - TAG_BYTES;
		if (payloadEnd < payload) return NOT_AUTHENTIC;
		const tag = tagOf(keys, keysAt, memory, start, payloadEnd);
		for (let i = 0; i < TAG_BYTES; i++) if (u8(memory, payloadEnd + i) !== u8(tag, i)) return NOT_AUTHENTIC;
		this.firstByte = u8(memory, start);
		this.packetNumberBytes = numberBytes;
		this.packetNumber = 0;
		for (let i = 0; i < numberBytes; i++)
			this.packetNumber = this.packetNumber * 256 + u8(memory, number + i);
		this.plain.set(memory.subarray(payload, payloadEnd));
		return payloadEnd - payload;
	}
}

export interface PlainInitial {
	readonly version: number;
	readonly destination: Uint8Array;
	readonly source: Uint8Array;
	/** What came in a Retry. */
	readonly token: Uint8Array;
	readonly number: number;
	readonly frames: readonly Uint8Array[];
	/** As long as the packet is to be. */
	readonly bytes: number;
}

export function plainInitial(parts: PlainInitial): Uint8Array {
	const { version, destination, source, token, number, frames, bytes } = parts;
	const head = concat(
		Uint8Array.of(0xc0 | (version === QUIC_V2 ? 0x10 : 0) | 1),
		u32(version),
		Uint8Array.of(destination.length),
		destination,
		Uint8Array.of(source.length),
		source,
		varint(token.length),
		token,
	);
	const content = concat(...frames);
	const room = Math.max(4, bytes - head.length - 2 - 2 - content.length - TAG_BYTES);
	const payload = concat(content, new Uint8Array(room));
	const sealed = concat(
		head,
		varint(2 + payload.length + TAG_BYTES, 2),
		Uint8Array.of(number >> 8, number & 0xff),
		payload,
	);
	const keys = new Uint8Array(KEYS_BYTES);
	writeKeys(version, destination, 0, destination.length, keys, 0);
	return concat(sealed, tagOf(keys, 0, sealed, 0, sealed.length));
}

/** A packet with a long header that is no Initial: its payload is anything. `type`: of version 1, 1 is 0-RTT, 2 is Handshake. */
export function longPacket(
	type: number,
	version: number,
	destination: Uint8Array,
	source: Uint8Array,
	payload: Uint8Array,
): Uint8Array {
	const bits = version === QUIC_V2 ? (type + 1) & 3 : type;
	return concat(
		Uint8Array.of(0xc0 | (bits << 4)),
		u32(version),
		Uint8Array.of(destination.length),
		destination,
		Uint8Array.of(source.length),
		source,
		version === QUIC_V1 || version === QUIC_V2 ? varint(payload.length, 2) : new Uint8Array(0),
		payload,
	);
}
