/** Starting a program that subscribers come to, and the audience that it will have. */
import { family } from "../../src/rig/proc.js";
import { freePorts } from "../free-port.js";
import { Start } from "../start.js";
import { accepts } from "../systems/launch.js";
import { onItsCore } from "./apart.js";
import { Audience } from "./load/driver.js";
import { type Assignment, type HubSystem, ROLES, type RunningHub } from "./system.js";

const RETRY_MS = 20;

/** Starts a system and waits until subscribers and publishers are let in. */
export async function launchHub(
	system: HubSystem,
	{ certificate, collects }: Pick<Assignment, "certificate" | "collects">,
): Promise<RunningHub> {
	const start = new Start(system.id, RETRY_MS);
	const { directory } = start;
	const assignment = { listen: await freePorts("tcp", ROLES), certificate, directory, collects };
	const doors = system.doors(assignment);
	const { pid } = start.run(onItsCore(system.prepare(assignment)));
	const letsIn = (who: string, port: number): Promise<void> =>
		start.until(`${who} are let in`, () => accepts(port));
	await letsIn("subscribers", doors.plain.port);
	if (doors.tls !== null) await letsIn("subscribers with TLS", doors.tls.port);
	await letsIn("publishers", doors.publish.port);
	const audience = new Audience();
	return {
		...{ system, doors, audience, pids: () => family(pid) },
		async stop() {
			await audience.stop();
			await start.stop();
		},
	};
}
