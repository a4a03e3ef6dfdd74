/** A connection as it is used here: what is read and written, and the socket below, which alone can be reset. */
import { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { resetSocket } from "../../parts/reset-socket.js";

export interface Wire {
	readonly stream: Socket;
	/** The same as `stream`, or below its TLS. */
	readonly raw: Socket;
	readonly tls: TLSSocket | undefined;
}

/** The kernel asks a silent peer whether it is still there after so long, unless the gateway's heartbeat says otherwise. */
const KEEPALIVE_MS = 15_000;

/** The kernel knows whole seconds, from 1. */
const KEEPALIVE_MIN_MS = 1_000;

/** Errors of a socket are told to whoever waits for it; one that comes when nobody waits must not end the process. */
export function open(raw: Socket, tls?: TLSSocket, keepaliveMs = KEEPALIVE_MS): Wire {
	raw.setKeepAlive(true, Math.max(KEEPALIVE_MIN_MS, keepaliveMs));
	return { stream: tls ?? raw, raw, tls };
}

export function ignoreErrors(socket: Socket): void {
	socket.on("error", () => {});
}

/** Ends it at once; the peer sees a reset. A Unix socket knows none, and is closed. */
export function reset({ raw, stream }: Wire): void {
	resetSocket(raw);
	if (stream !== raw) stream.destroy();
}

/**
 * To be asked when a stream has ended: calls with the error of a connection that was reset instead. Node tells a reset that came together
 * with the last bytes as an end (libuv: POLLHUP after a read that was not full). A write of nothing sends nothing, and knows.
 */
export function afterEnd({ stream, tls }: Wire, call: (error?: Error | null) => void): void {
	if (tls !== undefined || !stream.writable || stream.writableLength > 0) call();
	else stream.write("", call);
}

/** What an end of a connection is called. */
export class EndedError extends Error {
	override readonly name = "EndedError";
}

/** Waits for an event of the socket's. Rejects with its error, or when it is closed first. */
export function happens(socket: Socket, event: "connect" | "secureConnect"): Promise<void> {
	return new Promise((resolve, reject) => {
		const leave = (): void => {
			socket.off(event, came).off("error", failed).off("close", closed).off("end", closed);
		};
		const came = (): void => {
			leave();
			resolve();
		};
		const failed = (error: Error): void => {
			leave();
			reject(error);
		};
		const closed = (): void => failed(new EndedError("the connection was closed"));
		socket.on(event, came).on("error", failed).on("close", closed).on("end", closed);
		if (socket.destroyed) failed(socket.errored ?? new EndedError("the connection was closed"));
	});
}

/**
 * The next so many bytes. The stream must not flow: what comes behind them stays in it, and its sender waits.
 * Rejects when it ends before.
 */
export function take(socket: Socket, count: number): Promise<Buffer> {
	return new Promise((resolve, reject) => {
		const leave = (): void => {
			socket.off("readable", look).off("error", failed).off("close", closed).off("end", closed);
		};
		const failed = (error: Error): void => {
			leave();
			reject(error);
		};
		const closed = (): void => failed(new EndedError("the connection was closed"));
		const look = (): void => {
			const bytes = socket.read(count) as Buffer | null;
			if (bytes === null) return;
			leave();
			// At its end a stream gives what there is.
			if (bytes.length === count) resolve(bytes);
			else reject(new EndedError("the connection was closed"));
		};
		socket.on("readable", look).on("error", failed).on("close", closed).on("end", closed);
		if (socket.destroyed) failed(socket.errored ?? new EndedError("the connection was closed"));
		else if (socket.readableEnded) closed();
		else look();
	});
}

/**
 * Ends a connection that is being made when its time is over, or when its owner gives it up. `release` when it is made. What the
 * owner is told then is `why`, whatever the socket says.
 */
export class Cut {
	why: Error | undefined;
	readonly #socket: Socket;
	readonly #release: () => void;

	constructor(socket: Socket, ms: number, late: string, signal: AbortSignal) {
		this.#socket = socket;
		const timer = setTimeout(() => this.now(new Error(late)), ms);
		const abort = (): void => this.now(new EndedError("given up"));
		signal.addEventListener("abort", abort);
		this.#release = () => {
			clearTimeout(timer);
			signal.removeEventListener("abort", abort);
		};
		if (signal.aborted) abort();
	}

	/** Ends it now. */
	now(why: Error): void {
		this.why ??= why;
		this.#socket.destroy(why);
	}

	release(): void {
		this.#release();
	}
}

/** Of a name with several addresses that have all failed, the first failure: all together say nothing. */
export function firstOf(error: unknown): NodeJS.ErrnoException {
	const [first] = error instanceof AggregateError ? (error.errors as Error[]) : [];
	return first ?? (error as Error);
}

export function newSocket(): Socket {
	const socket = new Socket({ allowHalfOpen: true });
	socket.setNoDelay(true);
	ignoreErrors(socket);
	return socket;
}
