/** Which options the sockets of upstreams were given. */
import {
	IPPROTO_TCP,
	SO_KEEPALIVE,
	SO_RCVBUF,
	SO_SNDBUF,
	SOL_SOCKET,
	TCP_KEEPCNT,
	TCP_KEEPIDLE,
	TCP_KEEPINTVL,
	TCP_NODELAY,
	TCP_NOTSENT_LOWAT,
	TCP_USER_TIMEOUT,
} from "../../src/kernel/constants.js";
import type { SimulatedSocket } from "./descriptors.js";
import { violated } from "./trace.js";

/** Options that an upstream is given once at most, each with its bit. */
const ONCE: ReadonlyMap<number, number> = new Map(
	[
		[SOL_SOCKET, SO_KEEPALIVE],
		[IPPROTO_TCP, TCP_KEEPIDLE],
		[IPPROTO_TCP, TCP_KEEPINTVL],
		[IPPROTO_TCP, TCP_KEEPCNT],
		[IPPROTO_TCP, TCP_USER_TIMEOUT],
		[IPPROTO_TCP, TCP_NOTSENT_LOWAT],
		[IPPROTO_TCP, TCP_NODELAY],
	].map(([level = 0, option = 0], index) => [(level << 8) | option, 1 << index]),
);
/** The bits of all of these but the last, which is set before a connect. */
export const LASTING_OPTIONS = 0b11_1111;

export function noteOption(socket: SimulatedSocket, level: number, option: number, value: number): void {
	if (level === SOL_SOCKET && option === SO_SNDBUF) socket.sendBufferBytes = value;
	if (level === SOL_SOCKET && option === SO_RCVBUF) socket.receiveBufferBytes = value;
	const bit = ONCE.get((level << 8) | option) ?? 0;
	if ((socket.optionsSet & bit) !== 0)
		violated(`option ${option} of level ${level} is set twice on descriptor ${socket.fd}`);
	socket.optionsSet |= bit;
}
