/** How tokens of the hub are signed (RFC 7518; RFC 8037 for EdDSA), and what a key of each has to have. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify, type webcrypto } from "node:crypto";

export const ALGORITHMS = ["HS256", "EdDSA", "ES256"] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** How messages name them. */
export const ALGORITHM_NAMES = "HS256, EdDSA or ES256";

/** HMAC with SHA-256 needs a secret as long as what it makes (RFC 7518, 3.2). */
export const SECRET_MIN_BYTES = 32;

/** A key as JSON (RFC 7517). What it has is not known before it was looked at. */
export type Jwk = Readonly<Record<string, unknown>>;

/** What WebCrypto calls an algorithm. */
type Parameters = webcrypto.HmacImportParams | webcrypto.EcKeyImportParams | { readonly name: "Ed25519" };

export interface Kind {
	readonly kty: string;
	/** Which curve, where there are several. */
	readonly crv?: string;
	/** The members that make the key, without the private one. Nothing else of a JWK is handed on. */
	readonly members: readonly string[];
	/** Its only half is the secret. */
	readonly isSecret: boolean;
	readonly parameters: Parameters;
}

export const KINDS: Readonly<Record<Algorithm, Kind>> = {
	HS256: { kty: "oct", members: ["k"], isSecret: true, parameters: { name: "HMAC", hash: "SHA-256" } },
	EdDSA: {
		kty: "OKP",
		crv: "Ed25519",
		members: ["x"],
		isSecret: false,
		parameters: { name: "Ed25519" },
	},
	ES256: {
		kty: "EC",
		crv: "P-256",
		members: ["x", "y"],
		isSecret: false,
		parameters: { name: "ECDSA", namedCurve: "P-256" },
	},
};

export function isAlgorithm(value: unknown): value is Algorithm {
	return ALGORITHMS.some((algorithm) => algorithm === value);
}

/** The members that make a key, and nothing else: of a public key, or with `d` of a private one. */
export function bareKey(jwk: Jwk, algorithm: Algorithm, half: "public" | "private"): Record<string, string> {
	const { kty, crv, members, isSecret } = KINDS[algorithm];
	const names = half === "private" && !isSecret ? [...members, "d"] : members;
	return {
		kty,
		...(crv === undefined ? {} : { crv }),
		...Object.fromEntries(names.map((name) => [name, String(jwk[name])])),
	};
}

/** Why these members are no key of that algorithm, in words that follow its name; nothing of a secret. `undefined`: they are. */
export function whyNoKey(jwk: Jwk, algorithm: Algorithm, half: "public" | "private"): string | undefined {
	const { kty, crv, isSecret } = KINDS[algorithm];
	if (jwk["kty"] !== kty) return `is no key for ${algorithm}: that has "kty": "${kty}"`;
	if (crv !== undefined && jwk["crv"] !== crv) return `is no key for ${algorithm}: that has "crv": "${crv}"`;
	const bare = bareKey(jwk, algorithm, half);
	const broken = Object.keys(bare).find((name) => !["kty", "crv"].includes(name) && !isBase64url(jwk[name]));
	if (broken !== undefined) return `has no "${broken}" in base64url: copy the key again`;
	return isSecret ? whyNoSecret(bare["k"] ?? "") : whyNoPair(bare, half);
}

function whyNoSecret(k: string): string | undefined {
	const size = Buffer.from(k, "base64url").length;
	return size >= SECRET_MIN_BYTES
		? undefined
		: `is a secret of ${size} bytes: HS256 needs ${SECRET_MIN_BYTES} random ones at least, which sluice hub-key new --alg HS256 makes`;
}

/** Whether its numbers are of the curve, and those of a private key belong together: the one half then verifies what the other signs. */
function whyNoPair(bare: Record<string, string>, half: "public" | "private"): string | undefined {
	try {
		const { d: _, ...open } = bare;
		const key = createPublicKey({ key: open, format: "jwk" });
		if (half === "public" || isPair(createPrivateKey({ key: bare, format: "jwk" }), key)) return undefined;
	} catch {
		// Too short, too long, or no point of the curve.
	}
	return `is no key of ${bare["crv"]}: its numbers are not whole, or do not belong together; copy the key again`;
}

function isPair(privateKey: KeyObject, publicKey: KeyObject): boolean {
	const digest = privateKey.asymmetricKeyType === "ed25519" ? null : "sha256";
	const probe = Buffer.from("a pair");
	return verify(digest, probe, publicKey, sign(digest, probe, privateKey));
}

/** In its one spelling, without padding. */
export function isBase64url(value: unknown): value is string {
	return (
		typeof value === "string" &&
		value !== "" &&
		Buffer.from(value, "base64url").toString("base64url") === value
	);
}
