/** QUIC clients whose port changes on the way, behind lines that lose, double and reorder datagrams. */
import assert from "node:assert/strict";
import { startQuicGateway } from "../support/quic/gateway.js";
import { type Answer, ask, type QuicServer, startQuicServer, sumOf } from "../support/quic/peers.js";
import { scenario } from "../support/scenario.js";
import { startNat, type UdpNat } from "../support/udp-nat.js";

const STACKS = ["quic-go", "aioquic"] as const;
const BOTH = { needs: STACKS };

const BYTES = 2_000_000;
const SUM = sumOf(BYTES);

/** The kernel shares ports among reactors by chance: of so many moves one at least leads to another but once in a thousand runs. */
const MOVES = 5;
const REACTORS = 4;

/** It was one connection, and the client never moved as its server has it. */
async function assertUnmoved(server: QuicServer): Promise<void> {
	const [closed, ...others] = await server.closed(1);
	const accepted = server.of("accepted");
	assert.deepEqual([accepted.length, others.length], [1, 0]);
	assert.equal(closed?.from, accepted[0]?.from);
}

/** Changes the outer port again and again while a download goes on, and waits for its end. */
async function moveOften(nat: UdpNat, download: Promise<Answer[]>): Promise<Answer | undefined> {
	for (let moves = 1; moves <= MOVES; moves++) {
		// A download that fails is told at once.
		await Promise.race([nat.until(() => nat.down.came >= 200 * moves), download]);
		await nat.rebind();
	}
	const [answer] = await download;
	return answer;
}

for (const stack of STACKS) {
	scenario(
		`a NAT that changes the port of a ${stack} client in a download: one session, and its server sees no change`,
		async (scenario) => {
			const a = await startQuicServer(scenario, "quic-go", "a");
			const gateway = await startQuicGateway(scenario, { a }, { reactors: REACTORS });
			const nat = await startNat(scenario, gateway.port());
			const download = ask(scenario, stack, { port: nat.port, name: "a.test", bytes: BYTES });
			assert.equal((await moveOften(nat, download))?.sha256, SUM);
			await assertUnmoved(a);
			await gateway.closedSessions(1);
			await gateway.onlySession();
		},
		BOTH,
	);
}

scenario(
	"clients that change their own port in a download keep their session",
	async (scenario) => {
		const [a, b] = await Promise.all(
			STACKS.map((stack, index) => startQuicServer(scenario, stack, "ab"[index] ?? "")),
		);
		assert.ok(a !== undefined && b !== undefined);
		const gateway = await startQuicGateway(scenario, { a, b }, { reactors: REACTORS });
		for (const [stack, name] of [
			["quic-go", "a"],
			["aioquic", "b"],
		] as const) {
			const asked = { port: gateway.port(), name: `${name}.test`, bytes: BYTES, rebind: true };
			const [answer] = await ask(scenario, stack, asked);
			assert.deepEqual([answer?.server, answer?.sha256], [name, SUM]);
		}
		await assertUnmoved(a);
		await assertUnmoved(b);
		assert.equal((await gateway.closedSessions(2)).length, 2);
	},
	BOTH,
);

scenario(
	"downloads complete though a hundredth of the datagrams is lost, one comes twice and one late, while ports change",
	async (scenario) => {
		const a = await startQuicServer(scenario, "quic-go", "a");
		const b = await startQuicServer(scenario, "aioquic", "b");
		const gateway = await startQuicGateway(scenario, { a, b }, { reactors: REACTORS });
		const faults = { lost: 0.01, doubled: 0.01, reordered: 0.01 };
		const downloads = STACKS.flatMap((stack) => ["a", "b"].map((name) => ({ stack, name })));
		const nats = await Promise.all(
			downloads.map((_, seed) => startNat(scenario, gateway.port(), { ...faults, seed })),
		);
		const answers = await Promise.all(
			downloads.map(async ({ stack, name }, index) => {
				const nat = nats[index];
				assert.ok(nat !== undefined);
				const asked = { port: nat.port, name: `${name}.test`, bytes: BYTES };
				return moveOften(nat, ask(scenario, stack, asked));
			}),
		);
		assert.deepEqual(
			answers.map((answer) => [answer?.server, answer?.sha256]),
			downloads.map(({ name }) => [name, SUM]),
		);
		for (const fault of ["lost", "doubled", "reordered"] as const)
			assert.ok(nats.some(({ down }) => down[fault] > 0));
		// Acknowledgements are so few that not every fault may be drawn for a client's.
		assert.ok(nats.some(({ up }) => up.lost + up.doubled + up.reordered > 0));
		assert.equal((await gateway.closedSessions(4)).length, 4);
	},
	BOTH,
);
