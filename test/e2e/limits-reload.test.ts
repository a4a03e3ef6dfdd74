/** A reload changes each limit for connections that come from then on, and closes nobody. */
import assert from "node:assert/strict";
import { freeAddress } from "../support/addresses.js";
import { startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream } from "../support/peers.js";
import { fate } from "../support/refusals.js";
import { get, head, message, ok, requestsConfig } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

async function echoing(client: Peer): Promise<void> {
	await client.send("?");
	await client.expect("?");
}

scenario(
	"each limit holds from the reload that brings it to the one that takes it away",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const { host, port, text } = await freeAddress();
		const yaml = (limits: string, listener = "") => `
reactors: 2
limits: { when_full: reset, connections: 50${limits} }
listeners: [{ listen: "${text}", ${listener} routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`;
		const gateway = await startGateway(scenario, yaml(""));
		const reload = async (limits: string, listener = ""): Promise<void> => {
			gateway.write(yaml(limits, listener));
			assert.equal((await gateway.hangUp()).message, "reloaded");
		};
		const live: Peer[] = [];
		const served = async (): Promise<void> => {
			const client = await dial(scenario, port, { host });
			await echoing(client);
			live.push(client);
		};
		/** Of so many clients at once one is turned away at least: a bucket refills while they come. */
		const refused = async (reason: string, clients = 1): Promise<void> => {
			const before = gateway.ended.length;
			const fates = Array.from({ length: clients }, () => fate(scenario, port, { host }));
			assert.equal(await Promise.race(fates), "ECONNRESET");
			const ended = await gateway.sessions(before + 1);
			assert.equal(ended.at(-1)?.reason, reason);
		};
		for (let count = 0; count < 4; count++) await served();

		for (const [reason, limits, listener] of [
			["limit_ip", ", connections_per_ip: 3", ""],
			["limit_connections", "", "connections: 2,"],
		] as const) {
			await reload(limits, listener);
			await refused(reason);
			await refused(reason);
			await reload("");
			await served();
		}
		for (const [reason, limit] of [
			["limit_rate", "accepts_per_second"],
			["limit_rate", "accepts_per_second_per_ip"],
		] as const) {
			await reload(`, ${limit}: 1`);
			// The bucket holds one.
			await served();
			await refused(reason, 8);
			await reload("");
			await served();
			await served();
		}
		gateway.write(yaml("").replace("connections: 50", "connections: 5"));
		assert.equal((await gateway.hangUp()).message, "reloaded");
		await refused("limit_connections");
		assert.equal((await gateway.metrics()).sum("sluice_connections_limit"), 5);
		await reload("");
		await served();
		// Whoever was there has noticed nothing of it.
		for (const client of live) await echoing(client);
		assert.ok((await gateway.metrics()).sum("sluice_connections_active") >= live.length);
	},
);

scenario("a request under way keeps the deadlines that its connection began with", async (scenario) => {
	const upstream = await startUpstream(scenario);
	const config = (responseHead: string): string =>
		requestsConfig(upstream.address, { sections: `timeouts: { response_head: ${responseHead} }` });
	const gateway = await startGateway(scenario, config("1h"));
	const client = await dial(scenario, gateway.port());
	await client.send(get("/"));
	const server = await upstream.accepted();
	await head(server);
	gateway.write(config("100ms"));
	assert.equal((await gateway.hangUp()).message, "reloaded");
	// A connection that comes now has the new ones: when it is answered, they would have been over for the first, too.
	const later = await dial(scenario, gateway.port());
	await later.send(get("/"));
	assert.match((await message(later)).head, /^HTTP\/1\.1 504 /);
	await server.send(ok("fine"));
	assert.equal((await message(client)).body, "fine");
	client.end();
	later.end();
});
