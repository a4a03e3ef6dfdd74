/** TLS towards clients: one context per certificate. Which one a session takes, SNI has said before it is opened. */
import { createHash } from "node:crypto";
import * as libc from "../libc.js";

import { Context, encodeAlpn } from "./context.js";
import { TlsConfigError } from "./errors.js";
import * as ssl from "./library.js";
import { isSuccessful, stapledUntilMs } from "./ocsp.js";
import type { PemFile, ServerOptions } from "./options.js";
import { inCMemory, TICKET_SECONDS } from "./tickets.js";

const CONTROL_STATUS_CALLBACK = 63;
const CONTROL_STATUS_ARGUMENT = 64;
const CONTROL_STATUS_RESPONSE = 71;

const VERIFY_PEER = 0x01;
const VERIFY_FAIL_WITHOUT = 0x02;

/**
 * Tickets given after a full handshake of TLS 1.3. OpenSSL's default is two, and each costs a tenth of the
 * handshake; a client that uses one is given another, so one per connection lasts.
 */
const TICKETS = 1;

/** All extensions of a certificate together may have 65,535 (RFC 8446, section 4.4.2); real responses have up to 3,000. */
const STAPLE_LIMIT_BYTES = 16_384;

// What callbacks say: SSL_CTX_set_alpn_select_cb(3), SSL_CTX_set_tlsext_status_cb(3).
const SELECTED = 0;
const REFUSED = 2;
const NO_ANSWER = 3;
const OVERLAP = 1;

/** What the contexts of one thread share: callbacks cost a slot each, of which a process has 8,192. */
export class ServerCallbacks {
	readonly alpn: ssl.Callback;
	readonly staple: ssl.Callback;
	readonly #contexts = new Map<number, ServerContext>();
	#last = 0;

	constructor() {
		this.alpn = ssl.registerAlpn(
			(_session, out, outLength, offered, offeredLength, id) =>
				this.#contexts.get(id)?.select(out, outLength, offered, offeredLength) ?? NO_ANSWER,
		);
		this.staple = ssl.registerStatus(
			(session, id) => this.#contexts.get(id)?.giveStaple(session) ?? NO_ANSWER,
		);
	}

	/** The argument by which callbacks find the context. */
	add(context: ServerContext): number {
		this.#last++;
		this.#contexts.set(this.#last, context);
		return this.#last;
	}

	remove(id: number): void {
		this.#contexts.delete(id);
	}

	dispose(): void {
		this.alpn.unregister();
		this.staple.unregister();
	}
}

export class ServerContext extends Context {
	readonly #callbacks: ServerCallbacks;
	readonly #id: number;
	readonly #alpnAt: number;
	readonly #staple: Uint8Array;
	readonly #stapleAt: number;
	readonly #stapleUntilMs: number;

	constructor(options: ServerOptions, tickets: ssl.Callback, callbacks: ServerCallbacks) {
		super(ssl.serverMethod(), encodeAlpn(options.alpn));
		this.#callbacks = callbacks;
		this.#id = callbacks.add(this);
		this.#alpnAt = libc.addressOf(this.alpn);
		this.#staple = inCMemory(options.staple?.bytes ?? new Uint8Array());
		this.#stapleAt = libc.addressOf(this.#staple);
		this.#stapleUntilMs = options.staple === undefined ? 0 : stapledUntilMs(options.staple, options.cert);
		this.complete(() => {
			this.identify(options.cert, options.key);
			if (options.clientCa !== undefined) this.#requireClientCertificate(options.clientCa);
			if (options.staple !== undefined) this.#useStaple(options.staple.file);
			if (options.alpn.length > 0) ssl.setAlpnCallback(this.pointer, callbacks.alpn.pointer, this.#id);
			this.#bindTickets(options, tickets);
			// Data before the handshake's end can be replayed by anybody (RFC 8446, section 8).
			ssl.setMaxEarlyData(this.pointer, 0);
		});
	}

	protected override prepare(session: number): void {
		ssl.setAcceptState(session);
	}

	/** Until here callbacks may ask for it: a handshake that was under way at a reload is answered as it began. */
	protected override release(): void {
		this.#callbacks.remove(this.#id);
	}

	#requireClientCertificate(clientCa: PemFile): void {
		this.trust(clientCa, (authority) => {
			ssl.addClientAuthority(this.pointer, authority);
		});
		ssl.setVerify(this.pointer, VERIFY_PEER | VERIFY_FAIL_WITHOUT, 0);
	}

	#useStaple(file: string): void {
		if (this.#staple.length > STAPLE_LIMIT_BYTES)
			throw new TlsConfigError(
				file,
				`has ${this.#staple.length} bytes; an OCSP response that is sent in handshakes has ${STAPLE_LIMIT_BYTES} at most`,
				"",
			);
		if (!isSuccessful(this.#staple))
			throw new TlsConfigError(file, "is not a successful OCSP response in DER", "");
		ssl.controlContextCallback(this.pointer, CONTROL_STATUS_CALLBACK, this.#callbacks.staple.pointer);
		ssl.controlContext(this.pointer, CONTROL_STATUS_ARGUMENT, 0, this.#id);
	}

	#bindTickets({ names, clientCa }: ServerOptions, tickets: ssl.Callback): void {
		const binding = JSON.stringify([[...names].sort(), clientCa?.text ?? ""]);
		const id = inCMemory(createHash("sha256").update(binding).digest());
		ssl.setSessionIdContext(this.pointer, libc.addressOf(id), id.length);
		ssl.setSessionSeconds(this.pointer, TICKET_SECONDS);
		ssl.setTicketCount(this.pointer, TICKETS);
		ssl.setTicketCallback(this.pointer, tickets.pointer);
	}

	/** RFC 7301, section 3.2: a client that offers nothing we speak is told so, instead of being misunderstood. */
	select(out: number, outLength: number, offered: number, offeredLength: number): number {
		const { length } = this.alpn;
		const result = ssl.selectProtocol(out, outLength, this.#alpnAt, length, offered, offeredLength);
		return result === OVERLAP ? SELECTED : REFUSED;
	}

	/** None once the next response was due: clients take an old one for an attack. The session frees its copy. */
	giveStaple(session: number): number {
		if (Date.now() > this.#stapleUntilMs) return NO_ANSWER;
		const { length } = this.#staple;
		const copy = ssl.allocate(length, 0, 0);
		if (copy === 0) return NO_ANSWER;
		ssl.copy(copy, this.#stapleAt, length);
		ssl.control(session, CONTROL_STATUS_RESPONSE, length, copy);
		return SELECTED;
	}
}
