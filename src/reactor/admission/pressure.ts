/** No descriptor, or no memory, is left: what an errno says of it, and what is done. */
import { EMFILE, ENFILE, ENOBUFS, ENOMEM } from "../../kernel/constants.js";
import { FD_PRESSURE, MEMORY_PRESSURE } from "../records/reasons.js";
import type { Session } from "../table/numbers.js";
import type { AdmissionContext } from "./context.js";
import { makeRoom } from "./shed.js";

/** Opens something; when no descriptor is left, a session that has earned less than this one is closed for it. */
export function openPressed(core: AdmissionContext, session: Session, open: () => number): number {
	const fd = open();
	const pressure = fd < 0 ? pressureOf(-fd) : undefined;
	if (pressure === undefined || makeRoom(core, pressure, session) <= 0) return fd;
	return open();
}

/** Which scarcity an errno tells of. */
export function pressureOf(errno: number): number | undefined {
	if (errno === EMFILE || errno === ENFILE) return FD_PRESSURE;
	return errno === ENOBUFS || errno === ENOMEM ? MEMORY_PRESSURE : undefined;
}
