/** Which address of an upstream a session gets. */
import assert from "node:assert/strict";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, type Peer, startUpstream, type Upstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

async function startBalanced(
	scenario: Scenario,
	addresses: number,
	settings: string,
	balance: string,
): Promise<{ gateway: Gateway; upstreams: Upstream[] }> {
	const upstreams: Upstream[] = [];
	for (let index = 0; index < addresses; index++) {
		// Says its number, and ends when the client does.
		const serve = ({ socket }: Peer): void => {
			socket.write(String(index));
			socket.once("end", () => socket.end());
		};
		upstreams.push(await startUpstream(scenario, serve));
	}
	const list = upstreams.map(({ address }) => address).join(", ");
	const gateway = await startGateway(
		scenario,
		`
${settings}
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams:
  a: { addresses: [${list}], balance: ${balance}, eject: { failures: 1, for: 1m } }
`,
	);
	return { gateway, upstreams };
}

interface Placed {
	readonly client: Peer;
	/** Number of its upstream. */
	readonly place: number;
}

async function connected(scenario: Scenario, gateway: Gateway, localAddress?: string): Promise<Placed> {
	const client = await dial(scenario, gateway.port(), localAddress === undefined ? {} : { localAddress });
	return { client, place: Number(await client.take(1)) };
}

async function ended({ client, place }: Placed): Promise<number> {
	client.end();
	await client.rest();
	return place;
}

for (const reactors of [1, 2]) {
	scenario(`round robin gives each address its turn, with ${reactors} reactors`, async (scenario) => {
		const { gateway, upstreams } = await startBalanced(scenario, 3, `reactors: ${reactors}`, "round_robin");
		for (let count = 0; count < 30; count++) await ended(await connected(scenario, gateway));
		for (const { peers } of upstreams) {
			// Each reactor counts for itself, so each may have begun a round that it has not finished.
			const difference = Math.abs(peers.length - 10);
			assert.ok(
				difference <= 2 * (reactors - 1),
				upstreams.map((upstream) => upstream.peers.length).join(" "),
			);
		}
	});
}

scenario("least connections gives a session to the address that has the fewest", async (scenario) => {
	const { gateway, upstreams } = await startBalanced(scenario, 2, "", "least_connections");
	const sessions: Placed[] = [];
	for (let count = 0; count < 6; count++) sessions.push(await connected(scenario, gateway));
	const metrics = await gateway.metrics();
	for (const { address } of upstreams)
		assert.equal(metrics.sum("sluice_upstream_sessions", { upstream: "a", address }), 3);

	// All sessions of one address end; then it gets the next three.
	for (const session of sessions) if (session.place === 0) await ended(session);
	await gateway.metricIs("sluice_upstream_sessions", (count) => count === 3);
	for (let count = 0; count < 3; count++) assert.equal((await connected(scenario, gateway)).place, 0);
});

scenario("source hash brings a client's address to the same place each time", async (scenario) => {
	const { gateway, upstreams } = await startBalanced(scenario, 3, "", "source_hash");
	const sources = Array.from({ length: 30 }, (_, index) => `127.0.7.${index + 1}`);
	const placeOf = async (source: string): Promise<number> =>
		ended(await connected(scenario, gateway, source));
	const places = new Map<string, number>();
	for (const source of sources) places.set(source, await placeOf(source));
	assert.equal(new Set(places.values()).size, 3, "each address has some of thirty sources");
	for (const source of sources) assert.equal(await placeOf(source), places.get(source));

	// When an address goes, only its own sources move.
	await upstreams[0]?.close();
	for (const source of sources) {
		const place = await placeOf(source);
		if (places.get(source) === 0) assert.notEqual(place, 0);
		else assert.equal(place, places.get(source));
	}
});
