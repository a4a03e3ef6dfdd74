/** The field names that a gateway has to know, as small numbers; all others are 0. */
import { ascii, at } from "../bytes.js";
import { isOtherHyphen, isSpellingOf } from "./grammar.js";

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
/** Part of an upgrade to h2c (RFC 7540, 3.2.1), which is not passed on: it would hide requests from us. */
export const FIELD_HTTP2_SETTINGS = 8;
/** Another spelling (`_` or `.` for `-`) of a name in this list. CGI would take it for the name itself. */
export const FIELD_LOOKALIKE = 9;
/** Ids up to here are never forwarded (Connection and Upgrade: written anew where they are due). */
export const FIELD_LAST_DROPPED = FIELD_LOOKALIKE;

// What a gateway says about its client, and believes only from whom it trusts.
export const FIELD_X_FORWARDED_FOR = 10;
export const FIELD_X_FORWARDED_PROTO = 11;
export const FIELD_X_FORWARDED_HOST = 12;
export const FIELD_FORWARDED = 13;
/** Ids from FIELD_LAST_DROPPED up to here are written by us. */
export const FIELD_LAST_WRITTEN = FIELD_FORWARDED;
/** {@link OTHER_IDENTITIES}, and any other `X-Forwarded-…`: we do not set them, so a stranger's would be believed. */
export const FIELD_IDENTITY = 14;
/** Ids from FIELD_LAST_DROPPED up to here are forwarded for trusted peers only. */
export const FIELD_LAST_FORWARDING = FIELD_IDENTITY;

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
export const FIELD_MAX_FORWARDS = 25;
// Who one is: some schemes authenticate the connection, not the request.
export const FIELD_AUTHORIZATION = 26;
export const FIELD_WWW_AUTHENTICATE = 27;
export const FIELD_PROXY_AUTHENTICATE = 28;

/** Beside the id: a Connection option names the field, which makes it hop-by-hop. */
export const NOMINATED = 0x80;

/**
 * By which proxies and content networks tell servers who their client is, by which scheme and name it came, and what
 * it had asked for before it was rewritten. Servers, frameworks and rules behind believe them, whoever wrote them.
 * docs/configuration.md has the same list.
 */
export const OTHER_IDENTITIES = [
	...["x-forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-remote-ip", "x-remote-addr"],
	...["x-originating-ip", "x-original-forwarded-for", "x-envoy-external-address", "x-proxyuser-ip"],
	...["forwarded-for", "forwarded-for-ip", "forwarded-host", "forwarded-proto", "x-forward-for"],
	...["cluster-client-ip", "x-true-client-ip", "x-original-remote-addr", "x-original-method"],
	...["client-ip", "true-client-ip", "fastly-client-ip", "fly-client-ip", "proxy-client-ip"],
	...["wl-proxy-client-ip", "cf-connecting-ip", "cf-connecting-ipv6", "cf-pseudo-ipv4", "do-connecting-ip"],
	...["x-azure-clientip", "x-azure-socketip", "x-appengine-user-ip", "x-nf-client-connection-ip"],
	...["x-original-url", "x-original-uri", "x-original-host", "x-original-proto", "x-rewrite-url"],
	...["x-host", "x-http-host-override", "x-scheme", "x-url-scheme", "front-end-https"],
] as const;

const NAMES: readonly (readonly [number, Uint8Array])[] = (
	[
		[FIELD_CONNECTION, "connection"],
		[FIELD_KEEP_ALIVE, "keep-alive"],
		[FIELD_PROXY_CONNECTION, "proxy-connection"],
		[FIELD_TE, "te"],
		[FIELD_UPGRADE, "upgrade"],
		[FIELD_PROXY_AUTHORIZATION, "proxy-authorization"],
		[FIELD_PROXY, "proxy"],
		[FIELD_HTTP2_SETTINGS, "http2-settings"],
		[FIELD_X_FORWARDED_FOR, "x-forwarded-for"],
		[FIELD_X_FORWARDED_PROTO, "x-forwarded-proto"],
		[FIELD_X_FORWARDED_HOST, "x-forwarded-host"],
		[FIELD_FORWARDED, "forwarded"],
		...OTHER_IDENTITIES.map((name) => [FIELD_IDENTITY, name] as const),
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
		[FIELD_MAX_FORWARDS, "max-forwards"],
		[FIELD_AUTHORIZATION, "authorization"],
		[FIELD_WWW_AUTHENTICATE, "www-authenticate"],
		[FIELD_PROXY_AUTHENTICATE, "proxy-authenticate"],
	] as const
).map(([id, name]) => [id, ascii(name)]);

/** Every name that has an id, lower-cased. */
export const KNOWN_NAMES: readonly Uint8Array[] = NAMES.map(([, name]) => name);

export const X_FORWARDED_PREFIX = ascii("x-forwarded-");

/**
 * Names by a hash of length, first and last letter, in chains: most fields of most messages cost one look at an empty
 * place. Places and names are numbered from 1; 0 is none.
 */
const HASH_MASK = 255;
const firstAt = new Uint8Array(HASH_MASK + 1);
const nextOf = new Uint8Array(NAMES.length + 1);
const IDS = Uint8Array.of(FIELD_OTHER, ...NAMES.map(([id]) => id));
const LENGTHS = Uint8Array.of(0, ...NAMES.map(([, name]) => name.length));

function hashOf(length: number, first: number, last: number): number {
	return (length * 7 + (first | 0x20) * 12 + (last | 0x20)) & HASH_MASK;
}

for (const [index, [, name]] of NAMES.entries()) {
	const hash = hashOf(name.length, at(name, 0), at(name, name.length - 1));
	nextOf[index + 1] = at(firstAt, hash);
	firstAt[hash] = index + 1;
}

/** The id of the field name bytes[start, end), which is a token. */
export function fieldIdOf(bytes: Uint8Array, start: number, end: number): number {
	const length = end - start;
	const first = at(bytes, start);
	let place = at(firstAt, hashOf(length, first, at(bytes, end - 1)));
	for (; place !== 0; place = at(nextOf, place)) {
		if (at(LENGTHS, place) !== length) continue;
		const name = KNOWN_NAMES[place - 1] as Uint8Array;
		let i = 0;
		// The names are letters, digits and hyphens, so among token bytes this is exact: only control characters
		// would pass for digits and hyphens.
		while (i < length && (at(bytes, start + i) | 0x20) === at(name, i)) i++;
		if (i === length) return at(IDS, place);
		if (isOtherHyphen(at(bytes, start + i)) && isSpellingOf(bytes, start, end, name)) return FIELD_LOOKALIKE;
	}
	if ((first | 0x20) === 0x78 && length > X_FORWARDED_PREFIX.length) {
		if (isSpellingOf(bytes, start, start + X_FORWARDED_PREFIX.length, X_FORWARDED_PREFIX)) {
			return FIELD_IDENTITY;
		}
	}
	return FIELD_OTHER;
}
