/** 7. One message to many, of whom one does not read. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { Broadcast, Outbox } from "sluice/outbox";

// #region leaking
export function leaking(subscribers: Iterable<Socket>, message: Buffer): void {
	for (const socket of subscribers) socket.write(message);
}
// #endregion

// #region blocking
export async function blocking(subscribers: Iterable<Socket>, message: Buffer): Promise<void> {
	for (const socket of subscribers) if (!socket.write(message)) await once(socket, "drain");
}
// #endregion

// #region bounded
export function bounded(subscribers: Iterable<Socket>): Broadcast {
	const topic = new Broadcast();
	for (const socket of subscribers)
		topic.add(new Outbox(socket, { bytesMax: "256KiB", policy: "drop-oldest", write: "30s" }));
	return topic; // topic.send(message)
}
// #endregion
