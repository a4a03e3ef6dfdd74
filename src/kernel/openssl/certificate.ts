/**
 * Whether a certificate can serve the names it stands for, asked before any client does. OpenSSL would accept
 * most of what is found here and let the clients refuse it.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { PemFile } from "./options.js";

/** What the CA/Browser Forum's baseline requirements (6.1.5) ask for, and browsers enforce. */
const RSA_BITS_MIN = 2048;
const EC_BITS_MIN = 256;

/** Curves by the names that node:crypto gives them; what is not here says its size in its name. */
const CURVE_BITS: Readonly<Record<string, number>> = { prime256v1: 256, prime192v1: 192, prime239v1: 239 };

/** Curves that TLS has signatures for (RFC 8446, section 4.2.3), by the names that node:crypto gives them. */
const CURVES = new Set(["prime256v1", "secp384r1", "secp521r1"]);

/** DER of the object identifiers of signatures over SHA-1 and MD5: forgeable, and refused by every client. */
const BROKEN_SIGNATURES: Readonly<Record<string, string>> = {
	"2a864886f70d010104": "MD5",
	"2a864886f70d010105": "SHA-1",
	"2a8648ce3d0401": "SHA-1",
	"2a8648ce380403": "SHA-1",
	"2b0e03021d": "SHA-1",
};

/** Extended key usages, RFC 5280, section 4.2.1.12. */
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const ANY_USAGE = "2.5.29.37.0";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN ([A-Z0-9]+ )?PRIVATE KEY-----/;
const ENCRYPTED_KEY = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

/**
 * Everything that keeps a server certificate from working, as sentences that begin with the file.
 *
 * @param chain the server's certificate first, then the intermediate ones
 * @param names what it is to serve, in lower case: `www.example.com`, `*.example.com`
 */
export function inspectCertificate(
	chain: PemFile,
	key: PemFile,
	names: readonly string[],
	now: Date,
): string[] {
	const { leaf, problems } = inspectChain(chain, key, now);
	if (leaf === undefined) return problems;
	const findings = [...inspectUsage(leaf, SERVER_AUTH, "servers"), ...inspectNames(leaf, names)];
	return [...problems, ...findings.map((what) => `${chain.file}: ${what}`)];
}

/** The same for a certificate that is shown to upstreams: it needs no name of a host. */
export function inspectClientCertificate(chain: PemFile, key: PemFile, now: Date): string[] {
	const { leaf, problems } = inspectChain(chain, key, now);
	if (leaf === undefined) return problems;
	const findings = inspectUsage(leaf, CLIENT_AUTH, "clients");
	return [...problems, ...findings.map((what) => `${chain.file}: ${what}`)];
}

/** Whether the certificates belong together and to the key, and are neither weak nor out of date. */
function inspectChain(
	chain: PemFile,
	key: PemFile,
	now: Date,
): { leaf: X509Certificate | undefined; problems: string[] } {
	const problems: string[] = [];
	const certificates = readCertificates(chain, problems);
	const privateKey = readKey(key, problems);
	if (privateKey !== undefined && certificates.length > 0)
		problems.push(...mismatch(certificates, privateKey, chain.file, key.file));
	for (const [index, certificate] of certificates.entries()) {
		const complain = (what: string): void => {
			problems.push(`${chain.file}: ${nameOf(certificate, index)} ${what}`);
		};
		inspectDates(certificate, now, complain);
		inspectStrength(certificate, index, complain);
		const next = certificates[index + 1];
		if (next !== undefined && !certificate.checkIssued(next))
			complain("was not issued by the certificate behind it; each must be followed by its issuer");
	}
	return { leaf: certificates[0], problems };
}

/** When the first certificate of a chain expires, and the chain with it (Unix time); `undefined` where there is none. */
export function expiryOf(chain: PemFile): number | undefined {
	const times = readCertificates(chain, []).map(({ validTo }) => Date.parse(validTo));
	return times.length === 0 ? undefined : Math.min(...times);
}

/** What keeps a file of certificate authorities (`client_ca`, `ca`) from being used. */
export function inspectAuthorities(authorities: PemFile, now: Date): string[] {
	const problems: string[] = [];
	for (const [index, certificate] of readCertificates(authorities, problems).entries()) {
		const complain = (what: string): void => {
			problems.push(`${authorities.file}: ${nameOf(certificate, index)} ${what}`);
		};
		inspectDates(certificate, now, complain);
	}
	return problems;
}

function readCertificates({ file, text }: PemFile, problems: string[]): X509Certificate[] {
	const blocks = text.match(CERTIFICATE) ?? [];
	if (blocks.length === 0) {
		problems.push(
			PRIVATE_KEY.test(text)
				? `${file}: holds a private key where a certificate belongs`
				: `${file}: holds no certificate in PEM ("-----BEGIN CERTIFICATE-----")`,
		);
	}
	return blocks.flatMap((block, index) => {
		try {
			return new X509Certificate(block);
		} catch (error) {
			problems.push(`${file}: certificate ${index + 1} cannot be read: ${reasonOf(error)}`);
			return [];
		}
	});
}

