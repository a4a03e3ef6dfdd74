/**
 * TLS by the OpenSSL that the node binary carries, on the reactor's own descriptors. OpenSSL makes the system
 * calls itself (`recv`, `write`; node ignores SIGPIPE), and never closes the descriptor.
 *
 * One instance per thread: OpenSSL calls back into JavaScript, which only the thread that registered may run.
 */
import { EAGAIN, ENOBUFS, ENOMEM } from "./constants.js";
import * as libc from "./libc.js";
import { ClientContext, Roots } from "./openssl/client.js";
import type { Context } from "./openssl/context.js";
import {
	CERTIFICATE_VERIFY_FAILED,
	clearErrors,
	reasonText,
	takeFirstError,
	tlsReason,
	UNEXPECTED_EOF,
} from "./openssl/errors.js";
import * as ssl from "./openssl/library.js";
import type { ClientOptions, ServerOptions } from "./openssl/options.js";
import { ServerCallbacks, ServerContext } from "./openssl/server.js";
import { inCMemory, Tickets } from "./openssl/tickets.js";
import { FAILED, type TlsLibrary, TRUNCATED, WANT_READ, WANT_WRITE } from "./openssl/tls.js";

// SSL_get_error(3)
const ERROR_WANT_READ = 2;
const ERROR_WANT_WRITE = 3;
const ERROR_SYSCALL = 5;
const ERROR_ZERO_RETURN = 6;

/**
 * How often a read asks the kernel for more when all that came carried no data. Each time brings a buffer's fill, some
 * hundred records: those of peers that mean well all come the first time.
 */
const DATALESS_MAX = 8;

/** `SSL_KEY_UPDATE_NONE` of ssl.h. */
const NO_KEY_UPDATE = -1;

/** Instead of one of OpenSSL's errors. */
const FLOODED = -1;

/** `SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN` */
const BOTH_ENDED = 3;

/** The end of the stream, as with the kernel's `receive`. */
const END = 0;

/** `XN_FLAG_RFC2253` of x509.h: with everything beyond printable ASCII escaped, so it can stand in a log or a header. */
const NAME_RFC_2253 = 0x1110317;

/** RFC 7301, section 3.1: a name's length is one byte. */
const PROTOCOL_MAX_BYTES = 255;

const SHA256_BYTES = 32;

const LATIN1 = new TextDecoder("latin1");

export class Openssl implements TlsLibrary {
	readonly #base: number;
	readonly #tickets: Tickets;
	readonly #callbacks: ServerCallbacks;
	readonly #roots = new Roots();
	/** Of open sessions, by pointer. */
	readonly #contexts = new Map<number, Context>();
	// Results by reference: a pointer and a length.
	readonly #words = new BigUint64Array(new ArrayBuffer(16));
	readonly #wordsAt: number;
	/** Made once: what is made per session lives until the next collection, scattered among OpenSSL's buffers. */
	readonly #protocol = inCMemory(new Uint8Array(PROTOCOL_MAX_BYTES));
	readonly #protocolAt = libc.addressOf(this.#protocol);
	/** Sessions of which a record waits for room in the kernel. */
	readonly #writing = new Set<number>();
	#live = 0;
	#failure = 0;
	#verifyResult = 0;

	/**
	 * @param memory the reactor's arena: offsets below point into it
	 * @param ticketKeys the newest first; see `tickets.ts`
	 * @throws OpensslMissing
	 */
	constructor(memory: Uint8Array, ticketKeys: readonly Uint8Array[]) {
		ssl.requireOpenssl();
		this.#base = libc.addressOf(memory);
		this.#wordsAt = libc.addressOf(this.#words);
		this.#tickets = new Tickets(ticketKeys);
		this.#callbacks = new ServerCallbacks();
	}

	get live(): number {
		return this.#live;
	}

	/** For all server contexts of this thread, those in use included. */
	useTicketKeys(keys: readonly Uint8Array[]): void {
		this.#tickets.use(keys);
	}

