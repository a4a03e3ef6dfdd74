/** What simulated clients begin with: recorded hellos, whole, cut or broken, and what is no hello at all. */
import { PROTOCOL_OTHER, PROTOCOL_UNKNOWN, writeProxyV1, writeProxyV2 } from "../../src/protocol/index.js";
import type { Random } from "../../src/rig/random.js";
import { latin1, sample, sampleNames } from "../protocol/samples.js";
import { type ClientAddress, randomNamed } from "./addresses.js";

const HELLOS: readonly Uint8Array[] = ["tls-", "http-", "ssh-", "h2c-"].flatMap((prefix) =>
	sampleNames(prefix).map(sample),
);

const TLS_HELLOS: readonly Uint8Array[] = sampleNames("tls-").map(sample);

const OTHERS: readonly Uint8Array[] = [
	latin1("EHLO mail.example\r\n"),
	latin1("\x00\x01\x02\x03 nothing known"),
	latin1("GET / HTTP/9.9\r\n\r\n"),
	latin1("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
	Uint8Array.of(0x16, 3, 1, 0, 5, 2, 0, 0, 1, 0),
	Uint8Array.of(0x16, 3, 1, 0xff, 0xff),
	latin1(`GET /${"x".repeat(3_000)} HTTP/1.1\r\nHost: long.example\r\n\r\n`),
];

/** They tell nothing: each could go on as a request, as SSH or as HTTP/2. */
const UNDECIDED: readonly Uint8Array[] = ["\r\n", "HZC", "HELLO", "GET", "DATA x", "SSH", "PRI"].map(latin1);

/** Its words say what it speaks, or might have. */
const DECIDES = -1;

export interface Prologue {
	readonly bytes: Uint8Array;
	/** Length of the PROXY header in front. */
	readonly headerBytes: number;
	/** The client that the header names, with its port; -1 when it names nobody. */
	readonly named: ClientAddress | undefined;
	readonly namedPort: number;
	/** The client says no more than this. */
	readonly cut: boolean;
	/** What it speaks when these are its only words: a protocol, or DECIDES. */
	readonly speaks: number;
}

/** What begins with nothing of its own. */
export const NOTHING: Prologue = {
	bytes: new Uint8Array(0),
	headerBytes: 0,
	named: undefined,
	namedPort: -1,
	cut: false,
	speaks: DECIDES,
};

/** Within TLS: behind a hello, which asks for some name or none, and the rest of its handshake. */
export function secured(random: Random, inside: Prologue): Prologue {
	const rest = new Uint8Array(random.chance(0.3) ? 0 : random.magnitude(400));
	return { ...inside, bytes: Buffer.concat([random.pick(TLS_HELLOS), rest, inside.bytes]) };
}

/** With a PROXY header in front, mostly. */
export function proxied(random: Random, hello: Prologue): Prologue {
	if (random.chance(0.08)) return { ...hello, speaks: DECIDES }; // without the header it was to bring
	const header = new Uint8Array(256);
	const named = random.chance(0.15) ? undefined : randomNamed(random);
	const namedPort = named === undefined ? -1 : 1_024 + random.below(60_000);
	const source = named?.bytes ?? NOTHING.bytes;
	const family = named === undefined ? 0 : source.length === 4 ? 4 : 6;
	const write = random.chance(0.5) ? writeProxyV1 : writeProxyV2;
	const length = write(header, 0, family, source, Math.max(0, namedPort), source, 443);
	if (random.chance(0.05)) {
		const broken = breakHeader(random, header.subarray(0, length), hello);
		return { ...hello, bytes: broken, speaks: DECIDES };
	}
	const bytes = Buffer.concat([header.subarray(0, length), hello.bytes]);
	const whole = { ...hello, bytes, headerBytes: length, named, namedPort };
	return random.chance(0.1)
		? { ...whole, bytes: bytes.subarray(0, random.below(length + 1)), cut: true, speaks: DECIDES }
		: whole;
}

/** With a byte changed, but for the addresses: those would still be a header, and name somebody else. */
function breakHeader(random: Random, header: Uint8Array, hello: Prologue): Uint8Array {
	header[random.below(Math.min(12, header.length))] = 0xee;
	return Buffer.concat([header, hello.bytes]);
}

/** What a client may begin with that sends no requests. */
export function withoutRequests(random: Random): Prologue {
	let hello = choose(random);
	while (isRequest(hello.bytes)) hello = choose(random);
	return hello;
}

/** It begins with a method, or could; or with what a changed byte has made another one. */
function isRequest(bytes: Uint8Array): boolean {
	const isMethod = bytes.subarray(0, 4).every((byte) => byte === 0x20 || (byte >= 0x41 && byte <= 0x5a));
	return bytes.length > 0 && (isMethod || Buffer.from(bytes).includes("HTTP/1."));
}

export function choose(random: Random): Prologue {
	const whole = NOTHING;
	const choice = random.fraction();
	if (choice < 0.1) {
		const cut = random.chance(0.5);
		return { ...whole, cut, speaks: cut ? PROTOCOL_UNKNOWN : DECIDES };
	}
	if (choice < 0.14) {
		const cut = random.chance(0.8);
		return { ...whole, bytes: random.pick(UNDECIDED), cut, speaks: cut ? PROTOCOL_OTHER : DECIDES };
	}
	if (choice < 0.25) return { ...whole, bytes: random.pick(OTHERS) };
	const hello = random.pick(HELLOS);
	if (choice < 0.35) return { ...whole, bytes: hello.subarray(0, random.below(hello.length)), cut: true };
	if (choice < 0.42) {
		const broken = Uint8Array.from(hello);
		broken[random.below(broken.length)] = random.below(256);
		return { ...whole, bytes: broken };
	}
	return { ...whole, bytes: hello };
}
