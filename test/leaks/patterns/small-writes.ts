/** 8. Each small message flushed by itself, and its length too. */
import type { Socket } from "node:net";
import { FrameWriter } from "sluice/frames";

// #region leaking
export function leaking(socket: Socket, messages: Iterable<Buffer>): void {
	for (const message of messages) {
		const length = Buffer.alloc(4);
		length.writeUInt32BE(message.length);
		socket.write(length);
		socket.write(message);
	}
}
// #endregion

// #region bounded
export async function bounded(socket: Socket, messages: Iterable<Buffer>): Promise<void> {
	const writer = new FrameWriter(socket);
	for (const message of messages) if (!writer.write(message)) await writer.drained();
}
// #endregion
