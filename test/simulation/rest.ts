/** What must hold when the reactor has come to rest, and at the end. */

import { f64, i32, u8 } from "../../src/parts/at.js";
import { NONE } from "../../src/parts/none.js";
import { CHUNKS_OVER } from "../../src/protocol/http/chunked.js";
import { REQUEST_CUT, REQUEST_SENT } from "../../src/reactor/modes/http1/columns.js";
import { PACED } from "../../src/reactor/table/marks.js";
import type { Session, Slot } from "../../src/reactor/table/numbers.js";
import {
	DIAL,
	EXCHANGE,
	FREE,
	LINGER,
	RELAY,
	REQUEST,
	SECURE,
	SNIFF,
} from "../../src/reactor/table/states.js";
import { aheadOf, unusedOf } from "./ahead.js";
import { isFlow } from "./datagrams/datagram-invariants.js";
import type { SimulatedSocket } from "./descriptors.js";
import { checkOwners, isBlocked } from "./invariants.js";
import { checkLinesSettled } from "./lines/line-invariants.js";
import { CANARY_DEAD_MS } from "./lines/main-thread.js";
import {
	checkOwnLinesEnd,
	checkOwnLinesSettled,
	OPENING_MS,
	WHOLE_MS,
} from "./own-lines/own-line-invariants.js";
import { LISTENERS } from "./plans.js";
import { REQUESTS_MAX } from "./requests.js";
import { violated } from "./trace.js";
import type { World } from "./world.js";

/** What the end of a session may take beyond its deadlines: a refused client hears why, and the wheel is coarse. */
const END_SLACK_MS = 2_000;

/** How often the rate of a body is judged. */
const RATE_WINDOW_MS = 10_000;

/** No news, nothing queued, the clock stands still: then nobody waits for something that is there. */
export function checkSettled(world: World): void {
	const { table } = world.reactor.core;
	checkOwners(world);
	if (world.lines !== undefined) checkLinesSettled(world, world.lines);
	if (world.agent !== undefined) checkOwnLinesSettled(world);
	for (let slot = 0; slot < table.sessions; slot++) {
		const state = u8(table.state, slot);
		if (state === FREE || isFlow(world.reactor.core, slot)) continue;
		const client = world.kernel.socketAt(i32(table.fd, slot));
		if (client === undefined) violated(`row ${slot} has no socket`);
		if (waitsForRate(world, slot as Session)) continue;
		const peer = table.peerOf(slot as Slot);
		const link = peer === NONE ? undefined : world.kernel.socketAt(i32(table.fd, peer));
		if ((state === SNIFF || state === SECURE) && (client.finished || client.dead))
			violated(`client ${slot} has ended, and is still looked at`);
		if (state === LINGER && (client.finished || client.dead || client.available >= client.lowWater))
			violated(`client ${slot} was refused, and is not listened to`);
		// That a connect is done is heard of when there is room to write.
		const hasAnswered = link !== undefined && !link.connecting && !link.throttled;
		if (state === DIAL && hasAnswered && u8(table.state, peer) !== SECURE)
			violated(`the upstream of client ${slot} has answered, and nobody heard`);
		// One that was gone when its hello was looked at is dialled for: what it said is still delivered.
		if (state === DIAL && client.diedIn === DIAL)
			violated(`client ${slot} is gone, and is still dialled for`);
		if (state === REQUEST || state === EXCHANGE) checkWaiting(world, slot, client, link);
		if (state !== RELAY || link === undefined) continue;
		checkStuck(world, slot, client, link);
		checkStuck(world, peer, link, client);
	}
}

/** Or one of its sides does: the other one's news may have let it go on before its time was noticed. */
function waitsForRate({ reactor: { core } }: World, session: Session): boolean {
	if ((i32(core.table.flags, session) & PACED) === 0) return false;
	const link = core.table.linkOf(session);
	return f64(core.paces.heldMs, session) > 0 || (link !== NONE && core.wheel.deadlineOf(link) !== 0);
}

function owesAnswer(socket: SimulatedSocket): boolean {
	return (socket.secured?.owes ?? 0) > 0 && !socket.writable;
}

