/**
 * Opens QUIC's Initial packets (RFC 9001, section 5; RFC 9369, section 3.3), and tells true Retry packets: by the OpenSSL of the node
 * binary, on packets where they lie. Nothing is allocated for a packet.
 *
 * The first byte and the packet number are authenticated as they were before they were hidden, so they are uncovered in place, and
 * covered again before `open` returns: the packet is still to be sent on.
 */
import * as libc from "../libc.js";
import {
	controlCipher,
	decryptUpdate,
	encryptUpdate,
	endDecryption,
	freeCipherContext,
	newCipherContext,
	requireCiphers,
} from "./ciphers.js";
import { clearErrors } from "./errors.js";
import { DIGEST_BYTES, expandLabel, Hkdf, type MacKey, newMacKey } from "./hkdf.js";
import { beginDecryption, beginEncryption, fetchCipher, freeCipher } from "./library.js";
import { inCMemory } from "./tickets.js";

/** What a version of QUIC has of its own; protocol/quic/versions.ts has them. */
export interface InitialSecrets {
	readonly number: number;
	readonly salt: Uint8Array;
	readonly secretLabel: string;
	readonly labelPrefix: string;
	readonly retryKey: Uint8Array;
	readonly retryNonce: Uint8Array;
}

const KEY_BYTES = 16;
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** RFC 9001, section 5.4.2 */
const SAMPLE_AT = 4;
const SAMPLE_BYTES = 16;
const NUMBER_MAX_BYTES = 4;

/** The keys of one connection's Initials, as `deriveKeys` writes them: of the payload, of the header; the nonce to begin with. */
export const INITIAL_KEYS_BYTES = 2 * KEY_BYTES + IV_BYTES;

/** RFC 9000, section 17.2 */
const CONNECTION_ID_MAX_BYTES = 20;

/** Instead of a length: somebody else's, of another connection, or changed on its way. */
export const NOT_AUTHENTIC = -1;

/** Of a long header, these bits are hidden: two that are reserved, and the length of the number. */
const HIDDEN_BITS = 0x0f;

/** `EVP_CTRL_AEAD_SET_TAG` of evp.h. */
const SET_TAG = 0x11;

/** No datagram is longer. */
const PLAIN_BYTES = 65536;

// Scratch: what is passed to C, one behind the other.
const KEY_AT = 0;
const HEADER_KEY_AT = 16;
const NONCE_AT = 32;
const MASK_AT = 48;
const LENGTH_AT = 80;
const ID_AT = 88;
const TAG_OUT_AT = 112;
const SCRATCH_BYTES = 144;

interface Version {
	readonly number: number;
	readonly salt: MacKey;
	readonly secret: Uint8Array;
	readonly key: Uint8Array;
	readonly iv: Uint8Array;
	readonly headerKey: Uint8Array;
	readonly retryKey: Uint8Array;
	readonly retryNonce: Uint8Array;
}

export class QuicInitials {
	/** What `open` decrypted, from 0 on: good until the next call, and nothing at all where it said NOT_AUTHENTIC. */
	readonly plain = new Uint8Array(new ArrayBuffer(PLAIN_BYTES));
	/** Of the packet that was opened last: its number as it stands there, in so many bytes, and its first byte uncovered. */
	packetNumber = 0;
	packetNumberBytes = 0;
	firstByte = 0;
	readonly #memory: Uint8Array;
	readonly #memoryAt: number;
	readonly #plainAt = libc.addressOf(this.plain);
	readonly #scratch = new Uint8Array(new ArrayBuffer(SCRATCH_BYTES));
	readonly #at = libc.addressOf(this.#scratch);
	readonly #hkdf = new Hkdf();
	readonly #versions: readonly Version[];
	readonly #secret = new Uint8Array(DIGEST_BYTES);
	readonly #secretKey = newMacKey();
	readonly #payloadCipher: number;
	readonly #headerCipher: number;
	readonly #payload: number;
	readonly #header: number;

