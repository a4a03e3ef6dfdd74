/** 3. A few bytes are kept, and with them the chunk that they came in. */
import type { Socket } from "node:net";
import { frames } from "sluice/frames";

// #region leaking
export async function leaking(socket: Socket, keep: (frame: Buffer) => void): Promise<void> {
	// `pin` does what chunk.subarray() does: each frame is a view of the chunk.
	for await (const frame of frames(socket, { pin: true })) keep(frame);
}
// #endregion

// #region bounded
export async function bounded(socket: Socket, keep: (frame: Buffer) => void): Promise<void> {
	for await (const frame of frames(socket)) keep(frame); // small ones have memory of their own
}
// #endregion
