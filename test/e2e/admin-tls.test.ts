/** The admin port through TLS: whom its clients believe, and what a reload makes of its certificate. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rewriteCertificate } from "../../src/rig/certificate.js";
import { MAIN } from "../../src/rig/gateway.js";
import { issue } from "../../src/rig/issue.js";
import { startGateway } from "../support/gateway.js";
import { type Outcome, run } from "../support/processes.js";
import { scenario } from "../support/scenario.js";
import { dialTls, identity } from "../support/tls.js";

const TOKEN = "0123456789abcdef";
const REST = `
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "127.0.0.1:9" }
`;

function sluice(...args: string[]): Promise<Outcome> {
	return run({ path: process.execPath }, [MAIN, ...args]);
}

scenario(
	"through TLS the token goes to whom an authority vouches for, and to nobody else",
	async (scenario) => {
		const authority = identity(scenario, "authority", { isAuthority: true });
		const stranger = identity(scenario, "stranger", { isAuthority: true });
		const own = identity(scenario, "localhost", { issuer: authority });
		const gateway = await startGateway(
			scenario,
			`
admin: { listen: "127.0.0.1:0", tls: { cert: "${own.certFile}", key: "${own.keyFile}" } }
admin_tokens: { full: "${TOKEN}" }
${REST}`,
			{ token: TOKEN },
		);
		const port = gateway.adminPort;
		const ask = (admin: string, ...more: string[]): Promise<Outcome> =>
			sluice("reload", "--admin", admin, "--token", TOKEN, ...more);
		const [good, unknown, wrong, otherName, inTheOpen, needless] = await Promise.all([
			ask(`https://localhost:${port}`, "--ca", authority.certFile),
			ask(`https://localhost:${port}`),
			ask(`https://localhost:${port}`, "--ca", stranger.certFile),
			ask(`https://127.0.0.1:${port}`, "--ca", authority.certFile),
			ask(`127.0.0.1:${port}`),
			ask(`127.0.0.1:${port}`, "--ca", authority.certFile),
		]);
		assert.deepEqual([good.status, good.stderr], [0, ""]);
		assert.match(
			unknown.stderr,
			/certificate is not trusted \(.*\); name the authority that issued it.* with --ca FILE/,
		);
		assert.match(wrong.stderr, /not trusted .*the authorities in .*stranger\.pem have not issued it/);
		assert.match(
			otherName.stderr,
			/does not match.* Ask it by a name of its certificate: --admin https:\/\/NAME:PORT/,
		);
		assert.match(inTheOpen.stderr, /if it speaks TLS, write --admin https:\/\/HOST:PORT/);
		assert.match(needless.stderr, /--ca does nothing for 127\.0\.0\.1/);
		for (const { status } of [unknown, wrong, otherName, inTheOpen, needless]) assert.equal(status, 1);
		assert.equal(gateway.log.filter(({ message }) => message === "reloaded").length, 1);
		const report = JSON.parse((await gateway.admin("/api/ledger")).body) as { discrepancies: unknown[] };
		assert.deepEqual(report.discrepancies, []);

		// Whoever has the configuration knows the certificate, whatever it is for; the port is what it says.
		const file = join(scenario.directory, "operator.yaml");
		writeFileSync(file, gateway.yaml.replace("127.0.0.1:0", `127.0.0.1:${port}`));
		const byFile = await sluice("status", "-c", file);
		assert.deepEqual([byFile.status, byFile.stderr], [0, ""]);
	},
);

scenario(
	"a reload shows new admin connections the new certificate, also one in other files",
	async (scenario) => {
		const first = identity(scenario, "first.test");
		const yaml = (of: typeof first): string =>
			`admin: { listen: "127.0.0.1:0", tls: { cert: "${of.certFile}", key: "${of.keyFile}" } }\n${REST}`;
		const gateway = await startGateway(scenario, yaml(first));
		const shown = async (): Promise<string> => (await dialTls(scenario, gateway.adminPort, "x.test")).shown;
		assert.equal(await shown(), "first.test");
		rewriteCertificate(first, issue({ commonName: "second.test" }));
		assert.equal((await gateway.hangUp()).message, "reloaded");
		assert.equal(await shown(), "second.test");
		gateway.write(yaml(identity(scenario, "third.test")));
		assert.equal((await gateway.hangUp()).message, "reloaded");
		assert.equal(await shown(), "third.test");
		assert.ok(!gateway.log.some(({ message }) => message.includes("only with a restart")));

		writeFileSync(first.certFile, "no certificate");
		gateway.write(yaml(first));
		const { error } = await gateway.hangUp();
		assert.match(String(error), /first\.test\.pem/);
		assert.equal(await shown(), "third.test", "what was good stays");
		assert.match((await gateway.admin("/api/certificates")).body, /third\.test/);
		assert.match(readFileSync(first.certFile, "utf8"), /no certificate/);
	},
);

scenario("elsewhere than on loopback it is not opened in the open", async (scenario) => {
	const file = join(scenario.directory, "open.yaml");
	writeFileSync(file, `admin: 0.0.0.0:0\n${REST}`);
	const { status, stderr } = await sluice("run", "-c", file);
	assert.equal(status, 2);
	assert.match(
		stderr,
		/open\.yaml:1:8: on 0\.0\.0\.0:0 the admin pages .* write admin: \{ listen: "0\.0\.0\.0:0", tls:/,
	);
});
