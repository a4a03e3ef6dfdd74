/** Client certificates: asked for by name, before any route, and told to upstreams in a field that nobody can forge. */
import assert from "node:assert/strict";
import type { ConnectionOptions } from "node:tls";
import { CLIENT_AUTH } from "../../src/rig/issue.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, type Peer, startUpstream, type Upstream } from "../support/peers.js";
import { answering, get, message, ok } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { dialTls, entry, identity, type TlsPeer } from "../support/tls.js";

interface Stage {
	readonly gateway: Gateway;
	readonly upstream: Upstream;
	/** Options of a client that shows such a certificate. */
	readonly shows: Readonly<Record<"staff" | "stranger" | "second", ConnectionOptions>>;
}

/** `staff.test` asks for certificates of one authority, `second.test` for those of another, `www.test` for none. */
async function startStage(
	scenario: Scenario,
	upstreamOf = (address: string) => `{ http: "http://${address}" }`,
) {
	const upstream = await startUpstream(
		scenario,
		answering((head) => ok(head)),
	);
	const staff = identity(scenario, "Staff CA", { isAuthority: true });
	const second = identity(scenario, "Second CA", { isAuthority: true });
	const servers = ["staff.test", "second.test", "www.test"].map((name) => identity(scenario, name));
	const [ofStaff, ofSecond, ofWww] = servers as [
		(typeof servers)[0],
		(typeof servers)[0],
		(typeof servers)[0],
	];
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
tls: { client_subject_header: X-Client-Subject }
listeners:
  - listen: 127.0.0.1:0
    tls:
      - ${entry(ofStaff, ["staff.test", "*.staff.test"], `client_ca: "${staff.certFile}"`)}
      - ${entry(ofSecond, ["second.test"], `client_ca: "${second.certFile}"`)}
      - ${entry(ofWww, ["www.test"])}
    routes: [{ host: "staff.test", to: a }, { to: a }]
  - listen: 127.0.0.1:0
    routes: [{ host: "staff.test", to: a }, { to: a }]
upstreams: { a: ${upstreamOf(upstream.address)} }
`,
	);
	const shown = (commonName: string, issuer: typeof staff): ConnectionOptions => {
		const { cert, key } = identity(scenario, commonName, {
			issuer,
			names: [],
			usages: [CLIENT_AUTH],
			attributes: [["2.5.4.10", "Example, Inc."]],
		});
		return { cert: cert.text, key: key.text };
	};
	const unknown = identity(scenario, "Staff CA", { isAuthority: true });
	const shows = {
		staff: shown("alice", staff),
		stranger: shown("mallory", unknown),
		second: shown("bob", second),
	};
	return { gateway, upstream, shows } satisfies Stage;
}

/** What the upstream was told, when it was asked. */
async function ask(client: Peer, host: string, fields = ""): Promise<string> {
	await client.send(get("/", host, fields));
	return (await message(client)).body;
}

const SUBJECT = /^x-client-subject: .*$/gim;

scenario(
	"who shows a certificate of the authority gets in, and the upstream is told its subject",
	async (scenario) => {
		const { gateway, shows } = await startStage(scenario);
		for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
			const client = await dialTls(scenario, gateway.port(), "staff.test", { ...shows.staff, maxVersion });
			// Twice, for the second request is routed on its own. Its own field is dropped.
			for (const fields of ["", "X-Client-Subject: CN=root\r\nx_client_subject: CN=root\r\n"]) {
				const told = await ask(client, "staff.test", fields);
				assert.deepEqual(told.match(SUBJECT), ["X-Client-Subject: CN=alice,O=Example\\, Inc."], told);
			}
			client.end();
			await gateway.sessionOf(client);
		}
	},
);

scenario("who shows none, or one of somebody else, is refused before any route", async (scenario) => {
	const { gateway, upstream, shows } = await startStage(scenario);
	for (const options of [{}, shows.stranger, shows.second])
		for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
			const fate = await fateOf(scenario, gateway, options, maxVersion);
			assert.match(fate, /ALERT|ECONNRESET|ended/i);
		}
	const sessions = await gateway.sessions(6);
	for (const { reason, route, upstream: to } of sessions)
		assert.deepEqual([reason, route, to], ["tls_failed", null, null]);
	assert.equal(upstream.peers.length, 0);
	assert.equal(
		await gateway.metricIs("sluice_tls_handshakes_total", (count) => count === 6, { result: "failed" }),
		6,
	);
});

/** In TLS 1.3 a client learns that it is refused only when it reads. */
async function fateOf(
	scenario: Scenario,
	gateway: Gateway,
	options: ConnectionOptions,
	maxVersion: "TLSv1.2" | "TLSv1.3",
): Promise<string> {
	try {
		const client: TlsPeer = await dialTls(scenario, gateway.port(), "staff.test", { ...options, maxVersion });
		client.socket.write(get("/", "staff.test"));
		return await client.over();
	} catch (error) {
		return (error as NodeJS.ErrnoException).code ?? String(error);
	}
}

scenario("nobody who was not asked can forge the field, on any listener", async (scenario) => {
	const { gateway } = await startStage(scenario);
	const forged = "X-Client-Subject: CN=alice\r\nX_Client_Subject: CN=alice\r\n";
	for (const client of [
		await dialTls(scenario, gateway.port(), "www.test"),
		await dial(scenario, gateway.port(1)),
	]) {
		const told = await ask(client, "www.test", forged);
		assert.equal(told.match(SUBJECT), null, told);
		assert.doesNotMatch(told, /x_client_subject/i);
	}
});

const MISDIRECTED = [
	"staff.test",
	"STAFF.test",
	"staff.test:443",
	"staff.test.",
	"staff.test.:8443",
	"deep.er.staff.test",
];

for (const [kind, upstreamOf] of [
	["requests", undefined],
	["bytes", (address: string) => `"${address}"`],
] as const)
	scenario(
		`a Host that asks for other clients than its connection did is 421, for ${kind}`,
		async (scenario) => {
			const { gateway, upstream, shows } = await startStage(scenario, upstreamOf);
			const asking = async (client: Peer, host: string): Promise<string> => {
				await client.send(get("/", host));
				return (await message(client)).head.slice(0, 12);
			};
			for (const host of MISDIRECTED) {
				// Not asked for one at all; or for one of others; or not even TLS.
				assert.equal(
					await asking(await dialTls(scenario, gateway.port(), "www.test"), host),
					"HTTP/1.1 421",
					host,
				);
				const other = await dialTls(scenario, gateway.port(), "second.test", shows.second);
				assert.equal(await asking(other, host), "HTTP/1.1 421", host);
				assert.equal(await asking(await dial(scenario, gateway.port()), host), "HTTP/1.1 421", host);
			}
			assert.equal(upstream.peers.length, 0);
			// A target in absolute form says it, too.
			const absolute = await dialTls(scenario, gateway.port(), "www.test");
			await absolute.send("GET http://staff.test/ HTTP/1.1\r\nHost: www.test\r\n\r\n");
			assert.match((await message(absolute)).head, /^HTTP\/1\.1 4(21|00)/);
			// A listener that terminates nothing asks nobody, and who was asked for more may ask for less.
			assert.equal(await asking(await dial(scenario, gateway.port(1)), "staff.test"), "HTTP/1.1 200");
			const more = await dialTls(scenario, gateway.port(), "staff.test", shows.staff);
			assert.equal(await asking(more, "www.test"), "HTTP/1.1 200");
		},
	);

scenario("on a connection that is kept, a later request is asked as well", async (scenario) => {
	const { gateway } = await startStage(scenario);
	const client = await dialTls(scenario, gateway.port(), "www.test");
	await ask(client, "www.test");
	await client.send(get("/", "staff.test"));
	assert.match((await message(client)).head, /^HTTP\/1\.1 421/);
	await client.rest();
});

scenario("a reload may take the field's name away", async (scenario) => {
	const upstream = await startUpstream(
		scenario,
		answering((head) => ok(head)),
	);
	const config = (tls: string): string => `
${tls}
listeners: [{ listen: "127.0.0.1:0", routes: [{ to: a }] }]
upstreams: { a: { http: "http://${upstream.address}" } }
`;
	const gateway = await startGateway(scenario, config("tls: { client_subject_header: X-Subject }"));
	const told = async (): Promise<string> =>
		ask(await dial(scenario, gateway.port()), "x", "X-Subject: a\r\n");
	assert.doesNotMatch(await told(), /x-subject/i);
	gateway.write(config("tls: {}"));
	await gateway.hangUp();
	assert.match(await told(), /x-subject: a/i);
});
