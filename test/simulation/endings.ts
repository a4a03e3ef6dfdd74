/** Each session that ends has one record, and its reason agrees with what happened. */

import { i32, ref, u16 } from "../../src/parts/at.js";
import { NONE } from "../../src/parts/none.js";
import { REASONS } from "../../src/parts/reasons.js";
import type { Policy } from "../../src/reactor/plan/plan.js";
import { LIVE_LISTENERS, LIVE_SESSIONS } from "../../src/reactor/records/places.js";
import {
	BAD_REQUEST,
	BAD_RESPONSE,
	CLIENT_CLOSED,
	CLIENT_RESET,
	HALF_CLOSED_TIMEOUT,
	HANDSHAKE_TIMEOUT,
	IDLE_TIMEOUT,
	INTERNAL,
	KEEPALIVE_LOST,
	LIFETIME,
	LIMIT_CONNECTIONS,
	LIMIT_IP,
	LIMIT_RATE,
	STALL_TIMEOUT,
	TLS_FAILED,
	UPSTREAM_CLOSED,
	UPSTREAM_RESET,
} from "../../src/reactor/records/reasons.js";
import { HAD_REQUESTS } from "../../src/reactor/table/marks.js";
import type { Session, Slot } from "../../src/reactor/table/numbers.js";
import { offset, stepMs } from "../../src/reactor/table/times.js";
import { type RequestRecord, readJournal, type SessionRecord } from "../support/read-journal.js";
import { checkSource } from "./admission.js";
import type { SimulatedSocket } from "./descriptors.js";
import type { HttpClient } from "./http-client.js";
import { isBlocked } from "./invariants.js";
import { heldFor } from "./onlooker.js";
import { checkParted } from "./own-lines/own-visits.js";
import { checkShed, isPressure } from "./shedding.js";
import { violated } from "./trace.js";
import { checkDecided } from "./undecided.js";
import type { World } from "./world.js";

/** A client's socket is closed; its row is still as it was. */
export function checkClosed(world: World, client: SimulatedSocket): void {
	const slot = world.owners.of(client.fd)?.slot ?? -1;
	if (world.reactor.core.table.fd[slot] !== client.fd)
		violated(`descriptor ${client.fd} is written down as row ${slot}'s, and is not`);
	const hadRequests = (i32(world.reactor.core.table.flags, slot) & HAD_REQUESTS) !== 0;
	let records = 0;
	const takeSession = (record: SessionRecord) => {
		records++;
		if (client.ownLine !== undefined) {
			world.agent?.ended(client.ownLine, record.id);
			checkParted(world, slot, client, record.reason);
		}
		// Whoever asks too fast was let in before.
		const isRequests =
			(record.reason === LIMIT_RATE && client.asks !== undefined && hadRequests) ||
			isRouteFull(world, slot, record.reason);
		if (!isRequests) world.closedBy[record.reason] = i32(world.closedBy, record.reason) + 1;
		// In the open, where every name is terminated.
		const isTerminated = world.traits.terminates[record.listener] === true;
		checkRecord(
			record,
			client,
			world.reactor.core.policyOf(slot as Session),
			hadRequests,
			isTerminated && client.secured === undefined,
		);
		checkStalled(world, slot, record, client);
		checkSum(world, record, client, hadRequests);
		checkSource(world, slot, client);
		checkTurnedAway(world, slot, client, record.reason, hadRequests);
		checkDecided(world, slot, client, record.reason);
		if (isPressure(record.reason)) checkShed(world, slot, client, record.reason);
	};
	readJournal(world.journal, takeSession, (record) => checkRequest(world, record));
	if (records !== 1) violated(`a session ended, and has ${records} records`);
	world.sessionsEnded++;
}

/** A request's record, of whichever session: all of it is later than its beginning, and nothing is less than none. */
export function checkRequest(world: World, record: RequestRecord): void {
	const { id, startedMs, endedMs, bytesFromClient, bytesToClient, status, reason } = record;
	world.meet("request records");
	world.requestBytes.set(id, (world.requestBytes.get(id) ?? 0) + bytesFromClient);
	if (startedMs <= 0 || endedMs < startedMs)
		violated(`the record of a request says that it took from ${startedMs} to ${endedMs}`);
	if (bytesFromClient < 0 || bytesToClient < 0)
		violated(`the record of a request counts ${bytesFromClient} and ${bytesToClient} bytes`);
	if (status === 0 && reason < 0)
		violated("the record of a request says that it went well, and knows no status");
}

/** What went to upstreams for a client went there for its requests, and behind an upgrade. */
function checkSum(world: World, record: SessionRecord, client: SimulatedSocket, hadRequests: boolean): void {
	const { id, bytesFromClient } = record;
	const recorded = world.requestBytes.get(id) ?? 0;
	world.requestBytes.delete(id);
	if (!hadRequests) return;
	// The 101 may not have gone to the client yet.
	const upgraded = client.partner?.serves?.responses.some(({ status }) => status === 101) === true;
	const must = world.traits.logsAll && !upgraded && client.asks?.confused === false;
	if (recorded > bytesFromClient || (must && recorded < bytesFromClient))
		violated(`the records of a session's requests count ${recorded} bytes of ${bytesFromClient}`);
}

