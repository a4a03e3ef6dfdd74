/** Closed loop over WebSockets: each says its next message when the last one has been said back. */
import type { LinuxKernel } from "../../src/kernel/linux.js";
import type { Places } from "../../src/rig/places.js";
import { runExchanges } from "./requests.js";
import { ECHO_BYTES, message } from "./wire.js";

/** Returns the wall time in ms. */
export function runMessages(kernel: LinuxKernel, places: Places, count: number): number {
	return runExchanges(kernel, places, {
		...{ what: "messages", count, say: message(), answerBytes: ECHO_BYTES },
	});
}
