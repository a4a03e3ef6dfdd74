/** Closed loop over connections that stay open: each sends its next request when the response to the last is complete. */
import type { LinuxKernel } from "../../src/kernel/linux.js";
import { i32 } from "../../src/parts/at.js";
import { Deadline } from "../../src/rig/deadline.js";
import type { Places } from "../../src/rig/places.js";
import { turnUntilOver } from "../../src/rig/turn.js";
import { received, sendWhole } from "./transfer.js";
import { REQUEST_BYTES, RESPONSE_BYTES, request } from "./wire.js";

const REQUEST_AT = 0;
const REQUEST_BYTES_MAX = 4096;
const SCRATCH_AT = REQUEST_BYTES_MAX;
/** Responses are a few hundred bytes and never pipelined. */
const SCRATCH_BYTES = 4096;

const TIMEOUT_MS = 120_000;

/** Sends `count` requests over all connections of `places`. Returns the wall time in ms. */
export function runRequests(kernel: LinuxKernel, places: Places, count: number, learns: boolean): number {
	const say = request("/");
	const answerBytes = learns ? learnLength(kernel, places.fd(0)) : RESPONSE_BYTES;
	return runExchanges(kernel, places, { what: "requests", count, say, answerBytes });
}

export interface Exchanges {
	/** For errors: a plural. */
	readonly what: string;
	readonly count: number;
	readonly say: Uint8Array;
	/** Of the one answer to each. */
	readonly answerBytes: number;
}

/** Anything that is said and answered, each at a known length. Returns the wall time in ms. */
export function runExchanges(
	kernel: LinuxKernel,
	places: Places,
	{ what, count, say, answerBytes }: Exchanges,
): number {
	if (say.length > REQUEST_BYTES_MAX) throw new RangeError(`${say.length} bytes do not fit`);
	kernel.memory.set(say, REQUEST_AT);
	const sayOn = (fd: number): void => sendWhole(kernel, fd, REQUEST_AT, say.length, "a request");
	const totals = new Int32Array(places.count);
	let sent = 0;
	let done = 0;
	for (; sent < count && sent < places.count; sent++) sayOn(places.fd(sent));
	return turnUntilOver(kernel, places, {
		what: `${count} ${what} over ${places.count} connections`,
		timeoutMs: TIMEOUT_MS,
		isOver: () => done === count,
		progress: () => `${done} are answered`,
		hear(place) {
			const fd = places.fd(place);
			const total = i32(totals, place) + takeBytes(kernel, fd);
			if (total > answerBytes) throw new Error(`a response of ${total} bytes instead of ${answerBytes}`);
			if (total < answerBytes) {
				totals[place] = total;
				return;
			}
			totals[place] = 0;
			done++;
			if (sent === count) return;
			sayOn(fd);
			sent++;
		},
	});
}

/** One request on one connection, waiting for its response. Returns the time in between in ms. */
export function runOneRequest(kernel: LinuxKernel, fd: number, answerBytes: number): number {
	kernel.memory.set(request("/"), REQUEST_AT);
	const deadline = new Deadline("one request", 10_000);
	const start = performance.now();
	sendRequest(kernel, fd);
	let total = 0;
	for (;;) {
		if (kernel.readiness.wait(1000) === 0) deadline.check(`${total} bytes received`);
		total += takeBytes(kernel, fd);
		if (total >= answerBytes) return performance.now() - start;
	}
}

/** How long a response is on this connection: each proxy writes heads of its own, always of one length. */
export function learnLength(kernel: LinuxKernel, fd: number): number {
	kernel.memory.set(request("/"), REQUEST_AT);
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
	sendWhole(kernel, fd, REQUEST_AT, REQUEST_BYTES, "a request");
}

function takeBytes(kernel: LinuxKernel, fd: number): number {
	return received(kernel.receive(fd, SCRATCH_AT, SCRATCH_BYTES), "a response");
}
