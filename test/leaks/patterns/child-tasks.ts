/** 2. A task for each message, and nobody counts them. */
import type { Socket } from "node:net";
import { frames } from "sluice/frames";
import { Lifetime } from "sluice/lifetime";
import type { Pool } from "sluice/pool";

export type Work = (message: Buffer, signal?: AbortSignal) => Promise<void>;

// #region leaking
export async function leaking(socket: Socket, work: Work): Promise<void> {
	for await (const message of frames(socket)) void work(message);
}
// #endregion

// #region bounded
export async function bounded(socket: Socket, work: Work, slots: Pool<object>): Promise<void> {
	await using life = new Lifetime();
	socket.once("close", () => life.end("client_closed"));
	const { signal } = life;
	for await (const message of frames(socket, { signal })) {
		const slot = await slots.acquire({ signal }); // no slot: nothing more is read
		const done = life.run(() => work(message, signal));
		done.catch(() => {}).finally(() => slot.release());
	}
}
// #endregion
