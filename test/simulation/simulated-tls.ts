/**
 * A TLS library over the simulated kernel. Its content is the plain text itself: what matters to the reactor is not what
 * encryption does to bytes but when it shows them and when it takes them. As the real one, it
 *
 *     - reads a hello and a handshake first, in as many calls as they need, and fails in it now and then;
 *     - takes bytes out of the kernel ahead of those it shows, so that the descriptor is silent about what it holds;
 *     - shows one record at a time, and none before it is whole;
 *     - has a write repeated until its record has gone;
 *     - may have to write before it reads on;
 *     - tells an end that its peer has said from one that anybody can forge.
 *
 * What it is asked to do against its contract is a violation.
 */
import { EAGAIN, ENOMEM } from "../../src/kernel/constants.js";
import {
	FAILED,
	type TlsClientContext,
	type TlsContext,
	type TlsLibrary,
	TRUNCATED,
	WANT_READ,
	WANT_WRITE,
} from "../../src/kernel/openssl/tls.js";
import type { Random } from "../../src/rig/random.js";
import type { SimulatedSocket } from "./descriptors.js";
import type { GatewayEnd } from "./own-lines/gateway-end.js";
import type { SimulatedKernel } from "./simulated-kernel.js";
import { operation, type Trace, violated } from "./trace.js";

/** RFC 8446, 5.1. */
const RECORD_BYTES = 16_384;
/** What a record has beside its content, as it travels. */
const OVERHEAD_BYTES = 22;
/** An alert that says goodbye, and one that says why a handshake failed. */
const ALERT_BYTES = 24;
/** What is asked of the kernel at once between records: a whole one and its overhead. */
const FETCH_BYTES = RECORD_BYTES + 320;

/** `mute`: a write has failed, so that nothing more can be said; what had come may still be read. */
type Phase = "handshakes" | "open" | "mute" | "broken";

export class SimulatedSession {
	readonly socket: SimulatedSocket;
	phase: Phase = "handshakes";
	openedMs = 0;
	/** A flight of its handshake: bytes still to be sent, then how many come back before the next. */
	flights: number[];
	/** It fails behind its last flight; or at so many bytes read. */
	readonly failsInHandshake: boolean;
	readonly failsAt: number;
	resumed: boolean;
	/** The peer's, which it has shown here, or in the first of the sessions that this one goes on with. */
	certificate = "";
	/** The record that is being sent: its content, and what is left of it as it travels. */
	pending: Buffer | undefined;
	pendingLeft = 0;
	/** What must be sent before the next read: the answer to a request for new keys. */
	owes = 0;
	/** An alert under way: bytes left of it; -1: none was begun. */
	goodbyeLeft = -1;
	/** Its peer ended without having said so. */
	wasCut = false;
	/** It was given back. */
	freed = false;
	/** As they travel. */
	written = 0;

	constructor(socket: SimulatedSocket, random: Random, troubled: boolean) {
		this.socket = socket;
		const flights = random.pick([1, 1, 2]);
		this.flights = Array.from({ length: flights }, () => 80 + random.magnitude(4_000));
		this.failsInHandshake = random.chance(troubled ? 0.1 : 0.02);
		this.failsAt = random.chance(troubled ? 0.05 : 0.005) ? random.magnitude(20_000) : -1;
		this.resumed = random.chance(0.5);
	}

	get saidGoodbye(): boolean {
		return this.goodbyeLeft === 0;
	}
}

export class SimulatedTls implements TlsLibrary {
	live = 0;
	/** Contexts made and not freed. */
	contexts = 0;
	/** Contexts of clients, by their pointers, that later sessions can go on from: the certificate of the first of them. */
	readonly #remembering = new Map<number, string>();
	readonly #kernel: SimulatedKernel;
	readonly #random: Random;
	readonly #trace: Trace;
	readonly #troubled: boolean;
	readonly #sessions = new Map<number, SimulatedSession>();
	readonly #handedOver = new Map<number, SimulatedSession>();
	#handles = 0;
	#pointers = 0;
	#disposed = false;

	constructor(kernel: SimulatedKernel, random: Random, trace: Trace, troubled: boolean) {
		this.#kernel = kernel;
		this.#random = random;
		this.#trace = trace;
		this.#troubled = troubled;
	}

