/** A certificate made for one run: nobody keeps it, and it expires in two days. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface CertificateFiles {
	readonly certFile: string;
	readonly keyFile: string;
	/** Both in one, as HAProxy takes it. */
	readonly bothFile: string;
}

/** What a handshake costs goes by the kind of key: RSA is ten times as dear to whoever signs. */
const KEYS = {
	ecdsa: ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
	rsa: ["rsa:2048"],
} as const;

/** Self-signed, ECDSA P-256 or RSA of 2048 bits, for that name. Throws when there is no `openssl`. */
export function makeCertificate(
	directory: string,
	name: string,
	key: keyof typeof KEYS = "ecdsa",
): CertificateFiles {
	const certFile = join(directory, `${name}.pem`);
	const keyFile = join(directory, `${name}.key`);
	const bothFile = join(directory, `${name}.both.pem`);
	const made = spawnSync(
		"openssl",
		[
			...["req", "-x509", "-newkey", ...KEYS[key], "-nodes", "-days", "2"],
			...["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`],
			...["-keyout", keyFile, "-out", certFile],
		],
		{ encoding: "utf8" },
	);
	if (made.error !== undefined) throw new Error("there is no openssl: apt-get install openssl");
	if (made.status !== 0) throw new Error(`openssl req failed:\n${made.stderr}`);
	writeFileSync(bothFile, readFileSync(certFile, "utf8") + readFileSync(keyFile, "utf8"), { mode: 0o600 });
	return { certFile, keyFile, bothFile };
}
