/**
 * The PROXY protocol, versions 1 and 2, in and out: how one proxy tells the next whose connection it passes on.
 * The source is HAProxy's specification, doc/proxy-protocol.txt; sections below are of that text.
 *
 *     v1   "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
 *     v2   signature 12, version and command 1, family and transport 1, length 2,
 *          addresses, TLVs (type 1, length 2, value)
 *
 * A header decides whom the gateway takes the client for. Whether to expect one is a matter of configuration
 * only, never of guessing (section 5): so what is no valid header here is MALFORMED, not "no header".
 */
import { readIpv4, readIpv6, writeAddressText, writeDecimal } from "./address.js";
import { ascii, at, commonPrefix, equals, isDigit, u16 } from "./bytes.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "./verdict.js";

/** The longest version 1 line, CR LF included (section 2.1). */
export const PROXY_V1_LIMIT_BYTES = 107;

/**
 * The longest header taken. Version 2 could announce 64 KiB, but a header is meant to fit one segment (section
 * 2.2); 4 KiB is room for the largest addresses (216 bytes), a server name, a unique id, and the client
 * certificate that some proxies pass on.
 */
export const PROXY_HEADER_LIMIT_BYTES = 4096;

/** The closed list of reasons for MALFORMED. */
export type ProxyHeaderFault =
	| "no_proxy_header"
	| "line_too_long"
	| "line_end"
	| "transport"
	| "address"
	| "port"
	| "version"
	| "command"
	| "family"
	| "header_too_long"
	| "address_length"
	| "tlv_length"
	| "checksum";

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;

const V1_PREFIX = ascii("PROXY ");
const V1_TCP4 = ascii("TCP4");
const V1_TCP6 = ascii("TCP6");
const V1_UNKNOWN = ascii("UNKNOWN");
const V1_SHORTEST_BYTES = 15; // "PROXY UNKNOWN\r\n"

const V2_SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const V2_FIXED_BYTES = 16;
const V2_COMMAND_LOCAL = 0x20;
const V2_COMMAND_PROXY = 0x21;
const V2_STREAM = 1;
export const V2_DATAGRAM = 2;

const TLV_HEADER_BYTES = 3;
const TLV_CRC32C = 0x03;
const TLV_SSL = 0x20;
const TLV_SSL_FIXED_BYTES = 5; // client 1, verify 4; TLVs of its own follow

/**
 * What a PROXY header says. One object serves one reactor and never allocates. Its contents mean something only
 * after COMPLETE. Positions are indices into the array that was parsed.
 */
export class ProxyHeader {
	version: 1 | 2 = 1;
	/**
	 * The header names no endpoints, so the connection's own hold: a LOCAL command, UNKNOWN, or a family other
	 * than IPv4 and IPv6 (section 2.2 lets a receiver fall back to that). `family` is 0 then.
	 */
	isLocal = false;
	family: 0 | 4 | 6 = 0;
	/** Version 2 spoke of UDP: the addresses are those of a datagram flow. */
	isDatagram = false;
	/** Network byte order; with family 4 the first four bytes. */
	readonly sourceAddress = new Uint8Array(16);
	sourcePort = 0;
	readonly destinationAddress = new Uint8Array(16);
	destinationPort = 0;
	/** How many bytes to consume; the client's own follow. */
	headerLength = 0;
	/** Version 2: the TLVs, checked. Equal positions when there are none. */
	tlvStart = 0;
	tlvEnd = 0;
	/** With NEED_MORE: at least so many bytes, counted from `start`, make up any valid header that begins so. */
	needBytes = 0;
	/** With MALFORMED: which rule was broken. */
	cause: ProxyHeaderFault | "" = "";
}

/** Reads a PROXY header of either version from bytes[start, end), which is what has arrived so far. */
export function parseProxyHeader(bytes: Uint8Array, start: number, end: number, out: ProxyHeader): Verdict {
	clear(out);
	if (start === end) return needMore(out, V1_SHORTEST_BYTES);
	return at(bytes, start) === CR ? parseV2(bytes, start, end, out) : parseV1(bytes, start, end, out);
}

