/** The command line of `npm run bench -- udp`. */
import { type Choices, type Chosen, optionsText, readChosen } from "../command-line.js";
import type { UdpRow } from "./bench.js";
import { UDP_ROWS } from "./rows/index.js";
import type { UdpSystem } from "./system.js";
import { UDP_SYSTEMS } from "./systems/index.js";
import { sluice, sluiceBefore } from "./systems/sluice.js";

const CHOICES: Choices<UdpRow, UdpSystem> = {
	rows: UDP_ROWS,
	systems: UDP_SYSTEMS,
	ratiosNeed: "nginx, and nginx-again to be judged",
	older: "sluice-before",

	/** The other checkout stands behind this one. */
	run(chosen, dist) {
		if (dist === null) return chosen;
		return chosen.flatMap((system) => (system === sluice ? [system, sluiceBefore(dist)] : [system]));
	},
};

export const UDP_USAGE = `npm run bench -- udp [options]

Datagrams through Sluice and through others, with the same clients. What is not installed is left out, and it is said how to get it.

${optionsText(CHOICES)}`;

export function readUdpOptions(args: readonly string[]): Chosen<UdpRow, UdpSystem> {
	return readChosen(args, CHOICES);
}
