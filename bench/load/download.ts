/** Bulk: every connection asks for many bytes and throws them away as fast as they come. */
import { EAGAIN, errorName } from "../../src/kernel/constants.js";
import type { LinuxKernel } from "../../src/kernel/linux.js";
import { Deadline } from "./deadline.js";
import { bulkRequest, REQUEST_BYTES } from "./wire.js";

/** Taken per call; more than a receive buffer ever holds here. */
const TAKE_BYTES = 8 << 20;

const TIMEOUT_MS = 120_000;

/** Downloads `bytesEach` over each of `fds`, whose slots are their indices. Returns the wall time in ms. */
export function runDownload(kernel: LinuxKernel, fds: Int32Array, bytesEach: number): number {
	const received = new Float64Array(fds.length);
	const deadline = new Deadline(`${fds.length} downloads of ${bytesEach} bytes`, TIMEOUT_MS);
	const start = performance.now();
	let done = 0;
	ask(kernel, fds, bytesEach);
	while (done < fds.length) {
		const events = kernel.readiness.wait(1000);
		if (events === 0) deadline.check(`${done} are done`);
		for (let event = 0; event < events; event++) {
			const slot = kernel.readiness.slotOf(event);
			const total = (received[slot] as number) + take(kernel, fds[slot] as number);
			received[slot] = total;
			if (total > bytesEach) throw new Error(`a download brought ${total} bytes instead of ${bytesEach}`);
			if (total === bytesEach) done++;
		}
	}
	return performance.now() - start;
}

/** More than is ever downloaded in the time that a row has. */
const ENDLESS_BYTES = 1e15;

/** Downloads over each of `fds`, whose slots are their indices, for so long. Returns how many bytes came. */
export function runDownloadFor(kernel: LinuxKernel, fds: Int32Array, ms: number): number {
	const endMs = performance.now() + ms;
	let bytes = 0;
	ask(kernel, fds, ENDLESS_BYTES);
	while (performance.now() < endMs) {
		const events = kernel.readiness.wait(100);
		for (let event = 0; event < events; event++)
			bytes += take(kernel, fds[kernel.readiness.slotOf(event)] as number);
	}
	return bytes;
}

function ask(kernel: LinuxKernel, fds: Int32Array, bytesEach: number): void {
	kernel.memory.set(bulkRequest(bytesEach), 0);
	for (const fd of fds) {
		const count = kernel.send(fd, 0, REQUEST_BYTES);
		if (count !== REQUEST_BYTES)
			throw new Error(`sending a bulk request: ${count < 0 ? errorName(-count) : count}`);
	}
}

/** Dropped in the kernel without a copy: the sink should never be what limits a proxy. */
function take(kernel: LinuxKernel, fd: number): number {
	const count = kernel.discard(fd, TAKE_BYTES);
	if (count === -EAGAIN) return 0;
	if (count < 0) throw new Error(`a download failed: ${errorName(-count)}`);
	if (count === 0) throw new Error("a download ended before all of it had come");
	return count;
}
