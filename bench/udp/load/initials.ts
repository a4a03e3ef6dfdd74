/** Initials of clients that ask for a name, each with a connection ID of its own. */
import { randomBytes } from "node:crypto";
import { crypto, initial } from "../../../src/rig/quic-initial.js";

const ID_BYTES = 8;
/** Of a TLS record, which QUIC does without. */
const RECORD_HEADER_BYTES = 5;

/** `hellosBase64`: TLS records, of which each Initial has the next. */
export function makeInitials(count: number, hellosBase64: readonly string[]): Uint8Array[] {
	const hellos = hellosBase64.map((text) => crypto(0, bytesOf(text).subarray(RECORD_HEADER_BYTES)));
	return Array.from({ length: count }, (_, i) => {
		const hello = hellos[i % hellos.length];
		if (hello === undefined) throw new Error("there is no hello to make Initials of");
		return initial([hello], { destination: randomBytes(ID_BYTES), source: randomBytes(ID_BYTES) });
	});
}

function bytesOf(base64: string): Uint8Array {
	return new Uint8Array(Buffer.from(base64, "base64"));
}
