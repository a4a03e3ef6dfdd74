/** Sending and receiving where everything else than success fails the load. */
import { EAGAIN, errorName } from "../../src/kernel/constants.js";
import type { LinuxKernel } from "../../src/kernel/linux.js";

/** Sends all of it: what is said to an idle socket always has room. `what`: a noun, for the error. */
export function sendWhole(kernel: LinuxKernel, fd: number, at: number, length: number, what: string): void {
	const count = kernel.send(fd, at, length);
	if (count < 0) throw new Error(`sending ${what}: ${errorName(-count)}`);
	if (count !== length) throw new Error(`sent ${count} bytes of ${what} of ${length}`);
}

/** How many bytes a call of the kernel received; 0: none are there now. An end is an error. */
export function received(count: number, what: string): number {
	if (count > 0) return count;
	if (count === -EAGAIN) return 0;
	if (count === 0) throw new Error(`the connection ended before the end of ${what}`);
	throw new Error(`receiving ${what}: ${errorName(-count)}`);
}
