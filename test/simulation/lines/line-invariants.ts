/** What must hold of lines after every turn, and when nothing is under way. */
import { f64, i32, ref, u8, u32 } from "../../../src/parts/at.js";
import { NONE } from "../../../src/parts/none.js";
import { TICK_MS } from "../../../src/parts/wheel.js";
import { TRIED } from "../../../src/reactor/lines/prove.js";
import { ONLY_NEW } from "../../../src/reactor/table/marks.js";
import type { Session, Slot } from "../../../src/reactor/table/numbers.js";
import { DIAL, FREE, POOLED, PROVING } from "../../../src/reactor/table/states.js";
import type { SimulatedSocket } from "../descriptors.js";
import { violated } from "../trace.js";
import type { World } from "../world.js";
import type { Lines } from "./main-thread.js";

/** Turns between two looks at what the desk counts: what is counted wrongly stays so. */
const COUNTED_EVERY_TURNS = 4;

/** Which sessions wait for a line, by row: their number, the address, and since when. */
export interface Wait {
	readonly number: number;
	readonly address: number;
	/** It has had a line that was none any more. */
	readonly isAgain: boolean;
	readonly sinceMs: number;
}

/** After a turn. `actedUponMs`: deadlines from before have been acted upon. */
export function checkLines(world: World, lines: Lines, actedUponMs: number): void {
	const { core } = world.reactor;
	const { table, unproved } = core;
	let proving = 0;
	for (let link = table.sessions; link < 2 * table.sessions; link++) {
		if (u8(table.state, link) !== PROVING) continue;
		proving++;
		if (!(unproved as Set<number>).has(link))
			violated(`row ${link} proves itself, and is not among those that do`);
	}
	if (unproved.size !== proving)
		violated(`${proving} lines prove themselves, and ${unproved.size} are counted`);
	checkWaits(world, lines, actedUponMs);
	if (world.turns % COUNTED_EVERY_TURNS === 0 && isQuiet(world, lines)) {
		checkCounts(world, lines);
		checkCanaries(world, lines);
	}
}

/** What came of each canary is told. */
function checkCanaries(world: World, { canariesBegun, canariesTold }: Lines): void {
	const { table, lines } = world.reactor.core;
	let underWay = 0;
	for (let place = 0; place < table.sessions; place++)
		if (u8(table.state, table.sessions + place) === PROVING && u8(lines.step, place) === TRIED) underWay++;
	if (canariesBegun - underWay > canariesTold)
		violated(
			`${canariesBegun - underWay} canaries are over, and of ${canariesTold} it was told what came of them`,
		);
}

/** Sessions that wait for a line, and no others, are in the list of their address; and none waits too long. */
function checkWaits(world: World, lines: Lines, actedUponMs: number): void {
	const { core } = world.reactor;
	const { table } = core;
	const waiting = new Map<number, number>();
	for (let slot = 0; slot < table.sessions; slot++) {
		const session = slot as Session;
		const address = u8(table.state, slot) === DIAL ? ref(table.address, slot) : NONE;
		if (address === NONE || table.peerOf(slot as Slot) !== NONE) {
			world.waits[slot] = undefined;
			continue;
		}
		waiting.set(address, (waiting.get(address) ?? 0) + 1);
		const number = f64(table.number, slot);
		const before = world.waits[slot];
		const isAgain = (i32(table.flags, slot) & ONLY_NEW) !== 0;
		const isKnown = before?.number === number && before.address === address && before.isAgain === isAgain;
		const wait = isKnown ? before : { number, address, isAgain, sinceMs: core.nowMs };
		world.waits[slot] = wait;
		if (actedUponMs >= wait.sinceMs + core.policyOf(session).connectMs + TICK_MS)
			violated(`client ${slot} has waited for a line since ${wait.sinceMs}, and it is ${core.nowMs}`);
	}
	for (const slot of lines.slots)
		for (const address of world.addressesOf(slot))
			if (core.waitingForLines.of(address) !== (waiting.get(address) ?? 0))
				violated(
					`${waiting.get(address) ?? 0} sessions wait for a line of address ${address}, and ${core.waitingForLines.of(address)} are in its list`,
				);
}

/** No message about lines is under way, or held back. */
export function isQuiet({ operator, reactor }: World, lines: Lines): boolean {
	const isAllTold = reactor.core.lineNews.dueMs === Number.POSITIVE_INFINITY;
	return isAllTold && !lines.hasMessages && !operator.hasCommands && !reactor.hasCommands && !reactor.stopped;
}

