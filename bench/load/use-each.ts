/** One HTTP request over each of many connections, so many at a time that pools need not grow to their number. */
import type { LinuxKernel } from "../../src/kernel/linux.js";
import type { Places } from "../../src/rig/places.js";
import { turnUntilOver } from "../../src/rig/turn.js";
import { received, sendWhole } from "./transfer.js";
import { request, upgradeRequest } from "./wire.js";

const IN_FLIGHT = 64;
const SCRATCH_AT = 4096;
const SCRATCH_BYTES = 4096;
const TIMEOUT_MS = 60_000;

/** `upgrade`: a WebSocket is asked for. Returns the wall time in ms. */
export function useEach(kernel: LinuxKernel, places: Places, upgrade: boolean): number {
	const saying = upgrade ? upgradeRequest() : request("/");
	kernel.memory.set(saying, 0);
	const texts = new Map<number, string>();
	let asked = 0;
	let done = 0;
	const ask = (): void => {
		if (asked >= places.count) return;
		sendWhole(kernel, places.fd(asked), 0, saying.length, "a request");
		texts.set(asked++, "");
	};
	while (asked < places.count && asked < IN_FLIGHT) ask();
	return turnUntilOver(kernel, places, {
		what: `one request over each of ${places.count} connections`,
		timeoutMs: TIMEOUT_MS,
		isOver: () => done === places.count,
		progress: () => `${done} are answered`,
		hear(place) {
			const text = texts.get(place);
			if (text === undefined) throw new Error("a connection that was answered ended or spoke, unasked");
			const whole = text + take(kernel, places.fd(place));
			if (!isComplete(whole, upgrade ? 101 : 200)) {
				texts.set(place, whole);
				return;
			}
			texts.delete(place);
			done++;
			ask();
		},
	});
}

function take(kernel: LinuxKernel, fd: number): string {
	const count = received(kernel.receive(fd, SCRATCH_AT, SCRATCH_BYTES), "a response");
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
