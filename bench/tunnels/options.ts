/** The command line of `npm run bench -- tunnels`. */
import { type Choices, type Chosen, optionsText, readChosen } from "../command-line.js";
import type { TunnelRow } from "./bench.js";
import { TUNNEL_ROWS } from "./rows/index.js";
import type { TunnelSystem } from "./system.js";
import { TUNNEL_SYSTEMS } from "./systems/index.js";
import { sluiceTunnelsBefore } from "./systems/sluice.js";

const CHOICES: Choices<TunnelRow, TunnelSystem> = {
	rows: TUNNEL_ROWS,
	systems: TUNNEL_SYSTEMS,
	ratiosNeed: "rathole and rathole-again; of lines with TLS rathole-noise",
	older: "sluice-before-…",

	/** Each of Sluice's with the same of another checkout behind it. */
	run(chosen, dist) {
		if (dist === null) return chosen;
		const before = sluiceTunnelsBefore(dist);
		return chosen.flatMap((system) => [
			system,
			...before.filter(({ of }) => of === system.id).map(({ older }) => older),
		]);
	},
};

export const TUNNELS_USAGE = `npm run bench -- tunnels [options]

A gateway and an agent of Sluice beside those of other programs, with the same visitors. What is not on the PATH is left
out, and it is said how to get it.

${optionsText(CHOICES)}`;

export function readTunnelOptions(args: readonly string[]): Chosen<TunnelRow, TunnelSystem> {
	return readChosen(args, CHOICES);
}
