import type { Socket } from "node:net";

/**
 * Ends a connection at once, by a reset where its kind knows one: the peer must not take it for a complete stream, and the kernel drops
 * what the peer has not taken. A Unix socket is closed, and so is one that is being connected, which Node would wait for.
 *
 * While `end()` is under way, libuv refuses a reset, and Node then forgets the socket without closing it: its descriptor is lost, and
 * `close` never comes. So that is waited for; the bytes before it have gone to the kernel, and nobody's reading is needed.
 */
export function resetSocket(socket: Socket): void {
	if (socket.destroyed) return;
	const isEnding = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
	if (isEnding) socket.prependOnceListener("finish", () => resetSocket(socket));
	else if (socket.connecting) socket.destroy();
	else
		try {
			socket.resetAndDestroy();
		} catch {
			// No TCP.
			socket.destroy();
		}
}
