/** System calls of the control plane: listeners, limits, wake-ups. Rare, so they may allocate and throw. */
import { chmodSync, fchmodSync } from "node:fs";
import {
	AF_INET,
	AF_INET6,
	AF_UNIX,
	EADDRNOTAVAIL,
	EAFNOSUPPORT,
	errorName,
	F_DUPFD_CLOEXEC,
	IP_BIND_ADDRESS_NO_PORT,
	IPPROTO_IP,
	IPPROTO_IPV6,
	IPPROTO_TCP,
	IPV6_V6ONLY,
	O_CLOEXEC,
	RLIMIT_NOFILE,
	SHUT_RD,
	SO_KEEPALIVE,
	SO_LINGER,
	SO_RCVBUF,
	SO_REUSEADDR,
	SO_REUSEPORT,
	SO_SNDBUF,
	SO_TYPE,
	SOCK_CLOEXEC,
	SOCK_NONBLOCK,
	SOCK_STREAM,
	SOL_SOCKET,
	TCP_INFO,
	TCP_KEEPCNT,
	TCP_KEEPIDLE,
	TCP_KEEPINTVL,
	TCP_NODELAY,
	TCP_NOTSENT_LOWAT,
	TCP_SYN_SENT,
	TCP_USER_TIMEOUT,
} from "./constants.js";
import * as libc from "./libc.js";
import { copyAddress, encodeInternet, encodeUnix, familyAt, portAt, SOCKADDR_BYTES } from "./sockaddr.js";

/** A system call that failed: `code` is the errno's name, `errno` its number. */
export class SystemError extends Error {
	readonly code: string;
	readonly errno: number;
	readonly call: string;
	constructor(call: string, errno: number) {
		super(`${call}: ${errorName(errno)}`);
		this.name = "SystemError";
		this.call = call;
		this.errno = errno;
		this.code = errorName(errno);
	}
}

/** What accepted connections inherit from their listener. */
export interface ConnectionOptions {
	readonly keepalive: {
		readonly idleSeconds: number;
		readonly intervalSeconds: number;
		readonly probes: number;
		readonly userTimeoutMs: number;
	};
	readonly sockets: {
		readonly unsentBytes: number;
		/** `null`: tuned by the kernel. */
		readonly sendBytes: number | null;
		readonly receiveBytes: number | null;
	};
}

export interface ListenerOptions {
	/** 4 bytes (IPv4) or 16 (IPv6 only); `null`: every address, IPv4 and IPv6 in one socket. */
	readonly address: Uint8Array | null;
	/** 0: the kernel chooses a free port. */
	readonly port: number;
	readonly backlog: number;
	/** What accepted connections inherit; absent: the system's defaults. */
	readonly connection?: ConnectionOptions;
	/** Another listener of this process holds the port, on an address that overlaps, and is about to be closed. */
	readonly succeeds?: boolean;
}

export interface Listener {
	/** One socket per reactor, on the same port: the kernel shares connections among them by hash. */
	readonly fds: readonly number[];
	readonly port: number;
}

/**
 * Opens `count` listening sockets on one address. The first is bound without SO_REUSEPORT, so that
 * a port held by another process (also one of ours) is an error instead of being shared silently. Only a
 * listener that succeeds another of this process cannot be told from a stranger, and shares at once.
 *
 * Accepted sockets inherit TCP_NODELAY, keepalive and buffer options from here, which saves six calls
 * per connection.
 */
export function openListener(options: ListenerOptions, count: number): Listener {
	const fds: number[] = [];
	let port = options.port;
	try {
		for (let i = 0; i < count; i++) {
			const shared = i > 0 || options.succeeds === true;
			const fd = openBound(SOCK_STREAM, options.address, port, shared, (fd) => {
				setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
				setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
				if (options.connection !== undefined) setConnectionOptions(fd, options.connection);
			});
			fds.push(fd);
			port = localPort(fd);
		}
		// Only when all are bound: a listening socket takes its share of connections at once.
		for (const fd of fds) startListening(fd, options.backlog);
	} catch (error) {
		for (const fd of fds) libc.close(fd);
		throw error;
	}
	return { fds, port };
}

/**
 * A socket that is bound to a port of an address, or of every address of this machine where that is `null`. `shared`: others of this process
 * hold the port already. `prepare` is called before it is bound.
 */
export function openBound(
	type: number,
	address: Uint8Array | null,
	port: number,
	shared: boolean,
	prepare: (fd: number, v6: boolean) => void,
): number {
	const isAny = address === null;
	let fd = tryBind(type, encodeInternet(address ?? new Uint8Array(16), port), isAny, shared, prepare);
	// A machine without IPv6 still serves every address it has.
	if (isAny && (fd === -EAFNOSUPPORT || fd === -EADDRNOTAVAIL))
		fd = tryBind(type, encodeInternet(new Uint8Array(4), port), false, shared, prepare);
	if (fd < 0) throw new SystemError("bind", -fd);
	return fd;
}

