/** Opening and closing many connections to one port of 127.0.0.1. */

import { EPOLLIN, EPOLLOUT, errorName } from "../../src/kernel/constants.js";
import type { LinuxKernel } from "../../src/kernel/linux.js";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import { startConnect } from "../../src/rig/connect.js";
import { Deadline } from "./deadline.js";

/** Handshakes in flight: well below every backlog here (4096), so that no SYN is dropped and retried a second later. */
const OPENING_MAX = 256;

const OPEN_TIMEOUT_MS = 60_000;

export function loopback(port: number): Uint8Array {
	return encodeInternet(new Uint8Array([127, 0, 0, 1]), port);
}

/**
 * Opens `count` connections and returns their descriptors once all are established. Each is then
 * watched for EPOLLIN, with `firstSlot` plus its index as the slot.
 */
export function openConnections(kernel: LinuxKernel, port: number, count: number, firstSlot = 0): Int32Array {
	const address = loopback(port);
	const fds = new Int32Array(count).fill(-1);
	const established = new Uint8Array(count);
	const deadline = new Deadline(`opening ${count} connections to port ${port}`, OPEN_TIMEOUT_MS);
	let started = 0;
	let open = 0;
	try {
		while (open < count) {
			while (started < count && started - open < OPENING_MAX) {
				fds[started] = startConnect(kernel, address, EPOLLOUT, firstSlot + started, 0);
				started++;
			}
			const events = kernel.readiness.wait(100);
			for (let event = 0; event < events; event++) {
				const slot = kernel.readiness.slotOf(event);
				const index = slot - firstSlot;
				const fd = fds[index];
				if (fd === undefined || established[index] === 1)
					throw new Error(`a connection that was opened earlier ended or spoke, unasked`);
				const error = kernel.takeError(fd);
				if (error !== 0) throw new Error(`connecting to port ${port}: ${errorName(error)}`);
				kernel.readiness.modify(fd, EPOLLIN, slot, 0);
				established[index] = 1;
				open++;
			}
			deadline.check(`${open} are open`);
		}
	} catch (error) {
		closeConnections(kernel, fds);
		throw error;
	}
	return fds;
}

export function closeConnections(kernel: LinuxKernel, fds: Int32Array): void {
	for (const fd of fds) if (fd >= 0) kernel.close(fd);
}
