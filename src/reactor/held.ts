/**
 * Which numbers of listeners, routes, upstreams and addresses this reactor still uses: those of the plan it runs with, and
 * those that its rows carry from earlier ones. Why nobody needs to count them, see `gateway/slots.ts`.
 */

import { i32, ref, u8, u16 } from "../parts/at.js";
import type { Pieces } from "../route/pieces.js";
import { PLACES } from "../upstream/board.js";
import type { ReactorListener } from "./admission/listener.js";
import type { Core } from "./core.js";
import type { HeldNumbers } from "./plan/plan.js";
import { LISTENER_SLOTS, ROUTE_SLOTS, UPSTREAM_SLOTS } from "./records/counters.js";
import { FREE } from "./table/states.js";

const ROUTES_PER_PIECE = 2_048;
const ROWS_PER_PIECE = 1_024;

export function* heldNumbers(core: Core): Pieces<HeldNumbers> {
	const held: HeldNumbers = {
		listeners: new Uint8Array(LISTENER_SLOTS),
		routes: new Uint8Array(ROUTE_SLOTS),
		upstreams: new Uint8Array(UPSTREAM_SLOTS),
		addresses: new Uint8Array(PLACES),
	};
	for (const listener of core.listeners.values()) yield* holdListener(held, listener);
	for (const [slot, { plan }] of core.upstreams) {
		held.upstreams[slot] = 1;
		for (const { board } of plan.addresses) held.addresses[board] = 1;
	}
	yield* holdRows(core, held);
	for (const note of core.requestLog.notes.values()) hold(held.addresses, note.address);
	for (const [slot, listener] of core.retired) {
		// Its sessions may still take any of its routes, and its routes lead to upstreams.
		if (u8(held.listeners, slot) === 1 || isStillRead(core, listener)) yield* holdListener(held, listener);
		else core.retired.delete(slot);
	}
	core.listenersChanged();
	return held;
}

/**
 * Datagrams come for sessions of it, perhaps of other reactors, and as long as its socket is open somebody has to take them. Behind the
 * last of these it may be closed at any time, and its number be another connection's.
 */
function isStillRead({ places }: Core, { plan }: ReactorListener): boolean {
	return plan.datagrams !== undefined && places.of(plan.slot) > 0;
}

function* holdListener(held: HeldNumbers, { plan }: ReactorListener): Pieces {
	held.listeners[plan.slot] = 1;
	for (const [index, { slot, upstream }] of plan.routes.entries()) {
		if (index % ROUTES_PER_PIECE === ROUTES_PER_PIECE - 1) yield;
		held.routes[slot] = 1;
		hold(held.upstreams, upstream);
	}
}

function* holdRows({ table, links, secures }: Core, held: HeldNumbers): Pieces {
	const { sessions } = table;
	for (let client = 0; client < sessions; client++) {
		if (client % ROWS_PER_PIECE === ROWS_PER_PIECE - 1) yield;
		if (u8(table.state, client) === FREE) continue;
		held.listeners[u16(table.listener, client)] = 1;
		hold(held.routes, ref(table.route, client));
		hold(held.upstreams, ref(table.upstream, client));
		hold(held.addresses, ref(table.address, client));
	}
	for (let link = 0; link < sessions; link++) {
		if (link % ROWS_PER_PIECE === ROWS_PER_PIECE - 1) yield;
		if (u8(table.state, sessions + link) === FREE) continue;
		// What an earlier owner of the row has left there may be held as well, for as long as this one lives: never too little.
		hold(held.upstreams, i32(links.upstream, link));
		hold(held.addresses, i32(links.address, link));
		hold(held.addresses, i32(secures.address, link));
	}
}

/** `number` below 0: none. */
function hold(numbers: Uint8Array, number: number): void {
	if (number >= 0) numbers[number] = 1;
}
