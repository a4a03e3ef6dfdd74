/** Sessions wait for a line of an agent to whom nobody is sent any more. */

import type { Pieces } from "../../route/pieces.js";
import { UPSTREAM_DOWN } from "../records/reasons.js";
import { DIAL_ON, to } from "../table/next.js";
import type { LinesContext } from "./context.js";

/** They dial another agent of the name; where there is none, they are refused at once, and need not wait until they have to go. */
export function* sendElsewhere(core: LinesContext, address: number): Pieces {
	const { table, waitingForLines } = core;
	// Counted before: the agent may be taken for good again meanwhile, and have some of them wait once more.
	for (let left = waitingForLines.of(address); left > 0; left--) {
		const session = waitingForLines.first(address);
		if (session === undefined) return;
		table.tried[session] = 0;
		core.go(session, to(DIAL_ON, UPSTREAM_DOWN));
		yield;
	}
}
