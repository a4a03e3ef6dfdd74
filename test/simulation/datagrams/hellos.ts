/** What datagram clients begin with. */
import { QUIC_V1, QUIC_V2 } from "../../../src/protocol/quic/versions.js";
import { crypto, PING, padding, u32 } from "../../../src/rig/quic-initial.js";
import type { Random } from "../../../src/rig/random.js";
import {
	alpn,
	extension,
	message,
	sni,
	supportedVersions,
	u16,
	u24,
	vector8,
	vector16,
} from "../../protocol/hello-builder.js";
import { concat } from "../../protocol/samples.js";
import { plainInitial } from "./plain-initials.js";

export const NAMES = ["a.example", "b.example", "www.b.example", "c.example"] as const;
export const ALPNS = ["h3", "doq", "webrtc"] as const;

/** What a client asks for in its hello. */
export interface Asked {
	/** `undefined`: it gives no name. */
	readonly name: string | undefined;
	readonly alpn: string | undefined;
}

export function randomAsked(random: Random): Asked {
	return {
		name: random.chance(0.1) ? undefined : random.pick(NAMES),
		alpn: random.chance(0.2) ? undefined : random.pick(ALPNS),
	};
}

const NO_TOKEN = new Uint8Array(0);

/** A key share of the length of a post-quantum one. */
const LONG_SHARE_BYTES = 1_216;

function extensions(random: Random, { name, alpn: protocol }: Asked, isLong: boolean): Uint8Array[] {
	const parts = [
		supportedVersions(0x0304),
		extension(51, randomBytes(random, isLong ? LONG_SHARE_BYTES : 36)),
	];
	if (name !== undefined) parts.splice(random.below(parts.length + 1), 0, sni(name));
	if (protocol !== undefined) parts.splice(random.below(parts.length + 1), 0, alpn(protocol));
	return parts;
}

export function randomBytes(random: Random, length: number): Uint8Array {
	return Uint8Array.from({ length }, () => random.below(256));
}

export interface QuicHello {
	readonly version: number;
	readonly destination: Uint8Array;
	readonly source: Uint8Array;
	/** All of these are needed; whoever has lost one sends all of them again. */
	readonly datagrams: readonly Uint8Array[];
}

const DATAGRAM_BYTES = 1_200;
/** Of a hello that goes into one datagram. */
const PIECE_MAX_BYTES = 900;

/** The first flight of a QUIC client, in as many datagrams as it takes; `token` came by a Retry, to a new destination. */
export function quicHello(
	random: Random,
	asked: Asked,
	destination = randomBytes(random, random.between(8, 20)),
	token: Uint8Array = NO_TOKEN,
): QuicHello {
	const version = random.chance(0.7) ? QUIC_V1 : QUIC_V2;
	const source = randomBytes(random, random.pick([0, 0, 3, 8, 20]));
	const hello = message({ extensions: extensions(random, asked, random.chance(0.4)) });
	const least = Math.ceil(hello.length / PIECE_MAX_BYTES);
	const count = random.chance(0.7) ? least : least + random.below(3);
	const first = random.below(4);
	const datagrams = cut(hello.length, count).map(([start, end], i) => {
		const frames = shuffledFrames(random, hello, start, end);
		return plainInitial({
			version,
			destination,
			source,
			token,
			number: first + i,
			frames,
			bytes: DATAGRAM_BYTES,
		});
	});
	return { version, destination, source, datagrams: shuffled(random, datagrams) };
}

/** So many stretches of `length`, one behind the other. */
function cut(length: number, count: number): [number, number][] {
	const each = Math.ceil(length / count);
	const stretches: [number, number][] = [];
	for (let start = 0; start < length; start += each) stretches.push([start, Math.min(length, start + each)]);
	return stretches;
}

function shuffledFrames(random: Random, hello: Uint8Array, start: number, end: number): Uint8Array[] {
	if (random.chance(0.4)) return [crypto(start, hello.subarray(start, end))];
	const frames: Uint8Array[] = [];
	for (let at = start; at < end; ) {
		const next = Math.min(end, at + random.between(1, 400));
		frames.push(crypto(at, hello.subarray(at, next)));
		at = next;
	}
	if (random.chance(0.5)) frames.push(PING, padding(random.between(1, 5)));
	return shuffled(random, frames);
}

export function shuffled<T>(random: Random, values: readonly T[]): T[] {
	const out = [...values];
	for (let i = out.length - 1; i > 0; i--) {
		const other = random.below(i + 1);
		const value = out[i] as T;
		out[i] = out[other] as T;
		out[other] = value;
	}
	return out;
}

/** The hello of a DTLS client, in one datagram or in fragments. */
export function dtlsHello(random: Random, asked: Asked): Uint8Array[] {
	const body = concat(
		u16(0xfefd),
		randomBytes(random, 32),
		vector8(),
		vector8(),
		vector16(Uint8Array.of(0x13, 1, 0xc0, 0x2b)),
		vector8(Uint8Array.of(0)),
		vector16(...extensions(random, asked, false)),
	);
	const count = random.pick([1, 1, 2, 3]);
	const datagrams = cut(body.length, count).map(([start, end], i) => {
		const fragment = concat(
			Uint8Array.of(1),
			u24(body.length),
			u16(0),
			u24(start),
			u24(end - start),
			body.subarray(start, end),
		);
		return concat(Uint8Array.of(22, 0xfe, 0xff, 0, 0, 0, 0), u32(i), vector16(fragment));
	});
	return shuffled(random, datagrams);
}
