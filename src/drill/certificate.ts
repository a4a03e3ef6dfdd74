/** A certificate made for one run of a drill or the bench: nobody keeps it, and it expires in two days. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface CertificateFiles {
	readonly certFile: string;
	readonly keyFile: string;
	/** Both in one, as HAProxy takes it. */
	readonly bothFile: string;
}

/** Self-signed, ECDSA P-256, for that name. Throws when there is no `openssl`. */
export function makeCertificate(directory: string, name: string): CertificateFiles {
	const certFile = join(directory, `${name}.pem`);
	const keyFile = join(directory, `${name}.key`);
	const bothFile = join(directory, `${name}.both.pem`);
	const made = spawnSync(
		"openssl",
		[
			...[
				"req",
				"-x509",
				"-newkey",
				"ec",
				"-pkeyopt",
				"ec_paramgen_curve:prime256v1",
				"-nodes",
				"-days",
				"2",
			],
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
