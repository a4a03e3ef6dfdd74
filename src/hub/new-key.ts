/** New keys, for whoever signs tokens, and the half of them that the gateway gets. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { type Algorithm, bareKey, type Jwk, SECRET_MIN_BYTES } from "./algorithms.js";

export interface NewKey {
	/** Signs. A secret. */
	readonly signer: Jwk;
	/** Verifies, and stands in the gateway's set. For HS256 the same, and as secret. */
	readonly verifier: Jwk;
}

/** A name that nobody else has, of letters that no shell minds. */
export function newKid(): string {
	return randomBytes(6).toString("hex");
}

export function newKey(alg: Algorithm, kid: string): NewKey {
	const made = madeKey(alg);
	const names = { alg, use: "sig", kid };
	return {
		signer: { ...bareKey(made, alg, "private"), ...names },
		verifier: { ...bareKey(made, alg, "public"), ...names },
	};
}

function madeKey(alg: Algorithm): Jwk {
	if (alg === "HS256") return { kty: "oct", k: randomBytes(SECRET_MIN_BYTES).toString("base64url") };
	const { privateKey } =
		alg === "EdDSA" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: "P-256" });
	return { ...privateKey.export({ format: "jwk" }) };
}