/** It was its route that had no place for it, or no token. */
function isRouteFull(world: World, slot: number, reason: number): boolean {
	if (reason !== LIMIT_CONNECTIONS && reason !== LIMIT_RATE) return false;
	return ref(world.reactor.core.table.route, slot) !== NONE;
}

/** A limit is a reason only where it is set, and reached. */
function checkTurnedAway(
	world: World,
	slot: number,
	client: SimulatedSocket,
	reason: number,
	hadRequests: boolean,
): void {
	const { core } = world.reactor;
	if (isRouteFull(world, slot, reason)) {
		const isTooFast = reason === LIMIT_RATE;
		if (
			isTooFast &&
			world.rates.sessionsRefused + world.rates.requestsRefused === 0 &&
			world.sources.requestsRefused === 0
		)
			violated("a session was refused by its route for coming too fast, and did not");
		world.meet(isTooFast ? "sessions too fast for a route" : "sessions too many for a route");
		return;
	}
	if (reason === LIMIT_CONNECTIONS) {
		const listener = u16(core.table.listener, slot);
		// This one itself is counted.
		const all = i32(world.live, LIVE_SESSIONS) - 1;
		const mine = i32(world.live, LIVE_LISTENERS + listener) - 1;
		const full =
			all >= core.connectionsMax ||
			mine >= core.listenerOf(slot as Session).plan.connections ||
			core.table.clients > world.sessions;
		if (!core.resetsWhenFull || !full) violated("a client was reset although there is room, or it may wait");
	}
	const { asks } = client;
	if (reason === LIMIT_RATE && asks !== undefined && hadRequests) {
		// Its last request was one too many, and it was to be told so.
		if (world.sources.requestsRefused === 0 || (asks.ended && asks.lastOwn !== 429))
			violated("a client was let go for asking too fast, and did not");
		return;
	}
	if (reason === LIMIT_RATE && world.sources.tooFast === 0)
		if (!core.resetsWhenFull || world.sources.waitMs === 0)
			violated("a client was reset for coming too fast, and did not, or may wait");
	if (reason === LIMIT_CONNECTIONS || reason === LIMIT_RATE || reason === LIMIT_IP) {
		if (client.sent > client.sentAsLine)
			violated(`a client was sent something, and then turned away as ${REASONS[reason]}`);
		if (!client.wasReset) violated(`a client was turned away as ${REASONS[reason]} without a reset`);
	}
}

function checkRecord(
	record: SessionRecord,
	client: SimulatedSocket,
	policy: Policy,
	hadRequests: boolean,
	isMisdirected: boolean,
): void {
	const { partner } = client;
	const { reason, closedMs } = record;
	const name = REASONS[reason];
	if (reason === INTERNAL) violated("a session ended by a fault of the reactor itself");
	if (record.acceptedMs !== client.acceptedMs)
		violated("the record of another session is in this one's place");
	const { securedMs } = record;
	// The TLS of a line is none of its visitor's.
	const { openedMs = 0 } = client.ownLine === undefined ? (client.secured ?? {}) : {};
	if (
		(securedMs === 0) !== (openedMs === 0) ||
		Math.abs(openedMs - securedMs) > stepMs(offset(record.acceptedMs, openedMs))
	)
		violated(`a handshake that ended at ${openedMs} is said to have ended at ${securedMs}`);
	if (partner !== undefined) checkRelayed(record, client, partner);
	else if (reason === CLIENT_CLOSED && !client.finished && !client.dead && client.asks?.isDone !== true)
		violated("a client is said to have closed, and has not");
	if (partner === undefined && client.asks !== undefined && hadRequests)
		checkAnswered(record, client, client.asks, isMisdirected);
	if (reason === CLIENT_RESET && !wasReset(client)) violated("a client is said to have reset, and has not");
	const silentMs = closedMs - client.activeMs;
	const livedMs = closedMs - client.acceptedMs;
	if (
		(reason === IDLE_TIMEOUT && client.asks === undefined && silentMs < policy.idleMs) ||
		(reason === HALF_CLOSED_TIMEOUT && silentMs < policy.halfClosedMs) ||
		(reason === LIFETIME && livedMs < 0.9 * policy.lifetimeMs) ||
		(reason === HANDSHAKE_TIMEOUT && livedMs < policy.handshakeMs)
	)
		violated(`a session ended too early as ${name}: silent for ${silentMs} ms, alive for ${livedMs} ms`);
}

