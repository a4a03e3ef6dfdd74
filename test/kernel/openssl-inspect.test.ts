import assert from "node:assert/strict";
import { test } from "node:test";
import {
	expiryOf,
	inspectAuthorities,
	inspectCertificate,
	inspectClientCertificate,
} from "../../src/kernel/openssl/certificate.js";
import type { PemFile } from "../../src/kernel/openssl/options.js";
import {
	CLIENT_AUTH,
	chainOf,
	curveKeys,
	DAY_MS,
	type Issued,
	issue,
	rsaKeys,
	SERVER_AUTH,
} from "../../src/rig/issue.js";

const NAME = "www.example.com";
const NOW = new Date();

const root = issue({ commonName: "Root", names: [], isAuthority: true });
const middle = issue({ commonName: "Middle", names: [], isAuthority: true, issuer: root });
const leaf = issue({ commonName: NAME, issuer: middle, usages: [SERVER_AUTH] });
const self = issue({ commonName: NAME });

function inspect(
	identity: Issued,
	{ cert = identity.cert, key = identity.key, names = [NAME], now = NOW } = {} as {
		cert?: PemFile;
		key?: PemFile;
		names?: readonly string[];
		now?: Date;
	},
): string {
	return inspectCertificate(cert, key, names, now).join("\n");
}

test("a certificate that will do is not complained about", () => {
	assert.equal(inspect(self), "");
	assert.equal(inspect(leaf, { cert: chainOf("chain.pem", leaf, middle) }), "");
	assert.equal(inspect(leaf, { cert: chainOf("chain.pem", leaf, middle, root) }), "");
	assert.equal(inspect(issue({ commonName: NAME, keys: rsaKeys(2048) })), "");
	assert.equal(inspect(issue({ commonName: NAME, keys: curveKeys("secp384r1") })), "");
});

test("a chain expires with the first of its certificates", () => {
	const atMs = (seconds: number) => seconds * 1_000;
	const short = issue({
		commonName: "Short",
		names: [],
		isAuthority: true,
		issuer: root,
		untilMs: atMs(1_900_000_000),
	});
	const long = issue({ commonName: NAME, issuer: short, untilMs: atMs(2_000_000_000) });
	assert.equal(expiryOf(long.cert), atMs(2_000_000_000));
	assert.equal(expiryOf(chainOf("chain.pem", long, short)), atMs(1_900_000_000));
	assert.equal(expiryOf({ file: "none.pem", text: "" }), undefined);
});

test("a root may be signed however it likes, for nobody checks that signature", () => {
	const old = issue({ commonName: "Old", names: [], isAuthority: true, hash: "sha1" });
	const under = issue({ commonName: NAME, issuer: old });
	assert.equal(inspect(under, { cert: chainOf("chain.pem", under, old) }), "");
});

