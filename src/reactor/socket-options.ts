/**
 * Options of upstream sockets. Accepted ones inherit theirs from the listener; a socket that connects must be
 * given each by a call, so those that only lasting sessions need wait until a session lasts.
 */
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
} from "../kernel/constants.js";
import type { Kernel } from "../kernel/kernel.js";
import type { Policy } from "./plan.js";

/** Before it connects: what decides how it connects, and what its first bytes need. */
export function setFirstOptions(kernel: Kernel, fd: number, policy: Policy): void {
	kernel.setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (policy.sendBufferBytes > 0) kernel.setOption(fd, SOL_SOCKET, SO_SNDBUF, policy.sendBufferBytes);
	if (policy.receiveBufferBytes > 0) kernel.setOption(fd, SOL_SOCKET, SO_RCVBUF, policy.receiveBufferBytes);
}

/**
 * For a session that lasts: dead peers are found, and what the kernel holds is bounded. A Unix socket refuses
 * most of it, and needs none: its peer cannot vanish unseen.
 */
export function setLastingOptions(kernel: Kernel, fd: number, policy: Policy): void {
	kernel.setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	kernel.setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, policy.keepaliveIdleSeconds);
	kernel.setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, policy.keepaliveIntervalSeconds);
	kernel.setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, policy.keepaliveProbes);
	kernel.setOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, policy.userTimeoutMs);
	kernel.setOption(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, policy.unsentBytes);
}
