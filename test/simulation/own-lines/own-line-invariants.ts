/** What must hold of an agent's own lines after every turn, and at rest. */
import { i32, u8 } from "../../../src/parts/at.js";
import { NONE } from "../../../src/parts/none.js";
import { CANARY_BYTES, NONCE_BYTES } from "../../../src/protocol/tunnel/index.js";
import { CONNECTS, type OwnLine, PARKED, SECURES, SHOWN } from "../../../src/reactor/own-lines/own-line.js";
import type { Link, Slot } from "../../../src/reactor/table/numbers.js";
import { OWN_LINE } from "../../../src/reactor/table/states.js";
import type { SimulatedSocket } from "../descriptors.js";
import { violated } from "../trace.js";
import type { World } from "../world.js";
import type { Agent, Order } from "./agent.js";
import type { GatewayEnd } from "./gateway-end.js";

/** To be parked, and then for what has begun to be there whole. */
export const OPENING_MS = 10_000;
export const WHOLE_MS = 10_000;

/** After a turn. `actedUponMs`: deadlines from before have been acted upon. */
export function checkOwnLines(world: World, agent: Agent, actedUponMs: number): void {
	const { table, ownLines } = world.reactor.core;
	let rows = 0;
	for (let link = table.sessions; link < 2 * table.sessions; link++)
		if (u8(table.state, link) === OWN_LINE) rows++;
	if (rows !== ownLines.size) violated(`${rows} rows are lines of an agent, and ${ownLines.size} are known`);
	if (ownLines.size + table.clients > table.sessions - 1)
		violated(`${ownLines.size} lines and ${table.clients} sessions are too many for ${table.sessions} rows`);
	const open = new Set<number>();
	for (const [link, line] of ownLines.entries()) {
		checkLine(world, agent, link, line, actedUponMs);
		open.add(line.order.number);
	}
	if (open.size !== ownLines.size) violated("two lines are of one order");
	for (const { number, isUnderWay } of agent.orders.values())
		if (!isUnderWay && !open.has(number)) violated(`line ${number} is gone, and nobody was told`);
	agent.check();
}

function checkLine(world: World, agent: Agent, link: Link, line: OwnLine, actedUponMs: number): void {
	const { core } = world.reactor;
	const { table } = core;
	const socket = world.kernel.socketAt(i32(table.fd, link));
	if (u8(table.state, link) !== OWN_LINE || socket?.ownLine === undefined || socket.role !== "upstream")
		violated(`row ${link} is no line of an agent, and is known as one`);
	if (table.peerOf(link as Slot) !== NONE)
		violated(`row ${link} is a line that nobody has, and has a session`);
	const order = agent.orders.get(line.order.number);
	if (order === undefined) violated(`row ${link} is a line that is told to be over`);
	if (socket.ownLine.order !== undefined && socket.ownLine.order !== order)
		violated(`row ${link} has shown the ticket of another line`);
	// A reactor that stops closes its sessions first, and nobody comes by a line meanwhile.
	const isStopping = world.operator.current?.kind === "stop";
	if ((!core.listeners.has(line.listener) && !isStopping) || line.listener !== order.listener)
		violated(`row ${link} is a line of listener ${line.listener}, which is not in the plan, or not its own`);
	checkIncarnation(world, agent, link, order);
	checkDeadlines(world, link, line, socket, socket.ownLine, actedUponMs);
}

/** It is not a later listener's that has its number now. */
function checkIncarnation(world: World, agent: Agent, link: Link, order: Order): void {
	const { current } = world.operator;
	if (current?.kind === "plan" || current?.kind === "stop") return;
	if (agent.inForce[order.listener] !== order.incarnation)
		violated(`row ${link} is a line of a listener that is gone, and another has its number`);
}

function checkDeadlines(
	{ reactor: { core } }: World,
	link: Link,
	{ step }: OwnLine,
	socket: SimulatedSocket,
	end: GatewayEnd,
	actedUponMs: number,
): void {
	if (step !== PARKED) {
		if (actedUponMs >= socket.dialledMs + OPENING_MS)
			violated(`row ${link} is opened since ${socket.dialledMs}, and not parked`);
		return;
	}
	if (socket.seen <= socket.taken) end.begunAt = -1;
	else if (end.begunAt !== socket.taken) {
		end.begunAt = socket.taken;
		end.begunMs = core.nowMs;
	}
	if (end.begunAt >= 0 && actedUponMs >= end.begunMs + WHOLE_MS)
		violated(`row ${link} has begun to say something long ago, and has not gone on`);
}

/** At rest: what has come is acted upon. */
export function checkOwnLinesSettled(world: World): void {
	const { core } = world.reactor;
	for (const [link, line] of core.ownLines.entries()) {
		const socket = world.kernel.socketAt(i32(core.table.fd, link));
		if (socket?.ownLine === undefined) continue;
		checkLineSettled(link, line, socket, socket.ownLine);
	}
}

function checkLineSettled(link: Link, { step }: OwnLine, socket: SimulatedSocket, end: GatewayEnd): void {
	if (socket.connecting) return;
	// That a connect is done is heard of when there is room to write.
	if (socket.throttled || (socket.secured?.owes ?? 0) > 0) return;
	// It has to say more before it hears.
	if (step === SECURES && socket.wantsRoom && !socket.writable) return;
	if (step === CONNECTS) violated(`row ${link} is connected, and nobody heard`);
	if (socket.dead || socket.finished) violated(`row ${link} is a line in step ${step} whose gateway is gone`);
	if (step === SECURES) return;
	const available = socket.available;
	if (step !== PARKED) {
		if (available >= (step === SHOWN ? NONCE_BYTES : 1))
			violated(`row ${link} has its answer, and nobody reads it`);
		return;
	}
	if (end.isMalformed && socket.incoming.arrived === socket.incoming.scripted && available > 1)
		violated(`row ${link} is not understood, and stays`);
	if (end.visitFrom >= 0 && available > 0 && socket.taken + available > end.visitFrom)
		violated(`row ${link} has a visitor, and nobody lets him in`);
	if (end.visitFrom < 0 && !end.isMalformed && available >= CANARY_BYTES)
		violated(`row ${link} has a canary that is not sent back`);
}

/** Everything is over. */
export function checkOwnLinesEnd(world: World, agent: Agent): void {
	const { ownLines, ownLineNews } = world.reactor.core;
	if (ownLines.size > 0) violated(`${ownLines.size} lines are left`);
	if (ownLineNews.length > 0) violated("there is news of lines that nobody is told");
	for (const { number, isUnderWay } of agent.orders.values())
		if (!isUnderWay || !world.reactor.stopped) violated(`nobody was told what became of line ${number}`);
}
