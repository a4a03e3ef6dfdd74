/**
 * Session tickets (RFC 5077, and RFC 8446, section 4.6.1): what a client needs to continue its session is
 * encrypted and kept by the client. All reactors use the same keys, so it may return to any of them, and
 * after a reload. Nothing about finished sessions is kept here.
 *
 * The first key encrypts, all of them decrypt. To rotate, put a new key in front and drop the last: a client
 * that comes back in between is given a ticket under the new key, so rotating costs nobody a handshake; except whoever
 * had to show a certificate, and is to show it again in time.
 */
import { randomBytes } from "node:crypto";
import * as libc from "../libc.js";
import * as ssl from "./library.js";

/** As nginx and HAProxy keep them in files: the key's name, the MAC's key, the cipher's key. */
export const TICKET_KEY_BYTES = 80;
const NAME_BYTES = 16;
const MAC_KEY_AT = 16;
const CIPHER_KEY_AT = 48;
const SECRET_BYTES = 32;
const IV_BYTES = 16;

/**
 * How long a ticket is good: OpenSSL's own default. A client certificate is not asked for again until then,
 * so this is also how long one may live on after it was revoked.
 */
export const TICKET_SECONDS = 2 * 60 * 60;

/** Generations tried for a ticket: with two an active client never misses; more only lengthen the risk of a stolen key. */
export const TICKET_KEYS_MAX = 4;

const TLS_1_3 = 0x0304;

// What the callback says: SSL_CTX_set_tlsext_ticket_key_evp_cb(3).
const ERROR = -1;
const NOT_OURS = 0;
const GOOD = 1;
const GOOD_BUT_RENEW = 2;

/** `OSSL_PARAM` of core.h: name, type, data, size, returned size; a list ends with one that has no name. */
const PARAMETER_WORDS = 5;
const TYPE_TEXT = 4n;
const TYPE_BYTES = 5n;

export function newTicketKey(): Uint8Array {
	return new Uint8Array(randomBytes(TICKET_KEY_BYTES));
}

/** One key where C can reach it. */
interface Key {
	readonly bytes: Uint8Array;
	readonly nameAt: number;
	readonly cipherKeyAt: number;
	readonly macParameters: BigUint64Array;
	readonly macParametersAt: number;
}

export class Tickets {
	readonly callback: ssl.Callback;
	readonly #cipher: number;
	readonly #texts: Uint8Array;
	#keys: readonly Key[] = [];

	constructor(keys: readonly Uint8Array[]) {
		this.#texts = inCMemory(new TextEncoder().encode("key\0digest\0SHA256\0"));
		this.use(keys);
		// Fetched once: by its function alone it would be looked up again for every ticket.
		this.#cipher = ssl.fetchCipher(0, "AES-256-CBC", 0);
		this.callback = ssl.registerTicket((session, name, iv, cipher, mac, encrypting) =>
			encrypting === 1 ? this.#encrypt(name, iv, cipher, mac) : this.#decrypt(session, name, iv, cipher, mac),
		);
	}

	/** The newest key first. */
	use(keys: readonly Uint8Array[]): void {
		if (keys.length === 0 || keys.length > TICKET_KEYS_MAX)
			throw new RangeError(`${keys.length} ticket keys; between 1 and ${TICKET_KEYS_MAX} can be used`);
		for (const { length } of keys)
			if (length !== TICKET_KEY_BYTES)
				throw new RangeError(`a ticket key has ${length} bytes; it must have ${TICKET_KEY_BYTES}`);
		this.#keys = keys.map((bytes) => this.#place(bytes));
	}

	dispose(): void {
		this.callback.unregister();
		ssl.freeCipher(this.#cipher);
	}

	#place(key: Uint8Array): Key {
		const bytes = inCMemory(key);
		const at = libc.addressOf(bytes);
		const textsAt = BigInt(libc.addressOf(this.#texts));
		const macParameters = new BigUint64Array(new ArrayBuffer(3 * PARAMETER_WORDS * 8));
		macParameters.set([textsAt, TYPE_BYTES, BigInt(at + MAC_KEY_AT), BigInt(SECRET_BYTES)], 0);
		macParameters.set([textsAt + 4n, TYPE_TEXT, textsAt + 11n, 6n], PARAMETER_WORDS);
		return {
			bytes,
			nameAt: at,
			cipherKeyAt: at + CIPHER_KEY_AT,
			macParameters,
			macParametersAt: libc.addressOf(macParameters),
		};
	}

	#encrypt(name: number, iv: number, cipher: number, mac: number): number {
		const [key] = this.#keys;
		if (key === undefined || ssl.randomBytes(iv, IV_BYTES) !== 1) return ERROR;
		ssl.copy(name, key.nameAt, NAME_BYTES);
		return ssl.beginEncryption(cipher, this.#cipher, 0, key.cipherKeyAt, iv) === 1 &&
			ssl.setMacParameters(mac, key.macParametersAt) === 1
			? GOOD
			: ERROR;
	}

	#decrypt(session: number, name: number, iv: number, cipher: number, mac: number): number {
		const key = this.#keys.find(({ nameAt }) => ssl.compare(name, nameAt, NAME_BYTES) === 0);
		if (key === undefined) return NOT_OURS;
		if (
			ssl.beginDecryption(cipher, this.#cipher, 0, key.cipherKeyAt, iv) !== 1 ||
			ssl.setMacParameters(mac, key.macParametersAt) !== 1
		)
			return ERROR;
		// Whoever had to show a certificate shows it again when the first ticket's time is up: one that came with each use
		// would begin anew, and outlive the certificate by as much as it liked (RFC 8446, section 4.6.1).
		if (ssl.verifyModeOf(session) !== 0) return GOOD;
		// In TLS 1.3 a ticket is for one use (RFC 8446, appendix C.4), so each one used is replaced.
		return key !== this.#keys[0] || ssl.versionNumberOf(session) >= TLS_1_3 ? GOOD_BUT_RENEW : GOOD;
	}
}

/** A copy that does not move: small typed arrays may lie on the JavaScript heap, unless their buffer is made first. */
export function inCMemory(bytes: Uint8Array): Uint8Array {
	const copy = new Uint8Array(new ArrayBuffer(bytes.length));
	copy.set(bytes);
	return copy;
}
