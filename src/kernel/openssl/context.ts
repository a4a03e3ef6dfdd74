/** What server and client contexts have in common: how sessions behave on a non-blocking descriptor. */
import * as libc from "../libc.js";

import { clearErrors, reasonText, TlsConfigError, takeFirstError } from "./errors.js";
import * as ssl from "./library.js";
import { CIPHER_SUITES, CIPHERS, GROUPS, SIGNATURES } from "./offers.js";
import type { PemFile } from "./options.js";
import { eachCertificate, withPrivateKey } from "./pem.js";
import { inCMemory } from "./tickets.js";
import type { TlsContext } from "./tls.js";

const CONTROL_MODE = 33;
const CONTROL_CLEAR_MODE = 78;
const CONTROL_READ_AHEAD = 41;
const CONTROL_SESSION_CACHE = 44;
const CONTROL_MIN_VERSION = 123;

const TLS_1_2 = 0x0303;
const CACHE_OFF = 0;

const MODE_ENABLE_PARTIAL_WRITE = 0x01;
const MODE_ACCEPT_MOVING_WRITE_BUFFER = 0x02;
/**
 * With it, which is the default, a read goes on over records that carry no data for as long as the peer sends such:
 * key updates come as fast as they can be followed. Without it, it stops where it would have to ask the kernel again.
 */
const MODE_AUTO_RETRY = 0x04;
/** Otherwise OpenSSL looks for intermediate certificates among those that it trusts clients by. */
const MODE_NO_AUTO_CHAIN = 0x08;
/** 15 KB for an idle session instead of 48. */
const MODE_RELEASE_BUFFERS = 0x10;
const MODES =
	MODE_ENABLE_PARTIAL_WRITE | MODE_ACCEPT_MOVING_WRITE_BUFFER | MODE_NO_AUTO_CHAIN | MODE_RELEASE_BUFFERS;

/** With it, an end that anybody on the path can forge would count as the end of the stream. */
const OPTION_IGNORE_UNEXPECTED_EOF = 1 << 7;
const OPTION_NO_COMPRESSION = 1 << 17;
const OPTION_PRIORITIZE_CHACHA = 1 << 21;
const OPTION_SERVER_PREFERENCE = 1 << 22;
const OPTION_NO_RENEGOTIATION = 1 << 30;
const OPTIONS =
	OPTION_NO_COMPRESSION | OPTION_PRIORITIZE_CHACHA | OPTION_SERVER_PREFERENCE | OPTION_NO_RENEGOTIATION;

const CONTROL_GROUPS_LIST = 92;
const CONTROL_SIGALGS_LIST = 98;
const CONTROL_CHAIN_CERTIFICATE = 89;
/** `SSL_CTX_add1_chain_cert`: the context takes a reference of its own. */
const ADD_REFERENCE = 1;

/** `X509_V_FLAG_PARTIAL_CHAIN` of x509_vfy.h: a chain need not go up to a root. */
const FLAG_PARTIAL_CHAIN = 0x80000;

export abstract class Context implements TlsContext {
	readonly pointer: number;
	/** As `encodeAlpn` writes it, where C can reach it. */
	protected readonly alpn: Uint8Array;
	#sessions = 0;
	#freed = false;

	/**
	 * @param method of servers or of clients
	 * @param alpn encoded before anything is allocated, for it may be refused
	 */
	constructor(method: number, alpn: Uint8Array) {
		this.alpn = inCMemory(alpn);
		clearErrors();
		this.pointer = ssl.newContext(method);
		if (this.pointer === 0) refuse("", "no TLS context can be made");
		ssl.controlContext(this.pointer, CONTROL_MODE, MODES, 0);
		ssl.controlContext(this.pointer, CONTROL_CLEAR_MODE, MODE_AUTO_RETRY, 0);
		// A record's head and body in one receive: 12 % of a small request's CPU, 8 % of bulk.
		ssl.controlContext(this.pointer, CONTROL_READ_AHEAD, 1, 0);
		ssl.clearOptions(this.pointer, OPTION_IGNORE_UNEXPECTED_EOF);
		ssl.setOptions(this.pointer, OPTIONS);
		// A build may be configured to begin lower.
		ssl.controlContext(this.pointer, CONTROL_MIN_VERSION, TLS_1_2, 0);
		// Whatever OpenSSL kept here would be memory of connections that are gone.
		ssl.controlContext(this.pointer, CONTROL_SESSION_CACHE, CACHE_OFF, 0);
	}

