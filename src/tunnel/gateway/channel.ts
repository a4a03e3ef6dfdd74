/** One control connection as messages: what comes is read, what is sent is bounded, and when either happened last is known. */
import type { Socket } from "node:net";
import { type Message, TunnelProtocolError, writeMessage } from "../../protocol/tunnel/index.js";
import { ControlDecoder } from "../control-decoder.js";

/** Who does not read what he is told is as good as gone: tickets of some ten thousand lines. */
const UNREAD_MAX_BYTES = 1_048_576;

/** Behind a last word the other side has so long to close; what is not read then is lost. */
const LINGER_MS = 1_000;

export interface ChannelListener {
	message(message: Message): void;
	/** It has broken the wire: what is wrong, for people. Nothing more is read. */
	fault(what: string): void;
	/** It is closed, whoever did it. Told once, and nothing after it. */
	closed(): void;
}

export class Channel {
	readonly stream: Socket;
	readonly #now: () => number;
	readonly #decoder = new ControlDecoder();
	#listener: ChannelListener | undefined;
	heardMs: number;
	sentMs: number;
	/** What comes is not looked at: something of before is waited for, or the last word was said. */
	#isDeaf = false;
	/** Messages of a chunk that was not looked at to its end. */
	readonly #waiting: Message[] = [];
	#endedMs: number | undefined;
	#isClosed = false;

	constructor(stream: Socket, now: () => number, listener: ChannelListener) {
		this.stream = stream;
		this.#now = now;
		this.#listener = listener;
		this.heardMs = this.sentMs = now();
		stream.on("data", (chunk: Buffer) => this.take(chunk));
		// Ends and errors are told as `close`.
		stream.on("error", () => {});
		stream.on("end", () => stream.destroy());
		stream.on("close", () => this.#close());
		if (stream.destroyed) this.#close();
	}

	/** Whoever listens from now on. */
	listen(listener: ChannelListener): void {
		this.#listener = listener;
	}

	/** Bytes that were read before this channel was there are given to it by hand. */
	take(chunk: Uint8Array): void {
		if (this.#isOver) return;
		this.heardMs = this.#now();
		try {
			for (const message of this.#decoder.take(chunk)) {
				if (this.#isOver) return;
				if (this.#isDeaf) this.#waiting.push(message);
				else this.#listener?.message(message);
			}
		} catch (error) {
			if (!(error instanceof TunnelProtocolError)) throw error;
			this.#listener?.fault(error.message);
		}
	}

	/** Nothing is read until `resume`: what was said must be answered first. */
	pause(): void {
		this.#isDeaf = true;
		this.stream.pause();
	}

	resume(): void {
		this.#isDeaf = false;
		while (this.#waiting.length > 0 && !this.#isDeaf && !this.#isOver) {
			const message = this.#waiting.shift();
			if (message !== undefined) this.#listener?.message(message);
		}
		if (!this.#isDeaf) this.stream.resume();
	}

	send(message: Message): void {
		if (this.#isOver) return;
		this.sentMs = this.#now();
		this.stream.write(writeMessage(message));
		if (this.stream.writableLength > UNREAD_MAX_BYTES) this.stream.destroy();
	}

	/** Says a last word, and closes behind it. */
	end(message: Message): void {
		if (this.#isOver) return;
		this.send(message);
		this.#endedMs = this.#now();
		this.stream.end();
		// What the other side still says is read and dropped: unread bytes would turn the end into a reset, and lose the word.
		this.stream.resume();
	}

	destroy(): void {
		this.stream.destroy();
	}

	/** Now and then: who does not close after the last word is cut. */
	tick(): void {
		if (this.#endedMs !== undefined && this.#now() - this.#endedMs >= LINGER_MS) this.stream.destroy();
	}

	/** The last word was said, or it is closed. */
	get #isOver(): boolean {
		return this.#endedMs !== undefined || this.stream.destroyed;
	}

	#close(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.#listener?.closed();
		this.#listener = undefined;
	}
}