function readKey({ file, text }: PemFile, problems: string[]): KeyObject | undefined {
	if (ENCRYPTED_KEY.test(text)) {
		problems.push(
			`${file}: the private key is encrypted, and nobody is there to type its passphrase; decrypt it with "openssl pkey -in ${file} -out …"`,
		);
		return undefined;
	}
	if (!PRIVATE_KEY.test(text)) {
		problems.push(`${file}: holds no private key in PEM ("-----BEGIN PRIVATE KEY-----")`);
		return undefined;
	}
	try {
		return createPrivateKey(text);
	} catch (error) {
		problems.push(`${file}: the private key cannot be read: ${reasonOf(error)}`);
		return undefined;
	}
}

function mismatch(
	certificates: readonly X509Certificate[],
	key: KeyObject,
	certFile: string,
	keyFile: string,
): string[] {
	const owner = certificates.findIndex((certificate) => certificate.checkPrivateKey(key));
	if (owner === 0) return [];
	return [
		owner > 0
			? `${certFile}: the certificate of ${keyFile} is number ${owner + 1} in the file; it must be the first`
			: `${keyFile}: the private key does not belong to the certificate in ${certFile}`,
	];
}

function inspectDates(certificate: X509Certificate, now: Date, complain: (what: string) => void): void {
	if (now > new Date(certificate.validTo)) complain(`expired on ${day(certificate.validTo)}`);
	if (now < new Date(certificate.validFrom)) complain(`is not valid before ${day(certificate.validFrom)}`);
}

function inspectStrength(
	certificate: X509Certificate,
	index: number,
	complain: (what: string) => void,
): void {
	const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
	if (type === "rsa" || type === "rsa-pss") {
		const bits = details?.modulusLength ?? 0;
		if (bits < RSA_BITS_MIN)
			complain(`has an RSA key of ${bits} bits, which clients refuse as weak; it needs ${RSA_BITS_MIN}`);
	} else if (type === "ec") {
		const curve = details?.namedCurve ?? "";
		const bits = CURVE_BITS[curve] ?? Number(/\d{3}/.exec(curve)?.[0] ?? 0);
		if (bits < EC_BITS_MIN)
			complain(
				`has a key on the curve ${curve || "without a name"}, which clients refuse as weak; use prime256v1`,
			);
		else if (index === 0 && !CURVES.has(curve))
			complain(`has a key on the curve ${curve}, which is not used in TLS; use prime256v1`);
	} else if (type === "ed448") complain("has an Ed448 key, which TLS clients do not accept; use EC or RSA");
	else if (type === "dsa") complain("has a DSA key, which TLS clients no longer accept; use EC or RSA");
	// Nobody checks the signature of a root: it is trusted for itself.
	if (index > 0 && certificate.checkIssued(certificate)) return;
	const hash = BROKEN_SIGNATURES[signatureAlgorithm(certificate.raw)];
	if (hash !== undefined) complain(`is signed with ${hash}, which clients refuse`);
}

function inspectUsage(leaf: X509Certificate, needed: string, whom: string): string[] {
	// Node calls the extended key usages so; there are none when the certificate is for everything.
	const usages = leaf.keyUsage as readonly string[] | undefined;
	if (usages === undefined || usages.includes(needed) || usages.includes(ANY_USAGE)) return [];
	return [`the certificate is not meant for ${whom} (its extended key usage lacks ${needed})`];
}

function inspectNames(leaf: X509Certificate, names: readonly string[]): string[] {
	const covered = [...(leaf.subjectAltName ?? "").matchAll(/DNS:([^,"]+)/g)].map(([, name]) =>
		(name ?? "").toLowerCase(),
	);
	if (covered.length === 0)
		return ["the certificate names no host (subjectAltName), so that clients accept it for none"];
	const rest = names.filter((name) => !covered.some((pattern) => covers(pattern, name)));
	if (rest.length === 0) return [];
	return [`the certificate does not cover ${rest.join(", ")}; it covers ${covered.join(", ")}`];
}

/** RFC 6125, section 6.4.3: a wildcard stands for exactly one label. */
function covers(pattern: string, name: string): boolean {
	if (pattern === name) return true;
	const dot = name.indexOf(".");
	return pattern.startsWith("*.") && dot > 0 && name[0] !== "*" && name.slice(dot) === pattern.slice(1);
}

/**
 * The object identifier behind the part that is signed, in hex: `SEQUENCE { tbs, SEQUENCE { OID, … }, … }`
 * (RFC 5280, section 4.1). node:crypto does not tell it.
 */
function signatureAlgorithm(der: Uint8Array): string {
	const certificate = element(der, 0);
	const signed = element(der, certificate.start);
	const algorithm = element(der, signed.end);
	const identifier = element(der, algorithm.start);
	return Buffer.from(der.subarray(identifier.start, identifier.end)).toString("hex");
}

/** Where the content of the DER element at `offset` lies. It was parsed before, so its lengths are sound. */
function element(der: Uint8Array, offset: number): { start: number; end: number } {
	const first = der[offset + 1] ?? 0;
	if (first < 0x80) return { start: offset + 2, end: offset + 2 + first };
	const start = offset + 2 + (first & 0x7f);
	let length = 0;
	for (let i = offset + 2; i < start; i++) length = length * 256 + (der[i] ?? 0);
	return { start, end: start + length };
}

/** `the certificate`, or, further down the chain, `certificate 2 (CN=R11)`. */
function nameOf(certificate: X509Certificate, index: number): string {
	return index === 0
		? "the certificate"
		: `certificate ${index + 1} (${certificate.subject.replaceAll("\n", ", ")})`;
}

function day(date: string): string {
	return new Date(date).toISOString().slice(0, 10);
}

function reasonOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
