/** The command line of `npm run bench`. */
import type { Row } from "./bench.js";
import { type Choices, type Chosen, optionsText, readChosen } from "./command-line.js";
import { ROWS } from "./rows/index.js";
import { SYSTEMS } from "./systems/index.js";
import { sluice, sluiceBefore, sluiceLogged } from "./systems/sluice.js";
import type { System } from "./systems/system.js";

const CHOICES: Choices<Row, System> = {
	rows: ROWS,
	/** Variants come with the one that they are variants of. */
	systems: SYSTEMS.filter((system) => system.variantOf === undefined),
	ratiosNeed: "haproxy",
	older: "sluice-before",

	run(chosen, dist) {
		const all = SYSTEMS.filter(
			(system) => chosen.includes(system) || chosen.some(({ id }) => id === system.variantOf),
		);
		if (dist === null) return all;
		const older = sluiceBefore(dist);
		// Beside the ones that they are compared with.
		return all.flatMap((system) => {
			const at = [sluice, sluiceLogged].indexOf(system);
			return older[at] === undefined ? [system] : [system, older[at]];
		});
	},
};

export const USAGE = `npm run bench -- [options]
npm run bench -- library [options]   what the library costs on a Node server; --help says more
npm run bench -- tunnels [options]   gateway and agent beside other programs for tunnels; --help says more
npm run bench -- udp [options]       datagrams, beside other relays; --help says more
npm run bench -- hub [options]       one message to many subscribers, beside other programs; --help says more
npm run bench -- quic [options]      what it takes to open QUIC's Initials; --help says more

${optionsText(CHOICES)}`;

export function readOptions(args: readonly string[]): Chosen<Row, System> {
	return readChosen(args, CHOICES);
}
