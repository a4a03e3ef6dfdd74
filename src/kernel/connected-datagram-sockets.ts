/** Sockets of UDP that hear one sender alone, which reactors open for a session: to its upstream, or beside a listener to its client. */
import {
	AF_INET,
	AF_INET6,
	IPPROTO_IPV6,
	IPV6_V6ONLY,
	SO_REUSEPORT,
	SOCK_CLOEXEC,
	SOCK_DGRAM,
	SOCK_NONBLOCK,
	SOL_SOCKET,
} from "./constants.js";
import { setDatagramOptions, setPathProbing } from "./datagram-options.js";
import { SENDER_BYTES } from "./datagrams.js";
import * as libc from "./libc.js";
import { familyAt } from "./sockaddr.js";
import { mute, unmute } from "./socket-programs.js";
import { trySetOption } from "./sockets.js";

/** `open` of Datagrams. */
export function openForUpstream(family: number, probesPath: boolean): number {
	const fd = libc.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) return -libc.errno();
	setDatagramOptions(fd, family === AF_INET6, false);
	// A socket that says nothing does as WANT says.
	if (probesPath) setPathProbing(fd, true);
	return fd;
}

/** `openBeside` of Datagrams, where the kernel has no other in its way. */
export function openForClient(
	listener: number,
	names: Uint8Array,
	nameAt: number,
	locals: Uint8Array,
	localAt: number,
): number {
	const bound = new Uint8Array(SENDER_BYTES);
	const length = new Int32Array([SENDER_BYTES]);
	if (libc.getsockname(listener, libc.addressOf(bound), libc.addressOf(length)) < 0) return -libc.errno();
	const v6 = familyAt(bound, 0) === AF_INET6;
	if (localAt >= 0) {
		const from = localAt + (v6 ? 0 : 12);
		bound.set(locals.subarray(from, localAt + 16), v6 ? 8 : 4);
		// Every link has such an address: which one is meant, the number of the interface says.
		if (isLinkLocal(locals, localAt)) bound.set(locals.subarray(localAt + 16, localAt + 20), 24);
	}
	const peer = Uint8Array.from(names.subarray(nameAt, nameAt + SENDER_BYTES));
	const fd = libc.socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) return -libc.errno();
	trySetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (v6) trySetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	setDatagramOptions(fd, v6, localAt >= 0);
	const bytes = v6 ? SENDER_BYTES : 16;
	// Until it is connected, it would hear others.
	const isOpen =
		mute(fd) &&
		libc.bind(fd, libc.addressOf(bound), bytes) >= 0 &&
		libc.connect(fd, libc.addressOf(peer), bytes) >= 0 &&
		unmute(fd);
	if (isOpen) return fd;
	const error = libc.errno();
	libc.close(fd);
	return -error;
}

/** Of the 16 bytes of an address. */
export function isLinkLocal(addresses: Uint8Array, at: number): boolean {
	return addresses[at] === 0xfe && ((addresses[at + 1] as number) & 0xc0) === 0x80;
}
