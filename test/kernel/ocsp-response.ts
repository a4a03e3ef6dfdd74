/** OCSP responses for tests, written byte by byte (RFC 6960, section 4.2.1). */
import { createHash, sign, X509Certificate } from "node:crypto";
import { der, identifier, SEQUENCE } from "../../src/rig/der.js";
import { DAY_MS, type Issued, signatureAlgorithm } from "../../src/rig/issue.js";

export interface Said {
	readonly about: Issued;
	readonly by: Issued;
	/** Default: good. */
	readonly status?: "good" | "revoked" | "unknown";
	readonly fromMs?: number;
	/** `null`: it does not say when the next one is due. */
	readonly untilMs?: number | null;
}

const OCTETS = 0x04;
const BASIC = "1.3.6.1.5.5.7.48.1.1";
const SHA_1 = "1.3.14.3.2.26";

/** Successful, and says nothing about anything. */
export const EMPTY_RESPONSE = response(new Uint8Array(0));

export function ocspResponse(...said: readonly Said[]): Uint8Array {
	const [first] = said;
	if (first === undefined) return EMPTY_RESPONSE;
	const { by } = first;
	const data = der(
		SEQUENCE,
		der(0xa1, by.subject),
		generalizedTime(Date.now()),
		der(SEQUENCE, ...said.map(single)),
	);
	const signature = der(0x03, [0], sign("sha256", data, by.privateKey));
	return response(der(SEQUENCE, data, signatureAlgorithm(by.privateKey, "sha256"), signature));
}

function response(basic: Uint8Array): Uint8Array {
	return der(SEQUENCE, der(0x0a, [0]), der(0xa0, der(SEQUENCE, identifier(BASIC), der(OCTETS, basic))));
}

function single({ about, by, status = "good", ...times }: Said): Uint8Array {
	const { fromMs = Date.now() - DAY_MS, untilMs = Date.now() + DAY_MS } = times;
	const hash = der(OCTETS, createHash("sha1").update(by.subject).digest());
	const serial = Buffer.from(new X509Certificate(about.cert.text).serialNumber, "hex");
	return der(
		SEQUENCE,
		der(SEQUENCE, der(SEQUENCE, identifier(SHA_1)), hash, hash, der(0x02, serial)),
		status === "revoked" ? der(0xa1, generalizedTime(fromMs)) : der(status === "good" ? 0x80 : 0x82),
		generalizedTime(fromMs),
		...(untilMs === null ? [] : [der(0xa0, generalizedTime(untilMs))]),
	);
}

function generalizedTime(ms: number): Uint8Array {
	return der(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`));
}
