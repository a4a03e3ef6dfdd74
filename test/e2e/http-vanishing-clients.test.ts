/** A client may go at any moment: what was borrowed for it comes back, and nobody else is served its answer. */
import assert from "node:assert/strict";
import { dial, type Peer } from "../support/peers.js";
import { get, head, message, ok, startRequests } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

const POSTING = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n";

interface Moment {
	readonly what: string;
	readonly asked: string;
	readonly answered: string;
}

const MOMENTS: readonly Moment[] = [
	{ what: "amid the request's body", asked: `${POSTING}12345`, answered: "" },
	{ what: "while it waits for the answer", asked: get("/"), answered: "" },
	{ what: "amid the answer's head", asked: get("/"), answered: "HTTP/1.1 200 OK\r\nCont" },
	{ what: "amid the answer's body", asked: get("/"), answered: ok("0123456789").slice(0, -5) },
	{ what: "with a second request behind it", asked: get("/1") + get("/2"), answered: "" },
];

for (const { what, asked, answered } of MOMENTS) {
	scenario(`a client that resets ${what} takes its upstream connection with it`, async (scenario) => {
		const { gateway, upstream } = await startRequests(scenario);
		const client = await dial(scenario, gateway.port());
		await client.send(asked);
		const server = await upstream.accepted();
		await head(server);
		if (answered !== "") await server.send(answered);
		client.reset();
		// Node tells of an end where a reset waits behind bytes.
		await server.over();
		assert.equal((await gateway.onlySession()).reason, "client_reset");
		await gateway.metricIs("sluice_pool_active", (count) => count === 0);
		await gateway.metricIs("sluice_pool_idle", (count) => count === 0);
		// The next client has a connection of its own.
		const next = await dial(scenario, gateway.port());
		await next.send(get("/next"));
		const other = await upstream.accepted(1);
		await head(other);
		await other.send(ok("next"));
		assert.equal((await message(next)).body, "next");
		next.end();
		await next.rest();
	});
}

scenario("a client that ends amid its body is no whole request for the upstream", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario);
	const client = await dial(scenario, gateway.port());
	client.end(`${POSTING}12345`);
	const server = await upstream.accepted();
	await head(server);
	await server.expect("12345");
	await server.over();
	assert.equal((await gateway.onlySession()).reason, "client_closed");
});

scenario(
	"clients that come and go at once, before their upstream is connected, leave nothing",
	async (scenario) => {
		const { gateway } = await startRequests(scenario, ({ socket }) =>
			socket.on("data", () => socket.write(ok("fine"))),
		);
		const clients: Peer[] = [];
		for (let index = 0; index < 30; index++) clients.push(await dial(scenario, gateway.port()));
		for (const [index, client] of clients.entries()) {
			client.socket.write(get(`/${index}`));
			if (index % 3 === 0) client.reset();
			else if (index % 3 === 1) client.end();
		}
		for (const [index, client] of clients.entries()) {
			if (index % 3 === 0) continue;
			assert.equal((await message(client)).body, "fine");
			if (index % 3 === 2) client.end();
			await client.rest();
		}
		await gateway.sessions(30);
	},
);
