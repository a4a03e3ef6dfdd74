/** 6. What arrives faster than it is worked off. */
import type { Socket } from "node:net";
import { FrameDecoder, frames } from "sluice/frames";

export type Work = (message: Buffer) => Promise<void>;

// #region leaking
export function leaking(socket: Socket, work: Work): void {
	const decoder = new FrameDecoder();
	let last = Promise.resolve(); // a queue, though it does not look like one
	socket.on("data", (chunk) => {
		for (const message of decoder.push(chunk)) last = last.then(() => work(message));
	});
}
// #endregion

// #region bounded
export async function bounded(socket: Socket, work: Work): Promise<void> {
	for await (const message of frames(socket)) await work(message); // the sender waits, too
}
// #endregion
