/** A ClientHello on each of many connections, and the answer of the backend that its name led to. */
import type { LinuxKernel } from "../../src/kernel/linux.js";
import { i32 } from "../../src/parts/at.js";
import type { Places } from "../../src/rig/places.js";
import { turnUntilOver } from "../../src/rig/turn.js";
import { received, sendWhole } from "./transfer.js";
import { ANSWER_BYTES } from "./wire.js";

const HELLO_AT = 0;
const SCRATCH_AT = 16 * 1024;
const SCRATCH_BYTES = 4096;
const IN_FLIGHT = 64;
const TIMEOUT_MS = 60_000;

/** Returns the wall time in ms. */
export function greet(kernel: LinuxKernel, places: Places, hello: Uint8Array): number {
	kernel.memory.set(hello, HELLO_AT);
	const totals = new Int32Array(places.count);
	let greeted = 0;
	let done = 0;
	const next = (): void => {
		if (greeted < places.count)
			sendWhole(kernel, places.fd(greeted++), HELLO_AT, hello.length, "a ClientHello");
	};
	for (let i = 0; i < IN_FLIGHT; i++) next();
	return turnUntilOver(kernel, places, {
		what: `a ClientHello on each of ${places.count} connections`,
		timeoutMs: TIMEOUT_MS,
		isOver: () => done === places.count,
		progress: () => `${done} are answered`,
		hear(place) {
			const count = received(
				kernel.receive(places.fd(place), SCRATCH_AT, SCRATCH_BYTES),
				"the answer to a ClientHello",
			);
			totals[place] = i32(totals, place) + count;
			if (i32(totals, place) > ANSWER_BYTES) throw new Error("more was answered than the backend says");
			if (totals[place] !== ANSWER_BYTES) return;
			done++;
			next();
		},
	});
}
