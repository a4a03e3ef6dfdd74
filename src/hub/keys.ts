/** The JWK Set by whose keys tokens are verified. Each of them fixes its algorithm: a token's header chooses among keys, and never what a key is for. */
import { createHash, type webcrypto } from "node:crypto";
import {
	ALGORITHM_NAMES,
	type Algorithm,
	bareKey,
	isAlgorithm,
	type Jwk,
	KINDS,
	whyNoKey,
} from "./algorithms.js";

/** A token that names no key is tried with all of its algorithm, so a token that is none costs as many verifications. */
export const KEYS_MAX = 32;

const KID_MAX_CHARACTERS = 128;

/** A key that tokens are verified by. */
export class VerifyKey {
	readonly algorithm: Algorithm;
	/** `undefined`: it has no name, and is for tokens that name none. */
	readonly kid: string | undefined;
	/** The same for the same key, whatever it is called and wherever it stands: SHA-256 of its members, in the order of `KINDS`, in hex. Of a secret too. */
	readonly thumbprint: string;
	readonly #jwk: webcrypto.JsonWebKey;
	#imported: Promise<webcrypto.CryptoKey> | undefined;

	/** `jwk` has been looked at. */
	constructor(jwk: Jwk, algorithm: Algorithm) {
		this.algorithm = algorithm;
		this.kid = jwk["kid"] as string | undefined;
		this.#jwk = bareKey(jwk, algorithm, "public");
		this.thumbprint = createHash("sha256")
			.update(JSON.stringify([algorithm, this.#jwk]))
			.digest("hex");
	}

	/** As WebCrypto takes it, made once. */
	get key(): Promise<webcrypto.CryptoKey> {
		this.#imported ??= crypto.subtle.importKey("jwk", this.#jwk, KINDS[this.algorithm].parameters, false, [
			"verify",
		]);
		return this.#imported;
	}
}

/**
 * The keys of a JWK Set. What it says of them beyond `kty`, `alg`, `kid`, `use` and `key_ops` is ignored.
 *
 * @param place what messages begin with, such as its file
 * @throws Error with all that is wrong, and what to do; nothing of a key
 */
export function readKeySet(text: string, place: string): readonly VerifyKey[] {
	const jwks = keysOf(parseJson(text, place), place);
	const problems = jwks.flatMap((jwk, index) => {
		const why = whyNotIn(jwks, index);
		return why === undefined ? [] : [`${place}: ${nameOf(jwk, index)} ${why}`];
	});
	if (problems.length > 0) throw new Error(problems.join("; "));
	return jwks.map((jwk) => new VerifyKey(jwk, jwk["alg"] as Algorithm));
}

/**
 * JSON, of which the message shows nothing where it is none: it is a file of secrets.
 *
 * @throws Error
 */
export function parseJson(text: string, place: string): unknown {
	if (text.trim() === "") throw new Error(`${place}: is empty: sluice hub-key new makes a key`);
	if (text.includes("-----BEGIN"))
		throw new Error(`${place}: is PEM: keys are JSON here (JWK, RFC 7517), as sluice hub-key new makes them`);
	try {
		return JSON.parse(text);
	} catch {
		throw new Error(
			`${place}: is no JSON: keys are JSON here (JWK, RFC 7517), as sluice hub-key new makes them`,
		);
	}
}

/** @throws Error: it is no set, or has none or too many */
function keysOf(value: unknown, place: string): readonly Jwk[] {
	const set = asJwk(value);
	if (set !== undefined && !("keys" in set) && "kty" in set)
		throw new Error(`${place}: is one key: put its public half into a set, {"keys": [ … ]}`);
	const keys = set?.["keys"];
	if (!Array.isArray(keys)) throw new Error(`${place}: is no JWK Set: that is {"keys": [ … ]}`);
	if (keys.length === 0)
		throw new Error(`${place}: has no key, so no token could be good: sluice hub-key new makes one`);
	if (keys.length > KEYS_MAX)
		throw new Error(
			`${place}: has ${keys.length} keys: remove those that nobody signs with any more, ${KEYS_MAX} are taken`,
		);
	return keys.map((key, index) => {
		const jwk = asJwk(key);
		if (jwk === undefined) throw new Error(`${place}: key ${index + 1} is no JSON object`);
		return jwk;
	});
}

export function asJwk(value: unknown): Jwk | undefined {
	return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Jwk) : undefined;
}

/** How messages name a key: where it stands, and its `kid` where that is a name. */
export function nameOf({ kid }: Jwk, index: number): string {
	return `key ${index + 1}${isKid(kid) ? ` ("kid": ${JSON.stringify(kid)})` : ""}`;
}

export function isKid(value: unknown): value is string {
	return typeof value === "string" && value !== "" && value.length <= KID_MAX_CHARACTERS;
}

/** Why this key cannot be taken beside the others, in words that follow its name. */
function whyNotIn(jwks: readonly Jwk[], index: number): string | undefined {
	const jwk = jwks[index] ?? {};
	const { kid } = jwk;
	const first = kid === undefined ? index : jwks.findIndex((other) => other["kid"] === kid);
	if (first < index) return `has the "kid" of key ${first + 1}: give one of them another, or remove it`;
	return whyNotTaken(jwk) ?? whyNotPublic(jwk) ?? whyNoKey(jwk, jwk["alg"] as Algorithm, "public");
}

/** What holds for keys of either half. */
export function whyNotTaken(jwk: Jwk): string | undefined {
	const { alg, kid, use } = jwk;
	if (alg === undefined) return `does not say what it is for: add "alg", which is ${ALGORITHM_NAMES}`;
	if (!isAlgorithm(alg)) return `has an "alg" that is not taken: ${ALGORITHM_NAMES} are`;
	if (kid !== undefined && !isKid(kid))
		return `has a "kid" that is no name: 1 to ${KID_MAX_CHARACTERS} characters`;
	if (use !== undefined && use !== "sig")
		return 'has a "use" other than "sig": a key for tokens is for signatures';
	return undefined;
}

function whyNotPublic(jwk: Jwk): string | undefined {
	const { alg, key_ops: operations } = jwk;
	if ("d" in jwk && alg !== "HS256")
		return 'has its private part: remove "d" from this file, only who signs tokens needs it';
	if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify")))
		return 'has "key_ops" without "verify": tokens are verified by it';
	return undefined;
}
