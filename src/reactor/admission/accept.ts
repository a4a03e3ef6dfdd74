/** First step: connections leave the kernel's accept queue. Nothing here waits for anybody. */

import {
	ECONNABORTED,
	EINTR,
	EMFILE,
	ENFILE,
	ENOBUFS,
	ENOMEM,
	EPERM,
	EPROTO,
} from "../../kernel/constants.js";
import { copyAddress, portAt } from "../../kernel/sockaddr.js";
import { assert } from "../../parts/assert.js";
import { i32 } from "../../parts/at.js";
import type { Pieces } from "../../route/pieces.js";
import { openLine } from "../lines/prove.js";
import { ADDRESS_AT } from "../memory/arena.js";
import { scalarIndex } from "../records/counters.js";
import { listenerAccepts } from "../records/rates.js";
import { FD_PRESSURE, LIMIT_CONNECTIONS, LIMIT_RATE, MEMORY_PRESSURE } from "../records/reasons.js";
import { NOT_COUNTED, TOO_FAST, TOO_MANY } from "../records/sources.js";
import { FLOW } from "../table/fields.js";
import { PROXY_REQUIRED } from "../table/marks.js";
import { ARRIVED, end } from "../table/next.js";
import { type Fd, NONE, type Session } from "../table/numbers.js";
import { SNIFF } from "../table/states.js";
import { stamp } from "../table/times.js";
import { setPace } from "../wire/pace.js";
import type { AdmissionContext } from "./context.js";
import type { ReactorListener } from "./listener.js";
import { FULL_PAUSE_MS, goBehind, hasSocket, PAUSE_MS, pause, retire } from "./listeners.js";
import { LATER, makeRoom } from "./shed.js";

/**
 * Connections taken per listener and turn at most: enough for a burst, few enough that sessions are not kept
 * waiting. The first turn takes one, and the number doubles while each turn finds more, so that the usual
 * single client does not cost a second call that finds nothing.
 */
const ACCEPTS_PER_TURN = 64;

/**
 * Connections that are taken from a listener that is given up. Its queue holds no more (`net.core.somaxconn` ends at
 * 65,535), but a flood fills it as fast as it is emptied, and somebody waits for the end.
 */
const GIVEN_UP_ACCEPTS = 65_536;

/**
 * Of a listener's connections one is measured in so many milliseconds at most. It is the first that a turn takes, which has
 * waited longest; one that comes alone is measured, and so is the first behind every turn that took long. The call takes half a
 * microsecond: 0.05 % of a core, however many come.
 */
const WAIT_EVERY_MS = 1;

/**
 * Takes what has arrived, then stops watching: clients whose connection was established are not cut off, unless
 * there is no place or descriptor for them. Closing the listener resets those.
 */
export function* giveUp(core: AdmissionContext, listener: ReactorListener): Pieces {
	listener.givenUp = true;
	if (!hasSocket(listener) || listener.plan.datagrams !== undefined) {
		retire(core, listener);
		return;
	}
	for (let left = GIVEN_UP_ACCEPTS; left > 0; left--) {
		if (!acceptOne(core, listener, true) && !core.room.isPutOff(core.wait)) break;
		yield;
	}
	retire(core, listener);
}

/** A listener has connections. What is left of them is reported again. */
export function accept(core: AdmissionContext, listener: ReactorListener): void {
	// The news is from before.
	if (listener.rests) return;
	const more = listener.acceptTurn === core.wait - 1;
	listener.acceptsPerTurn = more ? Math.min(2 * listener.acceptsPerTurn, ACCEPTS_PER_TURN) : 1;
	listener.acceptTurn = core.wait;
	let count = 0;
	while (count < listener.acceptsPerTurn && acceptOne(core, listener, count === 0)) count++;
	if (count > 0) goBehind(core, listener);
}

/** A connection may be taken. */
const ADMITTED = -1;
/** A connection may be taken in the next turn, when it is known to be there: then a session is closed to make room for it. */
const NOT_NOW = -2;

/**
 * Takes one connection. False when none is left for now, or none may be taken. `announced`: one is known to wait;
 * no session is closed to make room for a connection that may not be there.
 */
