/** One connection of a guarded server, and what its kernel socket says of it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Reason } from "../parts/reasons.js";

/** What a connection does, which says which deadlines hold for it. */
export type Phase =
	/** It has not said what it wants yet. */
	| "handshake"
	/** HTTP/1: between two requests. */
	| "waiting"
	/** HTTP/1: a request is under way. */
	| "request"
	/** Bytes without requests: net, TLS, HTTP/2, an upgraded connection. */
	| "open";

/** Whole milliseconds that never go back: V8 keeps whole numbers in the object, and all others in one of sixteen bytes each. */
export function nowInMs(): number {
	return Math.floor(performance.now());
}

/**
 * What a guard knows of a connection. Small, because there is one for each idle one of them: at most 300 bytes with its place in
 * the wheel and its listeners.
 */
export class Connection {
	/** As the kernel accepted it: beneath TLS. */
	readonly socket: Socket;
	readonly place: number;
	/** What the server's handlers see: the TLS socket, where there is one. */
	top: Socket;
	/** Whom it speaks for, where that is not its peer: the client of a proxy. */
	client: string | undefined;
	/** What counts it: an address, or a /64. Empty: it is not counted. */
	source = "";
	phase: Phase = "handshake";
	reason: Reason | undefined;
	readonly acceptedMs: number;
	/** Since when it does what it does; of a request, since its head, or the answer before it. Infinity: its answer streams. */
	sinceMs: number;
	/** 0: it may live for ever. */
	lifetimeEndsMs = 0;
	/** HTTP/1: requests under way, and the newest of them. */
	requests = 0;
	request: IncomingMessage | undefined;
	response: ServerResponse | undefined;
	/** For whom a proxy asks, of each of its requests that is under way. */
	clients: Map<ServerResponse, string> | undefined;
	/** When bytes were seen to move, and how many had by then; for those that wait for the client as well. */
	movedMs: number;
	read = 0;
	flushed = 0;
	takenMs: number;
	/** HTTP/1: a head has begun; 0: none. */
	headMs = 0;
	/** The window over which a body's rate is measured. */
	bodyMs = 0;
	bodyFrom = 0;
	/** Our side ended before the client did. */
	endedFirst = false;
	/** HTTP/1: nothing more is read from it; it ends behind what is under way. */
	isLast = false;

	constructor(socket: Socket, place: number, nowMs: number) {
		this.socket = socket;
		this.top = socket;
		this.place = place;
		this.acceptedMs = nowMs;
		this.sinceMs = nowMs;
		this.movedMs = nowMs;
		this.takenMs = nowMs;
	}

	/**
	 * The client's. Node keeps what it has told once, in some hundred bytes a connection: ask only where it is needed. Of a connection
	 * that has ended Node tells it only if it was asked before.
	 */
	get address(): string {
		return this.client ?? this.socket.remoteAddress ?? "";
	}
}

/** The part of a socket's handle that is read. It is Node's own and no public interface, so each of them may be missing. */
interface Handle {
	readonly fd?: number;
	readonly bytesWritten?: number;
	readonly writeQueueSize?: number;
}

function handleOf(socket: Socket): Handle | null | undefined {
	return (socket as Socket & { readonly _handle?: Handle | null })._handle;
}

/** The number of its descriptor; -1 where Node does not say. */
export function descriptorOf(socket: Socket): number {
	return handleOf(socket)?.fd ?? -1;
}

/** Bytes that wait here for the client to take them, beneath and above TLS. */
export function waitingBytes(socket: Socket): number {
	return Math.max(socket.writableLength, handleOf(socket)?.writeQueueSize ?? 0);
}

/**
 * Bytes that the kernel has taken for the client. `socket.bytesWritten` counts what still waits here as well, so it grows although
 * nobody reads.
 */
export function flushedBytes(socket: Socket): number {
	const handle = handleOf(socket);
	if (handle?.bytesWritten === undefined || handle.writeQueueSize === undefined)
		return socket.bytesWritten - socket.writableLength;
	return handle.bytesWritten - handle.writeQueueSize;
}

/** Whether the client has ended its direction. */
export function hasEnded(socket: Socket): boolean {
	const { _readableState: state } = socket as Socket & { readonly _readableState?: { ended?: boolean } };
	return socket.readableEnded || state?.ended === true;
}
