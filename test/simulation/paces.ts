/** Sessions that have a rate: none moves more than it may, none is held for longer than it must, and routes count their sessions. */
import { f64, i32, u8 } from "../../src/parts/at.js";
import { NONE } from "../../src/parts/none.js";
import { TICK_MS } from "../../src/parts/wheel.js";
import { CHUNK_BYTES } from "../../src/reactor/memory/arena.js";
import { LIVE_ROUTES } from "../../src/reactor/records/places.js";
import { BLOCKED, PACED, QUEUED, READABLE } from "../../src/reactor/table/marks.js";
import type { Session, Slot } from "../../src/reactor/table/numbers.js";
import { FREE, RELAY } from "../../src/reactor/table/states.js";
import type { Table } from "../../src/reactor/table/table.js";
import { violated } from "./trace.js";
import type { World } from "./world.js";

/** A rate is caught up on for so long (`pace.ts`). */
const BURST_MS = 200;
/** What is read at once beyond the allowed, and what our own answers and heads are. */
const BEYOND_BYTES = 6 * CHUNK_BYTES;

/** After a turn. `actedUponMs`: deadlines from before this have been acted upon. */
export function checkPaces(world: World, actedUponMs: number): void {
	const { core } = world.reactor;
	const { table, paces } = core;
	const routes = new Map<number, number>();
	for (let slot = 0; slot < table.sessions; slot++) {
		if (u8(table.state, slot) === FREE) continue;
		const session = slot as Session;
		const { places, rates } = core.policyOf(session);
		if (places !== null) routes.set(places.route, (routes.get(places.route) ?? 0) + 1);
		const isPaced = (i32(table.flags, session) & PACED) !== 0;
		if (isPaced !== (rates !== null)) violated(`client ${slot} is said to have a rate, or to have none`);
		if (rates === null) continue;
		world.meet("sessions with a rate");
		const heldMs = f64(paces.heldMs, session);
		const link = table.linkOf(session);
		const state = u8(table.state, session);
		if (heldMs > 0) world.meet("sessions held by their rate");
		// A time that is left from an earlier exchange is looked at when there is something to move.
		const moves =
			link !== NONE && state === RELAY && (has(table, session, link) || has(table, link, session));
		const waits = heldMs > 0 && moves;
		if (waits && heldMs + TICK_MS <= actedUponMs && core.wheel.deadlineOf(link) === 0)
			violated(`client ${slot} is held although its rate has let it go on since ${heldMs}`);
		checkMoved(world, session, rates.own);
	}
	for (let route = 0; route < ROUTES; route++)
		if (i32(world.live, LIVE_ROUTES + route) !== (routes.get(route) ?? 0))
			violated(
				`route ${route} counts ${i32(world.live, LIVE_ROUTES + route)} sessions of ${routes.get(route) ?? 0}`,
			);
}

/** Routes of the plans have lower numbers. */
const ROUTES = 64;

/** One side has something that the other one would take, and that no turn is waited for with. */
function has({ flags }: Table, from: Slot, to: Slot): boolean {
	return (i32(flags, from) & (QUEUED | READABLE)) === READABLE && (i32(flags, to) & (BLOCKED | QUEUED)) === 0;
}

function checkMoved(world: World, session: Session, own: number): void {
	if (own === 0) return;
	const { table, links, nowMs } = world.reactor.core;
	const link = table.linkOf(session);
	const up = link === NONE ? 0 : f64(table.sent, link);
	const moved = f64(table.sent, session) + up + f64(links.sentBefore, session);
	const livedMs = nowMs - f64(table.acceptedMs, session);
	if (moved > (own * (livedMs + BURST_MS)) / 1_000 + BEYOND_BYTES)
		violated(`client ${session} moved ${moved} bytes in ${livedMs} ms, and may move ${own} in a second`);
}
