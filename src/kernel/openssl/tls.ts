/**
 * What the reactor asks of a TLS library: one session over one non-blocking descriptor, which stays the
 * caller's. Production passes `Openssl`; tests may pass a simulated one.
 *
 * Results: >= 0 is success; -1 … -4095 is `-errno`, as with the `Kernel`; the four below are neither.
 * After TRUNCATED or FAILED, or an errno of a handshake or a read, a session is good for `free` and nothing else. After an
 * errno of a write nothing more can be said, but what had come may still be read: an early answer, and then a reset, is common.
 */
import type { ClientOptions, ServerOptions } from "./options.js";

export interface Tls {
	/** Sessions opened and not yet freed. */
	readonly live: number;

	/** A session over a connected descriptor, or a negative errno. A handle is never 0. */
	open(context: TlsContext, fd: number): number;
	/**
	 * Goes on with the handshake: 0 when it is complete. What fails here has been told to the peer by an alert,
	 * so close without a reset. The peer's first bytes may have come along with the end of the handshake and lie
	 * in the session: read or peek at once, for the descriptor may never show them.
	 */
	handshake(session: number): number;
	/**
	 * Copies decrypted bytes and leaves them in the session. It shows *the first record that is not read yet*,
	 * however much follows: who needs more than that has to read it, and keep it. What it has shown a read can take at
	 * once, whatever has happened since. 0 is the end of the stream.
	 */
	peek(session: number, offset: number, length: number): number;
	/**
	 * Takes up to `length` bytes, at most one record (16 KiB). 0 is the end of the stream, said by the peer
	 * (close_notify). Fewer than `length` does *not* mean that nothing more waits: only WANT_READ does. Bytes
	 * may wait in the session of which the descriptor shows nothing, so with edges read until WANT_READ. A peer
	 * that keeps it busy with records that carry nothing has FAILED.
	 */
	read(session: number, offset: number, length: number): number;
	/**
	 * Sends up to `length` bytes, in records of 16 KiB. After WANT_WRITE a record is encrypted already: the next
	 * write must begin with the same bytes and be at least as long, though it may come from elsewhere. After
	 * anything else the next write is free.
	 */
	write(session: number, offset: number, length: number): number;
	/** Bytes handed to the kernel so far, as they travel: encrypted, and with the handshake's. */
	written(session: number): number;
	/** Bytes taken from the kernel so far, as they travelled. */
	taken(session: number): number;
	/** Bytes wait in the session, decrypted or not, of which the descriptor shows nothing. */
	holds(session: number): boolean;
	/** Part of a record has been taken: the next read asks the kernel for the rest of it, and for no byte more. */
	isAmidRecord(session: number): boolean;
	/** Decrypted bytes that wait in the session. There may be undecrypted ones, too. */
	pending(session: number): number;
	/**
	 * Ends our direction (close_notify): 0 when that is sent. Not before the handshake is complete, not while
	 * a write wants to be repeated, and again only after WANT_WRITE: one call more would read, and lose bytes.
	 */
	shutdown(session: number): number;
	/** Gives the session back; the descriptor stays open. */
	free(session: number): void;
	/** Another thread's library has it from now on, whose `adopt` takes it. Behind the handshake, and while nothing of it waits. */
	handOver(session: number): void;
	/** Takes a session that another thread's library has handed over. */
	adopt(session: number): void;

	/** The protocol agreed on by ALPN; empty when there is none. */
	alpn(session: number): string;
	/** `TLSv1.3` */
	version(session: number): string;
	/** `TLS_AES_128_GCM_SHA256` */
	cipher(session: number): string;
	/** The handshake continued an earlier session. */
	resumed(session: number): boolean;
	/** The subject of the peer's certificate as RFC 2253 writes it, in ASCII; empty when it showed none. */
	peerSubject(session: number): string;
	/** The same, written at `offset`. Returns its length, or -ENOBUFS when `length` is too small for it. */
	copyPeerSubject(session: number, offset: number, length: number): number;

	/** SHA-256 of the peer's certificate, as 64 hexadecimal digits in upper case; empty when it showed none. */
	peerFingerprint(session: number): string;

	/** Why the last call that returned FAILED did, in the library's words: `no shared cipher`. */
	lastReason(): string;
}

/** The library of one thread: it also makes what sessions are opened with. */
export interface TlsLibrary extends Tls {
	/** @throws TlsConfigError */
	serverContext(options: ServerOptions): TlsContext;
	/** @throws TlsConfigError */
	clientContext(options: ClientOptions): TlsClientContext;
	/** For all server contexts of this thread, those in use included; the newest first. */
	useTicketKeys(keys: readonly Uint8Array[]): void;
	/** When all contexts and sessions are freed. */
	dispose(): void;
}

/** Made by the library; freeing it leaves the sessions that were opened with it alone. */
export interface TlsContext {
	readonly pointer: number;
	free(): void;
}

export interface TlsClientContext extends TlsContext {
	/** Later sessions continue this one, when the upstream agrees. Call it before `free`. */
	remember(session: number): boolean;
	/** The upstream refused this handshake. If it was to continue a session, it may be that which it does not bear. */
	handshakeFailed(session: number): void;
}

/**
 * A session that is not amid a record asks the kernel for more than this at a time. So when it has taken less since
 * then, with the descriptor known to be empty, and holds nothing, the first of its reads was a short one: the
 * descriptor is empty again.
 */
export const READ_AHEAD_BYTES = 16_384;

/** Nothing to be had before the descriptor is readable. */
export const WANT_READ = -10_001;
/** Nothing to be done before the descriptor is writable; a read, too, may have to write first. */
export const WANT_WRITE = -10_002;
/** The connection ended without close_notify: the stream may have been cut by somebody else than the peer. */
export const TRUNCATED = -10_003;
/** The peer or we broke the handshake or the protocol: `lastReason()` says how. */
export const FAILED = -10_004;
