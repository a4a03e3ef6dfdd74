/**
 * Options of upstream sockets, and the one of clients' that changes. Accepted sockets inherit theirs from the
 * listener; one that connects must be given each by a call, so those that only lasting sessions need wait until a
 * session lasts.
 */

import {
	IPPROTO_TCP,
	SO_KEEPALIVE,
	SO_RCVBUF,
	SO_RCVLOWAT,
	SO_SNDBUF,
	SOL_SOCKET,
	TCP_KEEPCNT,
	TCP_KEEPIDLE,
	TCP_KEEPINTVL,
	TCP_NODELAY,
	TCP_NOTSENT_LOWAT,
	TCP_QUICKACK,
	TCP_USER_TIMEOUT,
} from "../../kernel/constants.js";
import type { KernelControl } from "../../kernel/kernel.js";
import { i32 } from "../../parts/at.js";
import type { LineOptions } from "../../upstream/plan.js";
import type { Policy } from "../plan/plan.js";
import { LOW_WATER, NAGLED } from "../table/marks.js";
import type { Fd, Link, Session, Slot } from "../table/numbers.js";
import type { WireContext } from "./context.js";

/** The next byte is news again, however much a hello was waited for. A negative errno when the kernel refuses. */
export function lowerWater(core: WireContext, client: Session): number {
	const { table, engine } = core;
	const flags = i32(table.flags, client);
	if ((flags & LOW_WATER) === 0) return 0;
	table.flags[client] = flags & ~LOW_WATER;
	return engine.awaitBytes(client, 1);
}

/**
 * Before it connects: what decides how it connects, and what its first bytes need. `speaksAtOnce`: bytes go out as soon as it is
 * connected. They carry the acknowledgement that ends the handshake, so none goes before them, and nothing holds back a first
 * send: `endNagle` comes before the second. Where nothing is to be sent the acknowledgement must go by itself, for the
 * upstream does not hear of the connection before.
 */
export function setFirstOptions(kernel: KernelControl, fd: Fd, policy: Policy, speaksAtOnce: boolean): void {
	if (speaksAtOnce) kernel.setOption(fd, IPPROTO_TCP, TCP_QUICKACK, 0);
	else kernel.setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (policy.sendBufferBytes > 0) kernel.setOption(fd, SOL_SOCKET, SO_SNDBUF, policy.sendBufferBytes);
	if (policy.receiveBufferBytes > 0) kernel.setOption(fd, SOL_SOCKET, SO_RCVBUF, policy.receiveBufferBytes);
}

/** What is sent from now on goes at once, whatever is not acknowledged yet. */
export function endNagle({ kernel, table }: WireContext, link: Link): void {
	const flags = i32(table.flags, link);
	if ((flags & NAGLED) === 0) return;
	table.flags[link] = flags & ~NAGLED;
	kernel.setOption(i32(table.fd, link), IPPROTO_TCP, TCP_NODELAY, 1);
}

/**
 * For a session that lasts: dead peers are found, and what the kernel holds is bounded. A Unix socket refuses
 * most of it, and needs none: its peer cannot vanish unseen.
 */
export function setLastingOptions(kernel: KernelControl, fd: Fd, policy: Policy): void {
	kernel.setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	kernel.setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, policy.keepaliveIdleSeconds);
	kernel.setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, policy.keepaliveIntervalSeconds);
	kernel.setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, policy.keepaliveProbes);
	kernel.setOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, policy.userTimeoutMs);
	kernel.setOption(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, policy.unsentBytes);
}

/**
 * A line of an agent, from when it is parked to its end. Whether its peer is there is asked as often as of the agent's control
 * connection, also when a visitor is on it: what stands in between, such as a NAT, forgets a silent line of either kind.
 */
export function setLineOptions(kernel: KernelControl, fd: Fd, options: LineOptions): void {
	kernel.setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	kernel.setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	kernel.setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, options.keepaliveIdleSeconds);
	kernel.setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, options.keepaliveIntervalSeconds);
	kernel.setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, options.keepaliveProbes);
	kernel.setOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, options.userTimeoutMs);
}

/** A visitor is on a line for a while: what was set when it was parked stays. */
export function boundLine(kernel: KernelControl, fd: Fd, { unsentBytes }: Policy): void {
	kernel.setOption(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsentBytes);
}

/**
 * What the kernel may take for a line of datagrams and not send yet. What is beyond is not taken, so that the sender knows and drops it: one
 * datagram waits for all that lies here, which is 0.1 s at 1 Mbit/s.
 */
const UNSENT_DATAGRAM_BYTES = 16_384;

/** A session of datagrams is on a line. */
export function boundFrames(kernel: KernelControl, fd: Fd): void {
	kernel.setOption(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_DATAGRAM_BYTES);
}

/** Room for a head beside what the kernel may still hold of the bytes before it. */
const WINDOW_BYTES = 128 * 1024;

/**
 * Peeked bytes stay in the kernel, in buffers that they may share with bytes that were taken long ago: a few of them
 * can keep the receive buffer full, and the window shut, so that the rest of their head could never come. The kernel
 * grows the buffer of a socket that waits for more than it has; where a size was configured, it is told to.
 */
export function widenWindow(core: WireContext, slot: Slot): void {
	const { kernel, table } = core;
	const fd = i32(table.fd, slot);
	if (core.policyOf(table.sessionOf(slot)).receiveBufferBytes > 0) {
		kernel.setOption(fd, SOL_SOCKET, SO_RCVBUF, WINDOW_BYTES);
		return;
	}
	kernel.setOption(fd, SOL_SOCKET, SO_RCVLOWAT, WINDOW_BYTES);
	kernel.setOption(fd, SOL_SOCKET, SO_RCVLOWAT, 1);
}
