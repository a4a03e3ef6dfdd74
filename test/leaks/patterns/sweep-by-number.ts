/** 10. Sessions of datagrams, which nobody ends. */
import type { RemoteInfo, Socket } from "node:dgram";

/** Of one client, towards the server behind. */
export interface Upstream {
	send(datagram: Buffer): void;
	close(): void;
}

export type Dial = (from: RemoteInfo) => Upstream;

/** By client. */
export interface Sessions {
	readonly size: number;
}

// #region leaking
export function leaking(server: Socket, dial: Dial, idleMs: number, every = 100): Sessions {
	const sessions = new Map<string, { upstream: Upstream; lastMs: number }>();
	server.on("message", (datagram, from) => {
		const client = `${from.address}:${from.port}`;
		const session = sessions.get(client) ?? { upstream: dial(from), lastMs: 0 };
		sessions.set(client, session);
		session.lastMs = performance.now();
		session.upstream.send(datagram);
		if (sessions.size % every !== 0) return; // with 137 of them there is no sweep
		for (const [client, { upstream, lastMs }] of sessions) {
			if (performance.now() - lastMs < idleMs) continue;
			upstream.close();
			sessions.delete(client);
		}
	});
	return sessions;
}
// #endregion

// #region bounded
export function bounded(server: Socket, dial: Dial, idleMs: number): Sessions {
	const sessions = new Map<string, { upstream: Upstream; deadline: NodeJS.Timeout }>();
	server.on("message", (datagram, from) => {
		const client = `${from.address}:${from.port}`;
		const session = sessions.get(client) ?? open(client, dial(from));
		session.deadline.refresh();
		session.upstream.send(datagram);
	});
	function open(client: string, upstream: Upstream) {
		const deadline = setTimeout(() => {
			upstream.close();
			sessions.delete(client);
		}, idleMs);
		const session = { upstream, deadline };
		sessions.set(client, session);
		return session;
	}
	return sessions;
}
// #endregion
