/** The PROXY header before a connection's own bytes: read off the stream, so that the server never sees it. */
import type { Socket } from "node:net";
import { formatAddress } from "../protocol/address.js";
import { ProxyHeader, parseProxyHeader } from "../protocol/proxy-protocol.js";
import { COMPLETE, NEED_MORE } from "../protocol/verdict.js";

/** One for all, because nothing waits between reading a header and using it. */
const header = new ProxyHeader();

/**
 * Calls `done` once: with the client's address (`undefined`: the proxy speaks for itself), or with `null` for what is no valid
 * header. What follows the header is put back. A header that never comes ends with the connection's handshake deadline.
 */
export function readProxyHeader(socket: Socket, done: (client: string | undefined | null) => void): void {
	let held: Buffer | undefined;
	const hear = (): void => {
		for (let chunk = read(socket); chunk !== null; chunk = read(socket)) {
			held = held === undefined ? chunk : Buffer.concat([held, chunk]);
			const verdict = parseProxyHeader(held, 0, held.length, header);
			if (verdict === NEED_MORE) continue;
			socket.off("readable", hear);
			if (verdict !== COMPLETE) {
				done(null);
				return;
			}
			const { family, sourceAddress, headerLength, isLocal } = header;
			if (held.length > headerLength) socket.unshift(held.subarray(headerLength));
			done(isLocal ? undefined : formatAddress(sourceAddress, 0, family));
			return;
		}
	};
	socket.on("readable", hear);
}

function read(socket: Socket): Buffer | null {
	// No encoding is set on it yet: nobody else has seen this socket.
	return socket.read() as Buffer | null;
}
