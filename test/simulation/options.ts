/** Which options sockets were given. */
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
	TCP_QUICKACK,
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
		[IPPROTO_TCP, TCP_QUICKACK],
	].map(([level = 0, option = 0], index) => [(level << 8) | option, 1 << index]),
);
/** The bits of those that one that lasts is given; a Unix socket has no use for the last of them. */
const LASTING_OPTIONS = 0b111_1111;
const LASTING_UNIX_OPTIONS = 0b11_1111;

const NODELAY = bitOf(TCP_NODELAY);
const QUICKACK = bitOf(TCP_QUICKACK);

function bitOf(option: number): number {
	return ONCE.get((IPPROTO_TCP << 8) | option) ?? violated("an option has no bit");
}

export function isGivenAll({ optionsSet, unix }: SimulatedSocket): boolean {
	const due = unix ? LASTING_UNIX_OPTIONS : LASTING_OPTIONS;
	return (optionsSet & due) === due;
}

/** Its connect was not acknowledged by itself: bytes have to follow at once. */
export function owesBytes({ optionsSet, sent, shut }: SimulatedSocket): boolean {
	return (optionsSet & QUICKACK) !== 0 && sent === 0 && !shut;
}

/** The reactor sends in this turn, perhaps again. */
export function checkNagle(socket: SimulatedSocket, turn: number): void {
	if (socket.role !== "upstream" || socket.unix) return;
	// A line inherits it from its listener.
	if (socket.line !== undefined) return;
	if (socket.sent === 0) socket.firstSentTurn = turn;
	else if ((socket.optionsSet & NODELAY) === 0 && socket.firstSentTurn < turn)
		violated(`what is sent to descriptor ${socket.fd} waits until what was sent before is acknowledged`);
}

/** A client inherits it, and is told another one only with another route's deadlines. */
function noteUserTimeout(socket: SimulatedSocket, ms: number): void {
	if (socket.userTimeoutMs === ms) violated(`client ${socket.fd} is told the user timeout that it has`);
	socket.userTimeoutMs = ms;
}

export function noteOption(socket: SimulatedSocket, level: number, option: number, value: number): void {
	if (level === SOL_SOCKET && option === SO_SNDBUF) socket.sendBufferBytes = value;
	if (level === SOL_SOCKET && option === SO_RCVBUF) socket.receiveBufferBytes = value;
	if (option === TCP_QUICKACK && (value !== 0 || !socket.connecting))
		violated(`descriptor ${socket.fd} is told to acknowledge as it does anyway`);
	if (option === TCP_USER_TIMEOUT && socket.role === "client") {
		noteUserTimeout(socket, value);
		return;
	}
	const bit = ONCE.get((level << 8) | option) ?? 0;
	// A line has some while it waits, and others when it lasts.
	if ((socket.optionsSet & bit) !== 0 && socket.line === undefined)
		violated(`option ${option} of level ${level} is set twice on descriptor ${socket.fd}`);
	socket.optionsSet |= bit;
}
