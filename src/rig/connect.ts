/** Starting connections by system call: no streams, no objects, a few microseconds each. */
import {
	AF_INET,
	EINPROGRESS,
	errorName,
	IPPROTO_TCP,
	SO_RCVBUF,
	SOL_SOCKET,
	TCP_MAXSEG,
} from "../kernel/constants.js";
import type { LinuxKernel } from "../kernel/linux.js";
import { bindSource } from "../kernel/sockets.js";

export interface ConnectOptions {
	/** Address to connect from, 4 bytes. */
	readonly source?: Uint8Array;
	/** Size of the receive buffer, in bytes as SO_RCVBUF takes it. */
	readonly receiveBufferBytes?: number;
	/** Largest segment that the peer may send. */
	readonly segmentBytes?: number;
}

/** Starts to connect and watches for `interest`. Returns the descriptor, or a negative errno. */
export function tryConnect(
	kernel: LinuxKernel,
	address: Uint8Array,
	interest: number,
	slot: number,
	generation: number,
	options: ConnectOptions = {},
): number {
	const fd = kernel.socket(AF_INET);
	if (fd < 0) return fd;
	// Before connecting: the window is offered with the SYN.
	if (options.receiveBufferBytes !== undefined)
		kernel.setOption(fd, SOL_SOCKET, SO_RCVBUF, options.receiveBufferBytes);
	if (options.segmentBytes !== undefined) kernel.setOption(fd, IPPROTO_TCP, TCP_MAXSEG, options.segmentBytes);
	if (options.source !== undefined) bindSource(fd, options.source);
	const result = kernel.connect(fd, address);
	if (result < 0 && result !== -EINPROGRESS) {
		kernel.close(fd);
		return result;
	}
	kernel.readiness.add(fd, interest, slot, generation);
	return fd;
}

/** The same, for callers to whom a failure is one of their own. */
export function startConnect(
	kernel: LinuxKernel,
	address: Uint8Array,
	interest: number,
	slot: number,
	generation: number,
	options: ConnectOptions = {},
): number {
	const fd = tryConnect(kernel, address, interest, slot, generation, options);
	if (fd < 0) throw new Error(`connect: ${errorName(-fd)}`);
	return fd;
}
