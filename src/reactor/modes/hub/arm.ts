/** When a subscriber is looked at next. */
import type { Session } from "../../table/numbers.js";
import type { HubContext } from "./context.js";

/** It is looked at by then. */
export function armSooner(core: HubContext, session: Session, ms: number): void {
	if (ms < core.wheel.deadlineOf(session)) core.wheel.arm(session, ms);
}
