/**
 * `npm run bench -- udp`: Sluice beside other relays of datagrams.
 *
 *     generator ──► system under test ──► echo server        systems/: whose relays
 *     (load/)                             (load/)            rows/: what is done and measured
 *
 * Rounds, statistics and report are those of the other bench.
 */
import type { Report } from "../report.js";
import { type Said, sideBySide } from "../side-by-side.js";
import { UdpBench } from "./bench.js";
import { readUdpOptions, UDP_USAGE } from "./options.js";

/** What was asked for, or the usage. */
export async function benchUdp(args: readonly string[]): Promise<Said<Report> | string> {
	const chosen = readUdpOptions(args);
	return chosen.help ? UDP_USAGE : sideBySide(chosen, UdpBench.start);
}