/** Section 2.1. Single spaces, no leading zeros, nothing else: "must exactly match the protocol". */
function parseV1(bytes: Uint8Array, start: number, end: number, out: ProxyHeader): Verdict {
	const prefix = commonPrefix(bytes, start, end, V1_PREFIX);
	if (prefix < V1_PREFIX.length) {
		return start + prefix < end ? fail(out, "no_proxy_header") : needMore(out, V1_SHORTEST_BYTES);
	}
	const limit = Math.min(end, start + PROXY_V1_LIMIT_BYTES);
	let lineEnd = start + V1_PREFIX.length;
	while (lineEnd < limit && at(bytes, lineEnd) !== CR && at(bytes, lineEnd) !== LF) lineEnd++;
	if (lineEnd + 1 >= limit && (lineEnd === limit || at(bytes, lineEnd) === CR)) {
		const needBytes = Math.max(V1_SHORTEST_BYTES, lineEnd + 2 - start);
		return needBytes > PROXY_V1_LIMIT_BYTES ? fail(out, "line_too_long") : needMore(out, needBytes);
	}
	if (at(bytes, lineEnd) !== CR || at(bytes, lineEnd + 1) !== LF) return fail(out, "line_end");

	out.version = 1;
	out.headerLength = lineEnd + 2 - start;
	const transport = start + V1_PREFIX.length;
	const transportEnd = endOfWord(bytes, transport, lineEnd);
	if (equals(bytes, transport, transportEnd, V1_UNKNOWN)) {
		out.isLocal = true; // whatever stands behind UNKNOWN is to be ignored
		return COMPLETE;
	}
	if (equals(bytes, transport, transportEnd, V1_TCP4)) out.family = 4;
	else if (equals(bytes, transport, transportEnd, V1_TCP6)) out.family = 6;
	else return fail(out, "transport");

	const source = transportEnd + 1;
	const sourceEnd = endOfWord(bytes, source, lineEnd);
	if (!readAddress(bytes, source, sourceEnd, out.family, out.sourceAddress)) return fail(out, "address");
	const destination = sourceEnd + 1;
	const destinationEnd = endOfWord(bytes, destination, lineEnd);
	if (!readAddress(bytes, destination, destinationEnd, out.family, out.destinationAddress)) {
		return fail(out, "address");
	}
	const sourcePort = destinationEnd + 1;
	const sourcePortEnd = endOfWord(bytes, sourcePort, lineEnd);
	out.sourcePort = readPort(bytes, sourcePort, sourcePortEnd);
	out.destinationPort = readPort(bytes, sourcePortEnd + 1, lineEnd);
	if (out.sourcePort < 0 || out.destinationPort < 0) return fail(out, "port");
	return COMPLETE;
}

/** The position of the next space, or `end`. A word that begins after `end` is empty. */
function endOfWord(bytes: Uint8Array, start: number, end: number): number {
	let position = start;
	while (position < end && at(bytes, position) !== SP) position++;
	return position;
}

function readAddress(bytes: Uint8Array, start: number, end: number, family: 4 | 6, out: Uint8Array): boolean {
	return family === 4 ? readIpv4(bytes, start, end, out, 0) : readIpv6(bytes, start, end, out, 0);
}

/** 0 to 65535 without leading zeros, or -1. */
function readPort(bytes: Uint8Array, start: number, end: number): number {
	if (end <= start || end - start > 5 || (end - start > 1 && at(bytes, start) === 0x30)) return -1;
	let port = 0;
	for (let i = start; i < end; i++) {
		if (!isDigit(at(bytes, i))) return -1;
		port = port * 10 + at(bytes, i) - 0x30;
	}
	return port <= 65535 ? port : -1;
}

/** Section 2.2. */
function parseV2(bytes: Uint8Array, start: number, end: number, out: ProxyHeader): Verdict {
	const signature = commonPrefix(bytes, start, end, V2_SIGNATURE);
	if (signature < V2_SIGNATURE.length && start + signature < end) return fail(out, "no_proxy_header");
	if (end > start + 12 && at(bytes, start + 12) >> 4 !== 2) return fail(out, "version");
	if (end < start + V2_FIXED_BYTES) return needMore(out, V2_FIXED_BYTES);
	const command = at(bytes, start + 12);
	if (command !== V2_COMMAND_LOCAL && command !== V2_COMMAND_PROXY) return fail(out, "command");
	const length = V2_FIXED_BYTES + u16(bytes, start + 14);
	if (length > PROXY_HEADER_LIMIT_BYTES) return fail(out, "header_too_long");
	if (end - start < length) return needMore(out, length);

	const headerEnd = start + length;
	out.version = 2;
	out.headerLength = length;
	out.tlvStart = headerEnd;
	out.tlvEnd = headerEnd;
	// LOCAL: "discard the protocol block including the family", and the length only says how much to skip.
	if (command === V2_COMMAND_LOCAL) {
		out.isLocal = true;
		return COMPLETE;
	}
	const family = at(bytes, start + 13) >> 4;
	const transport = at(bytes, start + 13) & 0xf;
	if (family > 3 || transport > 2) return fail(out, "family");
	if (family === 0 || transport === 0) {
		out.isLocal = true; // where addresses end is undefined, so whatever follows cannot be read as TLVs
		return COMPLETE;
	}
	const addressBytes = family === 1 ? 4 : family === 2 ? 16 : 108;
	const ports = start + V2_FIXED_BYTES + addressBytes * 2;
	out.tlvStart = family === 3 ? ports : ports + 4;
	if (out.tlvStart > headerEnd) return fail(out, "address_length");
	if (family === 3) out.isLocal = true;
	else {
		out.family = family === 1 ? 4 : 6;
		out.isDatagram = transport === V2_DATAGRAM;
		for (let i = 0; i < addressBytes; i++) {
			out.sourceAddress[i] = at(bytes, start + V2_FIXED_BYTES + i);
			out.destinationAddress[i] = at(bytes, start + V2_FIXED_BYTES + addressBytes + i);
		}
		out.sourcePort = u16(bytes, ports);
		out.destinationPort = u16(bytes, ports + 2);
	}
	const fault = checkTlvs(bytes, start, out.tlvStart, headerEnd);
	return fault === undefined ? COMPLETE : fail(out, fault);
}

