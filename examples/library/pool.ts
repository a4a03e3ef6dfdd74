/**
 * Twenty questions over three connections: the pool makes them when they are needed, lends each to one at a time, and tells at
 * the end who has not given one back. Run it with `npm run build && node dist/examples/library/pool.js`.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { Pool } from "sluice/pool";

const server = createServer((socket) => {
	socket.on("error", () => {});
	socket.on("data", (question) => socket.write(`you asked ${question}`));
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const address = server.address();
if (address === null || typeof address === "string") throw new Error("not a TCP server");
const { port } = address;

const pool = new Pool<Socket>({
	create: async (signal) => {
		const socket = connect({ port, host: "127.0.0.1" });
		try {
			await once(socket, "connect", { signal });
		} catch (error) {
			// Nobody else knows this socket: without this, a dial that takes too long would go on.
			socket.destroy();
			throw error;
		}
		return socket;
	},
	destroy: (socket) => socket.destroy(),
	max: 3,
	idleMs: "30s",
	maxUses: 1000,
});

async function ask(question: string): Promise<string> {
	await using lease = await pool.acquire({ deadline: "2s" });
	const socket = lease.value;
	try {
		socket.write(question);
		const [answer] = await once(socket, "data", { signal: AbortSignal.timeout(2000) });
		return String(answer);
	} catch (error) {
		// The answer may still come, and would be taken for that of the next question.
		lease.discard(error);
		throw error;
	}
}

const answers = await Promise.all(Array.from({ length: 20 }, (_, number) => ask(`question ${number}`)));
console.log(`${answers.length} answers, the last one: "${answers.at(-1)}"`);
const { created, leases, idle } = pool.stats();
console.log(`${leases} leases of ${created} connections, ${idle} idle now`);

const { held } = await pool.close({ graceMs: "1s" });
console.log(`closed; still lent: ${held.length}`);
server.close();
