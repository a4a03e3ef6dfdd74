/** What is wrong with files of certificates is said with file and reason: by `check`, and at the start. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { MAIN } from "../../src/rig/gateway.js";
import { DAY_MS, type Issue, issue, rsaKeys } from "../../src/rig/issue.js";
import { EMPTY_RESPONSE } from "../kernel/ocsp-response.js";
import { startGateway } from "../support/gateway.js";
import { type Outcome, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { entry, handshakeFate, type Identity, identity } from "../support/tls.js";

function configFor(certificate: Identity, more = ""): string {
	return `
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["a.test"], more)}]
    routes: [{ to: a }]
upstreams: { a: 127.0.0.1:1 }
`;
}

function sluice(
	scenario: Scenario,
	command: "check" | "run",
	yaml: string,
	...options: string[]
): Promise<Outcome> {
	const file = join(scenario.directory, "sluice.yaml");
	writeFileSync(file, yaml);
	return run({ path: process.execPath }, [MAIN, command, "-c", file, ...options]);
}

/** What clients would refuse: told, and served all the same. */
const WARNINGS: readonly (readonly [what: string, options: Partial<Issue>, said: RegExp])[] = [
	["has expired", { fromMs: Date.now() - 9 * DAY_MS, untilMs: Date.now() - DAY_MS }, /expired on \d{4}-/],
	[
		"is not valid yet",
		{ fromMs: Date.now() + DAY_MS, untilMs: Date.now() + 9 * DAY_MS },
		/is not valid before \d{4}-/,
	],
	["is for other names", { names: ["b.test", "*.a.test"] }, /does not cover a\.test; it covers b\.test/],
	["has a weak key", { keys: rsaKeys(1024) }, /has an RSA key of 1024 bits, which clients refuse as weak/],
];

scenario("what clients would refuse is told by check, and by the log at the start", async (scenario) => {
	const listeners: string[] = [];
	for (const [what, options, said] of WARNINGS) {
		const certificate = identity(scenario, "a.test", options);
		const served = await sluice(scenario, "check", configFor(certificate));
		assert.deepEqual([served.status, /with \d warning/.test(served.stdout)], [0, true], what);
		const { status, stderr, stdout } = await sluice(scenario, "check", configFor(certificate), "--strict");
		assert.deepEqual([status, stdout], [2, ""], what);
		assert.equal(served.stderr, stderr);
		assert.match(stderr, said);
		for (const line of stderr.trimEnd().split("\n"))
			assert.match(line, new RegExp(`sluice\\.yaml:4:\\d+: ${certificate.certFile}: `));
		listeners.push(
			`{ listen: "127.0.0.1:0", tls: [${entry(certificate, ["a.test"])}], routes: [{ to: reject }] }`,
		);
	}
	const gateway = await startGateway(scenario, `listeners: [${listeners.join(", ")}]`);
	const warnings = gateway.log.filter(({ level }) => level === "warn").map(({ message }) => message);
	for (const [what, , said] of WARNINGS)
		assert.equal(warnings.filter((warning) => said.test(warning)).length, 1, what);
	for (let index = 0; index < WARNINGS.length; index++)
		assert.equal(await handshakeFate(scenario, gateway.port(index), "a.test"), "connected");
});

scenario("a file that is named twice is told where it is wrong", async (scenario) => {
	const good = identity(scenario, "a.test");
	const listener = (what: string) =>
		`  - { listen: "127.0.0.1:0", routes: [{ to: reject }], tls: [{ ${what} }] }\n`;
	const first = listener(`names: [a.test], cert: ${good.certFile}, key: ${good.keyFile}`);
	for (const [what, wrong, said] of [
		["names: [b.test]", `cert: ${good.certFile}, key: ${good.keyFile}`, /does not cover b\.test/],
		["names: [a.test]", `cert: ${good.keyFile}, key: ${good.keyFile}`, /holds a private key where/],
		["names: [a.test]", `key: ${good.certFile}, cert: ${good.certFile}`, /holds no private key in PEM/],
	] as const) {
		const second = listener(`${what}, ${wrong}`);
		const { stderr } = await sluice(scenario, "check", `listeners:\n${first}${second}`);
		assert.match(stderr, said);
		assert.match(stderr, new RegExp(`sluice\\.yaml:3:${second.indexOf(wrong) + wrong.indexOf("/") + 1}: `));
	}
});

