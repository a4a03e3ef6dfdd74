/** What must hold when the reactor has come to rest, and at the end. */
import { at } from "../../src/reactor/at.js";
import { DIAL, FREE, NONE, REFUSED, RELAY, SNIFF } from "../../src/reactor/table.js";
import type { SimulatedSocket } from "./descriptors.js";
import { checkOwners, isBlocked } from "./invariants.js";
import { LISTENERS } from "./plans.js";
import { violated } from "./trace.js";
import type { World } from "./world.js";

/** No news, nothing queued, the clock stands still: then nobody waits for something that is there. */
export function checkSettled(world: World): void {
	const { table } = world.reactor.core;
	checkOwners(world);
	for (let slot = 0; slot < table.sessions; slot++) {
		const state = at(table.state, slot);
		if (state === FREE) continue;
		const client = world.kernel.socketAt(at(table.fd, slot));
		if (client === undefined) violated(`row ${slot} has no socket`);
		const peer = at(table.peer, slot);
		const link = peer === NONE ? undefined : world.kernel.socketAt(at(table.fd, peer));
		if (state === SNIFF && (client.finished || client.dead))
			violated(`client ${slot} has ended, and is still looked at`);
		if (state === REFUSED && (client.finished || client.dead || client.available >= client.lowWater))
			violated(`client ${slot} was refused, and is not listened to`);
		if (state === DIAL && link !== undefined && !link.connecting)
			violated(`the upstream of client ${slot} has answered, and nobody heard`);
		// One that was gone when its hello was looked at is dialled for: what it said is still delivered.
		if (state === DIAL && client.diedIn === DIAL)
			violated(`client ${slot} is gone, and is still dialled for`);
		if (state !== RELAY || link === undefined) continue;
		checkStuck(world, slot, client, link);
		checkStuck(world, peer, link, client);
	}
}

/** One direction of a relayed session, at rest. */
function checkStuck(world: World, from: number, source: SimulatedSocket, target: SimulatedSocket): void {
	const { table } = world.reactor.core;
	const to = at(table.peer, from);
	const waits = isBlocked(world, to);
	// A reset that comes with an end shows with the next write or with a deadline; one behind bytes, when those are sent on.
	if (!waits && source.diedIn === RELAY && (!source.finished || source.diedEnded))
		violated(`descriptor ${source.fd} was reset, and its session lives on (row ${from})`);
	if (waits && target.writable) violated(`row ${to} waits for room that is there`);
	if (!waits && source.available > 0) violated(`row ${from} has bytes that nobody fetches`);
	if (!waits && source.finished && !target.shut && !target.dead)
		violated(`row ${from} has ended, and its peer was not told`);
}

/** Everything is over: everything has been given back. */
export function checkEnd(world: World): void {
	const { table, wheel, chunks, pipes } = world.reactor.core;
	if (table.clients !== 0 || table.links !== 0) violated(`${table.clients}+${table.links} rows are left`);
	if (wheel.armed !== 0) violated(`${wheel.armed} deadlines are left`);
	if (chunks.lent !== 0 || pipes.lent !== 0)
		violated(`${chunks.lent} chunks and ${pipes.lent} pipes are left`);
	if (world.reactor.stopped && pipes.open !== 0) violated(`${pipes.open} pipes are left open`);
	for (let slot = 0; slot < LISTENERS; slot++)
		if (world.counters.active(slot) !== 0) violated(`listener ${slot} counts sessions that are over`);
}
