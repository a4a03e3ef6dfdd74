/** Certificates that are replaced while connections are open, and sessions that are resumed across all of that. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { rewriteCertificate } from "../../src/rig/certificate.js";
import { issue } from "../../src/rig/issue.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { echo, startUpstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { dialTls, entry, type Identity, identity, type TlsPeer } from "../support/tls.js";
import { eventually } from "../support/waiting.js";

interface Options {
	readonly reload?: string;
	readonly reactors?: number;
	readonly routes?: string;
}

async function startEcho(scenario: Scenario, certificate: Identity, options: Options = {}) {
	const upstream = await startUpstream(scenario, echo);
	const config = ({ reload = "1h", reactors = 1, routes = "{ to: a }" }: Options): string => `
reactors: ${reactors}
tls: { reload: ${reload} }
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["a.test"])}]
    routes: [${routes}]
upstreams: { a: "${upstream.address}" }
`;
	const gateway = await startGateway(scenario, config(options));
	return { gateway, rewriteConfig: (changed: Options) => gateway.write(config({ ...options, ...changed })) };
}

async function echoes(client: TlsPeer, text: string): Promise<void> {
	await client.send(text);
	await client.expect(text);
}

/** Serial number of the certificate that a new client is shown. */
async function shownTo(scenario: Scenario, gateway: Gateway, more: object = {}): Promise<string> {
	const client = await dialTls(scenario, gateway.port(), "a.test", more);
	const serial = client.tls.getPeerCertificate().serialNumber;
	client.socket.destroy();
	return serial;
}

/** Puts a new certificate for the same name into its files. */
function renew(certificate: Identity): void {
	rewriteCertificate(certificate, issue({ commonName: "a.test" }));
}

scenario("changed files are used for new connections, and live ones are left alone", async (scenario) => {
	const certificate = identity(scenario, "a.test");
	const { gateway } = await startEcho(scenario, certificate, { reload: "20ms" });
	const live = await dialTls(scenario, gateway.port(), "a.test");
	const before = live.tls.getPeerCertificate().serialNumber;
	await echoes(live, "before");
	assert.equal(await shownTo(scenario, gateway), before);
	const expirySeconds = async () => (await gateway.metrics()).sum("sluice_certificate_expiry_seconds");
	assert.equal(await expirySeconds(), Date.parse(live.tls.getPeerCertificate().valid_to) / 1_000);
	const from = gateway.log.length;
	renew(certificate);
	await gateway.logged(({ message }) => message === "certificates reloaded", from);
	const after = await shownTo(scenario, gateway);
	assert.notEqual(after, before);
	await echoes(live, "after");
	live.end();
	await live.rest();
	assert.equal((await gateway.sessionOf(live)).reason, "client_closed");
});

scenario("SIGHUP reads the files again, whether or not the configuration has changed", async (scenario) => {
	const certificate = identity(scenario, "a.test");
	const { gateway } = await startEcho(scenario, certificate);
	const live = await dialTls(scenario, gateway.port(), "a.test");
	const before = live.tls.getPeerCertificate().serialNumber;
	renew(certificate);
	assert.equal(await shownTo(scenario, gateway), before);
	assert.equal((await gateway.hangUp()).message, "reloaded");
	assert.notEqual(await shownTo(scenario, gateway), before);
	await echoes(live, "still here");
});

scenario(
	"a broken replacement changes nothing, is told, and is looked at again when it is mended",
	async (scenario) => {
		const certificate = identity(scenario, "a.test");
		const { gateway } = await startEcho(scenario, certificate, { reload: "20ms" });
		const before = await shownTo(scenario, gateway);
		let from = gateway.log.length;
		// A renewal writes the certificate first: for a moment it is of another key.
		writeFileSync(certificate.certFile, issue({ commonName: "a.test" }).cert.text);
		const { error } = await gateway.logged(
			({ message }) => message.startsWith("certificates not reloaded"),
			from,
		);
		assert.match(
			error ?? "",
			new RegExp(`/sluice\\.yaml:\\d+:\\d+: ${certificate.keyFile}: the private key does not belong`),
		);
		assert.equal(await shownTo(scenario, gateway), before);

		// SIGHUP finds the same, and it changes nothing either.
		const line = await gateway.hangUp();
		assert.match(line.message, /^not reloaded/);
		assert.match(JSON.stringify(line), /the private key does not belong/);
		assert.equal(await shownTo(scenario, gateway), before);

		from = gateway.log.length;
		renew(certificate);
		await gateway.logged(({ message }) => message === "certificates reloaded", from);
		assert.notEqual(await shownTo(scenario, gateway), before);
	},
);

