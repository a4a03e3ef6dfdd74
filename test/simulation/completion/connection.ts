/** What a completion engine knows of a connection. */

export const NO_BUFFER = -1;

/** What the next read says when all that is held has been taken: nothing is over yet. */
export const GOES_ON = 1;

/** Received bytes in a buffer. */
export interface Held {
	readonly buffer: number;
	start: number;
	readonly end: number;
}

export class Connection {
	readonly slot: number;
	readonly generation: number;
	readonly fd: number;

	isConnecting: boolean;
	/** What its poll watches for. */
	interest: number;

	// What comes in.
	/** A receive is under way. */
	isReceiving = false;
	readonly held: Held[] = [];
	/** Bytes in those. */
	heldBytes = 0;
	/** No buffer was free: what waits in the kernel is fetched by calls, until nothing does. */
	isDirect = false;
	/** GOES_ON; 0 behind the end; a negative errno. */
	last = GOES_ON;
	/** News waits for so many bytes. */
	awaited = 1;

	// What goes out.
	/** A send is under way; its bytes lie in this buffer. */
	isSending = false;
	sendBuffer = NO_BUFFER;
	sendStart = 0;
	sendEnd = 0;
	/** Somebody has found no room. */
	wantsRoom = false;
	/** The kernel had none, for a call: its poll tells when there is some. */
	asksKernel = false;

	/** The first errno that was met, in either direction. */
	failure = 0;

	/** Its row is free. It goes when its operations are over: with a reset, or when nothing is left to be sent. */
	resets = false;

	constructor(slot: number, generation: number, fd: number, interest: number, isConnecting: boolean) {
		this.slot = slot;
		this.generation = generation;
		this.fd = fd;
		this.interest = interest;
		this.isConnecting = isConnecting;
	}

	/** Bytes that were taken for sending, and are not known to be in the kernel. */
	get unsent(): number {
		return this.sendEnd - this.sendStart;
	}
}