	/** It is another reactor's, until it is taken over. */
	handOver(handle: number): void {
		const session = this.#of(handle, "handOver");
		if (session.phase !== "open" || session.pending !== undefined)
			violated("a session is handed over in the middle of something");
		this.#sessions.delete(handle);
		this.#handedOver.set(handle, session);
		this.live--;
	}

	adopt(handle: number): void {
		const session = this.#handedOver.get(handle);
		if (session === undefined) violated("a session is taken over that was not handed over");
		this.#handedOver.delete(handle);
		this.#sessions.set(handle, session);
		this.live++;
	}

	// Contexts.

	serverContext(): TlsContext {
		return this.#context();
	}

	clientContext(): TlsClientContext {
		const context = this.#context();
		return {
			...context,
			remember: (session) => {
				const { phase, certificate } = this.#of(session, "remember");
				if (phase === "handshakes") return false;
				this.#remembering.set(context.pointer, certificate);
				return true;
			},
			handshakeFailed: (session) => {
				this.#of(session, "handshakeFailed");
				this.#remembering.delete(context.pointer);
			},
		};
	}

	#context(): TlsContext {
		if (this.#disposed) violated("a TLS context is made of a library that was given back");
		this.contexts++;
		let freed = false;
		const pointer = ++this.#pointers;
		return {
			pointer,
			free: () => {
				if (freed) violated("a TLS context is freed twice");
				freed = true;
				this.contexts--;
				this.#remembering.delete(pointer);
			},
		};
	}

	useTicketKeys(): void {}

	dispose(): void {
		if (this.live > 0) violated(`the TLS library is given back, and ${this.live} sessions are open`);
		if (this.contexts > 0) violated(`the TLS library is given back, and ${this.contexts} contexts are there`);
		this.#disposed = true;
	}

	// Sessions.

	open({ pointer }: TlsContext, fd: number): number {
		const socket = this.#kernel.socketAt(fd);
		if (socket === undefined) violated(`TLS is begun on descriptor ${fd}, which is no open socket`);
		if (socket.secured !== undefined) violated(`TLS is begun twice on descriptor ${fd}`);
		if (this.#kernel.isShortOfMemory()) {
			socket.hasNoTls = true;
			return -ENOMEM;
		}
		const session = new SimulatedSession(socket, this.#random, this.#troubled);
		if (socket.ownLine !== undefined) this.#resume(session, socket.ownLine, pointer);
		socket.secured = session;
		this.live++;
		const handle = ++this.#handles;
		this.#sessions.set(handle, session);
		this.#note(TLS_OPEN, session, 0, handle);
		return handle;
	}

	/** A gateway of tunnels shows its certificate, or goes on with a session that it is known to have had. */
	#resume(session: SimulatedSession, { resumes, certificate }: GatewayEnd, context: number): void {
		const remembered = this.#remembering.get(context);
		session.resumed = resumes && remembered !== undefined;
		session.certificate = session.resumed ? (remembered ?? "") : certificate;
	}