/** What cannot be used. */
function unusable(scenario: Scenario): readonly (readonly [Identity, RegExp])[] {
	const good = identity(scenario, "a.test");
	const other = identity(scenario, "a.test");
	const absent = join(scenario.directory, "absent.pem");
	const rubbish = join(scenario.directory, "rubbish.pem");
	writeFileSync(rubbish, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
	const weak = identity(scenario, "a.test", {
		issuer: issue({ commonName: "CA", isAuthority: true }),
		hash: "sha1",
	});
	const empty = join(scenario.directory, "empty.pem");
	writeFileSync(empty, "");
	return [
		[{ ...good, keyFile: other.keyFile }, /the private key does not belong to the certificate in/],
		[{ ...good, certFile: absent }, /absent\.pem: no such file/],
		[{ ...good, certFile: rubbish }, /rubbish\.pem: certificate 1 cannot be read/],
		[{ ...good, certFile: good.keyFile }, /holds a private key where a certificate belongs/],
		[{ ...good, keyFile: good.certFile }, /holds no private key in PEM/],
		[weak, /is signed with SHA-1, which clients refuse/],
		[{ ...good, certFile: empty }, /empty\.pem: /],
		[{ ...good, keyFile: empty }, /empty\.pem: /],
	];
}

scenario("files that cannot be used keep it from starting, each told with its reason", async (scenario) => {
	for (const [index, [certificate, said]] of unusable(scenario).entries()) {
		const yaml = configFor(certificate);
		const checked = await sluice(scenario, "check", yaml);
		assert.equal(checked.status, 2, `${said}: ${checked.output}`);
		assert.match(checked.stderr, said);
		// The same is tried at a start and by `check`, so two starts show that it is.
		if (index > 1) continue;
		const started = await sluice(scenario, "run", yaml);
		assert.notEqual(started.status, 0);
		assert.match(started.output, said);
	}
});

scenario("authorities, staples and what upstreams are shown are tried as well", async (scenario) => {
	const good = identity(scenario, "a.test");
	const other = identity(scenario, "b.test");
	const old = identity(scenario, "Old CA", { isAuthority: true, untilMs: Date.now() - 1 });
	const upstream = (tls: string): string =>
		configFor(good).replace("{ a: 127.0.0.1:1 }", `{ a: { addresses: 127.0.0.1:1, tls: ${tls} } }`);
	const check = async (yaml: string, said: RegExp): Promise<void> => {
		const { status, stderr } = await sluice(scenario, "check", yaml, "--strict");
		assert.equal(status, 2, stderr);
		assert.match(stderr, said);
	};
	await check(
		configFor(good, `client_ca: "${good.keyFile}"`),
		/holds a private key where a certificate belongs/,
	);
	await check(configFor(good, `client_ca: "${old.certFile}"`), /expired on/);
	await check(configFor(good, `ocsp: "${good.certFile}"`), new RegExp(`${good.certFile}: .*OCSP`, "i"));
	const staple = join(scenario.directory, "b.ocsp");
	writeFileSync(staple, EMPTY_RESPONSE);
	await check(
		configFor(good, `ocsp: "${staple}"`),
		/b\.ocsp: says nothing about the certificate in .*\.pem$/m,
	);
	await check(upstream(`{ ca: "${good.keyFile}" }`), /holds a private key where/);
	await check(upstream(`{ ca: /nowhere.pem }`), /sluice\.yaml:6:\d+: \/nowhere\.pem: no such file$/m);
	await check(upstream(`{ cert: "${good.certFile}", key: "${other.keyFile}" }`), /does not belong/);
	await check(`${configFor(good)}tls: { client_subject_header: Host }\n`, /client_subject_header.*Host/);
	const { status, stdout } = await sluice(scenario, "check", upstream(`{ ca: "${good.certFile}" }`));
	assert.equal(status, 0);
	assert.match(stdout, /ok/);
});
