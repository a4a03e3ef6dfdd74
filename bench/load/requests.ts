/** Closed loop over connections that stay open: each sends its next request when the response to the last is complete. */
import { EAGAIN, errorName } from "../../src/kernel/constants.js";
import type { LinuxKernel } from "../../src/kernel/linux.js";
import { Deadline } from "./deadline.js";
import { REQUEST_BYTES, RESPONSE_BYTES, request } from "./wire.js";

const REQUEST_AT = 0;
const SCRATCH_AT = REQUEST_BYTES;
/** Responses are 200 bytes and never pipelined. */
const SCRATCH_BYTES = 4096;

const TIMEOUT_MS = 120_000;

/** Sends `count` requests over `fds`, whose slots are their indices. Returns the wall time in ms. */
export function runRequests(kernel: LinuxKernel, fds: Int32Array, count: number, learns: boolean): number {
	kernel.memory.set(request("/"), REQUEST_AT);
	const responseBytes = learns ? learnLength(kernel, fds[0] as number) : RESPONSE_BYTES;
	const received = new Int32Array(fds.length);
	const deadline = new Deadline(`${count} requests over ${fds.length} connections`, TIMEOUT_MS);
	const start = performance.now();
	let sent = 0;
	let done = 0;

	for (; sent < count && sent < fds.length; sent++) sendRequest(kernel, fds[sent] as number);
	while (done < count) {
		const events = kernel.readiness.wait(1000);
		if (events === 0) deadline.check(`${done} are answered`);
		for (let event = 0; event < events; event++) {
			const slot = kernel.readiness.slotOf(event);
			const fd = fds[slot] as number;
			const bytes = takeBytes(kernel, fd);
			const total = (received[slot] as number) + bytes;
			if (total > responseBytes) throw new Error(`a response of ${total} bytes instead of ${responseBytes}`);
			if (total < responseBytes) {
				received[slot] = total;
				continue;
			}
			received[slot] = 0;
			done++;
			if (sent < count) {
				sendRequest(kernel, fd);
				sent++;
			}
		}
	}
	return performance.now() - start;
}

/** One request on one connection, waiting for its response. Returns the time in between in ms. */
export function runOneRequest(kernel: LinuxKernel, fd: number): number {
	kernel.memory.set(request("/"), REQUEST_AT);
	const deadline = new Deadline("one request", 10_000);
	const start = performance.now();
	sendRequest(kernel, fd);
	let received = 0;
	for (;;) {
		if (kernel.readiness.wait(1000) === 0) deadline.check(`${received} bytes received`);
		received += takeBytes(kernel, fd);
		if (received >= RESPONSE_BYTES) return performance.now() - start;
	}
}

/** How long a response is on this connection: each proxy writes heads of its own, always of one length. */
function learnLength(kernel: LinuxKernel, fd: number): number {
	const deadline = new Deadline("a response to learn from", 10_000);
	sendRequest(kernel, fd);
	let text = "";
	for (;;) {
		if (kernel.readiness.wait(1000) === 0) deadline.check(`${text.length} bytes received`);
		const count = takeBytes(kernel, fd);
		text += Buffer.from(kernel.memory.subarray(SCRATCH_AT, SCRATCH_AT + count)).toString("latin1");
		const head = text.indexOf("\r\n\r\n") + 4;
		const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? Number.NaN);
		if (head >= 4 && Number.isNaN(length)) throw new Error(`a response without Content-Length: ${text}`);
		if (head >= 4 && text.length === head + length) return text.length;
	}
}

function sendRequest(kernel: LinuxKernel, fd: number): void {
	const count = kernel.send(fd, REQUEST_AT, REQUEST_BYTES);
	if (count < 0) throw new Error(`sending a request: ${errorName(-count)}`);
	// An idle socket's buffer always has room for 100 bytes.
	if (count !== REQUEST_BYTES) throw new Error(`sent ${count} bytes of a request of ${REQUEST_BYTES}`);
}

function takeBytes(kernel: LinuxKernel, fd: number): number {
	const count = kernel.receive(fd, SCRATCH_AT, SCRATCH_BYTES);
	if (count === -EAGAIN) return 0;
	if (count < 0) throw new Error(`receiving a response: ${errorName(-count)}`);
	if (count === 0) throw new Error("the connection ended before the response");
	return count;
}
