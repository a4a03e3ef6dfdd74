/**
 * `npm run bench -- hub`: Sluice beside other programs that send one message to many subscribers.
 *
 *     publisher ──► system under test ──► subscribers        systems/: which programs
 *     └──────────── audience (load/) ───────────────┘        rows/: what is done and measured
 *
 * Each instance has an audience of its own, a process. Rounds, statistics and report are those of the other bench.
 */
import type { Report } from "../report.js";
import { type Said, sideBySide } from "../side-by-side.js";
import { runApart } from "./apart.js";
import { HubBench } from "./bench.js";
import { HUB_USAGE, readHubOptions } from "./options.js";

/** What was asked for, or the usage; or the exit code of the process that has said it. */
export async function benchHub(args: readonly string[]): Promise<Said<Report> | string | number> {
	const { isTogether, ...chosen } = readHubOptions(args);
	if (chosen.help) return HUB_USAGE;
	return (isTogether ? null : await runApart(args)) ?? sideBySide(chosen, HubBench.start);
}
