/** Sockets of UDP that anybody may send to: opened by the control plane, and read by reactors. */
import { SO_RCVBUF, SO_RCVBUFFORCE, SO_RXQ_OVFL, SOCK_DGRAM, SOL_SOCKET } from "./constants.js";
import { setDatagramOptions, setPathProbing } from "./datagram-options.js";
import * as libc from "./libc.js";
import { type Listener, localPort, openBound, SystemError, setOption, trySetOption } from "./sockets.js";

export interface DatagramListenerOptions {
	/** 4 bytes (IPv4) or 16 (IPv6 only); `null`: every address, IPv4 and IPv6 in one socket. */
	readonly address: Uint8Array | null;
	/** 0: the kernel chooses a free port. */
	readonly port: number;
	/** It is bound to every address, so that each datagram must say which one it was sent to. */
	readonly bindsAny: boolean;
	/** `null`: as much as a burst needs, as far as the machine allows. */
	readonly receiveBytes: number | null;
	/** See `setPathProbing`. Absent: it does not. */
	readonly probesPath?: boolean;
	readonly succeeds?: boolean;
}

/** A tenth of a second of 1,200-byte datagrams at 300 Mbit/s. */
export const DATAGRAMS_RECEIVE_BYTES = 4 * 1_048_576;

/** Opens `count` UDP sockets on one address, among which the kernel shares datagrams by the hash of both ends' addresses and ports. */
export function openDatagramListener(options: DatagramListenerOptions, count: number): Listener {
	const fds: number[] = [];
	const { address, bindsAny, receiveBytes, probesPath = false } = options;
	let { port } = options;
	try {
		for (let i = 0; i < count; i++) {
			const shared = i > 0 || options.succeeds === true;
			const fd = openBound(SOCK_DGRAM, address, port, shared, (fd, v6) => {
				if (!setDatagramOptions(fd, v6, bindsAny)) throw new SystemError("setsockopt", libc.errno());
				setReceiveBuffer(fd, receiveBytes);
				setPathProbing(fd, probesPath);
			});
			fds.push(fd);
			port = localPort(fd);
		}
	} catch (error) {
		for (const fd of fds) libc.close(fd);
		throw error;
	}
	return { fds, port };
}

function setReceiveBuffer(fd: number, bytes: number | null): void {
	const wanted = bytes ?? DATAGRAMS_RECEIVE_BYTES;
	if (trySetOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, wanted)) return;
	setOption(fd, SOL_SOCKET, SO_RCVBUF, wanted);
}

/** What a socket may hold that nobody has received yet, as it would be asked for: the kernel reckons twice as much, for what it needs itself. */
export function receiveBuffer(fd: number): number {
	const words = new Int32Array([0, 4]);
	const at = libc.addressOf(words);
	if (libc.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, at, at + 4) < 0)
		throw new SystemError("getsockopt", libc.errno());
	return Math.floor((words[0] as number) / 2);
}

/** Whether it is a socket of UDP of a listener, or one that a reactor has opened for a client: nobody else's says what it had no room for. */
export function countsOverruns(fd: number): boolean {
	const words = new Int32Array([0, 4]);
	const at = libc.addressOf(words);
	return libc.getsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, at, at + 4) === 0 && words[0] === 1;
}
