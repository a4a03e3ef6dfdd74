/** Certificates and keys from PEM to OpenSSL's objects. The caller frees what it gets. */

import { clearErrors, isNoStartLine, reasonText, TlsConfigError, takeFirstError } from "./errors.js";
import * as ssl from "./library.js";
import type { PemFile } from "./options.js";

/** Calls `take` with each certificate of the file, in order; it is freed afterwards, so take a reference to keep it. */
export function eachCertificate({ file, text }: PemFile, take: (certificate: number) => void): void {
	let count = 0;
	withBuffer(text, (buffer) => {
		for (;;) {
			const certificate = ssl.readCertificate(buffer, 0, 0, 0);
			if (certificate === 0) break;
			count++;
			try {
				take(certificate);
			} finally {
				ssl.freeCertificate(certificate);
			}
		}
	});
	const code = takeFirstError();
	// The end of the file is an error, too: then there is no further line to start with.
	if (count === 0 || !isNoStartLine(code))
		throw new TlsConfigError(file, `certificate ${count + 1} cannot be read`, reasonText(code));
}

export function withPrivateKey({ file, text }: PemFile, take: (key: number) => void): void {
	withBuffer(text, (buffer) => {
		const key = ssl.readPrivateKey(buffer, 0, 0, "");
		if (key === 0)
			throw new TlsConfigError(file, "the private key cannot be read", reasonText(takeFirstError()));
		try {
			take(key);
		} finally {
			ssl.freeKey(key);
		}
	});
}

function withBuffer(text: string, use: (buffer: number) => void): void {
	clearErrors();
	const buffer = ssl.newBuffer(ssl.memoryBuffer());
	try {
		ssl.putText(buffer, text);
		use(buffer);
	} finally {
		ssl.freeBuffer(buffer);
	}
}