/** What the desk counts is what rows say, here and in the other reactor. */
function checkCounts(world: World, lines: Lines): void {
	const { table, links } = world.reactor.core;
	const parked = new Map<number, number>();
	const retiring = new Map<number, number>();
	const used = new Map<number, number>();
	const more = (counts: Map<number, number>, tunnel: number): void =>
		void counts.set(tunnel, (counts.get(tunnel) ?? 0) + 1);
	for (let link = table.sessions; link < 2 * table.sessions; link++) {
		const state = u8(table.state, link);
		const place = link - table.sessions;
		const tunnel = u32(links.tunnel, place);
		if (state === FREE || tunnel === 0) continue;
		// One that a canary tries is nobody's; one on which a client is authenticated is its own between its requests.
		const isFree = state === PROVING || (state === POOLED && i32(links.owner, place) === NONE);
		more(isFree ? parked : used, tunnel);
		if (isFree && f64(links.leaveMs, place) > 0) more(retiring, tunnel);
		if (isFree !== (u8(links.taken, place) === 0))
			violated(`the line of row ${link} is said to be taken, or not to be, and is in state ${state}`);
		if (table.heldBytes(link as Slot) < 0) violated("a line holds fewer than no bytes");
	}
	const here = new Map(parked);
	for (const { line, isTaken } of lines.other.held) more(isTaken ? used : parked, line.tunnel);
	for (const { open, address } of lines.tunnels.values()) {
		const shared = i32(world.reactor.core.idleLists.lengths, address) + lines.other.parkedOf(open.number);
		if (world.board.parked(address) !== shared)
			violated(
				`${shared} lines are parked for address ${address}, and the board counts ${world.board.parked(address)}`,
			);
		const told = lines.traffic.parkedIn(open.number, world.reactor.core.index);
		if (told !== (here.get(open.number) ?? 0))
			violated(
				`tunnel ${open.number} has ${here.get(open.number) ?? 0} lines parked here, and ${told} are known of`,
			);
		const others = lines.traffic.parkedIn(open.number, lines.other.number);
		if (others !== lines.other.parkedOf(open.number))
			violated(
				`tunnel ${open.number} has ${lines.other.parkedOf(open.number)} lines parked there, and ${others} are known of`,
			);
	}
	const known = new Set<number>();
	for (const { tunnel, isClosed, lines: counts } of lines.desk.tunnels()) {
		known.add(tunnel.number);
		const has = (map: Map<number, number>): number => map.get(tunnel.number) ?? 0;
		const leaving = has(retiring) + lines.other.retiringOf(tunnel.number);
		if (counts.retiring !== leaving)
			violated(`tunnel ${tunnel.number} has ${leaving} lines that retire, and counts ${counts.retiring}`);
		if (counts.parked !== has(parked) - leaving || counts.used !== has(used) || counts.proving !== 0)
			violated(
				`tunnel ${tunnel.number} has ${has(parked)} lines parked and ${has(used)} used, and counts ${counts.parked} and ${counts.used}, and ${counts.proving} proving`,
			);
		if (isClosed && has(parked) > 0 && world.operator.isPlanInForce)
			for (let link = table.sessions; link < 2 * table.sessions; link++)
				if (u32(links.tunnel, link - table.sessions) === tunnel.number && u8(table.state, link) === POOLED)
					violated(`a line of tunnel ${tunnel.number} is parked, which is closed`);
	}
	for (const tunnel of [...parked.keys(), ...used.keys()])
		if (!known.has(tunnel)) violated(`tunnel ${tunnel} has lines, and is forgotten`);
}

/** At rest: nobody waits where a line waits, and lines that are gone are. */
export function checkLinesSettled(world: World, lines: Lines): void {
	const { core } = world.reactor;
	const { table } = core;
	for (let link = table.sessions; link < 2 * table.sessions; link++) {
		const state = u8(table.state, link);
		if (state !== PROVING && state !== POOLED) continue;
		const socket = world.kernel.socketAt(i32(table.fd, link));
		if (socket?.line === undefined) continue;
		if (socket.finished || socket.dead) checkGone(link, state, socket);
		if (state === POOLED && socket.available > 0)
			violated(`row ${link} is a parked line, and has said something`);
	}
	for (const { open, address } of lines.tunnels.values()) {
		const waiting = core.waitingForLines.of(address);
		const others = lines.other.waiting.get(open.number) ?? 0;
		const isHere = i32(core.idleLists.lengths, address) > 0;
		// The last ones are not for WebSockets.
		const areReserved = core.board.parked(address) <= lines.lines.reserved;
		const mayHave = waiting + others - (areReserved ? webSocketsOf(world, address) : 0);
		if (mayHave > 0 && (isHere || lines.other.parkedOf(open.number) > 0))
			violated(
				`${waiting}+${others} visitors wait for a line of tunnel ${open.number}, and ${i32(core.idleLists.lengths, address)}+${lines.other.parkedOf(open.number)} are parked`,
			);
	}
}

/** Sessions that wait for a line to keep it. */
function webSocketsOf(world: World, address: number): number {
	const { table, links } = world.reactor.core;
	let count = 0;
	for (let slot = 0; slot < table.sessions; slot++) {
		const waits = u8(table.state, slot) === DIAL && table.peerOf(slot as Slot) === NONE;
		if (waits && ref(table.address, slot) === address && u8(links.lasts, slot) === 1) count++;
	}
	return count;
}

function checkGone(link: number, state: number, socket: SimulatedSocket): void {
	// A broken handshake may be answered before its end is seen; what waits in front of an end is read first.
	if (state === PROVING && socket.secured !== undefined && !socket.isOpenTls) return;
	violated(`row ${link} is a line in state ${state} whose agent is gone`);
}

/** A line that nobody has. */
export function checkParked(world: World, link: number, socket: SimulatedSocket): void {
	const { line } = socket;
	if (line?.isParked !== true) violated(`row ${link} is parked, and its agent was not told so`);
	const tunnel = u32(world.reactor.core.links.tunnel, link - world.reactor.core.table.sessions);
	if (line.ticket.tunnel !== tunnel)
		violated(`row ${link} is parked for tunnel ${tunnel}, and is ${line.ticket.tunnel}'s`);
	line.parkedTurn = world.turns;
	line.settle(socket);
	if (line.isTried) violated(`row ${link} is parked, and a canary is under way on it`);
}
