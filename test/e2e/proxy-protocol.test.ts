/** The PROXY protocol with HAProxy on either side: whoever the client is, everybody along the way knows. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FreeAddress, freeAddress } from "../support/addresses.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { accepting, run, start } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { identity } from "../support/tls.js";

/** HAProxy with that configuration, listening there. */
async function startHaproxy(
	scenario: Scenario,
	{ host, port }: FreeAddress,
	configuration: string,
): Promise<void> {
	const file = join(scenario.directory, `haproxy-${port}.cfg`);
	writeFileSync(
		file,
		`
global
  maxconn 100
defaults
  timeout connect 5s
  timeout client 20s
  timeout server 20s
${configuration}`,
	);
	const server = start(scenario, "haproxy", ["-db", "-f", file]);
	await accepting(port, host, server);
}

/** A web page of HAProxy's that says where it believes the client to be. */
function startReceiver(scenario: Scenario, at: FreeAddress): Promise<void> {
	return startHaproxy(
		scenario,
		at,
		`
frontend receiver
  mode http
  bind ${at.text} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] to %[dst]:%[dst_port] id %[fc_pp_unique_id] sni %[fc_pp_authority]"
`,
	);
}

async function startRequiring(
	scenario: Scenario,
	upstream: string,
	version: string,
	{ trusted = "127.0.0.0/8", handshake = "4s" } = {},
): Promise<Gateway> {
	return startGateway(
		scenario,
		`
timeouts: { handshake: ${handshake} }
listeners:
  - listen: 127.0.0.1:0
    proxy_protocol: require
    trusted: [${trusted}]
    routes: [{ host: www.test, to: web }, { protocol: other, to: web }]
upstreams:
  web: { addresses: "${upstream}", proxy_protocol: ${version} }
`,
	);
}

const REQUEST = "GET / HTTP/1.1\r\nHost: www.test\r\nConnection: close\r\n\r\n";

for (const version of ["v1", "v2"] as const) {
	scenario(
		`HAProxy sends ${version} and HAProxy receives ${version}: both ends and the log see the real client`,
		async (scenario) => {
			const receiver = await freeAddress();
			await startReceiver(scenario, receiver);
			const gateway = await startRequiring(scenario, receiver.text, version);
			const sender = await freeAddress();
			const send = version === "v1" ? "send-proxy" : "send-proxy-v2 proxy-v2-options unique-id,crc32c";
			await startHaproxy(
				scenario,
				sender,
				`
frontend sender
  mode tcp
  bind ${sender.text}
  unique-id-format "request-of-%ci"
  default_backend gateway
backend gateway
  mode tcp
  server gateway 127.0.0.1:${gateway.port()} ${send}
`,
			);
			// A client whose address is nobody else's.
			const client = await dial(scenario, sender.port, { host: sender.host, localAddress: "127.9.8.7" });
			await client.send(REQUEST);
			const answer = await client.rest();
			client.end();
			const id = version === "v1" ? "" : "request-of-127.9.8.7";
			// Bytes that only v2 has (a unique id) are handed on with it.
			assert.ok(answer.includes(`${client.name} to ${sender.text} id ${id} sni`), answer);
			const session = await gateway.sessionOf(client);
			assert.deepEqual([session.protocol, session.name, session.upstream], ["http", "www.test", "web"]);
			// The header is no byte of the client's, and none to the upstream.
			assert.equal(session.bytes_from_client, REQUEST.length);
		},
		{ needs: ["haproxy"] },
	);
}

scenario(
	"what HAProxy says about the TLS that it terminated is handed on in v2",
	async (scenario) => {
		const receiver = await freeAddress();
		await startReceiver(scenario, receiver);
		const gateway = await startRequiring(scenario, receiver.text, "v2");
		const sender = await freeAddress();
		const { certFile, bothFile } = identity(scenario, "www.test");
		await startHaproxy(
			scenario,
			sender,
			`
frontend sender
  mode tcp
  bind ${sender.text} ssl crt ${bothFile}
  default_backend gateway
backend gateway
  mode tcp
  server gateway 127.0.0.1:${gateway.port()} send-proxy-v2 proxy-v2-options ssl,cert-cn,authority,crc32c
`,
		);
		const to = ["--connect-to", `www.test:443:${sender.text}`];
		const { status, output } = await run("curl", [
			"-q",
			"-sS",
			"--cacert",
			certFile,
			...to,
			"https://www.test/",
		]);
		assert.equal(status, 0, output);
		assert.match(output, /^127\.0\.0\.1:\d+ to \S+ id {2}sni www\.test$/);
	},
	{ needs: ["haproxy", "curl"] },
);

