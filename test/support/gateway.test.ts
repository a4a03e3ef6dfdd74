/** Scenarios of a file take turns with one gateway, and none sees what another has left. */
import assert from "node:assert/strict";
import { startGateway } from "./gateway.js";
import { dial, sayName, startUpstream } from "./peers.js";
import { type Scenario, scenario } from "./scenario.js";

let first = 0;

async function useOnce(
	scenario: Scenario,
	name: string,
	options: { readonly own?: string } = {},
): Promise<number> {
	const upstream = await startUpstream(scenario, sayName(name));
	const config = `
reactors: 1
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`;
	const gateway = await startGateway(scenario, config, options);
	assert.equal((await gateway.metrics()).sum("sluice_connections_total"), 0);
	assert.deepEqual(gateway.ended, []);
	const client = await dial(scenario, gateway.port());
	await client.send("?");
	assert.equal(await client.rest(), name);
	client.end();
	assert.equal((await gateway.onlySession()).address, upstream.address);
	assert.equal((await gateway.metrics()).sum("sluice_connections_total"), 1);
	return gateway.pid;
}

scenario("the first scenario starts a gateway", async (scenario) => {
	first = await useOnce(scenario, "first");
});

scenario(
	"the next one uses it, with another configuration, an empty log and counters at 0",
	async (scenario) => {
		assert.equal(await useOnce(scenario, "second"), first);
	},
);

scenario("one that wants its own gets its own", async (scenario) => {
	assert.notEqual(await useOnce(scenario, "third", { own: "to show that it is" }), first);
});

scenario("a gateway that holds a descriptor more than at its start is told", async (scenario) => {
	const upstream = await startUpstream(scenario);
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
	assert.equal(gateway.pid, first);
	const client = await dial(scenario, gateway.port());
	await client.send("?");
	await upstream.accepted();
	await assert.rejects(gateway.settled(100), /descriptors are not what they were: missing none, new socket/);
	client.end();
	(await upstream.accepted()).end();
	await client.rest();
});
