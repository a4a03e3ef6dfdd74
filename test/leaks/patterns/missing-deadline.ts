/** 4. Clients that connect and say nothing. */
import type { Server, Socket } from "node:net";
import { type Duration, type Guarded, guard } from "sluice/guard";
import { Lifetime } from "sluice/lifetime";

// #region leaking
export function leaking(server: Server): void {
	server.on("connection", (socket) => socket.pipe(socket));
}
// #endregion

// #region bounded
export function bounded(server: Server, idle: Duration): Guarded {
	server.on("connection", (socket) => socket.pipe(socket));
	return guard(server, { timeouts: { idle } });
}
// #endregion

const THIRTY_SECONDS_MS = 30_000;

/** The seed's deadline, which each read renews; Node's `socket.setTimeout` is renewed in the same way. */
export function renewed(socket: Socket): void {
	const expire = (): void => void socket.destroy();
	let deadline = setTimeout(expire, THIRTY_SECONDS_MS);
	socket.on("data", () => {
		clearTimeout(deadline);
		deadline = setTimeout(expire, THIRTY_SECONDS_MS);
	});
	socket.once("close", () => clearTimeout(deadline));
}

/** One deadline for all that a client has to say before it is served. */
export function whole(socket: Socket): Lifetime {
	const life = new Lifetime();
	life.own(socket);
	life.setTimeout(() => life.end("handshake_timeout"), THIRTY_SECONDS_MS);
	socket.resume();
	return life;
}
