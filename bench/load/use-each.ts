/** One HTTP request over each of many connections, so many at a time that pools need not grow to their number. */
import { EAGAIN, errorName } from "../../src/kernel/constants.js";
import type { LinuxKernel } from "../../src/kernel/linux.js";
import { Deadline } from "./deadline.js";
import { request, upgradeRequest } from "./wire.js";

const IN_FLIGHT = 64;
const SCRATCH_AT = 4096;
const SCRATCH_BYTES = 4096;
const TIMEOUT_MS = 60_000;

/** `upgrade`: a WebSocket is asked for. Slots of `fds` are their indices. Returns the wall time in ms. */
export function useEach(kernel: LinuxKernel, fds: Int32Array, upgrade: boolean): number {
	const saying = upgrade ? upgradeRequest() : request("/");
	kernel.memory.set(saying, 0);
	const texts = new Map<number, string>();
	const deadline = new Deadline(`one request over each of ${fds.length} connections`, TIMEOUT_MS);
	const start = performance.now();
	let asked = 0;
	let done = 0;
	const ask = (): void => {
		if (asked >= fds.length) return;
		const count = kernel.send(fds[asked] as number, 0, saying.length);
		if (count !== saying.length) throw new Error(`sending a request: ${count}`);
		texts.set(asked++, "");
	};
	while (asked < fds.length && asked < IN_FLIGHT) ask();
	while (done < fds.length) {
		const events = kernel.readiness.wait(1000);
		if (events === 0) deadline.check(`${done} are answered`);
		for (let event = 0; event < events; event++) {
			const slot = kernel.readiness.slotOf(event);
			const text = texts.get(slot);
			if (text === undefined) throw new Error("a connection that was answered ended or spoke, unasked");
			const whole = text + take(kernel, fds[slot] as number);
			if (!isComplete(whole, upgrade ? 101 : 200)) {
				texts.set(slot, whole);
				continue;
			}
			texts.delete(slot);
			done++;
			ask();
		}
	}
	return performance.now() - start;
}

function take(kernel: LinuxKernel, fd: number): string {
	const count = kernel.receive(fd, SCRATCH_AT, SCRATCH_BYTES);
	if (count === -EAGAIN) return "";
	if (count < 0) throw new Error(`receiving a response: ${errorName(-count)}`);
	if (count === 0) throw new Error("the connection ended before the response");
	return Buffer.from(kernel.memory.subarray(SCRATCH_AT, SCRATCH_AT + count)).toString("latin1");
}

/** Throws for a response with another status. */
function isComplete(text: string, status: number): boolean {
	const head = text.indexOf("\r\n\r\n") + 4;
	if (head < 4) return false;
	if (!text.startsWith(`HTTP/1.1 ${status} `)) throw new Error(`not a ${status}: ${text.slice(0, 60)}`);
	if (status === 101) return true;
	const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? Number.NaN);
	return text.length >= head + length;
}
