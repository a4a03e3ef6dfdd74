/** Starting connections by system call: no streams, no objects, a few microseconds each. */
import { AF_INET, EINPROGRESS, IPPROTO_TCP, SO_RCVBUF, SOL_SOCKET, TCP_MAXSEG } from "../kernel/constants.js";
import type { LinuxKernel } from "../kernel/linux.js";
import { encodeInternet } from "../kernel/sockaddr.js";
import { bindSource } from "../kernel/sockets.js";

export interface ConnectOptions {
	/** Address to connect from, 4 bytes. */
	readonly source?: Uint8Array;
	/** Size of the receive buffer, in bytes as SO_RCVBUF takes it. */
	readonly receiveBufferBytes?: number;
	/** Largest segment that the peer may send. */
	readonly segmentBytes?: number;
}

/** A port of 127.0.0.1, as `connect` takes it. */
export function loopback(port: number): Uint8Array {
	return encodeInternet(Uint8Array.of(127, 0, 0, 1), port);
}

/** Starts to connect. Returns the descriptor, which nobody watches yet, or a negative errno. Throws when the source is not ours. */
export function connect(kernel: LinuxKernel, address: Uint8Array, options: ConnectOptions = {}): number {
	const fd = kernel.socket(AF_INET);
	if (fd < 0) return fd;
	// Before connecting: the window is offered with the SYN.
	if (options.receiveBufferBytes !== undefined)
		kernel.setOption(fd, SOL_SOCKET, SO_RCVBUF, options.receiveBufferBytes);
	if (options.segmentBytes !== undefined) kernel.setOption(fd, IPPROTO_TCP, TCP_MAXSEG, options.segmentBytes);
	if (options.source !== undefined) {
		try {
			bindSource(fd, options.source);
		} catch (error) {
			kernel.close(fd);
			throw error;
		}
	}
	const result = kernel.connect(fd, address);
	if (result >= 0 || result === -EINPROGRESS) return fd;
	kernel.close(fd);
	return result;
}
