import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type CertificateFiles, rewriteCertificate, writeCertificate } from "../../src/rig/certificate.js";
import { issue, rsaKeys } from "../../src/rig/issue.js";

function pathIn(t: TestContext): string {
	const directory = mkdtempSync(join(tmpdir(), "sluice-rig-"));
	t.after(() => rmSync(directory, { recursive: true }));
	return join(directory, "a.test");
}

function read({ certFile, keyFile }: CertificateFiles): { cert: X509Certificate; fits: boolean } {
	const cert = new X509Certificate(readFileSync(certFile));
	return { cert, fits: cert.checkPrivateKey(createPrivateKey(readFileSync(keyFile))) };
}

test("a written certificate is for its name, good now, and fits its key", (t) => {
	const { cert, fits } = read(writeCertificate(pathIn(t), issue({ commonName: "a.test" })));
	assert.equal(fits, true);
	assert.equal(cert.checkHost("a.test"), "a.test");
	assert.equal(cert.checkHost("b.test"), undefined);
	assert.ok(Date.parse(cert.validFrom) < Date.now() && Date.now() < Date.parse(cert.validTo));
	assert.equal(cert.verify(cert.publicKey), true);
	assert.equal(cert.publicKey.asymmetricKeyType, "ec");
});

test("a certificate may have keys of RSA and several names", (t) => {
	const names = ["a.test", "b.test"];
	const issued = issue({ commonName: "a.test", names, keys: rsaKeys(2048) });
	const { cert, fits } = read(writeCertificate(pathIn(t), issued));
	assert.equal(fits, true);
	assert.equal(cert.publicKey.asymmetricKeyType, "rsa");
	for (const name of names) assert.equal(cert.checkHost(name), name);
});

test("keys are nobody else's to read, and the third file has both", (t) => {
	const { certFile, keyFile, bothFile } = writeCertificate(pathIn(t), issue({ commonName: "a.test" }));
	for (const file of [keyFile, bothFile]) assert.equal(statSync(file).mode & 0o077, 0);
	assert.equal(
		readFileSync(bothFile, "utf8"),
		readFileSync(certFile, "utf8") + readFileSync(keyFile, "utf8"),
	);
});

test("another certificate may take the place of one in its files", (t) => {
	const files = writeCertificate(pathIn(t), issue({ commonName: "a.test" }));
	rewriteCertificate(files, issue({ commonName: "b.test" }));
	const { cert, fits } = read(files);
	assert.equal(fits, true);
	assert.equal(cert.checkHost("b.test"), "b.test");
});
