/** 9. A pool that lends, and to which nobody gives back. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { Pool } from "sluice/pool";

export type Dial = () => Promise<Socket>;

// #region leaking
export class LeakingPool {
	readonly #idle: Socket[] = [];
	active = 0;

	async get(dial: Dial): Promise<Socket> {
		this.active++;
		return this.#idle.pop() ?? (await dial());
	}

	// Right, and called by nobody.
	giveBack(socket: Socket): void {
		this.active--;
		this.#idle.push(socket);
	}
}

export async function leaking(pool: LeakingPool, dial: Dial, question: string): Promise<string> {
	const socket = await pool.get(dial);
	socket.write(question);
	const [answer] = await once(socket, "data");
	return String(answer);
}
// #endregion

// #region bounded
export function makePool(dial: Dial): Pool<Socket> {
	return new Pool({ create: dial, destroy: (socket) => socket.destroy(), max: 3 });
}

export async function bounded(pool: Pool<Socket>, question: string): Promise<string> {
	await using lease = await pool.acquire({ deadline: "30s" }); // given back on every way out
	try {
		lease.value.write(question);
		const [answer] = await once(lease.value, "data", { signal: AbortSignal.timeout(30_000) });
		return String(answer);
	} catch (error) {
		lease.discard(error); // its answer may still come: nobody else may have it
		throw error;
	}
}
// #endregion