	/** @throws TlsConfigError */
	serverContext(options: ServerOptions): ServerContext {
		return new ServerContext(options, this.#tickets.callback, this.#callbacks);
	}

	/** @throws TlsConfigError */
	clientContext(options: ClientOptions): ClientContext {
		return new ClientContext(options, this.#roots);
	}

	/** When all contexts and sessions are freed. */
	dispose(): void {
		this.#tickets.dispose();
		this.#callbacks.dispose();
		this.#roots.dispose();
	}

	open(context: Context, fd: number): number {
		clearErrors();
		const session = ssl.newSession(context.pointer);
		if (session === 0) return this.#outOfMemory();
		if (ssl.setDescriptor(session, fd) !== 1) {
			ssl.freeSession(session);
			return this.#outOfMemory();
		}
		context.begin(session);
		this.#contexts.set(context.pointer, context);
		this.#live++;
		return session;
	}

	#outOfMemory(): number {
		clearErrors();
		return -ENOMEM;
	}

	handshake(session: number): number {
		clearErrors();
		const result = ssl.doHandshake(session);
		if (result === 1) {
			this.#contexts.get(ssl.contextOf(session))?.established(session);
			return 0;
		}
		const outcome = this.#outcome(session, result);
		// A goodbye in the middle of the handshake.
		return outcome === END ? TRUNCATED : outcome;
	}

	peek(session: number, offset: number, length: number): number {
		return this.#fetch(ssl.peek, session, offset, length);
	}

	read(session: number, offset: number, length: number): number {
		return this.#fetch(ssl.read, session, offset, length);
	}

	/** Goes on over records that carry no data, such as tickets, but not for as long as there are any. */
	#fetch(call: typeof ssl.read, session: number, offset: number, length: number): number {
		for (let fetched = 0; fetched < DATALESS_MAX; fetched++) {
			// What is decrypted already is given without a look at what follows: a peek has shown it, perhaps.
			if (this.#owesKeyUpdate(session) && ssl.pending(session) === 0) return WANT_WRITE;
			clearErrors();
			libc.clearErrno();
			const count = call(session, this.#base + offset, length);
			if (count > 0) return count;
			const isEmpty = libc.errno() === EAGAIN;
			const outcome = this.#outcome(session, count);
			if (outcome !== WANT_READ || isEmpty) return outcome;
		}
		this.#failure = FLOODED;
		this.#verifyResult = 0;
		return FAILED;
	}

	/**
	 * The peer has asked for new keys while a record of ours waits for room. OpenSSL answers behind that record; but
	 * whatever else of the kind it reads before, it would answer at once, and spoil the record.
	 */
	#owesKeyUpdate(session: number): boolean {
		return this.#writing.size > 0 && this.#writing.has(session) && ssl.keyUpdateOf(session) !== NO_KEY_UPDATE;
	}

	write(session: number, offset: number, length: number): number {
		clearErrors();
		const count = ssl.write(session, this.#base + offset, length);
		if (count > 0) {
			if (this.#writing.size > 0) this.#writing.delete(session);
			return count;
		}
		const outcome = this.#unsent(session, count);
		if (outcome === WANT_WRITE) this.#writing.add(session);
		return outcome;
	}

	written(session: number): number {
		return ssl.writtenBytes(ssl.writeBuffer(session));
	}

	taken(session: number): number {
		return ssl.takenBytes(ssl.readBufferOf(session));
	}

	holds(session: number): boolean {
		return ssl.hasPending(session) === 1;
	}

	isAmidRecord(session: number): boolean {
		return ssl.recordState(session) === "RB";
	}

	pending(session: number): number {
		return ssl.pending(session);
	}

	shutdown(session: number): number {
		clearErrors();
		const result = ssl.shutdown(session);
		if (result < 0) return this.#unsent(session, result);
		// A peer that asks for new keys is answered by the reads that follow; the descriptor's own end may be gone by then.
		const nowhere = ssl.newBuffer(ssl.nullBuffer());
		if (nowhere !== 0) ssl.setWriteBuffer(session, nowhere);
		return 0;
	}

	/** Once the peer's end was read, OpenSSL takes every other failure for that end. */
	#unsent(session: number, result: number): number {
		const errno = libc.errno();
		const outcome = this.#outcome(session, result);
		if (outcome !== END) return outcome;
		return errno === 0 ? TRUNCATED : -errno;
	}

	free(session: number): void {
		if (this.#live === 0) throw new Error("a TLS session was freed that is not open");
		this.#live--;
		// Otherwise a session that did not end with a close_notify could not be resumed; since TLS 1.1 it may be.
		ssl.setShutdown(session, BOTH_ENDED);
		const pointer = ssl.contextOf(session);
		const context = this.#contexts.get(pointer);
		ssl.freeSession(session);
		this.#writing.delete(session);
		clearErrors();
		context?.end(session);
		// The last session takes a freed context with it, and another may come to lie at its address.
		if (context?.sessions === 0) this.#contexts.delete(pointer);
	}

	handOver(session: number): void {
		this.#live--;
		const pointer = ssl.contextOf(session);
		const context = this.#contexts.get(pointer);
		context?.end(session);
		if (context?.sessions === 0) this.#contexts.delete(pointer);
	}

	/** Its context is another library's, and lives as long as the session does: OpenSSL counts who refers to it. */
	adopt(_session: number): void {
		this.#live++;
	}

	/** What a call that did not succeed means; the error queue is empty afterwards. */
	#outcome(session: number, result: number): number {
		const errno = libc.errno();
		switch (ssl.errorOf(session, result)) {
			case ERROR_WANT_READ:
				return WANT_READ;
			case ERROR_WANT_WRITE:
				return WANT_WRITE;
			case ERROR_ZERO_RETURN:
				return END;
			case ERROR_SYSCALL:
				clearErrors();
				return errno === 0 ? TRUNCATED : -errno;
			default:
				// SSL_ERROR_SSL; all others belong to callbacks that are not set.
				return this.#failed(session);
		}
	}

	#failed(session: number): number {
		const code = takeFirstError();
		const reason = tlsReason(code);
		if (reason === UNEXPECTED_EOF) return TRUNCATED;
		this.#failure = code;
		this.#verifyResult = reason === CERTIFICATE_VERIFY_FAILED ? ssl.verifyResult(session) : 0;
		return FAILED;
	}

	lastReason(): string {
		if (this.#failure === FLOODED) return "too many records without data";
		const reason = reasonText(this.#failure);
		return this.#verifyResult === 0 ? reason : `${reason}: ${ssl.verifyText(this.#verifyResult)}`;
	}

	alpn(session: number): string {
		this.#words.fill(0n);
		ssl.alpnSelected(session, this.#wordsAt, this.#wordsAt + 8);
		const length = Number(this.#words[1]);
		if (length === 0) return "";
		ssl.copy(this.#protocolAt, Number(this.#words[0]), length);
		return LATIN1.decode(this.#protocol.subarray(0, length));
	}

	version(session: number): string {
		return ssl.versionOf(session);
	}

	cipher(session: number): string {
		const cipher = ssl.currentCipher(session);
		return cipher === 0 ? "" : ssl.cipherName(cipher);
	}

	resumed(session: number): boolean {
		return ssl.sessionReused(session) === 1;
	}

	peerSubject(session: number): string {
		return withSubject(
			session,
			(buffer, length) => {
				if (length === 0) return "";
				const bytes = new Uint8Array(new ArrayBuffer(length));
				ssl.readBuffer(buffer, libc.addressOf(bytes), length);
				return LATIN1.decode(bytes);
			},
			"",
		);
	}

	copyPeerSubject(session: number, offset: number, room: number): number {
		return withSubject(
			session,
			(buffer, length) => {
				if (length > room) return -ENOBUFS;
				return length === 0 ? 0 : ssl.readBuffer(buffer, this.#base + offset, length);
			},
			0,
		);
	}

	peerFingerprint(session: number): string {
		const certificate = ssl.peerCertificate(session);
		if (certificate === 0) return "";
		// The length that it writes is known.
		const isWritten = ssl.digestOf(certificate, ssl.sha256(), this.#protocolAt, this.#wordsAt) === 1;
		clearErrors();
		return isWritten
			? Buffer.from(this.#protocol.subarray(0, SHA256_BYTES)).toString("hex").toUpperCase()
			: "";
	}
}

/** Prints the subject of the peer's certificate into a buffer that lives as long as `use` runs. */
function withSubject<T>(session: number, use: (buffer: number, length: number) => T, without: T): T {
	const certificate = ssl.peerCertificate(session);
	if (certificate === 0) return without;
	const buffer = ssl.newBuffer(ssl.memoryBuffer());
	try {
		return use(buffer, Math.max(0, ssl.printName(buffer, ssl.subjectOf(certificate), 0, NAME_RFC_2253)));
	} finally {
		ssl.freeBuffer(buffer);
		clearErrors();
	}
}