/** One side has taken nothing of what waits for it, or is under way to it, for as long as it may. */
function checkStalled(world: World, slot: number, record: SessionRecord, client: SimulatedSocket): void {
	const { partner } = client;
	if (record.reason !== STALL_TIMEOUT) return;
	// Its request may have been routed in this turn, with deadlines of its own.
	const { stallMs } = world.reactor.core.policyOf(slot as Session);
	const link = world.reactor.core.table.peerOf(slot as Slot);
	// One that was closed with it may be later than the last that took a part of its request.
	const closed = world.closedLink?.slot === link ? world.closedLink : undefined;
	const upstream = partner ?? closed ?? client.asks?.current?.links.at(-1);
	const hasStalled = (row: number, side: SimulatedSocket | undefined): boolean => {
		const isWaiting =
			row >= 0 && (isBlocked(world, row) || (side !== undefined && side.queued + side.sending > 0));
		// An upstream that has taken no part of a request is not known to be its client's.
		// Of a TLS record the kernel may have taken a part, which moves nothing that is counted.
		const { secured } = side ?? {};
		const isAmid = secured !== undefined && (secured.pending !== undefined || secured.goodbyeLeft > 0);
		if (!isWaiting || side === undefined || isAmid) return isWaiting;
		// Peers go on while a turn is done: what was acknowledged at this very moment may have come after the reactor's last look.
		const lastMs = side.acknowledgedMs === record.closedMs ? side.acknowledgedBeforeMs : side.acknowledgedMs;
		return record.closedMs - Math.max(side.queuedSinceMs, lastMs) >= stallMs;
	};
	if (!hasStalled(slot, client) && !hasStalled(link, upstream))
		violated("a session ended as stalled, and each side had taken what there was for it");
}

/** The record of a client whose requests were read counts all that it sent to upstreams, and all that those sent. */
function checkAnswered(
	record: SessionRecord,
	client: SimulatedSocket,
	asks: HttpClient,
	isMisdirected: boolean,
): void {
	const { reason, bytesFromClient, bytesToClient } = record;
	const name = REASONS[reason];
	if (bytesFromClient !== asks.forwarded)
		violated(`the record says ${bytesFromClient} bytes came from the client, not ${asks.forwarded}`);
	const request = asks.current;
	if (asks.confused) return;
	// Of what the gateway says itself, only what had to wait is counted.
	if (bytesToClient > client.sent || bytesToClient < client.sent - asks.own - asks.reader.text.length)
		violated(`the record says ${bytesToClient} bytes went to the client, not ${client.sent}`);
	if (request === undefined) return;
	if (reason === BAD_REQUEST && request.fault === "none" && !isMisdirected)
		violated(`the well-formed request ${request.id} ended its session as ${name}`);
	const link = request.links.at(-1);
	// An end within a head is malformed as well.
	if (reason === BAD_RESPONSE && link?.serves?.faulty === false && !link.finished && !link.isLost)
		violated(`${request.id} ended as ${name}, and its upstream did nothing wrong`);
}

/** Ends of one side that are passed on as resets to the other: its stream was cut. */
const RESETS: ReadonlySet<number> = new Set([CLIENT_RESET, UPSTREAM_RESET, KEEPALIVE_LOST, TLS_FAILED]);

/** The connection is gone, or takes no more. An end that TLS did not say has another reason. */
function wasReset(socket: SimulatedSocket): boolean {
	return socket.dead || (socket.isLost && socket.secured?.wasCut !== true);
}

function checkRelayed(record: SessionRecord, client: SimulatedSocket, link: SimulatedSocket): void {
	const { reason } = record;
	const name = REASONS[reason];
	const up = heldFor(link, client);
	const down = heldFor(client, link);
	const earlier = client.asks?.forwarded ?? 0;
	if (link.sentBefore >= 0 && record.bytesFromClient !== earlier + link.sent - link.sentBefore)
		violated(`the record says ${record.bytesFromClient} bytes came from the client, not ${link.sent}`);
	if (record.bytesToClient !== client.sent - client.sentAsLine)
		violated(`the record says ${record.bytesToClient} bytes went to the client, not ${client.sent}`);
	if ((up > 0 && !link.wasReset) || (down > 0 && !client.wasReset))
		violated(`a stream that was cut (${name}) looks complete`);
	if (reason === CLIENT_CLOSED || reason === UPSTREAM_CLOSED) {
		if (!(client.finished || client.dead) || !(link.finished || link.dead))
			violated(`a session ended as ${name}, and one side had not ended`);
		// What was put back was taken, and is among the first two.
		if (up !== 0 || down !== 0 || client.available > 0 || link.available > 0)
			violated(`a session ended as ${name}, and not all bytes had passed`);
		if (client.wasReset || link.wasReset) violated(`a session ended as ${name}, with a reset`);
	}
	if (reason === UPSTREAM_RESET && !wasReset(link))
		violated("an upstream is said to have reset, and has not");
	if (reason === TLS_FAILED && client.secured?.phase !== "broken" && link.secured?.phase !== "broken")
		violated("TLS is said to have failed, and has not");
	if (RESETS.has(reason))
		if (!client.wasReset || !link.wasReset) violated(`a session ended as ${name}, without a reset`);
}
