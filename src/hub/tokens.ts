/** Tokens of the hub: JWTs (RFC 7519) that say who somebody is, and which channels he may subscribe to and publish to. */
import type { JWTPayload } from "jose";
import { decodeProtectedHeader } from "jose/decode/protected_header";
import { JWSSignatureVerificationFailed, JWTClaimValidationFailed, JWTExpired } from "jose/errors";
import { jwtVerify } from "jose/jwt/verify";
import { ALGORITHM_NAMES, type Algorithm, isAlgorithm, isBase64url } from "./algorithms.js";
import { readKeySet, type VerifyKey } from "./keys.js";
import { CLOCK_TOLERANCE_S, EXPIRED, type HubRights, rightsOf } from "./rights.js";
import { TokenError } from "./token-error.js";

export type { HubRights } from "./rights.js";
export { TokenError } from "./token-error.js";

/** Room for 64 channels of either kind, and no work for more. */
export const TOKEN_MAX_BYTES = 8_192;

/** Three parts of base64url. Anything more lenient would let one token be spelt in many ways. */
const FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)$/;

/** What a token says of how it is to be verified. */
interface Header {
	readonly algorithm: Algorithm;
	readonly kid: string | undefined;
}

/** The keys that tokens are verified by, as a file has them. */
export class TokenKeys {
	readonly #keys: readonly VerifyKey[];

	/**
	 * @param text a JWK Set (RFC 7517) whose keys each have an `alg`
	 * @param place what messages begin with, such as its file
	 * @throws Error that says all that is wrong with it and what to do, and shows nothing of a key
	 */
	static parse(text: string, place: string): TokenKeys {
		return new TokenKeys(readKeySet(text, place));
	}

	private constructor(keys: readonly VerifyKey[]) {
		this.#keys = keys;
	}

	/** How many there are. */
	get size(): number {
		return this.#keys.length;
	}

	/** Whether tokens of this key are taken (`HubRights.key`). */
	knows(thumbprint: string): boolean {
		return this.#keys.some((key) => key.thumbprint === thumbprint);
	}

	/**
	 * What the bearer of a token may. It is verified by keys of its own algorithm only: by the one that it names (`kid`), or,
	 * where it names none, by any.
	 *
	 * @throws TokenError
	 */
	async verify(token: string, nowMs = Date.now()): Promise<HubRights> {
		for (const key of this.#keysFor(headerOf(token))) {
			const claims = await claimsOf(token, key, nowMs);
			if (claims !== undefined) return rightsOf(claims, nowMs, key.thumbprint);
		}
		throw new TokenError("the token's signature is not by a key that is known here");
	}

	/** @throws TokenError: there is none */
	#keysFor({ algorithm, kid }: Header): readonly VerifyKey[] {
		const named = this.#keys.filter((key) => kid === undefined || key.kid === kid);
		if (named.length === 0) throw new TokenError("the token names a key (kid) that is not known here");
		const fitting = named.filter((key) => key.algorithm === algorithm);
		if (fitting.length > 0) return fitting;
		throw new TokenError(
			kid === undefined
				? "no key that is known here is for the token's algorithm"
				: "the key that the token names (kid) is for another algorithm",
		);
	}
}

/**
 * What a token's header says, before anything of it is known to be true.
 *
 * @throws TokenError
 */
function headerOf(token: string): Header {
	if (token === "") throw new TokenError("the token is empty");
	if (token.length > TOKEN_MAX_BYTES)
		throw new TokenError(`the token is too long: it may have ${TOKEN_MAX_BYTES} bytes`);
	if (!isBase64url(FORM.exec(token)?.[1])) throw new TokenError(NO_TOKEN);
	const { alg, kid, crit } = decodedHeader(token);
	if (!isAlgorithm(alg))
		throw new TokenError(`the token is not signed as it has to be: by ${ALGORITHM_NAMES}`);
	if (crit !== undefined) throw new TokenError("the token's header asks for what is not known here (crit)");
	if (kid !== undefined && typeof kid !== "string") throw new TokenError("the token's kid is no string");
	return { algorithm: alg, kid };
}

const NO_TOKEN = "what came is no token: that is a JWT, three parts of base64url with dots between";

function decodedHeader(token: string): Readonly<Record<string, unknown>> {
	try {
		return decodeProtectedHeader(token);
	} catch {
		throw new TokenError(NO_TOKEN);
	}
}

/**
 * `undefined`: it was not signed by this key.
 *
 * @throws TokenError: it was, and is not good
 */
async function claimsOf(token: string, key: VerifyKey, nowMs: number): Promise<JWTPayload | undefined> {
	const imported = await key.key;
	try {
		const { payload } = await jwtVerify(token, imported, {
			algorithms: [key.algorithm],
			clockTolerance: CLOCK_TOLERANCE_S,
			currentDate: new Date(nowMs),
		});
		return payload;
	} catch (error) {
		if (error instanceof JWSSignatureVerificationFailed) return undefined;
		// The library's error carries the claims, and is left here.
		throw new TokenError(reasonOf(error));
	}
}

function reasonOf(error: unknown): string {
	if (error instanceof JWTExpired) return EXPIRED;
	if (!(error instanceof JWTClaimValidationFailed)) return NO_TOKEN;
	if (error.claim === "nbf" && error.reason === "check_failed")
		return "the token is not good yet (nbf): come later, or set the clock of who made it";
	return `a time of the token is no number of seconds since 1970 (${TIMES.find((name) => name === error.claim) ?? "exp"})`;
}

/** Of the claims: what may stand in a message is listed. */
const TIMES = ["exp", "nbf", "iat"] as const;
