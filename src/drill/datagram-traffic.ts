/** What crosses the wire in a drill of datagrams: hellos of QUIC in two datagrams each, what is said in a session, and answers. */
import { randomBytes } from "node:crypto";
import { crypto, type InitialParts, initial } from "../rig/quic-initial.js";
import { latin1 } from "./traffic.js";

/** Whose upstream answers. */
export const TAGS = { good: "sluice drill, good\r\n", attackers: "sluice drill, attackers\r\n" } as const;

export type Tag = keyof typeof TAGS;

/** An answer is the tag of its upstream, and so much of what was said. */
export const ECHO_BYTES = 32;

/** What is said in a session that is there: a short header, an ID of the upstream, and bytes that nobody here reads. */
export const SAID_BYTES = 64;

/** Of a TLS record, which QUIC does without. */
const RECORD_HEADER_BYTES = 5;

/** The frames of a hello's two datagrams. `record`: as captureHello gives it. */
export function helloFrames(record: Uint8Array): readonly [Uint8Array, Uint8Array] {
	const hello = record.subarray(RECORD_HEADER_BYTES);
	const middle = Math.ceil(hello.length / 2);
	return [crypto(0, hello.subarray(0, middle)), crypto(middle, hello.subarray(middle))];
}

/** A client's hello as two datagrams, of which neither says all. */
export function helloDatagrams(
	[first, second]: ReturnType<typeof helloFrames>,
	ids: Required<Pick<InitialParts, "destination" | "source">>,
): [Uint8Array, Uint8Array] {
	return [initial([first], { ...ids, number: 0 }), initial([second], { ...ids, number: 1 })];
}

/** Where the number of a client of the crowd stands in what it says: in the destination ID of an Initial, and in the answers' echo. */
export const NUMBER_AT = 10;
const NUMBER_BYTES = 4;
const CROWD_SAID_BYTES = 36;
/** An Initial. */
export const CROWD_SAID_BYTES_MAX = 1_200;

/** Neither QUIC nor DTLS begins so. */
const PLAIN = 1;

/** What a client of the crowd says that is no QUIC. */
export function crowdSaying(number: number): Uint8Array {
	const said = new Uint8Array(CROWD_SAID_BYTES);
	said[0] = PLAIN;
	new DataView(said.buffer).setUint32(NUMBER_AT, number);
	return said;
}

/** Of an Initial: behind the first byte, the version and the length of the ID. */
const DESTINATION_AT = 6;

/** A hello of one datagram for each client of the crowd, with its number in the connection ID. `record`: as captureHello gives it. */
export function crowdHellos(record: Uint8Array, count: number): Uint8Array[] {
	const frame = crypto(0, record.subarray(RECORD_HEADER_BYTES));
	return Array.from({ length: count }, (_, number) => {
		const numberAt = NUMBER_AT - DESTINATION_AT;
		const destination = new Uint8Array(randomBytes(numberAt + NUMBER_BYTES));
		new DataView(destination.buffer).setUint32(numberAt, number);
		return initial([frame], { destination, bytes: CROWD_SAID_BYTES_MAX });
	});
}

/** The answer to what was said. */
export function answerTo(tag: Uint8Array, said: Uint8Array): Uint8Array {
	const echo = said.subarray(0, ECHO_BYTES);
	const answer = new Uint8Array(tag.length + echo.length);
	answer.set(tag);
	answer.set(echo, tag.length);
	return answer;
}

export function tagOf(tag: Tag): Uint8Array {
	return latin1(TAGS[tag]);
}
