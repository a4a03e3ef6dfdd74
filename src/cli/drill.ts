/** `sluice drill`: attacks on a gateway of its own, or on one that runs on this machine. */
import { drillAndExit, listDrills } from "../drill/main.js";
import type { DrillArguments } from "../drill/options.js";
import { print } from "../kernel/print.js";

export async function drill(name: string | undefined, given: DrillArguments): Promise<void> {
	if (name === undefined)
		await print(
			1,
			`sluice drill NAME runs one of these:\n\n${listDrills()}\nsluice drill --help lists the options\n`,
		);
	else await drillAndExit(name, given);
}