function tryBind(
	type: number,
	sockaddr: Uint8Array,
	dualStack: boolean,
	shared: boolean,
	prepare: (fd: number, v6: boolean) => void,
): number {
	const family = familyAt(sockaddr, 0);
	const v6 = family === AF_INET6;
	const fd = libc.socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) return -libc.errno();
	try {
		if (v6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, dualStack ? 0 : 1);
		prepare(fd, v6);
		if (shared) setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
		if (libc.bind(fd, libc.addressOf(sockaddr), sockaddr.length) < 0) {
			const error = libc.errno();
			libc.close(fd);
			return -error;
		}
		if (!shared) setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	} catch (error) {
		libc.close(fd);
		throw error;
	}
	return fd;
}

/**
 * Opens a listening socket whose file has these permissions, and never wider ones: the kernel makes the file with those of
 * the socket, less the umask, and what the umask took is given back then. The file must not be there.
 */
export function openSocketFile(path: string, mode: number, backlog: number): number {
	const fd = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) throw new SystemError("socket", libc.errno());
	try {
		fchmodSync(fd, mode);
		const address = encodeUnix(path);
		if (libc.bind(fd, libc.addressOf(address), address.length) < 0)
			throw new SystemError("bind", libc.errno());
		chmodSync(path, mode);
		startListening(fd, backlog);
	} catch (error) {
		libc.close(fd);
		throw error;
	}
	return fd;
}

/** Starts to listen; on a socket that listens already, changes its backlog. */
export function startListening(fd: number, backlog: number): void {
	if (libc.listen(fd, backlog) < 0) throw new SystemError("listen", libc.errno());
}

/** Changes what connections accepted from now on inherit. */
export function setConnectionOptions(fd: number, { keepalive, sockets }: ConnectionOptions): void {
	setKeepalive(fd, keepalive);
	setUnsent(fd, sockets.unsentBytes);
	// Fixing a size switches the kernel's tuning off, and nothing switches it on again: a change to "auto" by a
	// reload holds from the next start on.
	if (sockets.sendBytes !== null) setOption(fd, SOL_SOCKET, SO_SNDBUF, sockets.sendBytes);
	if (sockets.receiveBytes !== null) setOption(fd, SOL_SOCKET, SO_RCVBUF, sockets.receiveBytes);
}

/** What the kernel takes beyond the bytes that are under way: of a connection, or of a listener for those that come. */
export function setUnsent(fd: number, bytes: number): void {
	setOption(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes);
}

/** Of a connection, or of a listener, for those that are accepted from now on. */
export function setKeepalive(fd: number, keepalive: ConnectionOptions["keepalive"]): void {
	setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive.idleSeconds);
	setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive.intervalSeconds);
	setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, keepalive.probes);
	setOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, keepalive.userTimeoutMs);
}

export function setOption(fd: number, level: number, option: number, value: number): void {
	if (!trySetOption(fd, level, option, value)) throw new SystemError("setsockopt", libc.errno());
}

/** False: the kernel refuses. */
export function trySetOption(fd: number, level: number, option: number, value: number): boolean {
	WORD[0] = value;
	// Asked for at each call: this file is imported also where system calls cannot be made.
	return libc.setsockopt(fd, level, option, libc.addressOf(WORD), 4) === 0;
}

const WORD = new Int32Array(1);

/** Where a socket is bound. */
export function localPort(fd: number): number {
	const bytes = new Uint8Array(SOCKADDR_BYTES);
	const length = new Int32Array([SOCKADDR_BYTES]);
	if (libc.getsockname(fd, libc.addressOf(bytes), libc.addressOf(length)) < 0)
		throw new SystemError("getsockname", libc.errno());
	return portAt(bytes, 0);
}

/**
 * Makes a socket connect from this address (4 bytes). The port stays open until connect(), so that each
 * address brings the whole range of ephemeral ports for every peer.
 */
export function bindSource(fd: number, address: Uint8Array): void {
	setOption(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	const bytes = encodeInternet(address, 0);
	if (libc.bind(fd, libc.addressOf(bytes), bytes.length) < 0) throw new SystemError("bind", libc.errno());
}

/** Connections waiting in a listener's accept queue, and how many may (TCP_INFO on the listener). */
export function acceptQueue(fd: number): { depth: number; limit: number } {
	// For a listening socket tcpi_unacked (byte 24) is the queue and tcpi_sacked (byte 28) its limit.
	const info = new Uint32Array(26);
	const length = new Int32Array([104]);
	if (libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, libc.addressOf(info), libc.addressOf(length)) < 0)
		throw new SystemError("getsockopt", libc.errno());
	return { depth: info[6] as number, limit: info[7] as number };
}

/** Whether a descriptor is a socket of the kind that connections are. */
export function isStreamSocket(fd: number): boolean {
	const words = new Int32Array([0, 4]);
	const at = libc.addressOf(words);
	return libc.getsockopt(fd, SOL_SOCKET, SO_TYPE, at, at + 4) === 0 && words[0] === SOCK_STREAM;
}

