/** A certificate and its key in files, as gateways and servers take them. */
import { writeFileSync } from "node:fs";
import type { Issued } from "./issue.js";

export interface CertificateFiles {
	readonly certFile: string;
	readonly keyFile: string;
	/** Both in one, as HAProxy takes it. */
	readonly bothFile: string;
}

/** Writes `PATH.pem`, `PATH.key` and `PATH.both.pem`. Files that are there are replaced. */
export function writeCertificate(path: string, issued: Issued): CertificateFiles {
	const files = { certFile: `${path}.pem`, keyFile: `${path}.key`, bothFile: `${path}.both.pem` };
	rewriteCertificate(files, issued);
	return files;
}

/** Puts another certificate into the files of one. */
export function rewriteCertificate(
	{ certFile, keyFile, bothFile }: CertificateFiles,
	{ cert, key }: Issued,
): void {
	writeFileSync(certFile, cert.text);
	writeFileSync(keyFile, key.text, { mode: 0o600 });
	writeFileSync(bothFile, cert.text + key.text, { mode: 0o600 });
}
