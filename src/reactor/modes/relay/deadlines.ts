/** Until when a relayed session may go on. Traffic does not touch the wheel: when that fires, what holds now is asked. */

import { i32, u8, u32 } from "../../../parts/at.js";
import { HALF_CLOSED_TIMEOUT, IDLE_TIMEOUT, LIFETIME, STALL_TIMEOUT } from "../../records/reasons.js";
import { LASTING } from "../../table/marks.js";
import { end, type Next, STAY } from "../../table/next.js";
import type { Session } from "../../table/numbers.js";
import { lifetimeDeadline, lookAtBoth, stallDeadline, unlessQueued } from "../../wire/liveness.js";
import { boundLine, endNagle, setLastingOptions } from "../../wire/socket-options.js";
import type { RelayContext } from "./context.js";

/**
 * A session that has lived so long gets the socket options that only lasting ones need. Most sessions of a
 * busy gateway end before, and six system calls are a fifth of what a short one costs.
 */
const LASTING_MS = 1_000;

/** Relaying begins. */
export function armRelay(core: RelayContext, session: Session): void {
	core.wheel.arm(session, Math.min(earliestDeadline(core, session), core.nowMs + LASTING_MS));
}

export function relayTimedOut(core: RelayContext, session: Session): Next {
	const { table } = core;
	const link = table.linkOf(session);
	if ((i32(table.flags, link) & LASTING) === 0) {
		table.flags[link] = i32(table.flags, link) | LASTING;
		endNagle(core, link);
		const setOptions = u32(core.links.tunnel, table.placeOf(link)) === 0 ? setLastingOptions : boundLine;
		setOptions(core.kernel, i32(table.fd, link), core.policyOf(session));
	}
	const lookAgainMs = lookAtBoth(core, session);
	const deadlineMs = earliestDeadline(core, session);
	if (deadlineMs <= core.nowMs) return end(overdueReason(core, session));
	core.wheel.arm(session, Math.min(deadlineMs, lookAgainMs));
	return STAY;
}

function earliestDeadline(core: RelayContext, session: Session): number {
	return Math.min(
		silenceDeadline(core, session),
		stallDeadline(core, session),
		lifetimeDeadline(core, session),
	);
}

function overdueReason(core: RelayContext, session: Session): number {
	if (lifetimeDeadline(core, session) <= core.nowMs) return LIFETIME;
	if (stallDeadline(core, session) <= core.nowMs) return STALL_TIMEOUT;
	return u8(core.table.firstEnd, session) !== 0 ? HALF_CLOSED_TIMEOUT : IDLE_TIMEOUT;
}

/** No byte in either direction; sooner when one direction has ended. */
function silenceDeadline(core: RelayContext, session: Session): number {
	const { idleMs, halfClosedMs } = core.policyOf(session);
	const silentMs = u8(core.table.firstEnd, session) !== 0 ? halfClosedMs : idleMs;
	return unlessQueued(core, session, core.table.activeMs(session, core.nowMs) + silentMs);
}