	/**
	 * @param memory where packets lie: positions below are of it
	 * @throws OpensslMissing, SystemCallsMissing
	 */
	constructor(memory: Uint8Array, versions: readonly InitialSecrets[]) {
		requireCiphers();
		this.#memory = memory;
		this.#memoryAt = libc.addressOf(memory);
		this.#versions = versions.map((version) => this.#prepare(version));
		// Fetched once, and each in a context of its own: only the key changes from packet to packet.
		this.#payloadCipher = fetchCipher(0, "AES-128-GCM", 0);
		this.#headerCipher = fetchCipher(0, "AES-128-ECB", 0);
		this.#payload = newCipherContext();
		this.#header = newCipherContext();
		beginDecryption(this.#payload, this.#payloadCipher, 0, 0, 0);
		beginEncryption(this.#header, this.#headerCipher, 0, 0, 0);
	}

	dispose(): void {
		freeCipherContext(this.#payload);
		freeCipherContext(this.#header);
		freeCipher(this.#payloadCipher);
		freeCipher(this.#headerCipher);
	}

	#prepare({ number, salt, secretLabel, labelPrefix, retryKey, retryNonce }: InitialSecrets): Version {
		const saltKey = newMacKey();
		this.#hkdf.setKey(saltKey, salt, 0, salt.length);
		return {
			number,
			salt: saltKey,
			secret: expandLabel(secretLabel, DIGEST_BYTES),
			key: expandLabel(`${labelPrefix}key`, KEY_BYTES),
			iv: expandLabel(`${labelPrefix}iv`, IV_BYTES),
			headerKey: expandLabel(`${labelPrefix}hp`, KEY_BYTES),
			retryKey: inCMemory(retryKey),
			retryNonce: inCMemory(retryNonce),
		};
	}

	/**
	 * Writes the keys of the Initials of a connection to `keys` at `keysAt`: its client chose the ID of `idBytes` at `id`. After a
	 * Retry, that is the ID which the server chose (RFC 9001, section 5.2).
	 */
	deriveKeys(version: number, id: number, idBytes: number, keys: Uint8Array, keysAt: number): void {
		const { salt, secret, key, iv, headerKey } = this.#version(version);
		const hkdf = this.#hkdf;
		hkdf.mac(salt, this.#memory, id, idBytes, this.#secret, 0);
		hkdf.setKey(this.#secretKey, this.#secret, 0, DIGEST_BYTES);
		hkdf.mac(this.#secretKey, secret, 0, secret.length, this.#secret, 0);
		hkdf.setKey(this.#secretKey, this.#secret, 0, DIGEST_BYTES);
		hkdf.mac(this.#secretKey, key, 0, key.length, keys, keysAt, KEY_BYTES);
		hkdf.mac(this.#secretKey, headerKey, 0, headerKey.length, keys, keysAt + KEY_BYTES, KEY_BYTES);
		hkdf.mac(this.#secretKey, iv, 0, iv.length, keys, keysAt + 2 * KEY_BYTES, IV_BYTES);
	}

	#version(number: number): Version {
		for (const version of this.#versions) if (version.number === number) return version;
		throw new RangeError(`version 0x${number.toString(16)} of QUIC is not known here`);
	}

	/**
	 * Opens the packet memory[start, end), whose number begins at `number`. Returns how many bytes of payload are in `plain`, or
	 * NOT_AUTHENTIC. The packet is left as it was.
	 */
	open(start: number, number: number, end: number, keys: Uint8Array, keysAt: number): number {
		if (number <= start || end - number < SAMPLE_AT + SAMPLE_BYTES) return NOT_AUTHENTIC;
		if (end > this.#memory.length || end - start > PLAIN_BYTES) return NOT_AUTHENTIC;
		const scratch = this.#scratch;
		for (let i = 0; i < INITIAL_KEYS_BYTES; i++) scratch[KEY_AT + i] = keys[keysAt + i] as number;
		beginEncryption(this.#header, 0, 0, this.#at + HEADER_KEY_AT, 0);
		const sample = this.#memoryAt + number + SAMPLE_AT;
		encryptUpdate(this.#header, this.#at + MASK_AT, this.#at + LENGTH_AT, sample, SAMPLE_BYTES);
		this.firstByte = (this.#memory[start] as number) ^ ((scratch[MASK_AT] as number) & HIDDEN_BITS);
		this.packetNumberBytes = (this.firstByte & 3) + 1;
		this.#coverOrUncover(start, number);
		this.packetNumber = 0;
		for (let i = 0; i < this.packetNumberBytes; i++)
			this.packetNumber = this.packetNumber * 256 + (this.#memory[number + i] as number);
		this.#mixNonce();
		const length = this.#decrypt(start, number + this.packetNumberBytes, end);
		this.#coverOrUncover(start, number);
		return length;
	}

	/** RFC 9001, section 5.4.1: what is done to the header is undone by doing it again. */
	#coverOrUncover(start: number, number: number): void {
		const memory = this.#memory;
		const mask = this.#scratch;
		memory[start] = (memory[start] as number) ^ ((mask[MASK_AT] as number) & HIDDEN_BITS);
		for (let i = 0; i < this.packetNumberBytes; i++)
			memory[number + i] = (memory[number + i] as number) ^ (mask[MASK_AT + 1 + i] as number);
	}

	/** RFC 9001, section 5.3: the number is mixed into the end of the nonce. */
	#mixNonce(): void {
		const last = NONCE_AT + IV_BYTES - 1;
		let rest = this.packetNumber;
		for (let i = 0; i < NUMBER_MAX_BYTES; i++) {
			this.#scratch[last - i] = (this.#scratch[last - i] as number) ^ (rest & 0xff);
			rest >>>= 8;
		}
	}

	#decrypt(start: number, payload: number, end: number): number {
		const length = end - TAG_BYTES - payload;
		const packet = this.#memoryAt;
		const lengthAt = this.#at + LENGTH_AT;
		beginDecryption(this.#payload, 0, 0, this.#at + KEY_AT, this.#at + NONCE_AT);
		decryptUpdate(this.#payload, 0, lengthAt, packet + start, payload - start);
		if (length > 0) decryptUpdate(this.#payload, this.#plainAt, lengthAt, packet + payload, length);
		return this.#isTagged(packet + end - TAG_BYTES) ? length : NOT_AUTHENTIC;
	}

	#isTagged(tagAt: number): boolean {
		controlCipher(this.#payload, SET_TAG, TAG_BYTES, tagAt);
		if (endDecryption(this.#payload, this.#at + TAG_OUT_AT, this.#at + LENGTH_AT) === 1) return true;
		clearErrors();
		return false;
	}

	/**
	 * Whether the Retry packet memory[start, end) answers the client that chose `id` (RFC 9001, section 5.8): nobody else knows that
	 * ID who is not on the path. From it on, the client calls its server by the source ID of the packet.
	 */
	isRetryOf(version: number, id: Uint8Array, start: number, end: number): boolean {
		if (id.length > CONNECTION_ID_MAX_BYTES || end - start < TAG_BYTES || end > this.#memory.length)
			return false;
		const { retryKey, retryNonce } = this.#version(version);
		this.#scratch[ID_AT] = id.length;
		this.#scratch.set(id, ID_AT + 1);
		const lengthAt = this.#at + LENGTH_AT;
		const tag = this.#memoryAt + end - TAG_BYTES;
		beginDecryption(this.#payload, 0, 0, libc.addressOf(retryKey), libc.addressOf(retryNonce));
		decryptUpdate(this.#payload, 0, lengthAt, this.#at + ID_AT, 1 + id.length);
		decryptUpdate(this.#payload, 0, lengthAt, this.#memoryAt + start, end - TAG_BYTES - start);
		return this.#isTagged(tag);
	}
}
