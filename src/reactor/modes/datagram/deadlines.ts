/** Until when a session of datagrams may go on. Traffic does not touch the wheel: when that fires, what holds now is asked. */
import { u8 } from "../../../parts/at.js";
import { PROTOCOL_QUIC } from "../../../protocol/protocols.js";
import { IDLE_TIMEOUT, LIFETIME } from "../../records/reasons.js";
import { end, type Next, STAY } from "../../table/next.js";
import type { Session } from "../../table/numbers.js";
import { lifetimeDeadline } from "../../wire/liveness.js";
import type { DatagramContext } from "./context.js";

/** Datagrams begin to pass. */
export function armDatagrams(core: DatagramContext, session: Session): void {
	core.wheel.arm(session, Math.min(idleDeadline(core, session), lifetimeDeadline(core, session)));
}

export function datagramsTimedOut(core: DatagramContext, session: Session): Next {
	if (lifetimeDeadline(core, session) <= core.nowMs) return end(LIFETIME);
	if (idleDeadline(core, session) <= core.nowMs) return end(IDLE_TIMEOUT);
	armDatagrams(core, session);
	return STAY;
}

/** No datagram in either direction. */
function idleDeadline(core: DatagramContext, session: Session): number {
	const { idleMs, quicIdleMs } = core.policyOf(session);
	const silentMs = u8(core.table.protocol, session) === PROTOCOL_QUIC ? quicIdleMs : idleMs;
	return core.table.activeMs(session, core.nowMs) + silentMs;
}
