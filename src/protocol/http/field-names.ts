/** The field names that a gateway has to know, as small numbers; all others are 0. */
import { ascii, at } from "../bytes.js";
import { isSpellingOf, UNDERSCORE } from "./grammar.js";

export const FIELD_OTHER = 0;

// Hop-by-hop: meant for the next recipient only (RFC 9110, 7.6.1). TE is among them; the trailers that it asks for
// pass all the same, with the chunks.
export const FIELD_CONNECTION = 1;
export const FIELD_KEEP_ALIVE = 2;
export const FIELD_PROXY_CONNECTION = 3;
export const FIELD_TE = 4;
export const FIELD_UPGRADE = 5;
/** Credentials for a proxy, which this gateway is not, and nobody behind it should collect. */
export const FIELD_PROXY_AUTHORIZATION = 6;
/** No field of HTTP: CGI makes HTTP_PROXY of it, and programs obey that variable ("httpoxy"). */
export const FIELD_PROXY = 7;
/** Another spelling (`_` for `-`) of a name in this list. CGI would take it for the name itself. */
export const FIELD_LOOKALIKE = 8;
/** Ids up to here are never forwarded (Connection and Upgrade: written anew where they are due). */
export const FIELD_LAST_DROPPED = FIELD_LOOKALIKE;

// What a gateway says about its client, and believes only from whom it trusts.
export const FIELD_X_FORWARDED_FOR = 9;
export const FIELD_X_FORWARDED_PROTO = 10;
export const FIELD_X_FORWARDED_HOST = 11;
export const FIELD_FORWARDED = 12;
export const FIELD_X_REAL_IP = 13;
/** Any other `X-Forwarded-…` (Port, Prefix, Server, Ssl …): we do not set it, so a stranger's would be believed. */
export const FIELD_X_FORWARDED_OTHER = 14;
/** Ids from FIELD_LAST_DROPPED up to here are forwarded for trusted peers only. */
export const FIELD_LAST_FORWARDING = FIELD_X_FORWARDED_OTHER;

// Framing and routing. No Connection option makes one of these vanish on the way.
export const FIELD_HOST = 15;
export const FIELD_CONTENT_LENGTH = 16;
export const FIELD_TRANSFER_ENCODING = 17;
/** Ids from FIELD_LAST_FORWARDING up to here frame or route. */
export const FIELD_LAST_FRAMING = FIELD_TRANSFER_ENCODING;

export const FIELD_TRAILER = 18;
export const FIELD_EXPECT = 19;
export const FIELD_VIA = 20;
export const FIELD_SEC_WEBSOCKET_KEY = 21;
export const FIELD_SEC_WEBSOCKET_VERSION = 22;
export const FIELD_SEC_WEBSOCKET_PROTOCOL = 23;
export const FIELD_SEC_WEBSOCKET_ACCEPT = 24;

/** Beside the id: a Connection option names the field, which makes it hop-by-hop. */
export const NOMINATED = 0x80;

const NAMES: ReadonlyMap<number, Uint8Array> = new Map(
	(
		[
			[FIELD_CONNECTION, "connection"],
			[FIELD_KEEP_ALIVE, "keep-alive"],
			[FIELD_PROXY_CONNECTION, "proxy-connection"],
			[FIELD_TE, "te"],
			[FIELD_UPGRADE, "upgrade"],
			[FIELD_PROXY_AUTHORIZATION, "proxy-authorization"],
			[FIELD_PROXY, "proxy"],
			[FIELD_X_FORWARDED_FOR, "x-forwarded-for"],
			[FIELD_X_FORWARDED_PROTO, "x-forwarded-proto"],
			[FIELD_X_FORWARDED_HOST, "x-forwarded-host"],
			[FIELD_FORWARDED, "forwarded"],
			[FIELD_X_REAL_IP, "x-real-ip"],
			[FIELD_HOST, "host"],
			[FIELD_CONTENT_LENGTH, "content-length"],
			[FIELD_TRANSFER_ENCODING, "transfer-encoding"],
			[FIELD_TRAILER, "trailer"],
			[FIELD_EXPECT, "expect"],
			[FIELD_VIA, "via"],
			[FIELD_SEC_WEBSOCKET_KEY, "sec-websocket-key"],
			[FIELD_SEC_WEBSOCKET_VERSION, "sec-websocket-version"],
			[FIELD_SEC_WEBSOCKET_PROTOCOL, "sec-websocket-protocol"],
			[FIELD_SEC_WEBSOCKET_ACCEPT, "sec-websocket-accept"],
		] as const
	).map(([id, name]) => [id, ascii(name)]),
);

/** Every name that has an id, lower-cased. */
export const KNOWN_NAMES: readonly Uint8Array[] = [...NAMES.values()];

export const X_FORWARDED_PREFIX = ascii("x-forwarded-");

/**
 * A hash by length, first and last letter in which no two of the names meet, so that most fields of most messages
 * cost one look at an empty place. The factors were found by trying; the table below proves them at start.
 */
const HASH_MASK = 63;
const idAt = new Uint8Array(HASH_MASK + 1);
const lengthAt = new Uint8Array(HASH_MASK + 1);
const nameAt: Uint8Array[] = Array.from({ length: HASH_MASK + 1 }, () => new Uint8Array(0));

function hashOf(length: number, first: number, last: number): number {
	return (length * 7 + (first | 0x20) * 12 + (last | 0x20)) & HASH_MASK;
}

for (const [id, name] of NAMES) {
	const hash = hashOf(name.length, at(name, 0), at(name, name.length - 1));
	if (idAt[hash] !== 0) throw new Error(`field names ${id} and ${idAt[hash]} meet in one place`);
	idAt[hash] = id;
	lengthAt[hash] = name.length;
	nameAt[hash] = name;
}

/** The id of the field name bytes[start, end), which is a token. */
export function fieldIdOf(bytes: Uint8Array, start: number, end: number): number {
	const length = end - start;
	const first = at(bytes, start);
	const hash = hashOf(length, first, at(bytes, end - 1));
	const id = at(idAt, hash);
	if (id !== 0 && at(lengthAt, hash) === length) {
		const name = nameAt[hash] as Uint8Array;
		let i = 0;
		// The names are letters and hyphens, so among token bytes this is exact: CR alone would pass for a hyphen.
		while (i < length && (at(bytes, start + i) | 0x20) === at(name, i)) i++;
		if (i === length) return id;
		if (at(bytes, start + i) === UNDERSCORE && isSpellingOf(bytes, start, end, name)) return FIELD_LOOKALIKE;
	}
	if ((first | 0x20) === 0x78 && length > X_FORWARDED_PREFIX.length) {
		if (isSpellingOf(bytes, start, start + X_FORWARDED_PREFIX.length, X_FORWARDED_PREFIX)) {
			return FIELD_X_FORWARDED_OTHER;
		}
	}
	return FIELD_OTHER;
}
