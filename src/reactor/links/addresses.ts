/** Which address of its upstream a session tries next, and what is held against one that fails. */
import { i32, ref, u8 } from "../../parts/at.js";
import type { Balancer } from "../../upstream/balance.js";
import type { AddressPlan } from "../../upstream/plan.js";
import { scalarIndex } from "../records/counters.js";
import type { Session } from "../table/numbers.js";
import type { LinksContext } from "./context.js";

/** Addresses dialled for a session at most: as many as `tried` has bits for. */
export const ATTEMPTS_MAX = 32;

/** The address to dial, which counts as tried. Undefined: none is left. */
export function nextAddress(
	core: LinksContext,
	session: Session,
	balancer: Balancer,
): AddressPlan | undefined {
	const { table } = core;
	const tried = i32(table.tried, session);
	const sourceBytes = u8(table.family, session) === 4 ? 4 : 16;
	const index = balancer.choose(tried, table.source, session * 16, sourceBytes, core.nowMs);
	const address = balancer.plan.addresses[index];
	if (address === undefined) return undefined;
	// Not again for each look at a backlog.
	if (u8(table.attempts, session) > 0 && table.dialledMs(session) === 0) core.counters.add(DIAL_RETRIES, 1);
	table.attempts[session] = u8(table.attempts, session) + 1;
	// An address beyond the bits shares one, so that it is not the first choice again.
	table.tried[session] = tried | (1 << (index % ATTEMPTS_MAX));
	return address;
}

/** Counts a session of that address. False: it has all that it may. */
export function takeSeat({ board }: LinksContext, { board: place, connectionsMax }: AddressPlan): boolean {
	if (connectionsMax !== undefined) return board.tryEnter(place, connectionsMax);
	board.enter(place);
	return true;
}

/** A failure of that address, of which some in a row eject it. */
export function blame(core: LinksContext, session: Session, address: number): void {
	const upstream = core.upstreams.get(ref(core.table.upstream, session));
	if (upstream === undefined) return;
	const { ejectFailures, ejectForMs } = upstream.plan;
	if (core.board.failed(address, ejectFailures, ejectForMs, core.nowMs)) core.counters.add(EJECTIONS, 1);
}

const DIAL_RETRIES = scalarIndex("dialRetries");
const EJECTIONS = scalarIndex("ejections");
