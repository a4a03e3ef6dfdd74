/** Protocols in which the server speaks first: a client that says nothing takes the route for such. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream } from "../support/peers.js";
import { scenario } from "../support/scenario.js";
import { dialTls, entry, identity } from "../support/tls.js";

const GREETING = "220 mail.test ESMTP\r\n";

function mail(peer: Peer): void {
	peer.socket.write(GREETING);
	peer.socket.once("data", () => peer.socket.end("221 bye\r\n"));
	peer.socket.once("end", () => peer.socket.end());
}

scenario("a client that waits for the server's greeting gets it after timeouts.silence", async (scenario) => {
	const server = await startUpstream(scenario, mail);
	const web = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
timeouts: { silence: 1s, handshake: 60s }
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { protocol: http, to: web }
      - { protocol: any, to: mail }
upstreams: { web: "${web.address}", mail: "${server.address}" }
`,
	);
	const client = await dial(scenario, gateway.port());
	await client.expect(GREETING);
	await client.send("QUIT\r\n");
	assert.equal(await client.rest(), "221 bye\r\n");
	client.end();
	const session = await gateway.sessionOf(client);
	assert.deepEqual([session.protocol, session.route, session.upstream], ["unknown", "protocol=any", "mail"]);
	assert.ok(Date.parse(session.recognized ?? "") - Date.parse(session.accepted) >= 999);

	// Whoever speaks at once is routed by what it says, and `any` takes what no route before it did.
	const asking = await dial(scenario, gateway.port());
	asking.end("GET / HTTP/1.0\r\n\r\n");
	assert.equal(await asking.rest(), "GET / HTTP/1.0\r\n\r\n");
	assert.equal((await gateway.sessionOf(asking)).upstream, "web");
	const impatient = await dial(scenario, gateway.port());
	await impatient.send("EHLO me.test\r\n");
	await impatient.expect(GREETING);
	impatient.end();
	const other = await gateway.sessionOf(impatient);
	assert.deepEqual([other.protocol, other.upstream], ["other", "mail"]);
});

scenario("a client that has begun to speak is no longer taken for a silent one", async (scenario) => {
	const server = await startUpstream(scenario, mail);
	const gateway = await startGateway(
		scenario,
		`
timeouts: { silence: 1s, handshake: 2s }
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { host: www.test, to: mail }
      - { protocol: any, to: mail }
upstreams: { mail: "${server.address}" }
`,
	);
	const client = await dial(scenario, gateway.port());
	client.socket.write("GET / HTTP/1.1\r\nHo");
	await client.over();
	const session = await gateway.sessionOf(client);
	assert.deepEqual([session.reason, session.upstream], ["handshake_timeout", null]);
	assert.equal(server.peers.length, 0);
});

scenario("a listener without conditions waits for nothing: the server may speak first", async (scenario) => {
	const server = await startUpstream(scenario, mail);
	const gateway = await startGateway(
		scenario,
		`
timeouts: { handshake: 200ms }
listeners:
  - listen: 127.0.0.1:0
    routes: [{ to: mail }]
upstreams: { mail: "${server.address}" }
`,
	);
	const client = await dial(scenario, gateway.port());
	await client.expect(GREETING);
	client.end();
	const session = await gateway.sessionOf(client);
	assert.deepEqual([session.route, session.bytes_to_client >= GREETING.length], ["*", true]);
});

scenario(
	"first bytes that tell nothing reach a catch-all route, in the open and within TLS",
	async (scenario) => {
		const server = await startUpstream(scenario, echo);
		const certificate = identity(scenario, "a.test");
		const gateway = await startGateway(
			scenario,
			`
timeouts: { silence: 20ms, handshake: 60s }
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["a.test"])}]
    routes: [{ host: www.test, to: reject }, { to: server }]
upstreams: { server: "${server.address}" }
`,
		);
		const dials = [
			() => dial(scenario, gateway.port()),
			() => dialTls(scenario, gateway.port(), "a.test"),
		] as const;
		const talk = async (connect: (typeof dials)[number], said: string): Promise<void> => {
			const waiting = await connect();
			await waiting.send(said);
			await waiting.expect(said);
			waiting.end();
			assert.equal(await waiting.rest(), "");
			assert.equal((await gateway.sessionOf(waiting)).protocol, "other");

			const ending = await connect();
			ending.end(said);
			assert.equal(await ending.rest(), said);
			assert.equal((await gateway.sessionOf(ending)).reason, "client_closed");
		};
		await Promise.all(dials.flatMap((connect) => ["\r\n", "HELLO"].map((said) => talk(connect, said))));
	},
);
