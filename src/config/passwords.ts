/**
 * Passwords of routes and tunnels (`basic_auth`), of which the file has only a hash.
 *
 *     pw1_ and, in base64url, 16 bytes of salt and 32 of HMAC-SHA-256 (key: the salt) over `user:password`
 *
 * It is looked at once for each request, in a thread that serves many others: so it is quick, and a slow hash (scrypt, Argon2) is out
 * of the question. What a slow one protects are short passwords, in a file that somebody has read. So these are long: made here from
 * random bytes, or refused when they are shorter than {@link PASSWORD_MIN}.
 */
import { createHmac, randomBytes } from "node:crypto";
import { InvalidValue } from "./errors.js";

/** Who may come, and what is kept of the password. */
export interface PasswordEntry {
	readonly user: string;
	/** `pw1_…` */
	readonly hash: string;
}

/** Several lists: whoever comes must be in each of them. None: nobody is asked. */
export type PasswordLists = readonly (readonly PasswordEntry[])[];

/** Of a hash. */
export interface KeptPassword {
	readonly salt: Buffer;
	readonly mac: Buffer;
}

const PREFIX = "pw1_";
const SALT_BYTES = 16;
const MAC_BYTES = 32;
/** 48 bytes have no padding. */
export const HASH_PATTERN = /^pw1_[A-Za-z0-9_-]{64}$/;

/** Characters that a password has which somebody chooses. Sentences are easy to remember, and have more. */
export const PASSWORD_MIN = 16;
/** What is longer is no password, and costs time. In bytes of UTF-8. */
export const PASSWORD_MAX_BYTES = 256;
const USER_MAX_BYTES = 128;
const MADE_BYTES = 18;

/** A name that can be asked for: without a colon, which ends it (RFC 7617, section 2), and without control characters. @throws InvalidValue */
export function parseUser(text: string): string {
	if (text === "" || Buffer.byteLength(text) > USER_MAX_BYTES)
		throw new InvalidValue(`expected a name of 1 to ${USER_MAX_BYTES} bytes`);
	if (/[:\p{Cc}]/u.test(text)) throw new InvalidValue('a name has no ":" and no control characters');
	return text;
}

/** @throws InvalidValue, without what it was: it may be the password itself. */
export function parseHash(text: string): string {
	if (HASH_PATTERN.test(text)) return text;
	throw new InvalidValue(
		"expected what sluice password has printed, pw1_ and 64 characters behind it; a password itself never stands in a file",
	);
}

/** 24 characters that nobody can guess. */
export function newPassword(): string {
	return randomBytes(MADE_BYTES).toString("base64url");
}

/** Why it is none, for whoever has chosen it; nothing: it is one. */
export function whyNoPassword(password: string): string | undefined {
	if ([...password].length < PASSWORD_MIN)
		return `a password has at least ${PASSWORD_MIN} characters: its hash is quick to compute, so that whoever reads the file could guess a shorter one`;
	if (Buffer.byteLength(password) > PASSWORD_MAX_BYTES)
		return `a password has at most ${PASSWORD_MAX_BYTES} bytes`;
	return /\p{Cc}/u.test(password) ? "a password has no control characters" : undefined;
}

/** As clients send it, composed (RFC 7617, section 2.1). */
export function hashOf(user: string, password: string, salt: Buffer = randomBytes(SALT_BYTES)): string {
	const mac = macOf(salt, Buffer.from(`${user}:${password}`.normalize("NFC")));
	return `${PREFIX}${Buffer.concat([salt, mac]).toString("base64url")}`;
}

export function readHash(hash: string): KeptPassword {
	const bytes = Buffer.from(hash.slice(PREFIX.length), "base64url");
	if (bytes.length !== SALT_BYTES + MAC_BYTES) throw new Error("a hash that was not checked");
	return { salt: bytes.subarray(0, SALT_BYTES), mac: bytes.subarray(SALT_BYTES) };
}

/** `credentials`: name, colon, password. */
export function macOf(salt: Uint8Array, credentials: Uint8Array): Buffer {
	return createHmac("sha256", salt).update(credentials).digest();
}

/** Whose names are in each of the lists; `null`: nobody is asked. */
export function usersOf(lists: PasswordLists): string[] | null {
	const [first, ...others] = lists;
	if (first === undefined) return null;
	return first
		.map(({ user }) => user)
		.filter((user) => others.every((list) => list.some((each) => each.user === user)));
}

/** Each list once: what several agents of one entry say alike is one list. */
export function distinctLists(lists: PasswordLists): PasswordLists {
	return [...new Map(lists.map((list) => [JSON.stringify(list), list])).values()];
}
