/** The ledger within a program that has the gateway in it, and clients and servers of its own. */
import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { setImmediate } from "node:timers/promises";
import { loadConfigText } from "../../src/config/load.js";
import { Gateway } from "../../src/gateway/gateway.js";
import { dup2 } from "../support/dup.js";
import { Metrics } from "../support/metrics.js";
import { dial, echo, type Peer, startUpstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

async function start(scenario: Scenario): Promise<{ gateway: Gateway; port: number }> {
	const upstream = await startUpstream(scenario, echo);
	const gateway = await Gateway.start(
		loadConfigText(`
reactors: 2
limits: { connections: 200 }
timeouts: { drain: 1s }
ledger: { interval: 1h }
log: { level: silent }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`),
	);
	scenario.defer(() => gateway.stop());
	return { gateway, port: gateway.listeners[0]?.port ?? 0 };
}

async function session(scenario: Scenario, port: number): Promise<Peer> {
	const client = await dial(scenario, port);
	await client.send("?");
	await client.expect("?");
	return client;
}

function sockets(): Map<string, number> {
	const found = new Map<string, number>();
	for (const name of readdirSync("/proc/self/fd")) {
		try {
			found.set(readlinkSync(`/proc/self/fd/${name}`), Number(name));
		} catch {
			// Closed between the two calls.
		}
	}
	return found;
}

scenario("no check finds anything while thousands of sessions come and go", async (scenario) => {
	const { gateway, port } = await start(scenario);
	const COUNT = 4_000;
	let left = COUNT;
	const traffic = Promise.all(
		Array.from({ length: 24 }, async () => {
			while (left-- > 0) {
				const client = await session(scenario, port);
				if (left % 3 === 0) client.reset();
				else {
					client.end();
					await client.rest();
				}
			}
		}),
	);
	// Some that stay, whose numbers must not be taken for others'.
	for (let count = 0; count < 20; count++) await session(scenario, port);
	let checks = 0;
	while (left > 0) {
		assert.deepEqual((await gateway.checkLedger()).discrepancies, []);
		checks++;
		// A check of few descriptors gives nobody else a turn.
		await setImmediate();
	}
	await traffic;
	assert.deepEqual((await gateway.checkLedger()).discrepancies, []);
	assert.ok(checks >= 3, `${checks} checks`);
	assert.equal((await gateway.checkLedger()).kinds.downstream.opened, COUNT + 20);
});

scenario("a discrepancy shows in the metrics for as long as there is one", async (scenario) => {
	const { gateway, port } = await start(scenario);
	const before = sockets();
	const client = await session(scenario, port);
	const { remotePort, localPort } = client.socket;
	assert.ok(remotePort !== undefined && localPort !== undefined);
	const report = await gateway.checkLedger();
	assert.deepEqual(report.discrepancies, []);
	// Of the four sockets that came, the gateway's are those that have an owner: it says which when one is replaced.
	const other = createServer().listen(0, "127.0.0.1");
	scenario.defer(() => other.close());
	const discrepancy = () => Metrics.parse(gateway.metrics()).sum("sluice_ledger_discrepancy");
	assert.equal(discrepancy(), 0);
	const came = [...sockets()].filter(([target]) => !before.has(target) && target.startsWith("socket:"));
	const owned = came.map(([, fd]) => fd).filter((fd) => !ownedByNode(fd, client));
	assert.ok(owned.length >= 2);
	const stranger =
		sockets().get([...before.keys()].find((target) => target.startsWith("socket:")) ?? "") ?? -1;
	const [victim = -1] = owned;
	dup2(stranger, victim);
	const [found] = (await gateway.checkLedger()).discrepancies;
	assert.equal(found?.problem, "replaced");
	assert.equal(found?.descriptor, victim);
	assert.equal(discrepancy(), 1);
});

function ownedByNode(fd: number, { socket }: Peer): boolean {
	return (socket as unknown as { _handle?: { fd?: number } })._handle?.fd === fd;
}
