/** Real QUIC clients are routed by the name in their hello to real servers, which keep their certificates. */
import assert from "node:assert/strict";
import { routing, startQuicGateway } from "../support/quic/gateway.js";
import {
	type Answer,
	type AskOptions,
	ask,
	type QuicServer,
	startQuicServer,
	sumOf,
} from "../support/quic/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

const STACKS = ["quic-go", "aioquic"] as const;
const BOTH = { needs: STACKS };

const BYTES = 100_000;
const SUM = sumOf(BYTES);

/** One of each stack: quic-go is `a`, aioquic `b`. */
async function startServers(
	scenario: Scenario,
	retry = false,
): Promise<{ readonly a: QuicServer; readonly b: QuicServer }> {
	const [a, b] = await Promise.all([
		startQuicServer(scenario, "quic-go", "a", { retry }),
		startQuicServer(scenario, "aioquic", "b", { retry }),
	]);
	return { a, b };
}

/** Each client downloads from each server, all at once; returns what came of the last request of each. */
async function askAll(scenario: Scenario, port: number, options: Partial<AskOptions>): Promise<Answer[]> {
	const asked = STACKS.flatMap((stack) => ["a", "b"].map((name) => ({ stack, name })));
	return Promise.all(
		asked.map(async ({ stack, name }) => {
			const answers = await ask(scenario, stack, { port, name: `${name}.test`, bytes: BYTES, ...options });
			for (const { server, sha256 } of answers) assert.deepEqual([server, sha256], [name, SUM], stack);
			const last = answers.at(-1);
			assert.ok(last !== undefined);
			return last;
		}),
	);
}

scenario(
	"two stacks reach the server of the name that they ask for, with hellos of one datagram and of two",
	async (scenario) => {
		const gateway = await startQuicGateway(scenario, await startServers(scenario), { idle: "2s" });
		for (const datagrams of [1, 2] as const) await askAll(scenario, gateway.port(), { datagrams });
		const lines = await gateway.sessions(8);
		const [a, b] = ["quic a.test a", "quic b.test b"];
		assert.deepEqual(lines.map(routing).sort(), [a, a, a, a, b, b, b, b]);
		for (const { reason, bytes_to_client } of lines) {
			assert.equal(reason, "idle_timeout");
			assert.ok(bytes_to_client > BYTES, String(bytes_to_client));
		}
		assert.equal((await gateway.metrics()).sum("sluice_datagrams_dropped_total"), 0);
	},
	BOTH,
);

scenario(
	"version 2 of QUIC is routed as version 1 is",
	async (scenario) => {
		const gateway = await startQuicGateway(scenario, await startServers(scenario));
		for (const { version } of await askAll(scenario, gateway.port(), { v2: true })) assert.equal(version, 2);
		assert.equal((await gateway.closedSessions(4)).length, 4);
	},
	BOTH,
);

scenario(
	"a client that has to prove its address by a Retry stays with the server that has asked for it",
	async (scenario) => {
		const servers = await startServers(scenario, true);
		const gateway = await startQuicGateway(scenario, servers);
		await askAll(scenario, gateway.port(), { datagrams: 2 });
		// Both sides of a Retry are one session, with one port towards the server.
		assert.equal((await gateway.closedSessions(4)).length, 4);
		const [asked, accepted] = [servers.a.of("retry"), servers.a.of("accepted")];
		assert.equal(accepted.length, 2);
		for (const { from } of accepted) assert.ok(asked.some((retry) => retry.from === from));
		assert.equal(new Set(asked.map(({ from }) => from)).size, 2);
	},
	BOTH,
);

scenario(
	"a client that comes again has its request answered from its first flight (0-RTT)",
	async (scenario) => {
		const gateway = await startQuicGateway(scenario, await startServers(scenario));
		for (const { resumed, early } of await askAll(scenario, gateway.port(), { zeroRtt: true }))
			assert.deepEqual([resumed, early], [true, true]);
	},
	BOTH,
);

scenario(
	"one port of a client has connections to two servers at once",
	async (scenario) => {
		const gateway = await startQuicGateway(scenario, await startServers(scenario));
		const asked = { port: gateway.port(), name: "a.test", beside: "b.test", bytes: BYTES };
		const answers = await ask(scenario, "quic-go", asked);
		assert.deepEqual(
			answers.map(({ server, sha256 }) => [server, sha256]),
			["a", "b", "a"].map((server) => [server, SUM]),
		);
		assert.deepEqual((await gateway.closedSessions(2)).map(routing), ["quic a.test a", "quic b.test b"]);
	},
	BOTH,
);
