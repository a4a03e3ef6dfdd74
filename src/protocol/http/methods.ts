/** Request methods as small numbers (RFC 9110, 9). They are case-sensitive. */
import { ascii, at, equals } from "../bytes.js";

export const METHOD_OTHER = 0;
export const METHOD_GET = 1;
export const METHOD_HEAD = 2;
export const METHOD_POST = 3;
export const METHOD_PUT = 4;
export const METHOD_DELETE = 5;
export const METHOD_CONNECT = 6;
export const METHOD_OPTIONS = 7;
export const METHOD_TRACE = 8;
export const METHOD_PATCH = 9;
/** A token that is no method known here. */
export const METHOD_NONE = -1;

const NUMBERED = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"].map(ascii);

/**
 * What passes as METHOD_OTHER: the registered methods that the parsers of common servers know. One that they do not
 * know ends in their 400, after which the connection that it came by is closed under requests of other clients.
 */
const OTHERS = [
	...["ACL", "BIND", "CHECKOUT", "COPY", "LINK", "LOCK", "M-SEARCH", "MERGE", "MKACTIVITY", "MKCALENDAR"],
	...["MKCOL", "MOVE", "NOTIFY", "PROPFIND", "PROPPATCH", "PURGE", "QUERY", "REBIND", "REPORT", "SEARCH"],
	...["SUBSCRIBE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE"],
].map(ascii);

/** The number of the method bytes[start, end). */
export function methodOf(bytes: Uint8Array, start: number, end: number): number {
	// Nearly all requests of the world.
	if (end - start === 3 && at(bytes, start) === 0x47 && at(bytes, start + 1) === 0x45) {
		if (at(bytes, start + 2) === 0x54) return METHOD_GET;
	}
	for (let i = 0; i < NUMBERED.length; i++) {
		if (equals(bytes, start, end, NUMBERED[i] as Uint8Array)) return i + 1;
	}
	for (const name of OTHERS) if (equals(bytes, start, end, name)) return METHOD_OTHER;
	return METHOD_NONE;
}
