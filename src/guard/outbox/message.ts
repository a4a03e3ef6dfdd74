/** What is sent: encoded once, however many outboxes hold it. */

/** Text, which a WebSocket sends as a text message, or bytes. Bytes must not be changed afterwards: they are not copied. */
export type MessageData = string | Uint8Array;

/** What a message is about. */
export interface MessageOptions {
	/** Messages of the same key replace each other under the policy `conflate`. Default: none, so it replaces nothing */
	readonly key?: unknown;
}

/** What outboxes retain. */
export interface Retained {
	/** Messages. */
	readonly messages: number;
	/** Bytes of these messages. */
	readonly bytes: number;
}

let retainedMessages = 0;
let retainedBytes = 0;

/**
 * A message, encoded once and shared by all outboxes that it is sent to:
 *
 *     const message = new Message(JSON.stringify(price), { key: price.symbol });
 *     for (const outbox of outboxes) outbox.send(message);
 */
export class Message {
	/** As it is sent. */
	readonly data: Uint8Array;
	/** Whether it was text: a WebSocket says so to its peer. */
	readonly isText: boolean;
	/** As it was passed. */
	readonly key: unknown;
	#holders = 0;

	/** Encodes text as UTF-8. */
	constructor(data: MessageData, { key }: MessageOptions = {}) {
		this.isText = typeof data === "string";
		this.data = typeof data === "string" ? encode(data) : data;
		this.key = key;
	}

	/** The message itself, or a new one of what was passed. */
	static from(data: Message | MessageData): Message {
		return data instanceof Message ? data : new Message(data);
	}

	/**
	 * What all outboxes of the process retain together, each message counted once. An outbox's own `bytes` count each message that
	 * it holds in full, so that its bound holds whatever the others do.
	 */
	static get retained(): Retained {
		return { messages: retainedMessages, bytes: retainedBytes };
	}

	/** Length in bytes, as they are sent, without what a WebSocket or TLS puts around them. */
	get bytes(): number {
		return this.data.byteLength;
	}

	/** @internal One more outbox has it. */
	hold(): void {
		if (this.#holders++ > 0) return;
		retainedMessages++;
		retainedBytes += this.bytes;
	}

	/** @internal An outbox is done with it. */
	letGo(): void {
		if (--this.#holders > 0) return;
		retainedMessages--;
		retainedBytes -= this.bytes;
	}
}

/** Not in Node's pool: a short text that waits would retain all 8 KiB of its slab, and the bound would be a fiction. */
function encode(text: string): Buffer {
	const buffer = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
	buffer.write(text);
	return buffer;
}
