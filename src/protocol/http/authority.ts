/** `host [":" port]`, as it stands in Host and in absolute targets (RFC 3986, 3.2; RFC 9110, 4.2 and 7.2). */
import { at, isDigit, toLower } from "../bytes.js";
import { copyHostName, HOST_NAME_CAPACITY_BYTES, INVALID_HOST_NAME, writeIpv6Literal } from "../host-name.js";
import { COLON, ZERO } from "./grammar.js";

const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;

/** An authority, made once and filled for each message. */
export class Authority {
	/** Lower-cased, without port, final dot or brackets: one name, one route. */
	readonly host = new Uint8Array(HOST_NAME_CAPACITY_BYTES);
	/** 0: there is none. */
	hostLength = 0;
	/** -1: none was said. */
	port = -1;
	/** How it was written, port and brackets included. */
	start = 0;
	end = 0;

	clear(): void {
		this.hostLength = 0;
		this.port = -1;
		this.start = 0;
		this.end = 0;
	}

	/**
	 * Takes the authority bytes[start, end). A host is a name, an IPv4 address or an IPv6 address in brackets; user
	 * information (`user@`) is refused with everything else (RFC 9110, 4.2.4). False, and empty, when it is none.
	 */
	read(bytes: Uint8Array, start: number, end: number): boolean {
		const isBracketed = start < end && at(bytes, start) === OPENING_BRACKET;
		let hostEnd = this.#copyPlainName(bytes, start, end);
		let length = hostEnd - start;
		if (hostEnd === NOT_PLAIN) {
			const stop = isBracketed ? CLOSING_BRACKET : COLON;
			hostEnd = start;
			while (hostEnd < end && at(bytes, hostEnd) !== stop) hostEnd++;
			length = INVALID_HOST_NAME;
			if (!isBracketed) length = copyHostName(bytes, start, hostEnd, this.host);
			else if (hostEnd < end) length = writeIpv6Literal(bytes, start + 1, hostEnd, this.host);
		}
		const port = length < 0 ? INVALID_PORT : readPort(bytes, isBracketed ? hostEnd + 1 : hostEnd, end);
		if (port === INVALID_PORT) {
			this.clear();
			return false;
		}
		this.hostLength = length;
		this.port = port;
		this.start = start;
		this.end = end;
		return true;
	}

	/**
	 * Most names are short and without surprises, and this is on the road of every request: copies such a name and
	 * returns where it ends. What it does not know is left to `copyHostName`, where the rules are.
	 */
	#copyPlainName(bytes: Uint8Array, start: number, end: number): number {
		const host = this.host;
		const limit = Math.min(end, start + PLAIN_NAME_LIMIT_BYTES);
		let position = start;
		let previous = DOT;
		for (; position < limit; position++) {
			const byte = at(PLAIN_NAME, at(bytes, position));
			// Anything unknown, or a label that is empty.
			if (byte === 0 || (byte === DOT && previous === DOT)) break;
			host[position - start] = byte;
			previous = byte;
		}
		const isWhole = position === end || (position < end && at(bytes, position) === COLON);
		return isWhole && previous !== DOT ? position : NOT_PLAIN;
	}
}

const DOT = 0x2e;
const NOT_PLAIN = -1;
const INVALID_PORT = -2;

/** As long as a single label may be: in a name that fits, no label can be too long. */
const PLAIN_NAME_LIMIT_BYTES = 63;

/** What stands for each byte in a plain name, lower-cased; 0: none does. */
const PLAIN_NAME = Uint8Array.from({ length: 256 }, (_, byte) =>
	/[-.0-9A-Z_a-z]/.test(String.fromCharCode(byte)) ? toLower(byte) : 0,
);

/** `":" port` up to 65535; -1 for nothing, or for a colon without digits (RFC 3986, 3.2.3). */
function readPort(bytes: Uint8Array, start: number, end: number): number {
	if (start === end) return -1;
	if (at(bytes, start) !== COLON || end - start > 6) return INVALID_PORT;
	if (end - start === 1) return -1;
	let port = 0;
	for (let i = start + 1; i < end; i++) {
		if (!isDigit(at(bytes, i))) return INVALID_PORT;
		port = port * 10 + at(bytes, i) - ZERO;
	}
	return port <= 65535 ? port : INVALID_PORT;
}
