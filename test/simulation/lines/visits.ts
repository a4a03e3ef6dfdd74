/** Visitors of a line: what was said on it before is none of theirs. */
import { i32, u8, u32 } from "../../../src/parts/at.js";
import { NONE } from "../../../src/parts/none.js";
import { EXCHANGES } from "../../../src/reactor/table/marks.js";
import type { Slot } from "../../../src/reactor/table/numbers.js";
import { POOLED, PROVING } from "../../../src/reactor/table/states.js";
import type { SimulatedSocket } from "../descriptors.js";
import { violated } from "../trace.js";
import type { World } from "../world.js";
import type { AgentLine } from "./agent-line.js";

/** Its client's bytes are relayed, and its requests are not read. */
export function isRelayed(world: World, { slot }: SimulatedSocket): boolean {
	const { table } = world.reactor.core;
	const client = table.peerOf(slot as Slot);
	return client !== NONE && (i32(table.flags, client) & EXCHANGES) === 0;
}

/** The reactor sends to it: for the first time for a visitor, perhaps. */
export function beginVisit(world: World, socket: SimulatedSocket): void {
	const { line } = socket;
	const state = u8(world.reactor.core.table.state, socket.slot);
	if (line === undefined || line.isVisited || state === PROVING || !isRelayed(world, socket)) return;
	checkLent(world, socket, line);
	line.isVisited = true;
	socket.takenBefore = socket.taken;
	socket.headerBase = socket.sent;
	socket.sentBefore = -1;
	world.meet("visitors of lines");
}

/** A WebSocket has got one: as many were left as are reserved. */
export function checkReserved(world: World, socket: SimulatedSocket): void {
	const { links, table } = world.reactor.core;
	// It has had it for a while, and could not be sent to.
	if ((socket.line?.parkedTurn ?? 0) < world.turns - 1) return;
	const left = world.board.parked(i32(links.address, socket.slot - table.sessions));
	const reserved = world.lines?.lines.reserved ?? 0;
	if (left < reserved) violated(`a WebSocket has a line, and leaves ${left} where ${reserved} are reserved`);
	world.meet("WebSockets over lines");
}

/** Somebody has got it. */
export function checkLent(world: World, socket: SimulatedSocket, line: AgentLine): void {
	const { links, table } = world.reactor.core;
	const { slot } = socket;
	if (u8(table.state, slot) === POOLED) violated(`row ${slot} is parked, and is sent to`);
	if (!line.isParked) violated(`row ${slot} has a visitor, and was never parked`);
	line.settle(socket);
	if (line.isTried) violated(`row ${slot} has a visitor, and a canary is under way on it`);
	const tunnel = u32(links.tunnel, slot - table.sessions);
	if (tunnel !== line.ticket.tunnel)
		violated(`row ${slot} has a visitor of tunnel ${tunnel}, and is ${line.ticket.tunnel}'s`);
}
