/** What an outbox writes to: a stream or a WebSocket, seen alike. */
import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import { flushedBytes } from "../connection.js";
import type { Message } from "./message.js";

/** A WebSocket as `ws` makes it. */
export interface WebSocketLike {
	/** 0 connecting, 1 open, 2 closing, 3 closed. */
	readonly readyState: number;
	/** Bytes that were handed to it and that the kernel has not taken. */
	readonly bufferedAmount: number;
	/** Sends one message; `done` is called when the kernel has it, or with an error. */
	send(data: Uint8Array, options: { binary: boolean }, done: (error?: Error | null) => void): void;
	/** Ends it at once. */
	terminate(): void;
	/** As of an EventEmitter: `open`, `close` and `error` are listened to. */
	on(event: string, listener: (...parts: unknown[]) => void): unknown;
	/** As of an EventEmitter. */
	off(event: string, listener: (...parts: unknown[]) => void): unknown;
}

/** A socket of `node:net` or `node:tls`, any other stream of bytes that can be written to, or a WebSocket of `ws`. */
export type OutboxSocket = Writable | WebSocketLike;

/** What is told to the outbox. */
export interface SinkEvents {
	/** The oldest of what was written is with the kernel, or will never be. */
	written(): void;
	/** It can be written to. */
	opened(): void;
	/** It is over; `isReset`: by an error. */
	closed(isReset: boolean): void;
}

/** Where messages go. */
export interface Sink {
	/** Messages can be written. */
	readonly isOpen: boolean;
	/** None will ever be written again. */
	readonly isOver: boolean;
	/** Bytes that were written and that the kernel has not taken. */
	readonly waiting: number;
	/** Grows when the peer takes something, and only then; what is handed over may make it less, by what is put around it. */
	readonly taken: number;
	write(message: Message): void;
	/** What is written from here on goes out together, at `uncork`. */
	cork(): void;
	uncork(): void;
	/** Ends it at once. When it has closed, nothing is left on it. */
	destroy(): void;
}

/** The sink of a socket. Its events come from here on. */
export function sinkOf(socket: OutboxSocket, events: SinkEvents): Sink {
	return "terminate" in socket ? new WebSocketSink(socket, events) : new StreamSink(socket, events);
}

class StreamSink implements Sink {
	readonly #stream: Writable;
	readonly #events: SinkEvents;
	/** One for all writes, made for the first: their order is the order of the calls. */
	#written: (() => void) | undefined;
	/** All that was handed to it. */
	#handedBytes = 0;

	constructor(stream: Writable, events: SinkEvents) {
		this.#stream = stream;
		this.#events = events;
		if (stream.closed) return;
		stream.on("error", this.#onError);
		stream.on("close", this.#onClose);
	}

	get isOpen(): boolean {
		return this.#stream.writable;
	}

	get isOver(): boolean {
		return !this.#stream.writable;
	}

	get waiting(): number {
		return this.#stream.writableLength;
	}

	get taken(): number {
		const stream = this.#stream;
		return "bytesWritten" in stream
			? flushedBytes(stream as Socket)
			: this.#handedBytes - stream.writableLength;
	}

	write({ data }: Message): void {
		this.#handedBytes += data.byteLength;
		this.#written ??= () => this.#events.written();
		this.#stream.write(data, this.#written);
	}

	cork(): void {
		this.#stream.cork();
	}

	uncork(): void {
		this.#stream.uncork();
	}

	destroy(): void {
		// The listeners stay until it has closed: an error that is found while it is destroyed would end the program.
		this.#stream.destroy();
	}

	#leave(): void {
		this.#stream.off("error", this.#onError);
		this.#stream.off("close", this.#onClose);
	}

	readonly #onError = (): void => {
		this.#events.closed(true);
	};

	readonly #onClose = (): void => {
		this.#leave();
		this.#events.closed(false);
	};
}

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 3;
/** The code of a WebSocket that ended without saying so: RFC 6455, section 7.1.5. */
const ABNORMAL = 1006;

class WebSocketSink implements Sink {
	readonly #socket: WebSocketLike;
	readonly #events: SinkEvents;
	/** One for all messages, made for the first: their order is the order of the calls. */
	#written: (() => void) | undefined;
	/** All that was handed to it. */
	#handedBytes = 0;
	/** While it connects. */
	#onOpen: (() => void) | undefined;

	constructor(socket: WebSocketLike, events: SinkEvents) {
		this.#socket = socket;
		this.#events = events;
		if (socket.readyState === CLOSED) return;
		if (socket.readyState === CONNECTING) {
			this.#onOpen = () => {
				this.#forgetOpen();
				events.opened();
			};
			socket.on("open", this.#onOpen);
		}
		socket.on("error", this.#onError);
		socket.on("close", this.#onClose);
	}

	get isOpen(): boolean {
		return this.#socket.readyState === OPEN;
	}

	get isOver(): boolean {
		return this.#socket.readyState > OPEN;
	}

	get waiting(): number {
		return this.#socket.bufferedAmount;
	}

	get taken(): number {
		// Of `ws`, and no public part of it: with it, the progress within one long message is seen.
		const { _socket: socket } = this.#socket as WebSocketLike & { readonly _socket?: Socket | null };
		return socket ? flushedBytes(socket) : this.#handedBytes - this.#socket.bufferedAmount;
	}

	write({ data, isText }: Message): void {
		this.#handedBytes += data.byteLength;
		this.#written ??= () => this.#events.written();
		this.#socket.send(data, { binary: !isText }, this.#written);
	}

	cork(): void {}

	uncork(): void {}

	destroy(): void {
		// The listeners stay until it has closed: `ws` reads on in what had come before, and a peer's malformed frame in it would end
		// the program.
		this.#socket.terminate();
	}

	#leave(): void {
		this.#forgetOpen();
		this.#socket.off("error", this.#onError);
		this.#socket.off("close", this.#onClose);
	}

	#forgetOpen(): void {
		if (this.#onOpen !== undefined) this.#socket.off("open", this.#onOpen);
		this.#onOpen = undefined;
	}

	readonly #onError = (): void => {
		this.#events.closed(true);
	};

	readonly #onClose = (code?: unknown): void => {
		this.#leave();
		this.#events.closed(code === ABNORMAL);
	};
}
