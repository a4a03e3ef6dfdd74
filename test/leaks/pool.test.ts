/** Pattern 9: a pool that lends, and to which nobody gives back. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { LOOPBACK } from "../support/peers.js";
import type { Scenario } from "../support/scenario.js";
import { Loopback, measured } from "./loopback.js";
import { bounded, type Dial, LeakingPool, leaking, makePool } from "./patterns/pool-without-return.js";
import { Census, sockets, tell } from "./rulers.js";

const QUESTIONS = 100;

interface Service {
	readonly loopback: Loopback;
	readonly dial: Dial;
	/** Of the sockets that were dialled. */
	readonly census: Census;
}

/** It answers what it is asked. */
async function startService(scenario: Scenario): Promise<Service> {
	const loopback = await Loopback.listen(scenario);
	const census = new Census();
	loopback.server.on("connection", (socket) => {
		socket.on("data", (question) => socket.write(`answer to ${question}`));
	});
	const dial = async (): Promise<Socket> => {
		const socket = connect(loopback.port, LOOPBACK);
		// The server ends it at the end: nobody else can.
		socket.on("error", () => {});
		await once(socket, "connect");
		census.add(socket);
		return socket;
	};
	return { loopback, dial, census };
}

measured(
	"9 pool without return, leaking: each question opens a connection, and no garbage collector closes it",
	async (scenario) => {
		const { loopback, dial, census } = await startService(scenario);
		const before = sockets();
		let pool: LeakingPool | undefined = new LeakingPool();
		for (let i = 0; i < QUESTIONS; i++) assert.equal(await leaking(pool, dial, `${i}`), `answer to ${i}`);
		const { active } = pool;
		pool = undefined;
		const alive = await census.alive();
		const opened = sockets() - before;
		tell(scenario.context, {
			"connections for 100 questions": loopback.accepted.length,
			"counted as lent": active,
			"descriptors, both ends": opened,
			"sockets after a collection": alive,
		});
		assert.equal(active, QUESTIONS);
		assert.equal(opened, 2 * QUESTIONS);
		assert.equal(alive, QUESTIONS);
	},
);

measured(
	"9 pool without return, ours: a hundred questions share three connections, and all come back",
	async (scenario) => {
		const { loopback, dial } = await startService(scenario);
		const before = sockets();
		const pool = makePool(dial);
		const answers = await Promise.all(Array.from({ length: QUESTIONS }, (_, i) => bounded(pool, `${i}`)));
		const opened = sockets() - before;
		const { leases, leased, idle } = pool.stats();
		tell(scenario.context, {
			"connections for 100 questions": loopback.accepted.length,
			"counted as lent": leased,
			"descriptors, both ends": opened,
		});
		assert.equal(answers.at(-1), `answer to ${QUESTIONS - 1}`);
		assert.deepEqual([leases, leased, idle, loopback.accepted.length], [QUESTIONS, 0, 3, 3]);
		assert.equal(opened, 6);
		assert.deepEqual((await pool.close()).held, []);
	},
);
