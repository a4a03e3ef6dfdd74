/** Keys and tokens for tests, made without the library that verifies them. */
import { createHmac, createPrivateKey, sign } from "node:crypto";
import { ALGORITHMS, type Algorithm, type Jwk } from "../../src/hub/algorithms.js";
import { type NewKey, newKey } from "../../src/hub/new-key.js";
import { TokenKeys } from "../../src/hub/tokens.js";

/** A key of each algorithm, which is its `kid` as well. */
export const KEYS = Object.fromEntries(ALGORITHMS.map((alg) => [alg, newKey(alg, alg)])) as Readonly<
	Record<Algorithm, NewKey>
>;

export const NOW_MS = 1_800_000_000_000;
export const NOW_S = NOW_MS / 1_000;

/** What a good token says, an hour before its end. */
export const CLAIMS = {
	sub: "alice",
	exp: NOW_S + 3_600,
	hub: { subscribe: ["prices", "rooms/*"], publish: ["rooms/42"] },
} as const;

export function keysOf(...jwks: readonly Jwk[]): TokenKeys {
	return TokenKeys.parse(JSON.stringify({ keys: jwks }), "keys.json");
}

export function coded(value: unknown): string {
	return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
}

/** A token of this header and these claims, whatever they are, signed as that algorithm does. */
export function token(
	algorithm: Algorithm,
	claims: unknown = CLAIMS,
	header: unknown = { alg: algorithm, kid: algorithm },
	{ signer }: NewKey = KEYS[algorithm],
): string {
	const text = `${coded(header)}.${coded(claims)}`;
	return `${text}.${signatureOf(text, algorithm, signer).toString("base64url")}`;
}

export function signatureOf(text: string, algorithm: Algorithm, jwk: Jwk): Buffer {
	if (algorithm === "HS256") return hmac(text, Buffer.from(String(jwk["k"]), "base64url"));
	const key = createPrivateKey({ key: { ...jwk }, format: "jwk" });
	return algorithm === "EdDSA"
		? sign(null, Buffer.from(text), key)
		: sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" });
}

export function hmac(text: string, secret: string | Uint8Array): Buffer {
	return createHmac("sha256", secret).update(text).digest();
}
