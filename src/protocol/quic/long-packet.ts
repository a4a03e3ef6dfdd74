/**
 * The long header, with which all of QUIC's packets begin until keys of one's own are there (RFC 9000, section 17.2):
 *
 *     first byte      1   1, fixed bit, two bits of type, four that are hidden
 *     version         4
 *     destination     1 + 0 to 20      connection IDs, each behind its length
 *     source          1 + 0 to 20
 *     Initial:        token behind its length; length of the rest; packet number (hidden); payload (encrypted)
 *     0-RTT,
 *     Handshake:      length of the rest; …
 *     Retry:          token; 16 bytes of integrity tag
 *
 * What holds for every version, those to come included, are the first four lines with IDs of up to 255 bytes (RFC 8999).
 */
import { at } from "../bytes.js";
import { COMPLETE, MALFORMED, type Verdict } from "../verdict.js";
import { CUT_SHORT, varint, varintBytes } from "./varint.js";
import { isKnownVersion, QUIC_V2, VERSION_NEGOTIATION } from "./versions.js";

export const PACKET_NONE = 0;
export const PACKET_INITIAL = 1;
export const PACKET_0RTT = 2;
export const PACKET_HANDSHAKE = 3;
export const PACKET_RETRY = 4;
export const PACKET_NEGOTIATION = 5;
/** Of a version that is not read here: nothing but its connection IDs is known. */
export const PACKET_UNKNOWN_VERSION = 6;

/** RFC 9000, section 17.2: of versions 1 and 2. */
export const CONNECTION_ID_MAX_BYTES = 20;

/** Behind every encrypted payload, and every Retry. */
export const TAG_BYTES = 16;

/** What hides the header is made of the 16 bytes from here on, counted from the packet number (RFC 9001, section 5.4.2). */
export const SAMPLE_AT = 4;
const SAMPLE_BYTES = 16;

/** RFC 9001, section 5.4.2: a packet with less behind its length has no sample, and is nobody's. */
const REST_MIN_BYTES = SAMPLE_AT + SAMPLE_BYTES;

/** Of the first byte: a long header, in every version (RFC 8999, section 5.1). */
export const LONG_FORM = 0x80;
const FIXED_BIT = 0x40;

/** The types of version 1 by their two bits (RFC 9000, section 17.2); version 2 has each one further on (RFC 9369, section 3.2). */
const KINDS = [PACKET_INITIAL, PACKET_0RTT, PACKET_HANDSHAKE, PACKET_RETRY] as const;

export type LongPacketFault = "short_header" | "cut_short" | "connection_id_length" | "retry_without_token";

/** One packet. Positions are of the bytes that were parsed. */
export class LongPacket {
	kind = PACKET_NONE;
	/** Also with MALFORMED, where so much of it is there; 0 otherwise. */
	version = 0;
	hasFixedBit = false;
	destinationAt = 0;
	destinationBytes = 0;
	sourceAt = 0;
	sourceBytes = 0;
	/** Of Initial and Retry packets. */
	tokenAt = 0;
	tokenBytes = 0;
	/** Where the hidden packet number begins; in Retry packets, the integrity tag. */
	numberAt = 0;
	/** Behind its last byte: the next packet of the datagram may begin there. */
	end = 0;
	/** With MALFORMED. */
	cause: LongPacketFault | "" = "";
}

/** Reads the packet at the beginning of bytes[start, end), which is what is left of a datagram. Never NEED_MORE: there is no more. */
export function parseLongPacket(bytes: Uint8Array, start: number, end: number, out: LongPacket): Verdict {
	out.kind = PACKET_NONE;
	out.version = 0;
	out.destinationBytes = 0;
	out.sourceBytes = 0;
	out.tokenBytes = 0;
	out.cause = "";
	if (start >= end || (at(bytes, start) & LONG_FORM) === 0) return fail(out, "short_header");
	if (end - start < 5) return fail(out, "cut_short");
	const first = at(bytes, start);
	out.hasFixedBit = (first & FIXED_BIT) !== 0;
	out.version = versionAt(bytes, start + 1);
	if (end - start < 6) return fail(out, "cut_short");
	out.destinationAt = start + 6;
	out.destinationBytes = at(bytes, start + 5);
	const sourceLengthAt = out.destinationAt + out.destinationBytes;
	if (sourceLengthAt >= end) return fail(out, "cut_short");
	out.sourceAt = sourceLengthAt + 1;
	out.sourceBytes = at(bytes, sourceLengthAt);
	const rest = out.sourceAt + out.sourceBytes;
	if (rest > end) return fail(out, "cut_short");
	if (out.version === VERSION_NEGOTIATION) return parseNegotiation(rest, end, out);
	if (!isKnownVersion(out.version)) return complete(out, PACKET_UNKNOWN_VERSION, rest, end);
	if (out.destinationBytes > CONNECTION_ID_MAX_BYTES || out.sourceBytes > CONNECTION_ID_MAX_BYTES)
		return fail(out, "connection_id_length");
	const type = (first >> 4) & 3;
	const kind = KINDS[out.version === QUIC_V2 ? (type + 3) & 3 : type] as number;
	if (kind === PACKET_RETRY) return parseRetry(rest, end, out);
	return parseNumbered(bytes, kind, rest, end, out);
}

function versionAt(bytes: Uint8Array, index: number): number {
	return (
		at(bytes, index) * 2 ** 24 +
		((at(bytes, index + 1) << 16) | (at(bytes, index + 2) << 8) | at(bytes, index + 3))
	);
}

/** RFC 9000, section 17.2.1: a list of versions, each of four bytes. */
function parseNegotiation(rest: number, end: number, out: LongPacket): Verdict {
	if (rest === end || (end - rest) % 4 !== 0) return fail(out, "cut_short");
	return complete(out, PACKET_NEGOTIATION, rest, end);
}

/** RFC 9000, section 17.2.5: it takes the rest of the datagram; section 17.2.5.2: one with an empty token is discarded. */
function parseRetry(rest: number, end: number, out: LongPacket): Verdict {
	if (end - rest <= TAG_BYTES) return fail(out, "retry_without_token");
	out.tokenAt = rest;
	out.tokenBytes = end - TAG_BYTES - rest;
	return complete(out, PACKET_RETRY, end - TAG_BYTES, end);
}

function parseNumbered(bytes: Uint8Array, kind: number, rest: number, end: number, out: LongPacket): Verdict {
	let position = rest;
	if (kind === PACKET_INITIAL) {
		const tokenBytes = varint(bytes, position, end);
		if (tokenBytes === CUT_SHORT) return fail(out, "cut_short");
		out.tokenAt = position + varintBytes(at(bytes, position));
		if (tokenBytes > end - out.tokenAt) return fail(out, "cut_short");
		out.tokenBytes = tokenBytes;
		position = out.tokenAt + tokenBytes;
	}
	const length = varint(bytes, position, end);
	if (length < REST_MIN_BYTES) return fail(out, "cut_short"); // or CUT_SHORT itself
	const numberAt = position + varintBytes(at(bytes, position));
	if (length > end - numberAt) return fail(out, "cut_short");
	return complete(out, kind, numberAt, numberAt + length);
}

function complete(out: LongPacket, kind: number, numberAt: number, end: number): Verdict {
	out.kind = kind;
	out.numberAt = numberAt;
	out.end = end;
	return COMPLETE;
}

function fail(out: LongPacket, cause: LongPacketFault): Verdict {
	out.kind = PACKET_NONE;
	out.tokenBytes = 0;
	out.cause = cause;
	return MALFORMED;
}
