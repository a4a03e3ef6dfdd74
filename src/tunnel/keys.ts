/** The keys of agents: Ed25519 (RFC 8032). An agent has a token, which is its secret; the gateway knows public keys only. */
import {
	createHash,
	createPrivateKey,
	createPublicKey,
	generateKeyPairSync,
	type KeyObject,
	sign,
	verify,
} from "node:crypto";
import { isAgentId, PUBLIC_KEY_BYTES } from "../protocol/tunnel/index.js";

const SEED_BYTES = 32;
const CHECK_BYTES = 4;
const PREFIX = "sluice1_";

/** DER around a seed and around a public key (RFC 8410): what Node takes where it takes no bare key. */
const SEED_DER = Buffer.from("302e020100300506032b657004220420", "hex");
const PUBLIC_DER = Buffer.from("302a300506032b6570032100", "hex");

/** Who an agent is, and how it proves that. */
export interface Identity {
	readonly id: string;
	readonly publicKey: Uint8Array;
	readonly privateKey: KeyObject;
}

/** It is no token. The message says what is wrong, and nothing of the secret. */
export class TokenError extends Error {
	override readonly name = "TokenError";
}

/**
 * A new token, a secret in one text: `sluice1_` and, in base64url, the seed of its key, the agent's id, and four bytes of a hash
 * over both, so that a token that was typed or cut is told from one that the gateway does not know.
 */
export function newToken(id: string): string {
	if (!isAgentId(id))
		throw new TokenError(
			`"${id}" is no id: up to 64 letters, digits, ".", "-" and "_", beginning with a letter or a digit`,
		);
	const { privateKey } = generateKeyPairSync("ed25519");
	const der = privateKey.export({ format: "der", type: "pkcs8" });
	const body = Buffer.concat([der.subarray(der.length - SEED_BYTES), Buffer.from(id)]);
	return PREFIX + Buffer.concat([body, checkOf(body)]).toString("base64url");
}

/** @throws TokenError */
export function readToken(text: string): Identity {
	const token = text.trim();
	if (token === "") throw new TokenError("the token is empty");
	if (!token.startsWith(PREFIX)) throw new TokenError(`a token begins with "${PREFIX}"`);
	const coded = token.slice(PREFIX.length);
	const bytes = Buffer.from(coded, "base64url");
	const body = bytes.subarray(0, Math.max(0, bytes.length - CHECK_BYTES));
	const id = body.subarray(SEED_BYTES).toString("latin1");
	if (
		bytes.toString("base64url") !== coded ||
		!checkOf(body).equals(bytes.subarray(body.length)) ||
		!isAgentId(id)
	)
		throw new TokenError("the token is not whole, or was mistyped: copy it again");
	const privateKey = createPrivateKey({
		key: Buffer.concat([SEED_DER, body.subarray(0, SEED_BYTES)]),
		format: "der",
		type: "pkcs8",
	});
	return { id, privateKey, publicKey: publicKeyOf(privateKey) };
}

function checkOf(body: Uint8Array): Buffer {
	return createHash("sha256").update(PREFIX).update(body).digest().subarray(0, CHECK_BYTES);
}

function publicKeyOf(privateKey: KeyObject): Uint8Array {
	const der = createPublicKey(privateKey).export({ format: "der", type: "spki" });
	return der.subarray(der.length - PUBLIC_KEY_BYTES);
}

export function signBytes({ privateKey }: Identity, bytes: Uint8Array): Uint8Array {
	return sign(null, bytes, privateKey);
}

/** Whether the holder of this key has signed these bytes. False also for bytes that are no key. */
export function isSignature(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
	if (publicKey.length !== PUBLIC_KEY_BYTES) return false;
	try {
		const key = createPublicKey({
			key: Buffer.concat([PUBLIC_DER, publicKey]),
			format: "der",
			type: "spki",
		});
		return verify(null, bytes, key, signature);
	} catch {
		return false;
	}
}
