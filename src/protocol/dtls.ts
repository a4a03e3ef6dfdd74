/**
 * DTLS as it begins: records, and in them fragments of the ClientHello (RFC 6347, sections 4.1 and 4.2; RFC 9147, sections 4 and 5,
 * whose first records are the same).
 *
 *     record        13   type 22, version fe ff or fe fd, epoch 2, sequence number 6, length 2
 *     fragment      12   type 1, length of the message 3, its number 2, offset 3, length 3
 *                        so much of the hello (hello-message.ts)
 *
 * A server may ask for the same hello with a cookie in it (HelloVerifyRequest): that is another message with the next number.
 */
import { at, u16 } from "./bytes.js";
import { MESSAGE_TYPE_CLIENT_HELLO } from "./hello-message.js";

const RECORD_HEADER_BYTES = 13;
const FRAGMENT_HEADER_BYTES = 12;
const RECORD_TYPE_HANDSHAKE = 22;
const DTLS_MAJOR_VERSION = 0xfe;

export const FRAGMENTS_END = 0;
export const FRAGMENT = 1;
export const FRAGMENTS_MALFORMED = 2;

export type FragmentFault =
	| "record_cut_short"
	| "record_type"
	| "record_version"
	| "record_epoch"
	| "fragment_cut_short"
	| "fragment_length"
	| "message_type";

/** Whether a datagram that begins so is a handshake of DTLS. */
export function beginsDtls(bytes: Uint8Array, start: number, end: number): boolean {
	return (
		end - start >= 2 &&
		at(bytes, start) === RECORD_TYPE_HANDSHAKE &&
		at(bytes, start + 1) === DTLS_MAJOR_VERSION
	);
}

/** Goes through the fragments of one datagram. One object serves all of them. */
export class Fragments {
	/** Of the whole message, without its header. */
	messageBytes = 0;
	/** Its number among messages. */
	messageNumber = 0;
	/** Where in the message this one belongs, and where its bytes are. */
	offset = 0;
	dataAt = 0;
	dataEnd = 0;
	/** The sequence number of the record that it is in. */
	recordNumber = 0;
	/** With FRAGMENTS_MALFORMED. */
	cause: FragmentFault | "" = "";
	#bytes: Uint8Array = NOTHING;
	#position = 0;
	#recordEnd = 0;
	#end = 0;
	#isFirst = true;

	/** Begins with the datagram bytes[start, end). */
	begin(bytes: Uint8Array, start: number, end: number): void {
		this.#bytes = bytes;
		this.#position = start;
		this.#recordEnd = start;
		this.#end = end;
		this.#isFirst = true;
		this.cause = "";
	}

	/** The next fragment, FRAGMENTS_END, or FRAGMENTS_MALFORMED, after which there is none. */
	next(): number {
		if (this.#position === this.#recordEnd) {
			if (this.#position === this.#end) return FRAGMENTS_END;
			const fault = this.#openRecord();
			// What follows a whole record and is none itself is dropped by servers, too, and takes nothing from the first.
			if (fault !== undefined) return this.#isFirst ? this.#fail(fault) : FRAGMENTS_END;
			this.#isFirst = false;
		}
		return this.#readFragment();
	}

	#openRecord(): FragmentFault | undefined {
		const bytes = this.#bytes;
		const record = this.#position;
		if (this.#end - record < RECORD_HEADER_BYTES) return "record_cut_short";
		if (at(bytes, record) !== RECORD_TYPE_HANDSHAKE) return "record_type";
		if (at(bytes, record + 1) !== DTLS_MAJOR_VERSION) return "record_version";
		// Behind the first keys it would be encrypted.
		if (u16(bytes, record + 3) !== 0) return "record_epoch";
		const payload = record + RECORD_HEADER_BYTES;
		const recordEnd = payload + u16(bytes, record + 11);
		if (recordEnd > this.#end) return "record_cut_short";
		this.recordNumber =
			u16(bytes, record + 5) * 2 ** 32 + u16(bytes, record + 7) * 65536 + u16(bytes, record + 9);
		this.#position = payload;
		this.#recordEnd = recordEnd;
		return undefined;
	}

	#readFragment(): number {
		const bytes = this.#bytes;
		const header = this.#position;
		if (this.#recordEnd - header < FRAGMENT_HEADER_BYTES) return this.#fail("fragment_cut_short");
		if (at(bytes, header) !== MESSAGE_TYPE_CLIENT_HELLO) return this.#fail("message_type");
		this.messageBytes = u24(bytes, header + 1);
		this.messageNumber = u16(bytes, header + 4);
		this.offset = u24(bytes, header + 6);
		const length = u24(bytes, header + 9);
		this.dataAt = header + FRAGMENT_HEADER_BYTES;
		this.dataEnd = this.dataAt + length;
		if (this.dataEnd > this.#recordEnd) return this.#fail("fragment_cut_short");
		if (length === 0 || this.offset + length > this.messageBytes) return this.#fail("fragment_length");
		this.#position = this.dataEnd;
		return FRAGMENT;
	}

	#fail(cause: FragmentFault): number {
		this.cause = cause;
		this.#position = this.#end;
		this.#recordEnd = this.#end;
		return FRAGMENTS_MALFORMED;
	}
}

const NOTHING = new Uint8Array(0);

function u24(bytes: Uint8Array, index: number): number {
	return (at(bytes, index) << 16) | u16(bytes, index + 1);
}