/** Every TLV must end where the next begins, the last one where the header ends; so within PP2_TYPE_SSL. */
function checkTlvs(
	bytes: Uint8Array,
	headerStart: number,
	tlvStart: number,
	headerEnd: number,
): ProxyHeaderFault | undefined {
	let checksum = -1;
	for (let tlv = tlvStart; tlv < headerEnd; ) {
		const next = endOfTlv(bytes, tlv, headerEnd);
		if (next < 0) return "tlv_length";
		const type = at(bytes, tlv);
		if (type === TLV_SSL && !isSslTlv(bytes, tlv + TLV_HEADER_BYTES, next)) return "tlv_length";
		if (type === TLV_CRC32C) {
			if (checksum >= 0) return "checksum";
			if (next - tlv !== TLV_HEADER_BYTES + 4) return "tlv_length";
			checksum = tlv + TLV_HEADER_BYTES;
		}
		tlv = next;
	}
	if (checksum < 0) return undefined;
	return crc32c(bytes, headerStart, headerEnd, checksum) === u32(bytes, checksum) ? undefined : "checksum";
}

/** Where the TLV at `tlv` ends, or -1 if that is beyond `end`. */
function endOfTlv(bytes: Uint8Array, tlv: number, end: number): number {
	if (end - tlv < TLV_HEADER_BYTES) return -1;
	const next = tlv + TLV_HEADER_BYTES + u16(bytes, tlv + 1);
	return next <= end ? next : -1;
}

/** Section 2.2.6. */
function isSslTlv(bytes: Uint8Array, start: number, end: number): boolean {
	if (end - start < TLV_SSL_FIXED_BYTES) return false;
	let tlv = start + TLV_SSL_FIXED_BYTES;
	while (tlv >= 0 && tlv < end) tlv = endOfTlv(bytes, tlv, end);
	return tlv === end;
}

/**
 * Writes a version 1 line at `offset` and returns its length, at most {@link PROXY_V1_LIMIT_BYTES}. Family 0
 * writes `PROXY UNKNOWN` and ignores addresses and ports.
 *
 * @throws RangeError when `out` has less than {@link PROXY_V1_LIMIT_BYTES} after `offset`
 */
export function writeProxyV1(
	out: Uint8Array,
	offset: number,
	family: 0 | 4 | 6,
	sourceAddress: Uint8Array,
	sourcePort: number,
	destinationAddress: Uint8Array,
	destinationPort: number,
): number {
	requireRoom(out, offset, PROXY_V1_LIMIT_BYTES);
	let position = writeBytes(out, offset, V1_PREFIX);
	if (family === 0) position = writeBytes(out, position, V1_UNKNOWN);
	else {
		position = writeBytes(out, position, family === 4 ? V1_TCP4 : V1_TCP6);
		out[position++] = SP;
		position += writeAddressText(out, position, family, sourceAddress, 0);
		out[position++] = SP;
		position += writeAddressText(out, position, family, destinationAddress, 0);
		out[position++] = SP;
		position += writeDecimal(out, position, sourcePort);
		out[position++] = SP;
		position += writeDecimal(out, position, destinationPort);
	}
	out[position++] = CR;
	out[position++] = LF;
	return position - offset;
}

/**
 * Writes a version 2 header for a TCP connection at `offset` and returns its length: 16, the addresses (12 or
 * 36), and the TLVs given as tlvs[tlvStart, tlvEnd), e.g. those of a header that came in. Family 0 writes a
 * LOCAL command, without addresses and TLVs.
 *
 * A CRC32c among the TLVs (type 0x03) covers the whole header and so cannot be passed on as it is: it is
 * computed anew, at the end of the TLVs. Without one, none is written.
 *
 * @throws RangeError when `out` has less than 52 + (tlvEnd - tlvStart) after `offset`, when a TLV does not end
 * within tlvs[tlvStart, tlvEnd), or when the header would be longer than its 16-bit length can say
 */
