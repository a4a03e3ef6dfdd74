/** A message as each protocol carries it (`docs/hub-wire.md`): made once, and sent to all subscribers as it is. */
import { OPCODE_BINARY, OPCODE_TEXT, writeFrameHeader } from "../protocol/websocket/frame.js";
import { formatId, type MessageId } from "./names.js";

/** What is published: text, or bytes. */
export interface HubMessage {
	readonly channel: string;
	readonly id: MessageId;
	/** What `conflate` goes by. */
	readonly key?: string;
	readonly data: string | Uint8Array;
}

/** The highest bit of a frame's length: what follows has a header of its own. */
const BINARY = 0x80000000;

/** In the order of `protocols.ts`. */
export function encodeMessage(message: HubMessage): readonly Uint8Array[] {
	const { data } = message;
	if (typeof data === "string") {
		const object = Buffer.from(JSON.stringify({ type: "message", ...fields(message), data }));
		const event = JSON.stringify({ ...fieldsOfEvent(message), data });
		return [
			webSocket(OPCODE_TEXT, object),
			eventOf("message", event, message.id),
			framed(object.length, object),
		];
	}
	const header = Buffer.from(JSON.stringify({ type: "message", ...fields(message) }));
	const parts = [lengthOf(header.length), header, data];
	const event = JSON.stringify({ ...fieldsOfEvent(message), base64: Buffer.from(data).toString("base64") });
	const bytes = parts.reduce((sum, { length }) => sum + length, 0);
	return [
		webSocket(OPCODE_BINARY, ...parts),
		eventOf("message", event, message.id),
		framed((bytes | BINARY) >>> 0, ...parts),
	];
}

/** What the hub itself says, as an object of a text frame: a gap, an answer, an end. */
export interface HubNotice {
	readonly type: string;
	readonly [field: string]: unknown;
}

/** The same for what is said to one subscriber. */
export function encodeNotice(notice: HubNotice): readonly Uint8Array[] {
	const object = Buffer.from(JSON.stringify(notice));
	const { type, ...rest } = notice;
	return [webSocket(OPCODE_TEXT, object), eventOf(type, JSON.stringify(rest)), framed(object.length, object)];
}

/** A comment, which no browser tells of: it keeps NATs open. */
export const EVENT_HEARTBEAT: Uint8Array = Buffer.from(":\n\n");
/** A frame of nothing. */
export const FRAMED_HEARTBEAT: Uint8Array = new Uint8Array(4);

function fields({ channel, id, key }: HubMessage) {
	return { channel, id: formatId(id), ...(key === undefined ? {} : { key }) };
}

/** Its id stands in a line of its own. */
function fieldsOfEvent({ channel, key }: HubMessage) {
	return { channel, ...(key === undefined ? {} : { key }) };
}

function webSocket(opcode: number, ...parts: readonly Uint8Array[]): Uint8Array {
	const bytes = parts.reduce((sum, { length }) => sum + length, 0);
	const header = new Uint8Array(10);
	const headerBytes = writeFrameHeader(header, 0, opcode, bytes);
	return Buffer.concat([header.subarray(0, headerBytes), ...parts]);
}

/** JSON has no line ends, so that one `data:` line carries it. */
function eventOf(type: string, json: string, id?: MessageId): Uint8Array {
	const idLine = id === undefined ? "" : `id: ${formatId(id)}\n`;
	const typeLine = type === "message" ? "" : `event: ${type}\n`;
	return Buffer.from(`${idLine}${typeLine}data: ${json}\n\n`);
}

function framed(length: number, ...parts: readonly Uint8Array[]): Uint8Array {
	return Buffer.concat([lengthOf(length), ...parts]);
}

function lengthOf(value: number): Uint8Array {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value);
	return bytes;
}