/** The port that a TCP socket is connected to; `undefined` while it is being connected, 0 where there is none. */
export function peerPort(fd: number): number | undefined {
	const bytes = new Uint8Array(SOCKADDR_BYTES);
	const length = new Int32Array([SOCKADDR_BYTES]);
	if (libc.getpeername(fd, libc.addressOf(bytes), libc.addressOf(length)) < 0)
		return isConnecting(fd) ? undefined : 0;
	const family = familyAt(bytes, 0);
	return family === AF_INET || family === AF_INET6 ? portAt(bytes, 0) : 0;
}

/** The address that a TCP socket is connected to, 4 or 16 bytes of it; `undefined` where there is none any more. */
export function peerOf(fd: number): { readonly family: number; readonly bytes: Uint8Array } | undefined {
	const bytes = new Uint8Array(SOCKADDR_BYTES);
	const length = new Int32Array([SOCKADDR_BYTES]);
	if (libc.getpeername(fd, libc.addressOf(bytes), libc.addressOf(length)) < 0) return undefined;
	const address = new Uint8Array(16);
	return { family: copyAddress(bytes, 0, address, 0), bytes: address };
}

function isConnecting(fd: number): boolean {
	const state = new Uint8Array(1);
	const length = new Int32Array([1]);
	const result = libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, libc.addressOf(state), libc.addressOf(length));
	return result === 0 && state[0] === TCP_SYN_SENT;
}

/**
 * Descriptors that are used where nobody asks for more. Containers often allow 1,073,741,816, and tables are sized by what is
 * used: this is `fs.nr_open`, the most that Linux allows a process unless told otherwise.
 */
export const DESCRIPTORS_USED = 1_048_576;

/** The process's limits of descriptors: `soft` holds, and may be raised to `hard`. */
export function descriptorLimits(): { soft: number; hard: number } {
	const pair = new BigUint64Array(2);
	if (libc.getrlimit(RLIMIT_NOFILE, libc.addressOf(pair)) < 0)
		throw new SystemError("getrlimit", libc.errno());
	return { soft: Number(pair[0]), hard: Number(pair[1]) };
}

/** Raises the soft descriptor limit to what is wanted, as far as the hard one allows, and returns how many may be used. */
export function raiseDescriptorLimit(wanted = DESCRIPTORS_USED): number {
	const { soft, hard } = descriptorLimits();
	const raised = Math.min(wanted, hard);
	if (soft >= raised) return raised;
	const pair = new BigUint64Array([BigInt(raised), BigInt(hard)]);
	// Refused only by exotic sandboxes; the soft limit then stays what it was.
	return libc.setrlimit(RLIMIT_NOFILE, libc.addressOf(pair)) < 0 ? soft : raised;
}

/**
 * Makes the process's table of descriptors large enough for `count` of them. The kernel doubles it when it is full, and
 * in a process of several threads whoever opened one descriptor too many waits until no processor can see the old table
 * any more (`expand_fdtable`, `synchronize_rcu`): 10 to 25 ms in which that thread serves nobody. Where the limit does
 * not allow so many, it grows as it did.
 */
export function growDescriptorTable(count: number): void {
	const any = openWake();
	const last = libc.fcntl(any, F_DUPFD_CLOEXEC, count - 1);
	if (last >= 0) libc.close(last);
	libc.close(any);
}

/** What a reactor waits at. Opened for its thread, so that it is given back although that thread may die. */
export function openEpoll(): number {
	const fd = libc.epollCreate1(O_CLOEXEC);
	if (fd < 0) throw new SystemError("epoll_create1", libc.errno());
	return fd;
}

/** A descriptor that wakes whoever waits for it. */
export function openWake(): number {
	const fd = libc.eventfd(0, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) throw new SystemError("eventfd", libc.errno());
	return fd;
}

/** Of an own buffer, which stays where it is. */
const one = new BigUint64Array(new ArrayBuffer(8)).fill(1n);
let oneAt = 0;

export function wake(fd: number): void {
	// Not before: this file is also loaded where there are no system calls.
	if (oneAt === 0) oneAt = libc.addressOf(one);
	libc.write(fd, oneAt, one.byteLength);
}

export function closeDescriptor(fd: number): void {
	libc.close(fd);
}

/** Closes a socket so that its peer sees a reset, and not an end: what it was told was cut. */
export function resetDescriptor(fd: number): void {
	const linger = new Int32Array([1, 0]);
	libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, libc.addressOf(linger), 8);
	libc.close(fd);
}

/** Lets nobody in any more, and resets who waits to be accepted. The descriptor stays its owner's. */
export function stopListening(fd: number): void {
	libc.shutdown(fd, SHUT_RD);
}

/** Ends the process at once, even when a thread is stuck writing to a full pipe. */
export function exitNow(code: number): never {
	libc.exitNow(code);
	throw new Error("_exit returned");
}
