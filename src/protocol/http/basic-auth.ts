/** What a request says of who asks, by the Basic scheme (RFC 7617). */
import { ascii, at, equalsIgnoringCase } from "../bytes.js";
import { FIELD_AUTHORIZATION } from "./field-names.js";
import { isSpace } from "./grammar.js";
import type { RequestHead } from "./request.js";

const BASIC = ascii("basic");

/** Base64 of the longest name and password that are taken, and some more. */
const VALUE_MAX_BYTES = 1_024;

/**
 * Name, colon and password; `undefined`: there is none, or more than one, or it is of another scheme. A field that a Connection option
 * names ends here, and says nothing.
 */
export function basicCredentials(bytes: Uint8Array, { fields }: RequestHead): Buffer | undefined {
	const { count, ids, spans } = fields;
	let found = -1;
	for (let index = 0; index < count; index++) {
		if (at(ids, index) !== FIELD_AUTHORIZATION) continue;
		if (found >= 0) return undefined;
		found = index;
	}
	if (found < 0) return undefined;
	return decoded(bytes, spans[found * 4 + 2] as number, spans[found * 4 + 3] as number);
}

function decoded(bytes: Uint8Array, start: number, end: number): Buffer | undefined {
	let position = start + BASIC.length;
	if (end - start > VALUE_MAX_BYTES || position >= end || !isSpace(at(bytes, position))) return undefined;
	if (!equalsIgnoringCase(bytes, start, position, BASIC)) return undefined;
	while (position < end && isSpace(at(bytes, position))) position++;
	// A copy: decoders do not take shared memory.
	const credentials = Buffer.from(Buffer.from(bytes.slice(position, end)).toString("latin1"), "base64");
	return credentials.includes(COLON) ? credentials : undefined;
}

const COLON = 0x3a;
