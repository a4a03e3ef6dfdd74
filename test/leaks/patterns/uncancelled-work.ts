/** 5. The client leaves while something is on its way for it. */
import type { Socket } from "node:net";
import { Lifetime } from "sluice/lifetime";

// #region leaking
export async function leaking(socket: Socket, dial: () => Promise<Socket>): Promise<void> {
	const beat = setInterval(() => socket.write("ping\n"), 30_000);
	const database = await dial(); // the client leaves now,
	// and this comes too late
	socket.once("close", () => {
		clearInterval(beat);
		database.destroy();
	});
	database.on("data", (news) => socket.write(news));
}
// #endregion

// #region bounded
export async function bounded(socket: Socket, dial: () => Promise<Socket>): Promise<void> {
	const life = new Lifetime();
	socket.once("close", () => life.end("client_closed"));
	life.setInterval(() => socket.write("ping\n"), "30s");
	const database = await life.acquire(dial(), (late) => late.destroy());
	database.on("data", (news) => socket.write(news));
}
// #endregion

/** The seed's rate limiter, line by line: a channel of tokens, and a ticker that adds one. */
export class SeedLimiter {
	#tokens: number;

	constructor(rate: number) {
		this.#tokens = rate;
		setInterval(() => {
			if (this.#tokens < rate) this.#tokens++;
		}, 1_000);
	}

	tryAcquire(): boolean {
		if (this.#tokens === 0) return false;
		this.#tokens--;
		return true;
	}
}