/** A client whose requests are read, at rest. */
function checkWaiting(
	world: World,
	slot: number,
	client: SimulatedSocket,
	link: SimulatedSocket | undefined,
): void {
	const { table } = world.reactor.core;
	const waits = isBlocked(world, slot);
	// TLS reads no further before it has answered.
	if (owesAnswer(client) || (link !== undefined && owesAnswer(link))) return;
	if (waits && client.writable) violated(`client ${slot} waits for room that is there`);
	// One that was gone before it was asked for is still answered.
	if (!waits && (client.diedIn === REQUEST || client.diedIn === EXCHANGE))
		violated(`client ${slot} was reset, and its exchange lives on`);
	if (link === undefined) {
		if (waits) return;
		if (client.finished) violated(`client ${slot} has ended between requests, and is still waited for`);
		const head = client.asks?.current?.headEnd ?? client.incoming.arrived + 1;
		if (client.urgentAt < 0 && client.asks?.confused === false && client.taken + client.available >= head)
			violated(`client ${slot} has sent a request, and nobody reads it`);
		return;
	}
	const peer = table.peerOf(slot as Slot);
	const { exchanges } = world.reactor.core;
	// A broken one takes nothing any more.
	const linkWaits = isBlocked(world, peer) && !exchanges.has(slot as Session, REQUEST_CUT);
	if (linkWaits && link.writable) violated(`row ${peer} waits for room that is there`);
	const isSent = exchanges.has(slot as Session, REQUEST_SENT | REQUEST_CUT);
	// Trailers are taken when all of them are there; through TLS, in whole records.
	const hasChunks = u8(exchanges.request.phase, slot) === CHUNKS_OVER;
	const isThere = client.urgentAt < 0 && client.taken + client.available >= (client.asks?.current?.end ?? 0);
	const waitsForTrailers = hasChunks && !isThere;
	const isUnused = unusedOf(world, client) > 0 && !waitsForTrailers;
	if (!isSent && !linkWaits && (isUnused || client.finished))
		violated(`client ${slot} has more of its request, and nobody fetches it`);
	if (waits) return;
	if (link.dead || link.finished) violated(`the upstream of client ${slot} has ended, and nobody heard`);
	if (link.available > 0 && link.seen < link.incoming.arrived)
		violated(`the upstream of client ${slot} has answered, and nobody reads it`);
	const { asked, responses, confused } = link.serves ?? { asked: [], responses: [], confused: true };
	const answer = responses[asked.length - 1];
	// Its next request may have the same connection, and not have gone out yet.
	const isKnown = !confused && client.asks?.confused === false && client.asks.current === asked.at(-1);
	if (
		isKnown &&
		answer !== undefined &&
		!exchanges.isAnswered(slot as Session) &&
		link.known >= answer.headEnd
	)
		violated(`${answer.id} is there for client ${slot}, and is not passed on`);
	const lacksTrailers =
		u8(exchanges.response.phase, slot) === CHUNKS_OVER && link.incoming.arrived < (answer?.end ?? 0);
	if (exchanges.isAnswered(slot as Session) && aheadOf(world, link) > 0 && !lacksTrailers)
		violated(`the upstream of client ${slot} has answered, and what was put back of it stays`);
}

/** One direction of a relayed session, at rest. */
function checkStuck(world: World, from: number, source: SimulatedSocket, target: SimulatedSocket): void {
	const { table } = world.reactor.core;
	const to = table.peerOf(from as Slot);
	const waits = isBlocked(world, to);
	if (owesAnswer(source)) return;
	// A reset that comes with an end shows with the next write or with a deadline; one behind bytes, when those are sent on.
	if (!waits && source.diedIn === RELAY && (!source.finished || source.diedEnded))
		violated(`descriptor ${source.fd} was reset, and its session lives on (row ${from})`);
	// Over completions, what a connection that failed had said before comes first: room is told when all of that was read.
	const isRead = world.completions === undefined || !target.dead;
	if (waits && target.writable && isRead) violated(`row ${to} waits for room that is there`);
	if (!waits && unusedOf(world, source) > 0) violated(`row ${from} has bytes that nobody fetches`);
	if (!waits && source.finished && !target.shut && !target.dead)
		violated(`row ${from} has ended, and its peer was not told`);
}

/** When all other ends cooperate: every session passes each deadline once at most, those that wait come after it. */
export function longestEndMs(world: World): number {
	const { core } = world.reactor;
	const { queued } = world.operator;
	let longestMs = 0;
	// Each request of a client may take its own time.
	let requestsMs = 0;
	for (const policy of core.policies.all) {
		const { handshakeMs, silenceMs, connectMs, idleMs, halfClosedMs, quicIdleMs } = policy;
		longestMs = Math.max(longestMs, handshakeMs + silenceMs + 2 * connectMs + idleMs + halfClosedMs);
		if (world.datagrams !== undefined) longestMs = Math.max(longestMs, idleMs, quicIdleMs);
		const requestMs = policy.requestHeadMs + policy.responseHeadMs + policy.keepAliveMs + RATE_WINDOW_MS;
		requestsMs = Math.max(requestsMs, REQUESTS_MAX * requestMs);
	}
	// What lies in the kernel, and what is still to come, may have to pass at the lowest rate that there is (`plans.ts`), a byte in a millisecond.
	const isPaced = core.policies.all.some(({ rates }) => rates !== null);
	const pacedMs = isPaced ? world.kernel.socketBytes + world.peers.bytesToCome : 0;
	return (
		pacedMs +
		(world.lines === undefined ? 0 : CANARY_DEAD_MS) +
		(world.agent === undefined ? 0 : OPENING_MS + WHOLE_MS) +
		(queued + 1) * (longestMs + requestsMs + END_SLACK_MS) +
		(queued * 1_000) / core.acceptsPerSecond
	);
}

/** Everything is over: everything has been given back. */
export function checkEnd(world: World): void {
	world.completions?.checkEnd();
	const { table, wheel, chunks, pipes, loops, unproved } = world.reactor.core;
	if (world.agent !== undefined) checkOwnLinesEnd(world, world.agent);
	if (unproved.size > 0) violated(`${unproved.size} lines that prove themselves are left`);
	if ((world.lines?.outside.size ?? 0) > 0) violated("lines are left in messages");
	for (const { tunnel, lines } of world.lines?.desk.tunnels() ?? [])
		if (!world.reactor.stopped && lines.proving + lines.parked + lines.used + lines.retiring > 0)
			violated(`tunnel ${tunnel.number} is closed, and counts lines`);
	if (new Uint16Array(loops.buffer).some((port) => port !== 0))
		violated("ports of upstream connections that are over are still written down");
	if (table.clients !== 0 || table.links !== 0) violated(`${table.clients}+${table.links} rows are left`);
	if (wheel.armed !== 0) violated(`${wheel.armed} deadlines are left`);
	if (chunks.lent !== 0 || pipes.lent !== 0)
		violated(`${chunks.lent} chunks and ${pipes.lent} pipes are left`);
	if (world.reactor.stopped && pipes.open !== 0) violated(`${pipes.open} pipes are left open`);
	for (let slot = 0; slot < LISTENERS; slot++)
		if (world.counters.active(slot) !== 0) violated(`listener ${slot} counts sessions that are over`);
}
