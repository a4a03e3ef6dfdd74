/** Sockets that this process was given by whoever started it (sd_listen_fds(3)): open, bound, and its own from then on. */
import {
	AF_INET,
	AF_INET6,
	AF_UNIX,
	F_DUPFD_CLOEXEC,
	F_GETFL,
	F_SETFD,
	F_SETFL,
	FD_CLOEXEC,
	IPPROTO_IPV6,
	IPV6_V6ONLY,
	O_NONBLOCK,
	SO_ACCEPTCONN,
	SO_TYPE,
	SOCK_DGRAM,
	SOCK_STREAM,
	SOL_SOCKET,
} from "./constants.js";
import * as libc from "./libc.js";
import { familyAt, portAt, SOCKADDR_BYTES } from "./sockaddr.js";
import { closeDescriptor, SystemError } from "./sockets.js";

/** The first of them, behind the standard ones. */
const FIRST = 3;

export interface InheritedSocket {
	readonly fd: number;
	/** What its unit calls it (`FileDescriptorName=`); `unknown` where nothing was said. */
	readonly name: string;
	readonly kind: "tcp" | "udp" | "unix" | "other";
	/** It listens for connections. */
	readonly listens: boolean;
	/** Where it is bound: 4 bytes or 16; none where it is no internet socket. */
	readonly address: Uint8Array;
	readonly port: number;
	/** Bound to an IPv6 address, it takes nothing of IPv4. */
	readonly isV6Only: boolean;
}

/**
 * Takes those that are meant for this process: what says so is taken out of its environment, and the descriptors are not passed on to
 * programs that it starts.
 */
export function takeInheritedSockets(environment: NodeJS.ProcessEnv = process.env): InheritedSocket[] {
	const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names } = environment;
	for (const each of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"])
		delete environment[each];
	if (Number(pid) !== process.pid || !/^\d+$/.test(count ?? "")) return [];
	const named = names?.split(":") ?? [];
	return Array.from({ length: Number(count) }, (_, index) => {
		const fd = FIRST + index;
		// Whoever is asked to accept must never wait, and systemd passes sockets on which it would.
		control(fd, F_SETFD, FD_CLOEXEC);
		control(fd, F_SETFL, control(fd, F_GETFL, 0) | O_NONBLOCK);
		return described(fd, named[index] || "unknown");
	});
}

/** So many more descriptors of one socket: who accepts at any of them takes from one queue. */
export function sharedDescriptors(fd: number, count: number): number[] {
	const fds: number[] = [];
	try {
		while (fds.length < count) fds.push(control(fd, F_DUPFD_CLOEXEC, FIRST));
	} catch (error) {
		fds.forEach(closeDescriptor);
		throw error;
	}
	return fds;
}

function described(fd: number, name: string): InheritedSocket {
	const bytes = new Uint8Array(SOCKADDR_BYTES);
	const length = new Int32Array([SOCKADDR_BYTES]);
	const type = optionOf(fd, SOL_SOCKET, SO_TYPE);
	const isBound = libc.getsockname(fd, libc.addressOf(bytes), libc.addressOf(length)) === 0;
	const family = isBound ? familyAt(bytes, 0) : 0;
	const isInternet = family === AF_INET || family === AF_INET6;
	return {
		...{ fd, name },
		kind: family === AF_UNIX ? "unix" : isInternet ? kindOf(type) : "other",
		listens: optionOf(fd, SOL_SOCKET, SO_ACCEPTCONN) === 1,
		address: isInternet ? (family === AF_INET ? bytes.slice(4, 8) : bytes.slice(8, 24)) : new Uint8Array(),
		port: isInternet ? portAt(bytes, 0) : 0,
		isV6Only: family === AF_INET6 && optionOf(fd, IPPROTO_IPV6, IPV6_V6ONLY) === 1,
	};
}

function kindOf(type: number): "tcp" | "udp" | "other" {
	return type === SOCK_STREAM ? "tcp" : type === SOCK_DGRAM ? "udp" : "other";
}

/** -1: it has no such option, being something else than a socket. */
function optionOf(fd: number, level: number, option: number): number {
	const words = new Int32Array([0, 4]);
	const at = libc.addressOf(words);
	return libc.getsockopt(fd, level, option, at, at + 4) < 0 ? -1 : (words[0] as number);
}

function control(fd: number, command: number, value: number): number {
	const result = libc.fcntl(fd, command, value);
	if (result < 0) throw new SystemError("fcntl", libc.errno());
	return result;
}
