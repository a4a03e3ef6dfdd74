/** Plays a reactor at fault, between its turns. */

import { SENDER_BYTES } from "../../src/kernel/datagrams.js";
import { i32, ref, setRef, u8, u32 } from "../../src/parts/at.js";
import { NONE } from "../../src/parts/none.js";
import { METHOD_POST, METHOD_PUT } from "../../src/protocol/http/methods.js";
import type { Core } from "../../src/reactor/core.js";
import { close } from "../../src/reactor/end/close.js";
import { TRIED } from "../../src/reactor/lines/prove.js";
import { REQUEST_SENT } from "../../src/reactor/modes/http1/columns.js";
import { PARKED } from "../../src/reactor/own-lines/own-line.js";
import { scalarIndex } from "../../src/reactor/records/counters.js";
import { LIVE_LISTENERS, LIVE_SESSIONS } from "../../src/reactor/records/places.js";
import { FD_PRESSURE } from "../../src/reactor/records/reasons.js";
import { UNDECIDED } from "../../src/reactor/table/marks.js";
import type { Link, Place, Session, Slot } from "../../src/reactor/table/numbers.js";
import { DATAGRAM, DIAL, EXCHANGE, POOLED, RELAY, REQUEST, SNIFF } from "../../src/reactor/table/states.js";
import { stamp } from "../../src/reactor/table/times.js";
import { ADDRESS_COUNT } from "./plans.js";
import type { World } from "./world.js";

export function spoil(world: World): void {
	const { reactor, live, closed, counters } = world;
	const { core } = reactor;
	switch (world.mutant) {
		case "lost_deadline":
			core.wheel.cancel(0);
			return;
		case "lost_turn":
			for (let slot = 0; slot < 2 * core.table.sessions; slot++) core.queue.remove(slot as Slot);
			return;
		case "kept_session":
			if (closed > 0) Atomics.add(live, LIVE_SESSIONS, 1);
			return;
		case "kept_listener_session":
			if (closed > 0) Atomics.add(live, LIVE_LISTENERS, 1);
			return;
		case "shed_busy":
			if (world.kernel.lacksDescriptors) shedBusy(core);
			return;
		case "lost_return":
			if (closed > 0 && counters.get("poolReturned") > 0) counters.add(scalarIndex("poolReturned"), -1);
			return;
		case "lost_put_back":
			losePutBack(core);
			return;
		case "kept_head":
			for (const client of clientsIn(core, EXCHANGE))
				if (core.inboxes.has(client as Slot)) core.exchanges.headBytes[client] = 0;
			return;
		case "cut_request":
			for (const client of clientsIn(core, EXCHANGE)) core.exchanges.set(client as Session, REQUEST_SENT);
			return;
		case "repeated_post":
			for (const client of clientsIn(core, EXCHANGE))
				if (u8(core.exchanges.method, client) === METHOD_POST) core.exchanges.method[client] = METHOD_PUT;
			return;
		case "crossed_exchanges":
			cross(core);
			return;
		case "lost_idle":
			for (let address = 0; address < ADDRESS_COUNT; address++) core.idleLists.heads[address] = NONE as Place;
			return;
		case "lost_request_deadline":
			for (const client of clientsIn(core, REQUEST)) core.wheel.cancel(client);
			return;
		case "lent_canary":
			lendCanaries(core);
			return;
		case "kept_unproved":
			for (const link of linksIn(core, POOLED)) core.unproved.add(link);
			return;
		case "lost_wait":
			for (const client of clientsIn(core, DIAL))
				core.waitingForLines.remove(ref(core.table.address, client), client as Session);
			return;
		case "lost_leaving":
			core.links.leaveMs.fill(0);
			return;
		case "lost_websocket":
			core.links.lasts.fill(0);
			return;
		case "crossed_tunnels":
			for (const link of linksIn(core, POOLED)) {
				const place = core.table.placeOf(link);
				if (u32(core.links.tunnel, place) !== 0) core.links.tunnel[place] = u32(core.links.tunnel, place) + 1;
			}
			return;
		case "kept_link_row":
			// In an agent's world nobody else is let in.
			if (world.accepted > 0) core.table.takeLink();
			return;
		case "crossed_listeners":
			crossListeners(core);
			return;
		case "lost_own_deadline":
			for (const [link, { step }] of core.ownLines) if (step !== PARKED) core.wheel.cancel(link);
			return;
		case "lost_flow_deadline":
			for (const client of clientsIn(core, DATAGRAM)) core.wheel.cancel(client);
			return;
		case "renewed_flow":
			for (const client of clientsIn(core, DATAGRAM)) core.table.active[client] = stamp(core.nowMs);
			return;
		case "hasty_flow":
			for (const client of clientsIn(core, DATAGRAM)) {
				core.table.active[client] = stamp(core.nowMs - LONG_MS);
				core.wheel.arm(client, core.nowMs + 1);
			}
			return;
		case "crossed_flows":
			crossFlows(core);
			return;
		case "lost_id":
			for (const client of clientsIn(core, DATAGRAM)) core.datagrams?.ids.remove(client as Session);
			return;
		case "kept_id":
			if (closed > 0) core.datagrams?.ids.learn(0 as Session, STRAY_ID, 0, STRAY_ID.length);
			return;
		case "kept_half":
			if (core.datagrams !== null) core.datagrams.recognizer.halves.expire = () => {};
			return;
		case "doubled_drop":
			if (closed > 0) counters.dropped(0, 1);
			return;
		case "doubled_overrun":
			if (closed > 0) counters.add(scalarIndex("datagramsOverrun"), 1);
			return;
		case "lost_undecided":
			for (const client of clientsIn(core, SNIFF))
				core.table.flags[client] = i32(core.table.flags, client) & ~UNDECIDED;
	}
}

