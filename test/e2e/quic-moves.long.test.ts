/** Many QUIC clients at once, which move all the time behind bad lines. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../src/rig/random.js";
import { startQuicGateway } from "../support/quic/gateway.js";
import { ask, startQuicServer, sumOf } from "../support/quic/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { type NatOptions, startNat } from "../support/udp-nat.js";

const STACKS = ["quic-go", "aioquic"] as const;

const CLIENTS = 16;
const REACTORS = 4;
const BYTES = 2_000_000;
const SUM = sumOf(BYTES);

/** So many datagrams from the server: the handshake is over, and the download has begun. */
const UNDER_WAY = 50;

/** How long a client stays where it is. For half a second after a move the gateway believes no other, and answers are lost. */
const STAY_MS = { least: 400, most: 1_500 } as const;

/** Moves from now on until told to stop; returns how often it has. */
async function wander(move: () => Promise<void>, random: Random, isOver: () => boolean): Promise<number> {
	for (let moves = 0; ; moves++) {
		await sleep(random.between(STAY_MS.least, STAY_MS.most));
		if (isOver()) return moves;
		await move();
	}
}

/** One download behind a NAT of its own. */
async function download(
	scenario: Scenario,
	port: number,
	number: number,
	faults: NatOptions,
): Promise<{ readonly name: string; readonly answeredBy: string | undefined; readonly moves: number }> {
	const stack = STACKS[number % 2] ?? "quic-go";
	const name = number % 4 < 2 ? "a" : "b";
	const nat = await startNat(scenario, port, { ...faults, seed: 100 + number });
	let isOver = false;
	const asked = ask(scenario, stack, { port: nat.port, name: `${name}.test`, bytes: BYTES }).finally(() => {
		isOver = true;
	});
	// No connection of QUIC survives a move within its handshake (RFC 9000, section 9).
	await Promise.race([nat.until(() => nat.down.came >= UNDER_WAY), asked]);
	const moves = await wander(
		() => nat.rebind(),
		new Random(number),
		() => isOver,
	);
	const [answer] = await asked;
	assert.equal(answer?.sha256, SUM);
	return { name, answeredBy: answer?.server, moves };
}

for (const [line, faults] of [
	["good lines", {}],
	["lines that lose, double and reorder a twentieth each", { lost: 0.05, doubled: 0.05, reordered: 0.05 }],
] as const)
	scenario(
		`${CLIENTS} clients that move again and again over ${line} have one session each, and their servers see no move`,
		async (scenario) => {
			const servers = {
				a: await startQuicServer(scenario, "quic-go", "a"),
				b: await startQuicServer(scenario, "quic-go", "b"),
			};
			const gateway = await startQuicGateway(scenario, servers, {
				reactors: REACTORS,
				// Who is done first is silent until the last one is.
				idle: "10m",
			});
			const downloads = await Promise.all(
				Array.from({ length: CLIENTS }, (_, number) => download(scenario, gateway.port(), number, faults)),
			);
			for (const { name, answeredBy } of downloads) assert.equal(answeredBy, name);
			const moves = downloads.reduce((sum, each) => sum + each.moves, 0);
			assert.ok(moves >= CLIENTS / 2, `${moves} moves`);
			scenario.context.diagnostic(`${moves} moves`);
			for (const server of Object.values(servers)) {
				const places = (events: readonly { readonly from?: string }[]): unknown[] =>
					events.map(({ from }) => from).sort();
				const closed = await server.closed(CLIENTS / 2);
				assert.deepEqual(places(closed), places(server.of("accepted")));
			}
			const lines = await gateway.closedSessions(CLIENTS);
			assert.deepEqual(
				[lines.length, new Set(lines.map(({ reason }) => reason))],
				[CLIENTS, new Set(["operator"])],
			);
		},
		{ needs: STACKS },
	);
