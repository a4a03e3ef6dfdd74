/** Options that all sockets of UDP have in common. */
import {
	IP_MTU_DISCOVER,
	IP_PKTINFO,
	IP_RECVTOS,
	IPPROTO_IP,
	IPPROTO_IPV6,
	IPPROTO_UDP,
	IPV6_MTU_DISCOVER,
	IPV6_RECVPKTINFO,
	IPV6_RECVTCLASS,
	PMTUDISC_PROBE,
	PMTUDISC_WANT,
	SO_RXQ_OVFL,
	SOL_SOCKET,
	UDP_GRO,
} from "./constants.js";
import { trySetOption } from "./sockets.js";

/**
 * What each datagram is to say of itself, beside its bytes. `tellsLocal`: also which address of ours it was sent to. False: the kernel
 * refuses some of it.
 */
export function setDatagramOptions(fd: number, v6: boolean, tellsLocal: boolean): boolean {
	// Kernels before 5.0 have it not, and do without.
	trySetOption(fd, IPPROTO_UDP, UDP_GRO, 1);
	let isSet = trySetOption(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	// A socket of IPv6 takes datagrams of IPv4, too.
	isSet = trySetOption(fd, IPPROTO_IP, IP_RECVTOS, 1) && isSet;
	if (v6) isSet = trySetOption(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) && isSet;
	if (!tellsLocal) return isSet;
	return trySetOption(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, 1) && isSet;
}

/** What is longer than a path takes is cut into fragments by the kernel, or, where the ends find the length out themselves, never. */
export function setPathProbing(fd: number, probes: boolean): void {
	const value = probes ? PMTUDISC_PROBE : PMTUDISC_WANT;
	trySetOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, value);
	trySetOption(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, value);
}