export function writeProxyV2(
	out: Uint8Array,
	offset: number,
	family: 0 | 4 | 6,
	sourceAddress: Uint8Array,
	sourcePort: number,
	destinationAddress: Uint8Array,
	destinationPort: number,
	tlvs: Uint8Array = NO_TLVS,
	tlvStart = 0,
	tlvEnd: number = tlvs.length,
	transport: number = V2_STREAM,
): number {
	requireRoom(out, offset, V2_FIXED_BYTES + 36 + tlvEnd - tlvStart);
	let position = writeBytes(out, offset, V2_SIGNATURE);
	out[position++] = family === 0 ? V2_COMMAND_LOCAL : V2_COMMAND_PROXY;
	out[position++] = family === 0 ? 0 : ((family === 4 ? 1 : 2) << 4) | transport;
	const lengthAt = position;
	position += 2;
	if (family === 0) {
		writeU16(out, lengthAt, 0);
		return position - offset;
	}
	const addressBytes = family === 4 ? 4 : 16;
	for (let i = 0; i < addressBytes; i++) {
		out[position + i] = at(sourceAddress, i);
		out[position + addressBytes + i] = at(destinationAddress, i);
	}
	position += addressBytes * 2;
	writeU16(out, position, sourcePort);
	writeU16(out, position + 2, destinationPort);
	position += 4;

	let hasChecksum = false;
	for (let tlv = tlvStart; tlv < tlvEnd; ) {
		const next = endOfTlv(tlvs, tlv, tlvEnd);
		if (next < 0) throw new RangeError(`TLV at ${tlv} does not end before ${tlvEnd}`);
		if (at(tlvs, tlv) === TLV_CRC32C) hasChecksum = true;
		else for (let i = tlv; i < next; i++) out[position++] = at(tlvs, i);
		tlv = next;
	}
	const checksumAt = position + TLV_HEADER_BYTES;
	if (hasChecksum) {
		out[position] = TLV_CRC32C;
		writeU16(out, position + 1, 4);
		position = checksumAt + 4;
	}
	const length = position - lengthAt - 2;
	if (length > 0xffff) throw new RangeError(`PROXY header of ${length} bytes exceeds 65535`);
	writeU16(out, lengthAt, length);
	if (hasChecksum) writeU32(out, checksumAt, crc32c(out, offset, position, checksumAt));
	return position - offset;
}

const NO_TLVS = new Uint8Array(0);

/** Writing past the end of a typed array is silently nothing, and half a header would go out. */
function requireRoom(out: Uint8Array, offset: number, bytes: number): void {
	if (offset + bytes > out.length) {
		throw new RangeError(`PROXY header needs ${bytes} bytes at ${offset}, the buffer has ${out.length}`);
	}
}

function writeBytes(out: Uint8Array, offset: number, bytes: Uint8Array): number {
	for (let i = 0; i < bytes.length; i++) out[offset + i] = at(bytes, i);
	return offset + bytes.length;
}

function writeU16(out: Uint8Array, offset: number, value: number): void {
	out[offset] = value >> 8;
	out[offset + 1] = value & 0xff;
}

function writeU32(out: Uint8Array, offset: number, value: number): void {
	writeU16(out, offset, value >>> 16);
	writeU16(out, offset + 2, value & 0xffff);
}

function u32(bytes: Uint8Array, index: number): number {
	return ((u16(bytes, index) << 16) | u16(bytes, index + 2)) >>> 0;
}

/** CRC32c (RFC 9260, appendix A) of bytes[start, end), the four bytes at `zeroed` counting as zeros. */
function crc32c(bytes: Uint8Array, start: number, end: number, zeroed: number): number {
	let crc = 0xffffffff;
	for (let i = start; i < end; i++) {
		const byte = i >= zeroed && i < zeroed + 4 ? 0 : at(bytes, i);
		crc = (crc >>> 8) ^ (CRC32C_TABLE[(crc ^ byte) & 0xff] as number);
	}
	return (crc ^ 0xffffffff) >>> 0;
}

/** One step for each value of a byte, for the reflected Castagnoli polynomial 0x1EDC6F41. */
const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
	let crc = byte;
	for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
	return crc;
});

function needMore(out: ProxyHeader, needBytes: number): Verdict {
	out.needBytes = needBytes;
	return NEED_MORE;
}

function fail(out: ProxyHeader, cause: ProxyHeaderFault): Verdict {
	clear(out);
	out.cause = cause;
	return MALFORMED;
}

function clear(out: ProxyHeader): void {
	out.version = 1;
	out.isLocal = false;
	out.family = 0;
	out.isDatagram = false;
	out.sourceAddress.fill(0);
	out.sourcePort = 0;
	out.destinationAddress.fill(0);
	out.destinationPort = 0;
	out.headerLength = 0;
	out.tlvStart = 0;
	out.tlvEnd = 0;
	out.needBytes = 0;
	out.cause = "";
}
