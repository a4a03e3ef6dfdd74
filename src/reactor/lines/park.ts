/** Lines that are proved: they wait in the pool of their agent's address, or are taken at once by a session that waits for one. */

import { i32, ref, u8 } from "../../parts/at.js";
import { LINE_PARKED } from "../../protocol/tunnel/index.js";
import type { PoolPlan } from "../../upstream/plan.js";
import { closeLink, letGoUnproved } from "../links/close-link.js";
import { armIdle, leftBy, poolOf, replaceLine } from "../links/pool.js";
import { OUT_AT } from "../memory/arena.js";
import type { LineVerdict } from "../plan/plan.js";
import { CONNECT_TIMEOUT } from "../records/reasons.js";
import { EXCHANGES } from "../table/marks.js";
import { DIAL_ON, to } from "../table/next.js";
import { type Link, NONE, type Session } from "../table/numbers.js";
import { POOLED, PROVING } from "../table/states.js";
import { setLineOptions } from "../wire/socket-options.js";
import { transmit } from "../wire/transport.js";
import type { LinesContext } from "./context.js";

/** The main thread has looked at a proof. */
export function takeVerdict(core: LinesContext, { link: slot, generation, place: found }: LineVerdict): void {
	const { table, links, secures, certificates } = core;
	const link = slot as Link;
	if (i32(table.generation, link) !== generation || u8(table.state, link) !== PROVING) {
		// Its agent has gone.
		if (found !== null) neverParked(core, found.tunnel);
		return;
	}
	if (found === null) {
		closeLink(core, link);
		return;
	}
	const place = table.placeOf(link);
	const { upstream, address, tunnel } = found;
	links.opened(place, upstream, address, core.nowMs);
	links.tunnel[place] = tunnel;
	secures.address[place] = address;
	secures.manner[place] = i32(certificates.manners, address);
	const plan = poolOf(core, place);
	core.kernel.memory[OUT_AT] = LINE_PARKED;
	// A reload or a lease has taken it away meanwhile; or the agent has.
	if (plan === undefined || core.draining || transmit(core, link, OUT_AT, 1) !== 1) {
		links.tunnel[place] = 0;
		neverParked(core, tunnel);
		closeLink(core, link);
		return;
	}
	const { lines } = core.upstreams.get(upstream)?.plan ?? {};
	if (lines !== undefined) setLineOptions(core.kernel, i32(table.fd, link), lines);
	core.lineNews.add({ kind: "parked", tunnel });
	wait(core, link, address, tunnel, plan);
	replaceLine(core, address);
}

/** A line that has been parked in another reactor waits here. `isHeard`: its news are. */
export function parkMoved(
	core: LinesContext,
	link: Link,
	address: number,
	tunnel: number,
	isHeard: boolean,
): void {
	const plan = poolOf(core, core.table.placeOf(link));
	if (plan === undefined || core.draining || !isHeard) closeLink(core, link);
	else wait(core, link, address, tunnel, plan);
}

function wait(core: LinesContext, link: Link, address: number, tunnel: number, plan: PoolPlan): void {
	const { table, links, idleLists } = core;
	const place = table.placeOf(link);
	letGoUnproved(core, link);
	core.wheel.cancel(link);
	table.state[link] = POOLED;
	links.idleSinceMs[place] = core.nowMs;
	idleLists.add(address, place);
	core.board.lines(address, 1);
	armIdle(core, link, plan);
	serve(core, address, tunnel);
}

function neverParked({ lineNews }: LinesContext, tunnel: number): void {
	lineNews.add({ kind: "ended", tunnel, was: "proving", why: NONE });
}

/** Sessions that wait for a line of this address go on, as long as there are lines: one may end at that, and leave its line to the next. */
export function serve(core: LinesContext, address: number, tunnel: number): void {
	const { idleLists, waitingForLines } = core;
	for (let most = waitingForLines.of(address); most > 0 && i32(idleLists.lengths, address) > 0; most--) {
		const session = waitingForLines.first(address, (each) => mayHave(core, each, address));
		// Nobody is sent there now; who waits is told to go elsewhere.
		if (session === undefined || core.board.isDown(address)) return;
		goOn(core, session, address, tunnel);
	}
}

function mayHave(core: LinesContext, session: Session, address: number): boolean {
	const plan = core.upstreams.get(ref(core.table.upstream, session))?.plan;
	const isRequest = (i32(core.table.flags, session) & EXCHANGES) !== 0;
	const left = plan === undefined ? 0 : leftBy(core, session, plan, isRequest);
	return left === 0 || core.board.parked(address) > left;
}

function goOn(core: LinesContext, session: Session, address: number, tunnel: number): void {
	const { table, waitingForLines } = core;
	waitingForLines.remove(address, session);
	core.lineNews.add({ kind: "waiting", tunnel, ...waitingForLines.told(address) });
	// The same address is asked once more, and no other: the line that has just come is its.
	const addresses = core.upstreams.get(ref(table.upstream, session))?.plan.addresses ?? [];
	const index = addresses.findIndex(({ board }) => board === address);
	table.tried[session] = ~(1 << (index % TRIED_BITS));
	// It has not failed there: asked often, it would have none left.
	table.attempts[session] = Math.max(0, u8(table.attempts, session) - 1);
	core.go(session, to(DIAL_ON, CONNECT_TIMEOUT));
}

/** How many addresses a session remembers to have tried (`steps/dial.ts`). */
const TRIED_BITS = 32;
