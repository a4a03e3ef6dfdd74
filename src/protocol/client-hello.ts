/**
 * The TLS ClientHello: which name, protocols and versions a client asks for, read without decrypting.
 *
 *     record header       5   type 22, version 3.x, length        RFC 8446, 5.1
 *     handshake header    4   type 1, length                      RFC 8446, 4
 *     hello                   see hello-message.ts
 *
 * The handshake message may be cut into records anywhere, also inside its own header. It is read only when
 * all of it is there: first the records are walked, header by header, then the message is read where it lies,
 * or, if it came in several records, from a copy put together again.
 *
 * Everything is checked to the byte. A gateway that reads a hello more generously than the server behind it
 * can be made to route by a name which that server never sees.
 */
import { at, u16 } from "./bytes.js";
import { CLIENT_HELLO_LIMIT_BYTES, type ClientHello, clearHello, failHello, needMoreOf } from "./hello.js";
import {
	MESSAGE_HEADER_BYTES,
	MESSAGE_TYPE_CLIENT_HELLO,
	readHelloMessage,
	SHORTEST_HELLO_BYTES,
} from "./hello-message.js";
import type { Verdict } from "./verdict.js";

/**
 * The longest hello on the wire, record headers included. 1 KiB above the message leaves room for 204 records
 * around the longest message and for records of one byte around anything up to 2.9 KB; a client that cuts finer
 * than that is not a browser but a test of our patience.
 */
export const CLIENT_HELLO_WIRE_LIMIT_BYTES = CLIENT_HELLO_LIMIT_BYTES + 1024;

const RECORD_HEADER_BYTES = 5;
const RECORD_LIMIT_BYTES = 16384; // RFC 8446, 5.1: 2^14
const RECORD_TYPE_HANDSHAKE = 22;
/**
 * Whoever puts something else between the records of a hello is told at once while there are so few of them; clients
 * cut theirs in two or three at most. Of more records, each header would be one more look at all of them.
 */
const EAGER_RECORDS = 8;

/** Where a message that came in several records is put together. Parsing is synchronous: one per thread do. */
const reassembly = new Uint8Array(CLIENT_HELLO_LIMIT_BYTES);

/**
 * Reads a ClientHello from bytes[start, end), which is what has arrived so far (RFC 8446, 4.1.2 and 5.1;
 * RFC 5246, 7.4.1.2 for older clients). What follows the hello's last record is left alone.
 */
export function parseClientHello(bytes: Uint8Array, start: number, end: number, hello: ClientHello): Verdict {
	clearHello(hello);
	let record = start;
	let haveBytes = 0; // of the message, in the records before this one
	let headerBytes = 0; // of the message's own header
	let declaredBytes = 0;
	let messageBytes = 0; // 0: its header is not there yet
	for (let count = 1; ; count++) {
		const isEager = count <= EAGER_RECORDS;
		const missingBytes = (messageBytes === 0 ? SHORTEST_HELLO_BYTES : messageBytes) - haveBytes;
		const needed = wireBytesWith(record - start, missingBytes);
		if (needed > CLIENT_HELLO_WIRE_LIMIT_BYTES) return failHello(hello, "too_many_records");
		if (end > record && at(bytes, record) !== RECORD_TYPE_HANDSHAKE) return failHello(hello, "record_type");
		// RFC 5246, E.1: any minor version is to be accepted here, and RFC 8446, 5.1 says to ignore it.
		if (end > record + 1 && at(bytes, record + 1) !== 3) return failHello(hello, "record_version");
		if (end < record + RECORD_HEADER_BYTES) {
			return needMoreOf(hello, isEager ? record + RECORD_HEADER_BYTES - start : needed);
		}
		const length = u16(bytes, record + 3);
		if (length === 0) return failHello(hello, "record_empty");
		if (length > RECORD_LIMIT_BYTES) return failHello(hello, "record_too_long");

		const payload = record + RECORD_HEADER_BYTES;
		const payloadEnd = payload + length;
		for (let i = payload; headerBytes < MESSAGE_HEADER_BYTES && i < payloadEnd && i < end; i++) {
			if (headerBytes > 0) declaredBytes = declaredBytes * 256 + at(bytes, i);
			else if (at(bytes, i) !== MESSAGE_TYPE_CLIENT_HELLO) return failHello(hello, "message_type");
			headerBytes++;
		}
		if (headerBytes === MESSAGE_HEADER_BYTES) {
			messageBytes = MESSAGE_HEADER_BYTES + declaredBytes;
			if (messageBytes > CLIENT_HELLO_LIMIT_BYTES) return failHello(hello, "hello_too_long");
			if (messageBytes < SHORTEST_HELLO_BYTES) return failHello(hello, "hello_too_short");
			// No other message may share a flight with the hello, so its last record ends where it ends.
			if (haveBytes + length > messageBytes) return failHello(hello, "data_after_hello");
		}
		haveBytes += length;
		record = payloadEnd;
		if (record > end) {
			const restBytes = (messageBytes === 0 ? SHORTEST_HELLO_BYTES : messageBytes) - haveBytes;
			const neededThen = wireBytesWith(record - start, restBytes);
			if (neededThen > CLIENT_HELLO_WIRE_LIMIT_BYTES) return failHello(hello, "too_many_records");
			const nextHeaderEnd = record - start + (restBytes > 0 ? RECORD_HEADER_BYTES : 0);
			return needMoreOf(hello, isEager ? nextHeaderEnd : neededThen);
		}
		if (haveBytes === messageBytes) break;
	}
	if (u16(bytes, start + 3) === messageBytes) {
		return readHelloMessage(bytes, start + RECORD_HEADER_BYTES, record, hello);
	}
	joinRecords(bytes, start, record);
	return readHelloMessage(reassembly, 0, messageBytes, hello);
}

/** The rest of the message, if there is one, takes at least one more record. */
function wireBytesWith(wireBytes: number, restBytes: number): number {
	return restBytes > 0 ? wireBytes + RECORD_HEADER_BYTES + restBytes : wireBytes;
}

function joinRecords(bytes: Uint8Array, start: number, end: number): void {
	let joined = 0;
	for (let record = start; record < end; ) {
		const payloadEnd = record + RECORD_HEADER_BYTES + u16(bytes, record + 3);
		// Byte by byte, because a subarray to copy from would be an allocation.
		for (let i = record + RECORD_HEADER_BYTES; i < payloadEnd; i++) reassembly[joined++] = at(bytes, i);
		record = payloadEnd;
	}
}
