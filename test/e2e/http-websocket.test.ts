/** WebSocket: a valid handshake is passed on, and after 101 the same two connections carry bytes. */
import assert from "node:assert/strict";
import { dial, type Peer } from "../support/peers.js";
import { answering, get, head, message, ok, startRequests } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

function handshake({ key = KEY, version = "13" } = {}): string {
	return get(
		"/chat",
		"a.test",
		`Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: ${version}\r\n`,
	);
}

const SWITCHING = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`;

/** Ends both sides of a relayed session. */
async function end(client: Peer, server: Peer): Promise<void> {
	client.end();
	assert.equal(await server.rest(), "");
	server.end();
	assert.equal(await client.rest(), "");
}

scenario(
	"bytes right behind the handshake arrive, in both directions, also on a connection that was used before",
	async (scenario) => {
		const { gateway, upstream } = await startRequests(scenario);
		const client = await dial(scenario, gateway.port());
		await client.send(get("/page"));
		const server = await upstream.accepted();
		await head(server);
		await server.send(ok("page"));
		assert.equal((await message(client)).body, "page");
		await client.send(`${handshake()}\x81\x85abcd12345`);
		const asked = await head(server);
		assert.match(asked, /\r\nUpgrade: websocket\r\n/i);
		assert.match(asked, /\r\nConnection: upgrade\r\n/i);
		assert.equal(server.received.length, 0, "nothing is relayed before the 101");
		await server.send(`${SWITCHING}\x81\x03abc`);
		assert.match(await head(client), /^HTTP\/1\.1 101 [\s\S]*\r\nSec-WebSocket-Accept: /);
		await client.expect("\x81\x03abc");
		await server.expect("\x81\x85abcd12345");
		await end(client, server);
		const session = await gateway.onlySession();
		assert.equal(session.reason, "client_closed");
		assert.ok(session.bytes_from_client > asked.length + 13, "the request before counts, too");
		await gateway.metricIs("sluice_pool_recycled_total", (count) => count === 1, { reason: "upgraded" });
		await gateway.metricIs("sluice_pool_active", (count) => count === 0);
	},
);

scenario(
	"a handshake that RFC 6455 forbids is refused, and the upstream does not hear of it",
	async (scenario) => {
		const { gateway, upstream } = await startRequests(scenario);
		const cases = [
			[handshake({ version: "8" }), /^HTTP\/1\.1 426 [\s\S]*\r\nSec-WebSocket-Version: 13\r\n/],
			[handshake({ key: "short" }), /^HTTP\/1\.1 400 /],
			[handshake().replace("GET", "POST"), /^HTTP\/1\.1 400 /],
			[handshake().replace("Sec-WebSocket-Key", "X-Key"), /^HTTP\/1\.1 400 /],
		] as const;
		for (const [text, answer] of cases) {
			const client = await dial(scenario, gateway.port());
			await client.send(text);
			assert.match(await client.rest(), answer);
			client.end();
		}
		for (const { reason } of await gateway.sessions(cases.length)) assert.equal(reason, "bad_request");
		assert.equal(upstream.peers.length, 0);
	},
);

scenario("an upstream that switches without being asked, or to something else, is 502", async (scenario) => {
	const cases = [
		[get("/"), SWITCHING],
		[handshake(), SWITCHING.replace("websocket", "h2c")],
		[handshake(), SWITCHING.replace(ACCEPT, "wrong")],
		[get("/", "a.test", "Upgrade: h2c\r\nConnection: Upgrade\r\n"), SWITCHING.replace("websocket", "h2c")],
	] as const;
	const { gateway, upstream } = await startRequests(scenario);
	for (const [index, [asked, answer]] of cases.entries()) {
		const client = await dial(scenario, gateway.port());
		await client.send(asked);
		const server = await upstream.accepted(index);
		await head(server);
		await server.send(`${answer}bytes of nobody`);
		assert.match((await message(client)).head, /^HTTP\/1\.1 502 /);
		client.end();
		assert.equal(await client.rest(), "", "nothing else of it is passed on");
	}
	const refused = (await gateway.metrics()).sum("sluice_requests_refused_total", { reason: "bad_response" });
	assert.equal(refused, cases.length);
});

scenario("an upstream may refuse an upgrade, and the connection goes on with requests", async (scenario) => {
	const { gateway, upstream } = await startRequests(
		scenario,
		answering((text) => ok(/upgrade: websocket/i.test(text) ? "no" : "yes")),
	);
	const client = await dial(scenario, gateway.port());
	await client.send(handshake() + get("/"));
	assert.equal((await message(client)).body, "no");
	assert.equal((await message(client)).body, "yes");
	client.end();
	await client.rest();
	assert.equal(upstream.peers.length, 1);
});
