/** What is to be sent is added, with what has been added before if it goes where that goes; `flush.ts` sends it. */
import { LOCAL_BYTES, SENDER_BYTES } from "../../../kernel/datagrams.js";
import { u16 } from "../../../parts/at.js";
import type { DatagramTraffic } from "../../datagrams/traffic.js";
import type { Session } from "../../table/numbers.js";
import type { DatagramContext } from "./context.js";

/** For the session's upstream. */
export function addForUpstream(
	core: DatagramContext,
	{ io, added }: DatagramTraffic,
	session: Session,
	at: number,
	length: number,
	segment: number,
	ecn: number,
): void {
	if (added.canJoin(length, segment, ecn)) {
		io.join(at, length, added.join(at, length));
		return;
	}
	added.note(session, u16(core.table.listener, session), at, length, segment, ecn);
	io.add(at, length, segment, ecn);
}

/** For its client, by the listener's socket. */
export function addForClient(
	core: DatagramContext,
	{ io, added, flows }: DatagramTraffic,
	session: Session,
	at: number,
	length: number,
	segment: number,
	ecn: number,
): void {
	if (added.canJoin(length, segment, ecn)) {
		io.join(at, length, added.join(at, length));
		return;
	}
	added.note(session, u16(core.table.listener, session), at, length, segment, ecn);
	const localAt = localAddressAt(core, session);
	io.addTo(at, length, segment, ecn, flows.names, session * SENDER_BYTES, flows.locals, localAt);
}

/** Where in `flows.locals` stands which address of ours the client speaks to; negative: the one that the listener is bound to. */
export function localAddressAt(core: DatagramContext, session: Session): number {
	return core.listenerOf(session).plan.datagrams?.bindsAny === true ? session * LOCAL_BYTES : -1;
}