/** A session that a later connection may continue. In TLS 1.3 tickets come behind the handshake. */
async function sessionOf(client: TlsPeer, maxVersion: string): Promise<Buffer> {
	const { tls } = client;
	const arrived = maxVersion === "TLSv1.2" ? undefined : (once(tls, "session") as Promise<[Buffer]>);
	await echoes(client, "x");
	const session = arrived === undefined ? tls.getSession() : (await arrived)[0];
	client.end();
	await client.rest();
	if (session === undefined) throw new Error("no session");
	return session;
}

for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const)
	scenario(`${maxVersion} sessions are resumed in every reactor and over reloads`, async (scenario) => {
		const certificate = identity(scenario, "a.test");
		const { gateway, rewriteConfig } = await startEcho(scenario, certificate, { reactors: 2 });
		const dial = (more: object = {}): Promise<TlsPeer> =>
			dialTls(scenario, gateway.port(), "a.test", { maxVersion, ...more });
		const session = await sessionOf(await dial(), maxVersion);

		// The kernel spreads connections over reactors by their ports: of so many, both have some.
		const CLIENTS = 24;
		const resume = async (): Promise<boolean> => {
			const client = await dial({ session });
			const resumed = client.tls.isSessionReused();
			await echoes(client, "y");
			client.end();
			await client.rest();
			return resumed;
		};
		for (let i = 0; i < CLIENTS; i++) assert.ok(await resume(), `connection ${i}`);
		const ids = (await gateway.sessions(CLIENTS + 1)).map(({ id }) => id);
		assert.equal(new Set(ids.map((id) => id % 2)).size, 2, "all in one reactor");
		assert.equal(
			await gateway.metricIs("sluice_tls_handshakes_total", (count) => count === CLIENTS, {
				result: "resumed",
			}),
			CLIENTS,
		);

		rewriteConfig({ reactors: 2, routes: "{ sni: a.test, to: a }, { to: reject }" });
		assert.equal((await gateway.hangUp()).message, "reloaded");
		assert.ok(await resume(), "after a reload");
		renew(certificate);
		assert.equal((await gateway.hangUp()).message, "reloaded");
		// Another certificate: whether a ticket of the earlier one is taken or not, the client gets in.
		await resume();
	});

scenario("a live connection outlives its certificate's entry and its whole listener", async (scenario) => {
	const certificate = identity(scenario, "a.test");
	const upstream = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["a.test"])}]
    routes: [{ to: a }]
upstreams: { a: "${upstream.address}" }
`,
	);
	const atStart = gateway.descriptors().length;
	const clients = [];
	for (let i = 0; i < 4; i++) {
		const client = await dialTls(scenario, gateway.port(), "a.test");
		clients.push(client);
		await echoes(client, "before");
	}
	const plain = `
listeners: [{ listen: "127.0.0.1:0", routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`;
	gateway.write(plain);
	await gateway.hangUp();
	for (const client of clients) await echoes(client, "without its certificate");
	gateway.write(plain.replace("127.0.0.1:0", "127.0.0.2:0"));
	await gateway.hangUp();
	gateway.write(plain);
	await gateway.hangUp();
	for (const client of clients) await echoes(client, "without its listener");
	assert.equal(await gateway.metricIs("sluice_tls_sessions", (count) => count === 4), 4);
	for (const client of clients) {
		client.end();
		await client.rest();
	}
	await gateway.sessions(4);
	assert.equal(await gateway.metricIs("sluice_tls_sessions", (count) => count === 0), 0);
	assert.equal((await gateway.admin("/api/ledger")).status, 200);
	assert.equal((await gateway.metrics()).sum("sluice_ledger_discrepancy"), 0);
	// Other listeners than at the start, and as many.
	await eventually(
		() => (gateway.descriptors().length === atStart ? true : undefined),
		() => `${gateway.descriptors().length} descriptors, and not ${atStart}`,
	);
	gateway.rebase();
});