function acceptOne(core: AdmissionContext, listener: ReactorListener, announced: boolean): boolean {
	const refusal = takePlace(core, listener, announced);
	if (refusal === NOT_NOW || (refusal !== ADMITTED && !core.resetsWhenFull)) {
		core.places.leave(listener.plan.slot);
		return false; // paused, or reported again if somebody waits
	}
	const fd = core.kernel.accept(listener.plan.fd, ADDRESS_AT);
	if (fd >= 0) {
		if (listener.plan.isForAgents === true) openForAgent(core, listener, fd as Fd, refusal);
		else open(core, listener, fd as Fd, refusal);
		return true;
	}
	core.places.leave(listener.plan.slot);
	if (refusal === ADMITTED && !listener.givenUp) giveTokens(core, listener);
	switch (-fd) {
		case EINTR:
			return true;
		case ECONNABORTED:
		case EPROTO:
		case EPERM:
			// That one client is gone, or a firewall forbids it; the next may be waiting.
			core.counters.add(ABORTED, 1);
			return true;
		case EMFILE:
		case ENFILE:
			// Whatever else this process opens comes first; the pause gives it time.
			makeRoom(core, FD_PRESSURE, NONE);
			core.counters.add(PAUSES_DESCRIPTORS, 1);
			pause(core, listener, PAUSE_MS);
			return false;
		case ENOBUFS:
		case ENOMEM:
			makeRoom(core, MEMORY_PRESSURE, NONE);
			core.counters.add(PAUSES_DESCRIPTORS, 1);
			pause(core, listener, PAUSE_MS);
			return false;
		default:
			return false;
	}
}

/**
 * Takes a place for one more session, before the connection, because other reactors are doing the same.
 * Returns ADMITTED, or the reason that forbids it; then the listener is paused, unless clients are reset; or
 * NOT_NOW. In all cases the place is taken: `Places.leave` gives it back.
 */
function takePlace(core: AdmissionContext, listener: ReactorListener, announced: boolean): number {
	const { places, table } = core;
	const listenerFull = places.takeOf(listener.plan.slot) >= listener.plan.connections;
	const full = places.take() >= core.connectionsMax || table.clients >= table.sessions - 1;
	if (full && !listenerFull && core.shedsWhenFull && !announced) return NOT_NOW;
	const room = full && !listenerFull && core.shedsWhenFull ? makeRoom(core, FD_PRESSURE, NONE, true) : 0;
	if (room === LATER) return NOT_NOW;
	if (listenerFull || (full && room === 0)) {
		if (!core.resetsWhenFull) {
			core.counters.add(PAUSES_FULL, 1);
			places.isWaitedFor = true;
			pause(core, listener, FULL_PAUSE_MS);
		}
		return LIMIT_CONNECTIONS;
	}
	// A listener that is given up takes all that it may at once: what it leaves is reset.
	if (listener.givenUp) return ADMITTED;
	const waitMs = takeTokens(core, listener);
	if (waitMs === 0) return ADMITTED;
	if (!core.resetsWhenFull) {
		core.counters.add(PAUSES_RATE, 1);
		pause(core, listener, waitMs);
	}
	return LIMIT_RATE;
}

/** Takes what a connection costs of the listener's rate and of that of all. Returns 0, or the milliseconds until there is enough. */
function takeTokens(core: AdmissionContext, { plan }: ReactorListener): number {
	const place = listenerAccepts(plan.slot);
	const ownMs = core.rates.take(place, plan.acceptsPerSecond, core.nowMs);
	if (ownMs > 0 || core.acceptsPerSecond === Number.POSITIVE_INFINITY) return ownMs;
	const allMs = core.sources.takeToken(core.acceptsPerSecond, core.nowMs);
	if (allMs > 0) core.rates.give(place, plan.acceptsPerSecond);
	return allMs;
}

/** The connection was not there. */
function giveTokens(core: AdmissionContext, { plan }: ReactorListener): void {
	core.rates.give(listenerAccepts(plan.slot), plan.acceptsPerSecond);
	if (core.acceptsPerSecond !== Number.POSITIVE_INFINITY) core.sources.giveToken();
}

/** It has no session: it is an agent's control connection, or a line on which a visitor's session will go on. */
function openForAgent(
	core: AdmissionContext,
	{ plan, policy }: ReactorListener,
	fd: Fd,
	refusal: number,
): void {
	core.places.leave(plan.slot);
	const family = copyAddress(core.kernel.memory, ADDRESS_AT, agentAddress, 0);
	const isFull = fd >= core.descriptorCeiling && makeRoom(core, FD_PRESSURE, NONE) <= 0;
	const isBanned = core.bans.forbid(family, agentAddress, 0, core.nowMs);
	const source =
		refusal !== ADMITTED || isFull || isBanned
			? TOO_MANY
			: core.sources.enter(family, agentAddress, 0, core.sourceLimits, core.nowMs);
	if (source === TOO_MANY || source === TOO_FAST) {
		core.kernel.close(fd);
		return;
	}
	openLine(core, fd, plan.slot, source === NOT_COUNTED ? NONE : source, core.policies.of(policy).handshakeMs);
}

