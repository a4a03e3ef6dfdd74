/** Ports of UDP at which nobody is. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { LOOPBACK } from "./peers.js";

/** One that was free a moment ago: who sends there is refused. */
export async function deadPort(): Promise<number> {
	const socket = createSocket("udp4").bind(0, LOOPBACK);
	await once(socket, "listening");
	const { port } = socket.address();
	socket.close();
	return port;
}
