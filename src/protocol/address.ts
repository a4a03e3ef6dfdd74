/**
 * IP addresses between text and bytes.
 *
 * The byte-level functions work in place, because the PROXY protocol and the Host field carry addresses as
 * text inside the stream; the string-level functions are thin covers over them, so there is one grammar only.
 */
import { ascii, at, isDigit, textOf, toLower, u16 } from "./bytes.js";

const COLON = 0x3a;
const DOT = 0x2e;
const ZERO = 0x30;

/** The longest text {@link writeAddressText} makes: eight groups of four digits and seven colons. */
export const ADDRESS_TEXT_LIMIT_BYTES = 39;

/** The four bytes of a dotted-decimal IPv4 address, or undefined if `text` is none. */
export function parseIpv4(text: string): Uint8Array | undefined {
	const out = new Uint8Array(4);
	return text.length <= 15 && readIpv4(ascii(text), 0, text.length, out, 0) ? out : undefined;
}

/**
 * The sixteen bytes of an IPv6 address (RFC 4291, 2.2), or undefined if `text` is none. A zone (`%eth0`) is
 * refused: it names an interface of one machine, and there is no place for it in sixteen bytes.
 */
export function parseIpv6(text: string): Uint8Array | undefined {
	const out = new Uint8Array(16);
	return text.length <= 45 && readIpv6(ascii(text), 0, text.length, out, 0) ? out : undefined;
}

/**
 * An address for people. `family` is 4 (four bytes at `offset`) or 6 (sixteen bytes, written as RFC 5952
 * recommends); an IPv4-mapped IPv6 address is shown as the IPv4 address it stands for. Any other family gives
 * `"unknown"`.
 */
export function formatAddress(bytes: Uint8Array, offset: number, family: number): string {
	const text = new Uint8Array(ADDRESS_TEXT_LIMIT_BYTES);
	return textOf(text, 0, writeShownAddress(text, 0, family, bytes, offset));
}

/**
 * Writes what {@link formatAddress} gives at `offset` of `out`, and returns how many bytes were written (at most
 * {@link ADDRESS_TEXT_LIMIT_BYTES}).
 */
export function writeShownAddress(
	out: Uint8Array,
	offset: number,
	family: number,
	address: Uint8Array,
	addressOffset: number,
): number {
	if (family === 4) return writeIpv4Text(out, offset, address, addressOffset);
	if (family !== 6) {
		out.set(UNKNOWN, offset);
		return UNKNOWN.length;
	}
	return isIpv4Mapped(address, addressOffset)
		? writeIpv4Text(out, offset, address, addressOffset + 12)
		: writeIpv6Text(out, offset, address, addressOffset);
}

const UNKNOWN = ascii("unknown");

/** `::ffff:0:0/96` (RFC 4291, 2.5.5.2): what a dual-stack socket reports for an IPv4 peer. */
export function isIpv4Mapped(bytes: Uint8Array, offset: number): boolean {
	for (let i = 0; i < 10; i++) if (at(bytes, offset + i) !== 0) return false;
	return at(bytes, offset + 10) === 0xff && at(bytes, offset + 11) === 0xff;
}

/**
 * Reads bytes[start, end) as dotted-decimal IPv4 into four bytes of `out`. Leading zeros are refused: some
 * readers take them as octal, and two readings of one address are one too many.
 */
export function readIpv4(
	bytes: Uint8Array,
	start: number,
	end: number,
	out: Uint8Array,
	outOffset: number,
): boolean {
	let position = start;
	for (let part = 0; part < 4; part++) {
		if (part > 0) {
			if (position >= end || at(bytes, position) !== DOT) return false;
			position++;
		}
		const digits = position;
		let value = 0;
		while (position < end && position - digits < 4 && isDigit(at(bytes, position))) {
			value = value * 10 + at(bytes, position) - ZERO;
			position++;
		}
		const length = position - digits;
		if (length === 0 || value > 255 || (length > 1 && at(bytes, digits) === ZERO)) return false;
		out[outOffset + part] = value;
	}
	return position === end;
}

/**
 * Reads bytes[start, end) as IPv6 text (RFC 4291, 2.2; all three forms) into sixteen bytes of `out`. When the
 * answer is false, `out` may hold part of an address.
 */
