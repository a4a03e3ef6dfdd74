/** What the hub sends, read as its clients do: each of its three protocols, from pieces that may end anywhere. */
import { violated } from "../trace.js";

/** A piece of what the hub says, whole. */
export type Unit =
	| { readonly kind: "object"; readonly object: Told; readonly content: Uint8Array | undefined }
	| { readonly kind: "ping" | "heartbeat" }
	| { readonly kind: "pong"; readonly payload: Uint8Array }
	/** The last one. */
	| { readonly kind: "close"; readonly code: number; readonly reason: string };

export interface Told {
	readonly type: string;
	readonly [field: string]: unknown;
}

export interface Reader {
	/** Takes one unit off the front of what has come; `undefined`: none is whole. */
	next(bytes: Buffer): { readonly unit: Unit | undefined; readonly length: number } | undefined;
}

/** RFC 6455, as a browser reads it. */
export const webSocketReader: Reader = {
	next(bytes) {
		if (bytes.length < 2) return undefined;
		const first = bytes.readUInt8(0);
		const short = bytes.readUInt8(1);
		if ((first & 0xf0) !== 0x80)
			violated(`a frame begins with ${first}: a reserved bit, or no whole message`);
		if ((short & 0x80) !== 0) violated("the hub masks a frame");
		const wide = short === 126 ? 2 : short === 127 ? 8 : 0;
		if (bytes.length < 2 + wide) return undefined;
		const length = wide === 0 ? short : wide === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
		if ((wide === 2 && length < 126) || (wide === 8 && length < 65_536))
			violated(`a frame's length of ${length} takes ${wide} bytes`);
		const end = 2 + wide + length;
		if (bytes.length < end) return undefined;
		return { unit: webSocketUnit(first & 0x0f, bytes.subarray(2 + wide, end)), length: end };
	},
};

function webSocketUnit(opcode: number, payload: Buffer): Unit {
	if (opcode >= 8 && payload.length > 125) violated(`a control frame has ${payload.length} bytes`);
	switch (opcode) {
		case 1:
			return { kind: "object", object: objectOf(payload), content: undefined };
		case 2:
			return withHeader(payload);
		case 8: {
			if (payload.length === 1) violated("a close frame has half a code");
			const code = payload.length === 0 ? 1005 : payload.readUInt16BE(0);
			return { kind: "close", code, reason: textOf(payload.subarray(2)) };
		}
		case 9:
			return { kind: "ping" };
		case 10:
			return { kind: "pong", payload };
		default:
			return violated(`a frame has the opcode ${opcode}`);
	}
}

const BINARY = 0x80000000;

export const framedReader: Reader = {
	next(bytes) {
		if (bytes.length < 4) return undefined;
		const said = bytes.readUInt32BE(0);
		const length = said >= BINARY ? said - BINARY : said;
		if (bytes.length < 4 + length) return undefined;
		const payload = bytes.subarray(4, 4 + length);
		if (said === 0) return { unit: { kind: "heartbeat" }, length: 4 };
		const unit = said >= BINARY ? withHeader(payload) : objectUnit(payload);
		return { unit, length: 4 + length };
	},
};

function objectUnit(payload: Buffer): Unit {
	const object = objectOf(payload);
	if (object.type !== "end") return { kind: "object", object, content: undefined };
	return { kind: "close", code: Number(object["code"]), reason: String(object["reason"]) };
}

function withHeader(payload: Buffer): Unit {
	const length = payload.length < 4 ? violated("bytes come without a header") : payload.readUInt32BE(0);
	if (4 + length > payload.length) violated("a header is longer than its message");
	return {
		kind: "object",
		object: objectOf(payload.subarray(4, 4 + length)),
		content: payload.subarray(4 + length),
	};
}

/** HTML, 9.2.6: an event ends with an empty line. */
export const eventReader: Reader = {
	next(bytes) {
		const end = bytes.indexOf("\n\n");
		if (end < 0) return undefined;
		return { unit: eventUnit(textOf(bytes.subarray(0, end))), length: end + 2 };
	},
};

function eventUnit(text: string): Unit | undefined {
	if (text === ":") return { kind: "heartbeat" };
	if (/^retry: \d+$/.test(text)) return undefined;
	let type = "message";
	let id: string | undefined;
	let data: string | undefined;
	for (const line of text.split("\n")) {
		const [, field = "", value = ""] =
			/^([a-z]+): (.*)$/.exec(line) ?? violated(`an event's line is ${line}`);
		if (field === "event") type = value;
		else if (field === "id") id = value;
		else if (field === "data" && data === undefined) data = value;
		else violated(`an event has the line ${line}`);
	}
	const object = JSON.parse(data ?? violated(`an event has no data: ${text}`)) as Told;
	if (type === "end")
		return { kind: "close", code: Number(object["code"]), reason: String(object["reason"]) };
	const { base64, ...rest } = object;
	const content = typeof base64 === "string" ? Buffer.from(base64, "base64") : undefined;
	return { kind: "object", object: { ...rest, type, ...(id === undefined ? {} : { id }) }, content };
}

function objectOf(bytes: Uint8Array): Told {
	const object = JSON.parse(textOf(bytes)) as Told;
	return typeof object?.type === "string" ? object : violated(`an object without a type: ${textOf(bytes)}`);
}

function textOf(bytes: Uint8Array): string {
	return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}
