/** Whether a soak was held. */
import type { SoakFigures } from "./tunnels.js";

/** Between two thirds of the time; V8 keeps a page or two more of what it has collected, now and then. */
const GROWTH_MAX_BYTES = 3 * 1_048_576;

/** What was not held, a sentence each. */
export function verdictOf({ reconnects, lost, agentReconnects, gateway, agent }: SoakFigures): string[] {
	const problems: string[] = [];
	if (reconnects > 0) problems.push(`${reconnects} users were cut off`);
	if (agentReconnects > 0) problems.push(`the agent had to log in again ${agentReconnects} times`);
	if (lost > 0) problems.push(`${lost} messages have not come back`);
	for (const [name, { thirds, descriptors }] of Object.entries({ gateway, agent })) {
		const grown = thirds[2] - thirds[1];
		if (grown > GROWTH_MAX_BYTES)
			problems.push(`the ${name} has grown by ${(grown / 1_048_576).toFixed(1)} MiB in the last third`);
		if (descriptors[1] > descriptors[0])
			problems.push(
				`the ${name} has ${descriptors[1] - descriptors[0]} more descriptors than at the beginning`,
			);
	}
	return problems;
}