const bad: readonly [string, () => string, RegExp][] = [
	[
		"expired",
		() => inspect(self, { now: new Date(NOW.getTime() + 3 * DAY_MS) }),
		/^www\.example\.com\.pem: the certificate expired on \d{4}-\d\d-\d\d$/,
	],
	[
		"not yet valid",
		() => inspect(self, { now: new Date(NOW.getTime() - 3 * DAY_MS) }),
		/^www\.example\.com\.pem: the certificate is not valid before \d{4}-\d\d-\d\d$/,
	],
	[
		"an intermediate one that expired",
		() => {
			const gone = issue({
				commonName: "Gone",
				isAuthority: true,
				issuer: root,
				untilMs: NOW.getTime() - 1000,
			});
			const under = issue({ commonName: NAME, issuer: gone });
			return inspect(under, { cert: chainOf("chain.pem", under, gone) });
		},
		/^chain\.pem: certificate 2 \(CN=Gone\) expired on/,
	],
	[
		"the key of another certificate",
		() => inspect(self, { key: leaf.key }),
		/^www\.example\.com\.key: the private key does not belong to the certificate in www\.example\.com\.pem$/,
	],
	[
		"the issuer in front of the certificate",
		() => inspect(leaf, { cert: chainOf("chain.pem", middle, leaf) }),
		/^chain\.pem: the certificate of www\.example\.com\.key is number 2 in the file; it must be the first$/m,
	],
	[
		"a chain with a gap",
		() => inspect(leaf, { cert: chainOf("chain.pem", leaf, root) }),
		/^chain\.pem: the certificate was not issued by the certificate behind it/,
	],
	[
		"a name that is not covered",
		() => inspect(self, { names: [NAME, "api.example.com"] }),
		/^www\.example\.com\.pem: the certificate does not cover api\.example\.com; it covers www\.example\.com$/,
	],
	[
		"no name at all",
		() => inspect(issue({ commonName: NAME, names: [] })),
		/names no host \(subjectAltName\)/,
	],
	[
		"a certificate for clients",
		() => inspect(issue({ commonName: NAME, usages: [CLIENT_AUTH] })),
		/not meant for servers \(its extended key usage lacks 1\.3\.6\.1\.5\.5\.7\.3\.1\)/,
	],
	[
		"a weak RSA key",
		() => inspect(issue({ commonName: NAME, keys: rsaKeys(1024) })),
		/has an RSA key of 1024 bits, which clients refuse as weak; it needs 2048/,
	],
	[
		"a weak curve",
		() => inspect(issue({ commonName: NAME, keys: curveKeys("secp224r1") })),
		/has a key on the curve secp224r1, which clients refuse as weak/,
	],
	[
		"a curve that TLS has no signature for",
		() => inspect(issue({ commonName: NAME, keys: curveKeys("secp256k1") })),
		/has a key on the curve secp256k1, which is not used in TLS; use prime256v1/,
	],
	["SHA-1", () => inspect(issue({ commonName: NAME, hash: "sha1" })), /is signed with SHA-1/],
	[
		"SHA-1 with RSA",
		() => inspect(issue({ commonName: NAME, hash: "sha1", keys: rsaKeys(2048) })),
		/is signed with SHA-1/,
	],
	[
		"a file without a certificate",
		() => inspect(self, { cert: { file: "a.txt", text: "hello" } }),
		/^a\.txt: holds no certificate in PEM/,
	],
	[
		"the files exchanged",
		() => inspect(self, { cert: self.key, key: self.cert }),
		/^www\.example\.com\.key: holds a private key where a certificate belongs\nwww\.example\.com\.pem: holds no private key/,
	],
	[
		"a certificate that is cut",
		() =>
			inspect(self, {
				cert: { file: "cut.pem", text: self.cert.text.replace(/(CERTIFICATE-----\n.{20}).*/, "$1") },
			}),
		/^cut\.pem: certificate 1 cannot be read: /,
	],
	[
		"an encrypted key",
		() => {
			const text = self.privateKey
				.export({ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "secret" })
				.toString();
			return inspect(self, { key: { file: "locked.key", text } });
		},
		/^locked\.key: the private key is encrypted, .* decrypt it with "openssl pkey -in locked\.key -out …"$/,
	],
];

for (const [what, find, sentence] of bad) {
	test(`found before clients do: ${what}`, () => {
		assert.match(find(), sentence);
	});
}

test("all problems are told at once", () => {
	const worst = issue({
		commonName: "old.example.com",
		keys: rsaKeys(1024),
		hash: "sha1",
		untilMs: 1e12,
		fromMs: 9e11,
	});
	const problems = inspectCertificate(worst.cert, self.key, [NAME], NOW);
	assert.equal(problems.length, 5, problems.join("\n"));
});

test("a wildcard covers one label, and itself", () => {
	const wild = issue({ commonName: "wild", names: ["*.example.com"] });
	const fits = (name: string): boolean => inspect(wild, { names: [name] }) === "";
	assert.deepEqual(
		["a.example.com", "*.example.com", "example.com", "a.b.example.com", "*.b.example.com"].map(fits),
		[true, true, false, false, false],
	);
});

test("a certificate for upstreams needs no name of a host, and must be for clients", () => {
	const ann = issue({ commonName: "Ann", names: [], usages: [CLIENT_AUTH] });
	assert.deepEqual(inspectClientCertificate(ann.cert, ann.key, NOW), []);
	assert.match(
		inspectClientCertificate(leaf.cert, self.key, NOW).join("\n"),
		/does not belong to the certificate in .*\n.*: the certificate is not meant for clients/,
	);
});

test("authorities: expired ones and empty files are found", () => {
	const gone = issue({ commonName: "Gone", isAuthority: true, untilMs: NOW.getTime() - 1000 });
	assert.deepEqual(inspectAuthorities(chainOf("ca.pem", root), NOW), []);
	assert.match(
		inspectAuthorities(chainOf("ca.pem", root, gone), NOW).join("\n"),
		/^ca\.pem: certificate 2 \(CN=Gone\) expired/,
	);
	assert.match(
		inspectAuthorities({ file: "ca.pem", text: "" }, NOW).join("\n"),
		/^ca\.pem: holds no certificate/,
	);
});
