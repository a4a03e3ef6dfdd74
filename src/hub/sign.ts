/** Signing tokens, as `sluice hub-token` does to try things out. Services sign their own, with any library for JWTs. */
import { SignJWT } from "jose/jwt/sign";
import { ChannelPattern } from "../channels/names.js";
import { type Algorithm, bareKey, type Jwk, KINDS, whyNoKey } from "./algorithms.js";
import { asJwk, parseJson, whyNotTaken } from "./keys.js";
import { rightsOf } from "./rights.js";
import { TOKEN_MAX_BYTES } from "./tokens.js";

/** A key that tokens are signed with. */
export interface Signer {
	readonly algorithm: Algorithm;
	readonly kid: string | undefined;
	/** What makes the key, and nothing else. */
	readonly jwk: Readonly<Record<string, string>>;
}

export interface TokenContents {
	readonly subscribe: readonly string[];
	readonly publish: readonly string[];
	readonly who?: string | undefined;
	readonly ttlMs: number;
}

/**
 * A key out of a private JWK, or out of a JWK Set with one, or with one of that name.
 *
 * @throws Error that says what to do, and shows nothing of a key
 */
export function readSigner(text: string, place: string, kid?: string): Signer {
	const jwk = chosen(signersOf(parseJson(text, place), place), place, kid);
	const why = whyNotTaken(jwk) ?? whyNoKey(jwk, jwk["alg"] as Algorithm, "private");
	if (why !== undefined) throw new Error(`${place}: the key ${why}`);
	const algorithm = jwk["alg"] as Algorithm;
	return { algorithm, kid: jwk["kid"] as string | undefined, jwk: bareKey(jwk, algorithm, "private") };
}

/** Those that can sign. */
function signersOf(value: unknown, place: string): readonly Jwk[] {
	const file = asJwk(value);
	const all = Array.isArray(file?.["keys"]) ? file["keys"] : [value];
	const keys = all.flatMap((each: unknown): readonly Jwk[] => {
		const jwk = asJwk(each);
		return jwk === undefined ? [] : [jwk];
	});
	if (!keys.some((key) => "kty" in key))
		throw new Error(`${place}: is no key: a JWK is expected, as sluice hub-key new prints it`);
	const signers = keys.filter((key) => "d" in key || key["kty"] === "oct");
	if (signers.length === 0)
		throw new Error(
			`${place}: has public keys only, as the gateway's file should: sign with the private one that sluice hub-key new made beside it`,
		);
	return signers;
}

function chosen(signers: readonly Jwk[], place: string, kid: string | undefined): Jwk {
	const [only, ...others] = kid === undefined ? signers : signers.filter((key) => key["kid"] === kid);
	const names = signers.map((key) => JSON.stringify(key["kid"] ?? "(none)")).join(", ");
	if (only === undefined)
		throw new Error(`${place}: has no key with the "kid" ${JSON.stringify(kid)}: there are ${names}`);
	if (others.length > 0)
		throw new Error(`${place}: has several keys that sign: say which by --kid: ${names}`);
	return only;
}

/**
 * A token that the gateway takes, when it has the key.
 *
 * @throws Error: it would not take it whatever its key
 */
export async function signToken(
	{ algorithm, kid, jwk }: Signer,
	{ subscribe, publish, who, ttlMs }: TokenContents,
	nowMs = Date.now(),
): Promise<string> {
	for (const text of [...subscribe, ...publish])
		if (ChannelPattern.parse(text) === undefined)
			throw new Error(`${JSON.stringify(text)} is no channel: write prices, rooms/42, rooms/* or rooms/**`);
	const issuedS = Math.floor(nowMs / 1_000);
	const claims = {
		...(who === undefined ? {} : { sub: who }),
		hub: {
			...(subscribe.length === 0 ? {} : { subscribe }),
			...(publish.length === 0 ? {} : { publish }),
		},
		iat: issuedS,
		exp: Math.ceil((nowMs + ttlMs) / 1_000),
	};
	// Says what is wrong with it; whose key signs it is not asked.
	rightsOf(claims, nowMs, "");
	const key = await crypto.subtle.importKey("jwk", { ...jwk }, KINDS[algorithm].parameters, false, ["sign"]);
	const header = { alg: algorithm, typ: "JWT", ...(kid === undefined ? {} : { kid }) };
	const token = await new SignJWT(claims).setProtectedHeader(header).sign(key);
	if (token.length > TOKEN_MAX_BYTES)
		throw new Error(
			`the token has ${token.length} bytes, and may have ${TOKEN_MAX_BYTES}: use stars in place of many channels`,
		);
	return token;
}