	#of(handle: number, call: string): SimulatedSession {
		const session = this.#sessions.get(handle);
		if (session === undefined) violated(`${call} of TLS session ${handle}, which is not open`);
		return session;
	}

	#opened(handle: number, call: string, reads: boolean): SimulatedSession {
		const session = this.#of(handle, call);
		if (session.phase !== "open" && !(reads && session.phase === "mute"))
			violated(`${call} of a TLS session that is ${session.phase}`);
		return session;
	}

	#note(operation: number, { socket }: SimulatedSession, argument: number, result: number): number {
		this.#trace.note(operation, socket.fd, argument, result);
		return result;
	}

	#broke(session: SimulatedSession, result: number): number {
		session.phase = "broken";
		session.wasCut = result === TRUNCATED;
		return result;
	}

	#muted(session: SimulatedSession, errno: number): number {
		session.phase = "mute";
		return errno;
	}

	/** Sends `length` bytes as they travel, until there is no room. Returns how many are left, or a negative errno. */
	#put(session: SimulatedSession, length: number, isLast = false): number {
		let left = length;
		while (left > 0) {
			const count = this.#kernel.put(session.socket, left, isLast);
			if (count === -EAGAIN) return left;
			if (count < 0) return count;
			session.written += count;
			left -= count;
		}
		return 0;
	}

	handshake(handle: number): number {
		const session = this.#of(handle, "handshake");
		if (session.phase === "broken" || session.phase === "mute")
			violated("the handshake of a broken TLS session goes on");
		return this.#note(TLS_HANDSHAKE, session, 0, this.#handshake(session));
	}

	#handshake(session: SimulatedSession): number {
		const { socket } = session;
		// Its hello was one, and what follows is not.
		if (socket.shakeEnd === Number.POSITIVE_INFINITY) return this.#broke(session, FAILED);
		// After it this carries on what else the protocol wants.
		if (session.phase === "open") return 0;
		// Who was dialled is spoken to first.
		if (socket.role === "upstream" && socket.line === undefined) {
			const blocked = this.#sendFlight(session, 1);
			if (blocked !== 0) return blocked;
		}
		while (socket.taken < socket.shakeEnd) {
			const count = this.#kernel.fetch(socket, socket.shakeEnd - socket.taken);
			if (count === -EAGAIN) return WANT_READ;
			if (count === 0) return this.#broke(session, TRUNCATED);
			if (count < 0) return this.#broke(session, count);
		}
		const blocked = this.#sendFlight(session, 0);
		if (blocked !== 0) return blocked;
		if (session.failsInHandshake) {
			this.#kernel.put(socket, ALERT_BYTES);
			return this.#broke(session, FAILED);
		}
		session.phase = "open";
		session.openedMs = this.#kernel.nowMs;
		socket.tlsOpened();
		return 0;
	}

	/** Sends flights until `most` are left. 0, or what is waited for. */
	#sendFlight(session: SimulatedSession, most: number): number {
		const { flights } = session;
		while (flights.length > most) {
			const left = this.#put(session, flights[0] ?? 0);
			if (left < 0) return this.#broke(session, left);
			if (left > 0) {
				flights[0] = left;
				return WANT_WRITE;
			}
			flights.shift();
		}
		return 0;
	}

	/** Makes a whole record there, if there is one: how many of its bytes are not read yet; or why there is none. */
	#record(session: SimulatedSession): number {
		const { socket } = session;
		// What it has shown it gives at once.
		if (socket.wholeBytes > 0) return socket.wholeBytes;
		const speaks =
			session.phase === "open" && !socket.shut && session.goodbyeLeft < 0 && session.pending === undefined;
		if (session.owes === 0 && speaks && this.#random.chance(this.#troubled ? 0.02 : 0.002)) session.owes = 30;
		if (socket.shut || session.phase === "mute") session.owes = 0;
		if (session.owes > 0) {
			const left = this.#put(session, session.owes);
			if (left < 0) return this.#broke(session, left);
			session.owes = left;
			if (left > 0) return WANT_WRITE;
		}
		for (;;) {
			if (session.failsAt >= 0 && socket.taken - socket.shakeEnd >= session.failsAt) {
				if (!socket.shut) this.#kernel.put(socket, ALERT_BYTES);
				return this.#broke(session, FAILED);
			}
			const whole = socket.wholeBytes;
			if (whole > 0) return whole;
			const count = this.#kernel.fetch(socket, socket.restOfRecord || FETCH_BYTES);
			if (count === -EAGAIN) return WANT_READ;
			if (count < 0) return this.#broke(session, count);
			if (count > 0) continue;
			if (socket.saysGoodbye) return 0;
			return this.#broke(session, TRUNCATED);
		}
	}

	peek(handle: number, offset: number, length: number): number {
		const session = this.#opened(handle, "peek", true);
		const { socket } = session;
		const whole = this.#record(session);
		if (whole <= 0) return this.#note(TLS_PEEK, session, length, whole);
		const count = Math.min(whole, length);
		socket.incoming.copy(socket.taken, this.#kernel.memory, offset, count);
		socket.seen = Math.max(socket.seen, socket.taken + count);
		return this.#note(TLS_PEEK, session, length, count);
	}

	read(handle: number, offset: number, length: number): number {
		const session = this.#opened(handle, "read", true);
		const { socket } = session;
		const whole = this.#record(session);
		if (whole <= 0) return this.#note(TLS_READ, session, length, whole);
		const count = Math.min(whole, length);
		socket.incoming.copy(socket.taken, this.#kernel.memory, offset, count);
		socket.takeContent(count);
		return this.#note(TLS_READ, session, length, count);
	}

	write(handle: number, offset: number, length: number): number {
		const session = this.#opened(handle, "write", false);
		return this.#note(TLS_WRITE, session, length, this.#write(session, offset, length));
	}

	#write(session: SimulatedSession, offset: number, length: number): number {
		const { socket } = session;
		const { memory, witness } = this.#kernel;
		if (length <= 0) violated(`a TLS write of ${length} bytes`);
		if (session.goodbyeLeft >= 0) violated(`a TLS write on descriptor ${socket.fd} behind its goodbye`);
		witness?.trying(socket);
		if (session.pending === undefined) {
			const count = Math.min(length, RECORD_BYTES);
			session.pending = Buffer.from(memory.subarray(offset, offset + count));
			session.pendingLeft = count + OVERHEAD_BYTES;
		} else {
			const { pending } = session;
			if (length < pending.length || pending.compare(memory, offset, offset + pending.length) !== 0)
				violated(`a TLS write on descriptor ${socket.fd} is repeated with other bytes`);
		}
		const left = this.#put(session, session.pendingLeft);
		if (left < 0) return this.#muted(session, left);
		session.pendingLeft = left;
		if (left > 0) return WANT_WRITE;
		const count = session.pending.length;
		session.pending = undefined;
		witness?.sending(socket, memory, offset, count);
		socket.sent += count;
		return count;
	}

	shutdown(handle: number): number {
		const session = this.#opened(handle, "shutdown", false);
		if (session.pending !== undefined)
			violated(`goodbye is said on descriptor ${session.socket.fd} within a record`);
		if (session.saidGoodbye) violated(`goodbye is said twice on descriptor ${session.socket.fd}`);
		if (session.goodbyeLeft < 0) session.goodbyeLeft = ALERT_BYTES;
		const left = this.#put(session, session.goodbyeLeft, true);
		if (left < 0) return this.#note(TLS_SHUTDOWN, session, 0, this.#muted(session, left));
		session.goodbyeLeft = left;
		return this.#note(TLS_SHUTDOWN, session, 0, left > 0 ? WANT_WRITE : 0);
	}

	free(handle: number): void {
		const session = this.#of(handle, "free");
		session.freed = true;
		this.live--;
		this.#sessions.delete(handle);
	}

	// What is known of a session.

	written(handle: number): number {
		return this.#of(handle, "written").written;
	}

	taken(handle: number): number {
		return this.#of(handle, "taken").socket.fetched;
	}

	holds(handle: number): boolean {
		return this.#of(handle, "holds").socket.holdsContent;
	}

	isAmidRecord(handle: number): boolean {
		return this.#of(handle, "isAmidRecord").socket.restOfRecord > 0;
	}

	pending(handle: number): number {
		return this.#of(handle, "pending").socket.wholeBytes;
	}

	alpn(handle: number): string {
		return this.#of(handle, "alpn").socket.ownLine?.alpn ?? "";
	}

	version(handle: number): string {
		const { line, ownLine } = this.#of(handle, "version").socket;
		return line?.version ?? ownLine?.version ?? "TLSv1.3";
	}

	cipher(): string {
		return "TLS_AES_128_GCM_SHA256";
	}

	resumed(handle: number): boolean {
		const session = this.#of(handle, "resumed");
		return session.resumed || (session.socket.ownLine !== undefined && this.#kernel.mutant === "blind_trust");
	}

	peerSubject(): string {
		return "";
	}

	copyPeerSubject(): number {
		return 0;
	}

	/** Of one that goes on with another nothing is shown. */
	peerFingerprint(handle: number): string {
		const { socket, resumed, certificate } = this.#of(handle, "peerFingerprint");
		return resumed || socket.ownLine === undefined ? "" : certificate;
	}

	lastReason(): string {
		return "simulated";
	}
}

const TLS_OPEN = operation("tls open");
const TLS_HANDSHAKE = operation("tls handshake");
const TLS_PEEK = operation("tls peek");
const TLS_READ = operation("tls read");
const TLS_WRITE = operation("tls write");
const TLS_SHUTDOWN = operation("tls shutdown");
