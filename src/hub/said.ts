/** What a client says on a connection to the hub (`docs/hub-wire.md`), read from JSON. */

import { TOKEN_MAX_BYTES } from "./tokens.js";

export type Ref = string | number | undefined;

export type Said =
	| {
			readonly type: "subscribe";
			readonly channel: string;
			readonly after?: string;
			readonly last?: boolean;
			readonly ref: Ref;
	  }
	| { readonly type: "unsubscribe"; readonly channel: string; readonly ref: Ref }
	| {
			readonly type: "publish";
			readonly channel: string;
			readonly data: string | Uint8Array;
			readonly key?: string;
			readonly priority?: "low";
			readonly ref: Ref;
	  }
	| { readonly type: "presence"; readonly channel: string; readonly ref: Ref }
	| { readonly type: "token"; readonly token: string; readonly ref: Ref }
	| { readonly type: "hello"; readonly version: number; readonly token?: string; readonly ref: Ref };

/** It is answered with an `error`. */
export class SaidFault extends Error {
	override readonly name = "SaidFault";
	readonly code: string;
	readonly ref: Ref;

	constructor(code: string, message: string, ref: Ref) {
		super(message);
		this.code = code;
		this.ref = ref;
	}
}

/** It is no message at all: the connection ends. */
export class NoMessage extends Error {
	override readonly name = "NoMessage";
}

const REF_MAX = 64;

/** Around what is published, or a token. */
const ENVELOPE_BYTES = 1_024;

/** Programs that write JSON in ASCII alone write three bytes for each of what people read: `é` has two, and `\u00e9` six. */
const ESCAPED_TIMES = 3;

/**
 * Bytes that a client's message may have where those it publishes have `messageBytes` at most; a token always fits. What is published is
 * measured by itself.
 */
export function saidBytesMax(messageBytes: number): number {
	return Math.max(ESCAPED_TIMES * messageBytes, TOKEN_MAX_BYTES) + ENVELOPE_BYTES;
}

/** `isText`: otherwise a header comes first, behind its length, and then bytes. @throws SaidFault, NoMessage */
export function readSaid(bytes: Uint8Array, isText: boolean): Said {
	if (isText) return interpret(objectOf(bytes), undefined);
	if (bytes.length < 4) throw new NoMessage("a binary message begins with the length of its header, 4 bytes");
	const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0);
	if (length > bytes.length - 4) throw new NoMessage("a binary message is shorter than its header says");
	return interpret(objectOf(bytes.subarray(4, 4 + length)), bytes.subarray(4 + length));
}

function objectOf(bytes: Uint8Array): Record<string, unknown> {
	let value: unknown;
	try {
		value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
	} catch {
		throw new NoMessage("a message is a JSON object");
	}
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw new NoMessage("a message is a JSON object");
	return value as Record<string, unknown>;
}

function interpret(object: Record<string, unknown>, content: Uint8Array | undefined): Said {
	const ref = refOf(object["ref"]);
	const bad = (message: string): SaidFault => new SaidFault("bad_message", message, ref);
	const text = (name: string): string => {
		const value = object[name];
		if (typeof value !== "string") throw bad(`"${name}" has to be a string`);
		return value;
	};
	const type = object["type"];
	switch (type) {
		case "subscribe": {
			const after = object["after"] === undefined ? {} : { after: text("after") };
			return { type, channel: text("channel"), ...after, last: object["last"] === true, ref };
		}
		case "unsubscribe":
		case "presence":
			return { type, channel: text("channel"), ref };
		case "publish": {
			const key = object["key"] === undefined ? {} : { key: text("key") };
			const priority = object["priority"];
			if (priority !== undefined && priority !== "low") throw bad('"priority" is "low", or absent');
			const data = content === undefined ? text("data") : content.slice();
			return {
				type,
				channel: text("channel"),
				data,
				...key,
				...(priority === "low" ? { priority } : {}),
				ref,
			};
		}
		case "token":
			return { type, token: text("token"), ref };
		case "hello": {
			const token = object["token"] === undefined ? {} : { token: text("token") };
			const version = object["version"];
			if (version !== 1) throw bad('"version" is 1');
			return { type, version, ...token, ref };
		}
		default:
			throw new SaidFault("unknown_type", '"type" is none that the hub knows', ref);
	}
}

function refOf(value: unknown): Ref {
	if (value === undefined) return undefined;
	if (typeof value === "number" && Number.isFinite(value)) return value;
	if (typeof value === "string" && value.length <= REF_MAX) return value;
	throw new SaidFault(
		"bad_message",
		`"ref" is a number, or a string of up to ${REF_MAX} characters`,
		undefined,
	);
}
