/** The generator of datagrams, a process as that of connections is: see ../../load/generator.ts. */
import { LinuxKernel } from "../../../src/kernel/linux.js";
import { type Ask, obeyCommands } from "../../load/asking.js";
import type { Commands } from "./commands.js";
import { Flows } from "./flows.js";
import { makeInitials } from "./initials.js";
import { runSessions } from "./sessions.js";

const ARENA_BYTES = 4096;

const kernel = new LinuxKernel(ARENA_BYTES);
const datagrams = kernel.openDatagrams();
const flows = new Flows(kernel, datagrams);
let initials: readonly Uint8Array[] = [];

obeyCommands<Commands>(
	(ask) => {
		const startMs = performance.now();
		const lost = obey(ask);
		return { wallMs: performance.now() - startMs, lost };
	},
	() => flows.close(),
);

/** How many datagrams were lost. */
function obey(ask: Ask<Commands>): number {
	switch (ask.name) {
		case "open":
			flows.open(ask.port, ask.flows, ask.joined);
			return 0;
		case "exchange":
			return flows.exchange(ask, ask.count);
		case "close":
			flows.close();
			return 0;
		case "makeInitials":
			initials = makeInitials(ask.count, ask.hellosBase64);
			return 0;
		case "sessions":
			return runSessions(kernel, datagrams, { ...ask, initials: ask.bytes === null ? initials : null });
	}
}