/** Longer than any session of datagrams may be silent. */
const LONG_MS = 1_000_000;

const STRAY_ID = Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2);

function crossFlows(core: Core): void {
	const [one, other] = clientsIn(core, DATAGRAM);
	if (one === undefined || other === undefined || core.datagrams === null) return;
	const { names } = core.datagrams.flows;
	names.copyWithin(one * SENDER_BYTES, other * SENDER_BYTES, (other + 1) * SENDER_BYTES);
}

function crossListeners(core: Core): void {
	for (const line of core.ownLines.values()) {
		const other = [...core.listeners.keys()].find((listener) => listener !== line.listener);
		if (other !== undefined) Object.assign(line, { listener: other });
	}
}

function losePutBack(core: Core): void {
	const { inboxes, table } = core;
	for (let slot = 0; slot < 2 * table.sessions; slot++) {
		if (inboxes.length(slot as Slot) < 2) continue;
		inboxes.end[slot] = i32(inboxes.end, slot) - 1;
		core.budget.buffered(-1);
	}
}

function shedBusy(core: Core): void {
	for (const client of clientsIn(core, RELAY)) {
		if (core.nowMs - core.table.activeMs(client as Session, core.nowMs) >= 500) continue;
		close(core, client as Session, FD_PRESSURE, false);
		return;
	}
}

/** Lines on which a canary is under way are in the pool again. */
function lendCanaries(core: Core): void {
	const { table, links, lines, unproved, idleLists, wheel } = core;
	for (const link of [...unproved]) {
		const place = table.placeOf(link);
		if (u8(lines.step, place) !== TRIED || u32(links.tunnel, place) === 0) continue;
		unproved.delete(link);
		table.state[link] = POOLED;
		idleLists.add(i32(links.address, place), place);
		wheel.arm(link, core.nowMs + 1_000);
	}
}

function linksIn({ table }: Core, state: number): Link[] {
	const links: Link[] = [];
	for (let slot = table.sessions; slot < 2 * table.sessions; slot++)
		if (u8(table.state, slot) === state) links.push(slot as Link);
	return links;
}

function clientsIn({ table }: Core, state: number): number[] {
	const clients: number[] = [];
	for (let slot = 0; slot < table.sessions; slot++) if (u8(table.state, slot) === state) clients.push(slot);
	return clients;
}

function cross(core: Core): void {
	const { table } = core;
	const [one, other] = clientsIn(core, EXCHANGE);
	if (one === undefined || other === undefined) return;
	const link = table.linkOf(one as Session);
	const place = ref(table.address, one);
	setRef(table.link, one, table.linkOf(other as Session));
	setRef(table.address, one, ref(table.address, other));
	setRef(table.link, other, link);
	setRef(table.address, other, place);
	setRef(table.session, table.linkOf(one as Session), one as Session);
	setRef(table.session, table.linkOf(other as Session), other as Session);
}
