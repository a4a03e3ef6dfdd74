/**
 * Certificates for one run, written byte by byte (RFC 5280, section 4.1): good ones, and for tests every kind of bad one.
 * Nobody keeps them, and they are good for a day.
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import type { PemFile } from "../kernel/openssl/options.js";
import { der, identifier, SEQUENCE } from "./der.js";

export interface Issued {
	readonly cert: PemFile;
	readonly key: PemFile;
	readonly subject: Uint8Array;
	readonly privateKey: KeyObject;
}

export interface Issue {
	readonly commonName: string;
	/** Default: the common name. */
	readonly names?: readonly string[];
	readonly addresses?: readonly string[];
	/** Default: itself. */
	readonly issuer?: Issued;
	readonly isAuthority?: boolean;
	/** Extended key usages; none is for everything. */
	readonly usages?: readonly string[];
	readonly fromMs?: number;
	readonly untilMs?: number;
	readonly hash?: "sha256" | "sha1";
	/** Default: EC on prime256v1. */
	readonly keys?: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
	/** Further attributes of the subject, in their order: `["2.5.4.10", "Example"]` is an organisation. */
	readonly attributes?: readonly (readonly [string, string])[];
}

export const DAY_MS = 86_400_000;
export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

const SET = 0x31;

export function curveKeys(namedCurve = "prime256v1"): { publicKey: KeyObject; privateKey: KeyObject } {
	return generateKeyPairSync("ec", { namedCurve });
}

export function rsaKeys(modulusLength: number): { publicKey: KeyObject; privateKey: KeyObject } {
	return generateKeyPairSync("rsa", { modulusLength });
}

/** Without options a self-signed certificate for that name: ECDSA P-256, from yesterday to tomorrow. */
export function issue(options: Issue): Issued {
	const { commonName, issuer, fromMs = Date.now() - DAY_MS, untilMs = Date.now() + DAY_MS } = options;
	const { publicKey, privateKey } = options.keys ?? curveKeys();
	const signer = issuer?.privateKey ?? privateKey;
	const hash = options.hash ?? "sha256";
	const subject = distinguishedName([...(options.attributes ?? []), ["2.5.4.3", commonName]]);
	const algorithm = signatureAlgorithm(signer, hash);
	const signed = der(
		SEQUENCE,
		der(0xa0, der(0x02, [2])),
		der(0x02, [1, ...randomBytes(8)]),
		algorithm,
		issuer?.subject ?? subject,
		der(SEQUENCE, time(fromMs), time(untilMs)),
		subject,
		publicKey.export({ type: "spki", format: "der" }),
		der(0xa3, der(SEQUENCE, ...extensions(options))),
	);
	const certificate = der(SEQUENCE, signed, algorithm, der(0x03, [0], sign(hash, signed, signer)));
	const body = Buffer.from(certificate)
		.toString("base64")
		.replace(/.{64}(?=.)/g, "$&\n");
	return {
		cert: {
			file: `${commonName}.pem`,
			text: `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`,
		},
		key: {
			file: `${commonName}.key`,
			text: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
		},
		subject,
		privateKey,
	};
}

/** One file of several certificates. */
export function chainOf(file: string, ...issued: readonly Issued[]): PemFile {
	return { file, text: issued.map(({ cert }) => cert.text).join("") };
}

function extensions({
	commonName,
	names = [commonName],
	addresses = [],
	isAuthority,
	usages = [],
}: Issue): Uint8Array[] {
	const made: Uint8Array[] = [];
	const alternatives = [
		...names.map((name) => der(0x82, Buffer.from(name))),
		...addresses.map((address) => der(0x87, address.split(".").map(Number))),
	];
	if (alternatives.length > 0) made.push(extension("2.5.29.17", der(SEQUENCE, ...alternatives)));
	if (isAuthority === true) made.push(extension("2.5.29.19", der(SEQUENCE, der(0x01, [0xff]))));
	if (usages.length > 0) made.push(extension("2.5.29.37", der(SEQUENCE, ...usages.map(identifier))));
	return made;
}

function extension(type: string, value: Uint8Array): Uint8Array {
	return der(SEQUENCE, identifier(type), der(0x04, value));
}

function distinguishedName(attributes: readonly (readonly [string, string])[]): Uint8Array {
	const parts = attributes.map(([type, value]) =>
		der(SET, der(SEQUENCE, identifier(type), der(0x0c, Buffer.from(value)))),
	);
	return der(SEQUENCE, ...parts);
}

export function signatureAlgorithm(key: KeyObject, hash: "sha256" | "sha1"): Uint8Array {
	if (key.asymmetricKeyType === "rsa")
		return der(SEQUENCE, identifier(`1.2.840.113549.1.1.${hash === "sha1" ? 5 : 11}`), der(0x05));
	return der(SEQUENCE, identifier(hash === "sha1" ? "1.2.840.10045.4.1" : "1.2.840.10045.4.3.2"));
}

function time(ms: number): Uint8Array {
	const digits = new Date(ms).toISOString().replace(/[-:T]/g, "");
	return der(0x17, Buffer.from(`${digits.slice(2, 14)}Z`));
}
