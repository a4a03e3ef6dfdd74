/**
 * Header fields that a route sets and removes. The gateway refuses the same ones where it prepares them
 * (`protocol/http/edits.ts`), which this layer does not know; a test holds the two to each other.
 */

/** RFC 9110, 5.6.2. */
export const FIELD_NAME_PATTERN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** RFC 9110, 5.5 without obs-text, whose bytes every reader takes for other letters. */
export const FIELD_VALUE_PATTERN = /^(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?$/;

/** Fields of one message that a route may name: each is compared with every field that passes. */
export const FIELDS_MAX = 64;

/** What they may add to a head, which has 16 KiB for everything. */
export const FIELDS_MAX_BYTES = 4_096;

const WRITTEN: ReadonlySet<string> = new Set([
	...["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"],
]);

const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
	...[
		"connection",
		"keep-alive",
		"proxy-connection",
		"te",
		"upgrade",
		"proxy-authorization",
		"proxy",
		"http2-settings",
	],
	...["content-length", "transfer-encoding", "trailer", "expect"],
	...["sec-websocket-key", "sec-websocket-version", "sec-websocket-accept"],
]);

/** One spelling for all that servers take for one name: case does not count, and CGI makes `_` of `-`, some of `.` as well. */
export function foldFieldName(name: string): string {
	return name.toLowerCase().replace(/[^0-9a-z]/g, "-");
}

/** Why no route may set or remove the field; `null` when it may. */
export function whyReserved(name: string): string | null {
	const folded = foldFieldName(name);
	if (folded === "host") return `"${name}" says whom a request is for: set "host" of the upstream instead`;
	if (folded === "via") return `"${name}" is written by "via" of the listener: use that instead`;
	if (WRITTEN.has(folded))
		return `"${name}" says who the client is, and the gateway writes it itself: see "forwarded_trusted" of the listener`;
	if (OF_THE_CONNECTION.has(folded))
		return `"${name}" belongs to one connection or frames the message, and the gateway writes it itself: remove it here`;
	return null;
}
