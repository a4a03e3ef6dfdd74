/** TLS towards upstreams: one context per name that a certificate is checked for. */
import { isIP } from "node:net";
import { rootCertificates } from "node:tls";
import * as libc from "../libc.js";

import { Context, encodeAlpn, refuse } from "./context.js";
import * as ssl from "./library.js";
import type { ClientOptions } from "./options.js";
import { eachCertificate } from "./pem.js";
import { inCMemory, TICKET_SECONDS } from "./tickets.js";

const CONTROL_HOST_NAME = 55;
const NAME_TYPE_HOST = 0;

const VERIFY_NONE = 0x00;
const VERIFY_PEER = 0x01;

/** `w*.example.com`: RFC 6125, section 6.4.3 leaves it open, browsers refuse it. */
const NO_PARTIAL_WILDCARDS = 0x4;

/** The authorities that Node carries, parsed once per thread and shared by all contexts. */
export class Roots {
	#store = 0;

	get store(): number {
		if (this.#store === 0) {
			const store = ssl.newStore();
			eachCertificate({ file: "", text: rootCertificates.join("\n") }, (root) => {
				ssl.addToStore(store, root);
			});
			this.#store = store;
		}
		return this.#store;
	}

	dispose(): void {
		if (this.#store !== 0) ssl.freeStore(this.#store);
		this.#store = 0;
	}
}

/**
 * How long sessions are continued after a full handshake, however many continue each other: the upstream's certificate
 * may have expired since (RFC 8446, section 4.6.1). As long as tickets of ours are good.
 */
export const RESUMPTION_MS = TICKET_SECONDS * 1000;

export class ClientContext extends Context {
	readonly #name: Uint8Array | undefined;
	readonly #nameAt: number;
	#resumption = 0;
	/** When a certificate was checked last: by a full handshake. */
	#verifiedMs = 0;
	/** Sessions amid a handshake that is to continue an earlier one. */
	readonly #continuing = new Set<number>();
	/** There are servers that give tickets and fail when they get them back. */
	#continuesFromMs = 0;

	constructor(options: ClientOptions, roots: Roots) {
		super(ssl.clientMethod(), encodeAlpn(options.alpn));
		const { serverName, identity } = options;
		// RFC 6066, section 3: an address is not sent as a name.
		this.#name = isIP(serverName) === 0 ? inCMemory(new TextEncoder().encode(`${serverName}\0`)) : undefined;
		this.#nameAt = this.#name === undefined ? 0 : libc.addressOf(this.#name);
		this.complete(() => {
			if (options.verify) this.#verify(options, roots);
			else ssl.setVerify(this.pointer, VERIFY_NONE, 0);
			if (identity !== undefined) this.identify(identity.cert, identity.key);
			if (this.alpn.length > 0) this.#offer();
		});
	}

	protected override prepare(session: number): void {
		ssl.setConnectState(session);
		if (this.#nameAt !== 0) ssl.control(session, CONTROL_HOST_NAME, NAME_TYPE_HOST, this.#nameAt);
		if (this.#resumption !== 0 && Date.now() < this.#verifiedMs + RESUMPTION_MS) {
			ssl.setResumption(session, this.#resumption);
			this.#continuing.add(session);
		}
	}

	override established(session: number): void {
		this.#continuing.delete(session);
		if (ssl.sessionReused(session) !== 1) this.#verifiedMs = Date.now();
	}

	override end(session: number): void {
		this.#continuing.delete(session);
		super.end(session);
	}

	/**
	 * Later sessions continue this one, when the upstream agrees. With TLS 1.3 its tickets come at any time behind
	 * the handshake, so ask as late as possible: before `free`. One is kept per context, and used for as long as the
	 * upstream's certificate was checked within RESUMPTION_MS. False: there is nothing to continue with, an earlier one stays.
	 */
	remember(session: number): boolean {
		// What an earlier context believed, this one need not.
		if (ssl.contextOf(session) !== this.pointer || Date.now() < this.#continuesFromMs) return false;
		const resumption = ssl.takeResumption(session);
		if (resumption === 0) return false;
		if (ssl.isResumable(resumption) !== 1) {
			ssl.freeResumption(resumption);
			return false;
		}
		this.forget();
		this.#resumption = resumption;
		return true;
	}

	handshakeFailed(session: number): void {
		if (!this.#continuing.delete(session)) return;
		this.forget();
		this.#continuesFromMs = Date.now() + RESUMPTION_MS;
	}

	forget(): void {
		if (this.#resumption !== 0) ssl.freeResumption(this.#resumption);
		this.#resumption = 0;
	}

	override free(): void {
		this.forget();
		super.free();
	}

	#verify({ serverName, ca }: ClientOptions, roots: Roots): void {
		ssl.setVerify(this.pointer, VERIFY_PEER, 0);
		if (ca === undefined) ssl.setStore(this.pointer, roots.store);
		else this.trust(ca, () => {});
		const parameters = ssl.verifyParameters(this.pointer);
		ssl.setVerifyHostFlags(parameters, NO_PARTIAL_WILDCARDS);
		const result =
			isIP(serverName) === 0
				? ssl.setVerifyHost(parameters, serverName, 0)
				: ssl.setVerifyAddress(parameters, serverName);
		if (result !== 1) refuse("", `no certificate can be checked for the name "${serverName}"`);
	}

	#offer(): void {
		// Here 0 is success.
		if (ssl.setAlpnOffered(this.pointer, libc.addressOf(this.alpn), this.alpn.length) !== 0)
			refuse("", "the protocols cannot be offered");
	}
}