scenario(
	"without a header from the client, the upstream is told the connection's own addresses",
	async (scenario) => {
		for (const [version, header] of [
			["v1", /^PROXY TCP4 127\.6\.5\.4 127\.0\.0\.1 \d+ \d+\r\n/],
			// Signature, PROXY over TCP4, twelve bytes: source, destination, both ports.
			["v2", /^0d0a0d0a000d0a515549540a2111000c7f0605047f000001/],
		] as const) {
			const upstream = await startUpstream(scenario);
			const gateway = await startGateway(
				scenario,
				`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: { addresses: "${upstream.address}", proxy_protocol: ${version} } }
`,
			);
			const client = await dial(scenario, gateway.port(), { localAddress: "127.6.5.4" });
			// A server that speaks first, before the client has sent anything, gets its header as well.
			const server = await upstream.accepted();
			client.end("after it");
			const text = await server.rest();
			server.end();
			assert.match(version === "v1" ? text : server.received.toString("hex"), header);
			assert.ok(text.endsWith("after it"));
			assert.equal((await gateway.sessionOf(client)).bytes_from_client, "after it".length);
			await gateway.release();
		}
	},
);

scenario("a sender that is not trusted is refused, however good its header", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	const gateway = await startRequiring(scenario, upstream.address, "off", { trusted: "127.1.0.0/16" });
	const stranger = await dial(scenario, gateway.port());
	stranger.socket.write(`PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n${REQUEST}`);
	await stranger.over();
	const session = await gateway.onlySession();
	assert.deepEqual([session.reason, session.source, session.upstream], ["proxy_header", stranger.name, null]);
	assert.equal(upstream.peers.length, 0);

	const trusted = await dial(scenario, gateway.port(), { localAddress: "127.1.2.3" });
	trusted.end(`PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n${REQUEST}`);
	assert.equal(await trusted.rest(), REQUEST);
	assert.equal((await gateway.sessionOf({ name: "192.0.2.1:1000" })).reason, "client_closed");
});

scenario("a trusted sender without a header, or with a broken one, is refused", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	const gateway = await startRequiring(scenario, upstream.address, "off", { handshake: "1500ms" });
	const refused = async (bytes: string, why: string): Promise<void> => {
		const client = await dial(scenario, gateway.port());
		client.socket.write(bytes, "latin1");
		await client.over();
		const { reason, upstream: taken } = await gateway.sessionOf(client);
		assert.deepEqual([reason, taken], [why, null]);
	};
	await Promise.all([
		refused(REQUEST, "proxy_header"),
		refused("PROXY TCP4 192.0.2.999 192.0.2.2 1 2\r\n", "proxy_header"),
		refused("\r\n\r\n\0\r\nQUIT\n\x41\x11\0\x0c", "proxy_header"),
		refused("PROXY TCP4 192.0.2.1", "handshake_timeout"),
	]);
});

scenario("the header may come in pieces, before anything else or together with it", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	const gateway = await startRequiring(scenario, upstream.address, "off");
	const client = await dial(scenario, gateway.port());
	client.socket.setNoDelay(true);
	for (const byte of "PROXY TCP6 2001:db8::1 2001:db8::2 1000 2000\r\n") await client.send(byte);
	await client.send("12345");
	await client.send("!\r\n");
	await client.expect("12345!\r\n");
	client.end();
	await client.rest();
	assert.equal((await gateway.onlySession()).source, "[2001:db8::1]:1000");
});

scenario("a client is told of by its own header, also where requests are read beside", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	const web = await startUpstream(scenario);
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    proxy_protocol: require
    trusted: [127.0.0.0/8]
    routes: [{ host: www.test, to: raw }, { host: api.test, to: web }]
upstreams:
  raw: { addresses: "${upstream.address}", proxy_protocol: v1 }
  web: { http: "http://${web.address}" }
`,
	);
	for (const header of ["TCP4 192.0.2.1 192.0.2.2 1000 2000", "TCP6 2001:db8::1 2001:db8::2 1111 443"]) {
		const client = await dial(scenario, gateway.port());
		client.end(`PROXY ${header}\r\n${REQUEST}`);
		assert.equal(await client.rest(), `PROXY ${header}\r\n${REQUEST}`);
	}
	await gateway.sessions(2);
});