export function readIpv6(
	bytes: Uint8Array,
	start: number,
	end: number,
	out: Uint8Array,
	outOffset: number,
): boolean {
	let position = start;
	let written = 0;
	let gap = -1; // how many bytes stand before "::"
	if (end - start >= 2 && at(bytes, start) === COLON && at(bytes, start + 1) === COLON) {
		gap = 0;
		position += 2;
	}
	while (position < end) {
		if (written === 16) return false;
		const groupEnd = endOfHexGroup(bytes, position, end);
		if (groupEnd < end && at(bytes, groupEnd) === DOT) {
			if (written > 12 || !readIpv4(bytes, position, end, out, outOffset + written)) return false;
			written += 4;
			position = end;
			break;
		}
		const digits = groupEnd - position;
		if (digits === 0 || digits > 4) return false;
		const value = hexValue(bytes, position, groupEnd);
		out[outOffset + written] = value >> 8;
		out[outOffset + written + 1] = value & 0xff;
		written += 2;
		position = groupEnd;
		if (position === end) break;
		if (at(bytes, position) !== COLON) return false;
		position++;
		if (position === end) return false; // ends in a single colon
		if (at(bytes, position) === COLON) {
			if (gap >= 0) return false;
			gap = written;
			position++;
		}
	}
	if (gap < 0) return written === 16;
	if (written === 16) return false; // "::" stands for at least one group
	openGap(out, outOffset, gap, written);
	return true;
}

/** Hex digits from `position` on, stopping after five: a group has four at most. */
function endOfHexGroup(bytes: Uint8Array, position: number, end: number): number {
	const limit = Math.min(end, position + 5);
	while (position < limit && hexDigit(at(bytes, position)) >= 0) position++;
	return position;
}

function hexValue(bytes: Uint8Array, start: number, end: number): number {
	let value = 0;
	for (let i = start; i < end; i++) value = (value << 4) | hexDigit(at(bytes, i));
	return value;
}

function hexDigit(byte: number): number {
	if (isDigit(byte)) return byte - ZERO;
	const lower = toLower(byte);
	return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Moves what follows the gap to the end of the sixteen bytes and fills the gap with zeros. */
function openGap(out: Uint8Array, outOffset: number, gap: number, written: number): void {
	const moved = written - gap;
	for (let i = 1; i <= moved; i++) out[outOffset + 16 - i] = at(out, outOffset + written - i);
	for (let i = gap; i < 16 - moved; i++) out[outOffset + i] = 0;
}

/**
 * Writes an address as text at `offset` and returns how many bytes were written (at most
 * {@link ADDRESS_TEXT_LIMIT_BYTES}). IPv6 follows RFC 5952, section 4; IPv4-mapped addresses stay in
 * hexadecimal groups, the only form the PROXY protocol's version 1 knows.
 */
export function writeAddressText(
	out: Uint8Array,
	offset: number,
	family: 4 | 6,
	address: Uint8Array,
	addressOffset: number,
): number {
	return family === 4
		? writeIpv4Text(out, offset, address, addressOffset)
		: writeIpv6Text(out, offset, address, addressOffset);
}

function writeIpv4Text(out: Uint8Array, offset: number, address: Uint8Array, addressOffset: number): number {
	let position = offset;
	for (let i = 0; i < 4; i++) {
		if (i > 0) out[position++] = DOT;
		const value = at(address, addressOffset + i);
		// `| 0`: a division of integers, which a request pays for eight times.
		if (value > 99) out[position++] = ZERO + ((value / 100) | 0);
		if (value > 9) out[position++] = ZERO + (((value / 10) | 0) % 10);
		out[position++] = ZERO + (value % 10);
	}
	return position - offset;
}

function writeIpv6Text(out: Uint8Array, offset: number, address: Uint8Array, addressOffset: number): number {
	// The longest run of zero groups becomes "::"; the first of equals; never a single group (RFC 5952, 4.2).
	let gap = -1;
	let gapLength = 1;
	for (let group = 0, run = 0; group < 8; group++) {
		run = u16(address, addressOffset + group * 2) === 0 ? run + 1 : 0;
		if (run > gapLength) {
			gapLength = run;
			gap = group - run + 1;
		}
	}
	const gapEnd = gap < 0 ? -1 : gap + gapLength;
	let position = offset;
	for (let group = 0; group < 8; group++) {
		if (group === gap) {
			out[position++] = COLON;
			out[position++] = COLON;
			group = gapEnd - 1;
			continue;
		}
		if (group > 0 && group !== gapEnd) out[position++] = COLON;
		position += writeHex(out, position, u16(address, addressOffset + group * 2));
	}
	return position - offset;
}

function writeHex(out: Uint8Array, offset: number, value: number): number {
	let position = offset;
	for (let shift = value > 0xfff ? 12 : value > 0xff ? 8 : value > 0xf ? 4 : 0; shift >= 0; shift -= 4) {
		const digit = (value >> shift) & 0xf;
		out[position++] = digit < 10 ? ZERO + digit : 0x57 + digit;
	}
	return position - offset;
}

/** Writes 0–65535 in decimal, without leading zeros, and returns how many digits that took. */
export function writeDecimal(out: Uint8Array, offset: number, value: number): number {
	let position = offset;
	for (let unit = value > 9999 ? 10000 : value > 999 ? 1000 : value > 99 ? 100 : value > 9 ? 10 : 1; ; ) {
		out[position++] = ZERO + (Math.floor(value / unit) % 10);
		if (unit === 1) return position - offset;
		unit /= 10;
	}
}