const agentAddress = new Uint8Array(16);

/** Gives a new connection its row, and sends it down the road. */
function open(core: AdmissionContext, listener: ReactorListener, fd: Fd, refusal: number): void {
	const { table, kernel } = core;
	if (core.nowMs - listener.waitMeasuredMs >= WAIT_EVERY_MS) measureWait(core, listener, fd);
	const session = openSession(core, listener, fd);
	table.family[session] = copyAddress(kernel.memory, ADDRESS_AT, table.source, session * 16);
	table.sourcePort[session] = portAt(kernel.memory, ADDRESS_AT);
	if (listener.plan.proxyRequired) table.flags[session] = i32(table.flags, session) | PROXY_REQUIRED;
	core.go(session, refusal === ADMITTED ? ARRIVED : end(refusal));
}

/**
 * A connection that has a place gets its row as a session of this listener. Who its client is stands there already, or is still to be
 * written. NONE: it is a client of datagrams, which has no descriptor of its own.
 */
export function openSession(core: AdmissionContext, listener: ReactorListener, fd: Fd): Session {
	const { table, counters } = core;
	const session = table.takeClient();
	assert(session !== NONE, "there is a row more than sessions may live");
	counters.add(DOWNSTREAM_OPENED, 1);
	counters.sessionOpened(listener.plan.slot);
	if (fd === NONE) {
		table.flags[session] = FLOW;
		counters.add(FLOWS_OPENED, 1);
	} else core.owners.connectionOpened(fd, core.index, session, core.nowMs);
	table.fd[session] = fd;
	table.state[session] = SNIFF;
	table.listener[session] = listener.plan.slot;
	table.number[session] = core.sessionNumbers.next();
	table.acceptedMs[session] = core.nowMs;
	table.active[session] = stamp(core.nowMs);
	table.policy[session] = listener.policy;
	table.ownPolicy[session] = listener.policy;
	core.policies.enter(listener.policy);
	core.policies.enter(listener.policy);
	if (core.policies.of(listener.policy).rates !== null) setPace(core, session, true);
	return session;
}

/** A place for a session that comes by a line; false: there is none. */
export function takeLinePlace(core: AdmissionContext, { plan }: ReactorListener): boolean {
	const { places, table } = core;
	const isListenerFull = places.takeOf(plan.slot) >= plan.connections;
	const isFull = places.take() >= core.connectionsMax || table.clients >= table.sessions - 1;
	if (!isListenerFull && !isFull) return true;
	places.leave(plan.slot);
	return false;
}

/**
 * A place for a session of datagrams, whose client is there: nothing waits in an accept queue, so what has no place is dropped. False:
 * there is none.
 */
export function takeFlowPlace(core: AdmissionContext, listener: ReactorListener): boolean {
	if (!takeLinePlace(core, listener)) {
		// What a listener may have of its own is no reason to close others' sessions.
		const { slot, connections } = listener.plan;
		const mayShed = core.shedsWhenFull && core.places.of(slot) < connections;
		if (!mayShed || makeRoom(core, FD_PRESSURE, NONE, true) <= 0 || !takeLinePlace(core, listener))
			return false;
	}
	if (takeTokens(core, listener) === 0) return true;
	core.places.leave(listener.plan.slot);
	return false;
}

/** Before anything is sent to it: how long did it wait to be accepted? */
function measureWait(core: AdmissionContext, listener: ReactorListener, fd: Fd): void {
	listener.waitMeasuredMs = core.nowMs;
	const waitedMs = core.kernel.readyForMs(fd);
	if (waitedMs >= 0) core.counters.acceptWaited(listener.plan.slot, waitedMs);
}

const PAUSES_FULL = scalarIndex("acceptPausesFull");
const PAUSES_DESCRIPTORS = scalarIndex("acceptPausesDescriptors");
const PAUSES_RATE = scalarIndex("acceptPausesRate");
const ABORTED = scalarIndex("acceptAborted");
const FLOWS_OPENED = scalarIndex("flowsOpened");
const DOWNSTREAM_OPENED = scalarIndex("downstreamOpened");
