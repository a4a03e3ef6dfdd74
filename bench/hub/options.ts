/** The command line of `npm run bench -- hub`. */
import { type Choices, type Chosen, optionsText, readChosen } from "../command-line.js";
import type { HubRow } from "./bench.js";
import { HUB_ROWS } from "./rows/index.js";
import type { HubSystem } from "./system.js";
import { HUB_SYSTEMS } from "./systems/index.js";
import { sluicesBefore } from "./systems/sluice.js";

const CHOICES: Choices<HubRow, HubSystem> = {
	rows: HUB_ROWS,
	// Whoever names one gets its further instances.
	systems: HUB_SYSTEMS.filter(({ variantOf }) => variantOf === undefined),
	ratiosNeed: "ws",
	older: "sluice-before",

	run(chosen, dist) {
		const all = HUB_SYSTEMS.filter(
			(system) => chosen.includes(system) || chosen.some(({ id }) => id === system.variantOf),
		);
		if (dist === null) return all;
		// Behind those that they are compared with.
		const before = new Map(sluicesBefore(dist).map((older) => [older.id.replace("-before", ""), older]));
		return all.flatMap((system) => {
			const older = before.get(system.id);
			return older === undefined || system.id.endsWith("-again") ? [system] : [system, older];
		});
	},
};

const TOGETHER = "--together";

export const HUB_USAGE = `npm run bench -- hub [options]

One message to many subscribers, by Sluice and by others, with the same subscribers. What is not installed is left out, and it is said
how to get it.

${optionsText(CHOICES)}  ${TOGETHER}          the subscribers' half of TCP is in the systems' CPU, as it is where there are no rights of root or no two cores
`;

export function readHubOptions(
	args: readonly string[],
): Chosen<HubRow, HubSystem> & { readonly isTogether: boolean } {
	const others = args.filter((arg) => arg !== TOGETHER);
	return { ...readChosen(others, CHOICES), isTogether: others.length < args.length };
}
