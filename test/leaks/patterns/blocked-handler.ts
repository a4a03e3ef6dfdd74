/** 1. A handler waits for an answer that does not come, for a client that has gone. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { Lifetime } from "sluice/lifetime";

/** Never answers. What was asked waits in a map, as with any client that has many questions on one connection. */
export class Upstream {
	readonly pending = new Map<number, (answer: string) => void>();
	#asked = 0;

	ask(_question: Buffer, signal?: AbortSignal): Promise<string> {
		return new Promise((resolve, reject) => {
			const id = ++this.#asked;
			this.pending.set(id, resolve);
			const abort = (): void => {
				this.pending.delete(id);
				reject(signal?.reason);
			};
			signal?.addEventListener("abort", abort, { once: true });
		});
	}
}

// #region leaking
export async function leaking(socket: Socket, upstream: Upstream): Promise<void> {
	const [question] = await once(socket, "data");
	socket.write(await upstream.ask(question)); // it waits here for ever, client or not
}
// #endregion

// #region bounded
export async function bounded(socket: Socket, upstream: Upstream): Promise<void> {
	await using life = new Lifetime();
	life.own(socket);
	socket.once("close", () => life.end("client_closed"));
	life.setTimeout(() => life.end("upstream_timeout"), "30s");
	const [question] = await once(socket, "data", { signal: life.signal });
	socket.write(await upstream.ask(question, life.signal));
}
// #endregion

/** It waits as well, but nobody could ever wake it up. */
export async function unreachable(socket: Socket): Promise<void> {
	const [question] = await once(socket, "data");
	await new Promise(() => {});
	socket.write(question);
}
