/**
 * A visitor's datagrams between a line, on which they are frames, and the local service. What one side does not take at once is dropped:
 * a line is a stream, and everything would wait behind it.
 */
import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { FrameDecoder } from "../../guard/frames/decoder.js";
import type { Reason } from "../../parts/reasons.js";
import { LENGTH_BYTES, LINE_DATAGRAM_MAX_BYTES, writeFrameLength } from "../../protocol/tunnel/index.js";
import type { AgentDrop } from "./agent-drops.js";
import type { VisitorEnd } from "./line-book.js";
import type { LocalTarget } from "./settings.js";
import { reset, type Wire } from "./wire.js";

/** An agent forgets a session so much later than its gateway, which it is to hear of it from. */
export const SESSION_LATER_MS = 2_000;

/** What a stream of Node's may hold back. Through TLS it holds each write for a turn of the loop, so a burst would be lost with less. */
const LINE_WAITING_MAX_BYTES = 65_536;
/** The same of datagrams for the service. */
const SERVICE_WAITING_MAX = 64;

export interface DatagramWorld {
	/** A datagram was not passed on. */
	dropped(cause: AgentDrop): void;
	/** The local service cannot be reached. */
	localFailed(message: string): void;
	/** Once, when all that was opened here is closed; the line is the caller's. */
	ended(end: VisitorEnd): void;
}

export interface DatagramSession {
	readonly line: Wire;
	readonly local: LocalTarget;
	/** What the service is told before the first datagram; empty: nothing. */
	readonly header: Buffer;
	/** As the gateway has it; `undefined`: it has not said so. */
	readonly idleMs: number | undefined;
}

export class DatagramRelay {
	readonly #session: DatagramSession;
	readonly #world: DatagramWorld;
	readonly #frames = new FrameDecoder({ prefixBytes: 2, maxFrameBytes: LINE_DATAGRAM_MAX_BYTES, pin: true });
	#socket: DatagramSocket | undefined;
	#addresses: { readonly address: string; readonly family: number }[] = [];
	#headerIsDue = false;
	#hasAnswered = false;
	#fromVisitor = 0;
	#toVisitor = 0;
	#activeAt = performance.now();
	#isOver = false;

	constructor(session: DatagramSession, world: DatagramWorld) {
		this.#session = session;
		this.#world = world;
		const { stream } = session.line;
		stream.on("error", () => this.cut("client_reset"));
		stream.on("end", () => this.#end("client_closed"));
		stream.on("close", () => this.#end("client_reset"));
		if (stream.destroyed) this.#end("client_reset");
		void this.#begin();
	}

	async #begin(): Promise<void> {
		const { where } = this.#session.local;
		if ("path" in where) return this.#fail("datagrams go to a port");
		try {
			this.#addresses = await lookup(where.host, { all: true, verbatim: true });
		} catch (error) {
			return this.#fail((error as Error).message);
		}
		if (!this.#isOver) this.#openNext("its name has no address");
	}

	/** `why` it cannot be reached, where no address is left. */
	#openNext(why: string): void {
		const { where } = this.#session.local;
		const port = "path" in where ? 0 : where.port;
		const next = this.#addresses.shift();
		if (next === undefined) {
			this.#fail(why);
			return;
		}
		const socket = createSocket(next.family === 6 ? "udp6" : "udp4");
		this.#socket = socket;
		this.#headerIsDue = this.#session.header.length > 0;
		const failed = (error: Error): void => {
			if (this.#socket === socket) this.#refused(error);
		};
		socket.on("error", failed);
		socket.on("message", (datagram) => this.#toLine(datagram));
		// With a callback, an address that there is no way to would be told to that, and to nobody else.
		socket.once("connect", () => {
			if (this.#socket !== socket) return;
			const { stream } = this.#session.line;
			if (stream.listenerCount("data") === 0) stream.on("data", (bytes: Buffer) => this.#take(bytes));
			stream.resume();
		});
		socket.connect(port, next.address);
	}

	/** Nobody listens there (ICMP), or nothing leads there. Before the first answer another address may be meant. */
	#refused(error: Error): void {
		if (this.#hasAnswered) {
			this.cut("upstream_reset");
			return;
		}
		this.#session.line.stream.pause();
		this.#socket?.close();
		this.#socket = undefined;
		this.#openNext(error.message);
	}

	#fail(why: string): void {
		if (this.#isOver) return;
		this.#world.localFailed(why);
		this.cut("connect_refused");
	}

	#take(bytes: Buffer): void {
		if (this.#isOver) return;
		try {
			for (const datagram of this.#frames.push(bytes)) this.#toService(datagram);
		} catch {
			// What stands there is no frame.
			this.cut("client_reset");
		}
	}

	#toService(datagram: Buffer): void {
		const socket = this.#socket;
		if (socket === undefined || socket.getSendQueueCount() >= SERVICE_WAITING_MAX) {
			this.#world.dropped("send_buffer");
			return;
		}
		this.#activeAt = performance.now();
		this.#fromVisitor += datagram.length;
		const whole = this.#headerIsDue ? Buffer.concat([this.#session.header, datagram]) : datagram;
		this.#headerIsDue = false;
		socket.send(whole, (error) => {
			if (error !== null) this.#notSent(socket, error);
		});
	}

	/** An earlier datagram's error may be told in place of this one's. */
	#notSent(socket: DatagramSocket, error: NodeJS.ErrnoException): void {
		if (error.code === "EMSGSIZE") this.#world.dropped("too_long");
		else if (this.#socket === socket) this.#refused(error);
	}

	#toLine(datagram: Buffer): void {
		if (this.#isOver) return;
		this.#hasAnswered = true;
		const { stream } = this.#session.line;
		if (datagram.length > LINE_DATAGRAM_MAX_BYTES) this.#world.dropped("too_long");
		else if (stream.writableLength + datagram.length > LINE_WAITING_MAX_BYTES)
			this.#world.dropped("slow_line");
		else {
			this.#activeAt = performance.now();
			this.#toVisitor += datagram.length;
			const frame = Buffer.allocUnsafe(LENGTH_BYTES + datagram.length);
			datagram.copy(frame, writeFrameLength(frame, 0, datagram.length));
			stream.write(frame);
		}
	}

	/** Ends the session, and the line by a reset. */
	cut(reason: Reason): void {
		if (this.#isOver) return;
		reset(this.#session.line);
		this.#end(reason);
	}

	/** To be asked now and then: the gateway may not have told that it has forgotten the session. */
	look(now: number): void {
		const { idleMs = Number.POSITIVE_INFINITY } = this.#session;
		if (now - this.#activeAt >= idleMs + SESSION_LATER_MS) this.#end("idle_timeout");
	}

	#end(reason: Reason): void {
		if (this.#isOver) return;
		this.#isOver = true;
		const end = { reason, bytesFromVisitor: this.#fromVisitor, bytesToVisitor: this.#toVisitor };
		const socket = this.#socket;
		this.#socket = undefined;
		if (socket === undefined) this.#world.ended(end);
		else socket.close(() => this.#world.ended(end));
	}
}