	/** Sessions opened with it and not yet freed. */
	get sessions(): number {
		return this.#sessions;
	}

	/** Prepares a new session for its side of the handshake. */
	begin(session: number): void {
		this.#sessions++;
		this.prepare(session);
	}

	/** The handshake of a session is complete. */
	established(_session: number): void {}

	/** A session of this context was freed. */
	end(_session: number): void {
		this.#sessions--;
		if (this.#freed && this.#sessions === 0) this.release();
	}

	/** No session is opened with it any more; those that are open keep what they need. */
	free(): void {
		if (this.#freed) throw new Error("a TLS context was freed twice");
		this.#freed = true;
		ssl.freeContext(this.pointer);
		if (this.#sessions === 0) this.release();
	}

	protected abstract prepare(session: number): void;

	/** The last session is gone, too. */
	protected release(): void {}

	/** Runs the rest of a constructor: a context that could not be completed is not left behind. */
	protected complete(build: () => void): void {
		try {
			if (ssl.setCiphers(this.pointer, CIPHERS) !== 1) refuse("", "none of the ciphers is available");
			if (ssl.setCipherSuites(this.pointer, CIPHER_SUITES) !== 1)
				refuse("", "none of the cipher suites is available");
			this.#choose(CONTROL_GROUPS_LIST, GROUPS, "the groups");
			this.#choose(CONTROL_SIGALGS_LIST, SIGNATURES, "the signatures");
			build();
		} catch (error) {
			this.free();
			throw error;
		}
	}

	#choose(control: number, list: string, what: string): void {
		const text = inCMemory(new TextEncoder().encode(`${list}\0`));
		if (ssl.controlContext(this.pointer, control, 0, libc.addressOf(text)) !== 1)
			refuse("", `${what} cannot be chosen`);
	}

	/** The certificate shown to the peer, and its key. */
	protected identify(cert: PemFile, key: PemFile): void {
		let isFirst = true;
		eachCertificate(cert, (certificate) => {
			const result = isFirst
				? ssl.useCertificate(this.pointer, certificate)
				: ssl.controlContext(this.pointer, CONTROL_CHAIN_CERTIFICATE, ADD_REFERENCE, certificate);
			if (result !== 1) refuse(cert.file, "the certificate cannot be used");
			isFirst = false;
		});
		// Taking it refuses another key of the certificate's kind; a key of another kind is taken, and only found by asking.
		withPrivateKey(key, (privateKey) => {
			if (ssl.usePrivateKey(this.pointer, privateKey) !== 1 || ssl.checkPrivateKey(this.pointer) !== 1)
				refuse(key.file, "the private key cannot be used");
		});
	}

	/** Peers must have a certificate issued by one of these. */
	protected trust(authorities: PemFile, each: (authority: number) => void): void {
		const store = ssl.newStore();
		// Whom the file names is trusted, whoever issued it in turn: an intermediate authority, or one certificate alone.
		ssl.setStoreFlags(store, FLAG_PARTIAL_CHAIN);
		try {
			eachCertificate(authorities, (authority) => {
				if (ssl.addToStore(store, authority) !== 1) refuse(authorities.file, "a certificate cannot be used");
				each(authority);
			});
			ssl.setStore(this.pointer, store);
		} finally {
			ssl.freeStore(store);
		}
	}
}

export function refuse(file: string, refusal: string): never {
	throw new TlsConfigError(file, refusal, reasonText(takeFirstError()));
}

/** A list of protocol names as ALPN writes it: each behind its length (RFC 7301, section 3.1). */
export function encodeAlpn(names: readonly string[]): Uint8Array {
	const bytes = names.flatMap((name) => {
		const text = [...new TextEncoder().encode(name)];
		if (text.length === 0 || text.length > 255)
			throw new RangeError(`"${name}" cannot be offered by ALPN: a name has 1 to 255 bytes`);
		return [text.length, ...text];
	});
	return Uint8Array.from(bytes);
}
