/** What must hold after every turn of upstream connections that outlive their requests, and of clients that have them. */

import { i32, ref, u8, u32 } from "../../src/parts/at.js";
import { NONE } from "../../src/parts/none.js";
import { BLOCKED, HAD_REQUESTS } from "../../src/reactor/table/marks.js";
import type { Slot } from "../../src/reactor/table/numbers.js";
import { EXCHANGE, FREE, POOLED, REQUEST } from "../../src/reactor/table/states.js";
import { aheadOf } from "./ahead.js";
import type { SimulatedSocket } from "./descriptors.js";
import { checkBetween } from "./exchange-answers.js";
import { checkParked } from "./lines/line-invariants.js";
import { ADDRESS_COUNT } from "./plans.js";
import { violated } from "./trace.js";
import type { World } from "./world.js";

/** What the pool lends and gets back, over all rows; and the lists of what it has. */
export function checkPool(world: World): void {
	const { core } = world.reactor;
	const { table, links, idleLists } = core;
	let exchanging = 0;
	let pooled = 0;
	let owned = 0;
	for (let link = table.sessions; link < 2 * table.sessions; link++) {
		const state = u8(table.state, link);
		const isLine = u32(links.tunnel, link - table.sessions) !== 0;
		const isOfPool = i32(links.uses, link - table.sessions) > 0 || (isLine && state === POOLED);
		if (state === EXCHANGE && isOfPool) exchanging++;
		if (state !== POOLED) continue;
		if (!isOfPool) violated(`row ${link} is idle, and its upstream has no pool`);
		if (i32(links.owner, link - table.sessions) === NONE) pooled++;
		else owned++;
	}
	const lent = world.counters.get("poolBorrowed") - world.counters.get("poolReturned");
	if (lent !== exchanging)
		violated(`${exchanging} exchanges are under way, and ${lent} connections are lent`);
	let listed = 0;
	for (let address = 0; address < ADDRESS_COUNT; address++) {
		let length = 0;
		let before = NONE;
		for (let place = i32(idleLists.heads, address); place !== NONE; ) {
			const link = table.sessions + place;
			if (++length > pooled) violated(`the list of address ${address} has no end`);
			if (u8(table.state, link) !== POOLED || i32(links.address, place) !== address)
				violated(`row ${link} is in the list of address ${address}, and is not idle there`);
			if (i32(links.previous, place) !== before) violated(`row ${link} has another before it in its list`);
			before = place;
			place = i32(links.next, place);
		}
		if (length !== i32(idleLists.lengths, address))
			violated(
				`${length} are idle at address ${address}, and ${i32(idleLists.lengths, address)} are counted`,
			);
		listed += length;
	}
	for (let client = 0; client < table.sessions; client++) {
		if ((i32(table.flags, client) & HAD_REQUESTS) === 0 || u8(table.state, client) === FREE) continue;
		let before = NONE;
		for (let place = i32(links.owned, client); place !== NONE; place = i32(links.next, place)) {
			const link = table.sessions + place;
			if (--owned < 0) violated(`the list of what client ${client} owns has no end`);
			if (u8(table.state, link) !== POOLED || i32(links.owner, place) !== client)
				violated(`row ${link} is in the list of client ${client}, and is not idle there`);
			if (i32(links.previous, place) !== before) violated(`row ${link} has another before it in its list`);
			before = place;
		}
	}
	if (owned !== 0) violated(`${owned} idle connections belong to clients that do not have them`);
	if (listed !== pooled || idleLists.idle !== pooled || world.counters.get("poolIdle") !== pooled)
		violated(`${pooled} rows are idle, ${listed} are in lists, and ${idleLists.idle} are counted`);
}

/** A connection that nobody has: it was sent whole requests, and all of an answer to each was taken. */
export function checkPooled(world: World, link: number, socket: SimulatedSocket): void {
	const { table } = world.reactor.core;
	if (table.peerOf(link as Slot) !== NONE) violated(`row ${link} is idle, and has a client`);
	if (i32(table.held, link) !== 0) violated(`row ${link} is idle, and has something to send`);
	if ((i32(table.flags, link) & BLOCKED) !== 0) violated(`row ${link} is idle, and takes nothing`);
	if (aheadOf(world, socket) > 0) violated(`row ${link} is idle, and bytes of it were put back`);
	const { serves, line } = socket;
	if (line !== undefined) checkParked(world, link, socket);
	if (line !== undefined && (serves === undefined || serves.asked.length === 0)) {
		const isUnread = socket.taken < line.base && socket.available > 0;
		if (socket.taken !== line.base && socket.incoming.arrived === line.base && !isUnread)
			violated(`row ${link} is parked, and ${socket.taken} of ${line.base} bytes were taken`);
		return;
	}
	if (serves === undefined) violated(`row ${link} is idle, and never had a request`);
	if (serves.confused) return;
	const { asked, responses, isWhole } = serves;
	if (asked.length === 0) return; // given up before anything was sent
	if (!isWhole) violated(`row ${link} is idle, and was sent a part of ${asked.at(-1)?.id}`);
	const end = Math.max(responses[asked.length - 1]?.end ?? 0, line?.base ?? 0);
	if (socket.taken !== end) violated(`row ${link} is idle, and ${socket.taken} of ${end} bytes were taken`);
}

/** A client whose requests are read: whom it has borrowed, and how long it may wait. */
export function checkExchanging(world: World, slot: number, socket: SimulatedSocket): void {
	const { core } = world.reactor;
	const { table, links } = core;
	const peer = table.peerOf(slot as Slot);
	if (u8(table.state, slot) === REQUEST) {
		if (peer !== NONE) violated(`client ${slot} is between requests, and holds row ${peer}`);
		if (ref(table.address, slot) !== NONE) violated(`client ${slot} is between requests, and has an address`);
		checkBetween(world, slot, socket);
		return;
	}
	if (peer === NONE || u8(table.state, peer) !== EXCHANGE)
		violated(`client ${slot} is in the middle of an exchange, and has no connection for it`);
	if (i32(links.address, peer - table.sessions) !== ref(table.address, slot))
		violated(`client ${slot} is counted for another address than its connection leads to`);
}
