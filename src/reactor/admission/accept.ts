/** First step: connections leave the kernel's accept queue. Nothing here waits for anybody. */
import {
	ECONNABORTED,
	EINTR,
	EMFILE,
	ENFILE,
	ENOBUFS,
	ENOMEM,
	EPERM,
	EPOLLET,
	EPOLLIN,
	EPOLLPRI,
	EPOLLRDHUP,
	EPROTO,
} from "../../kernel/constants.js";
import { copyAddress, portAt } from "../../kernel/sockaddr.js";
import { at } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";
import type { Pieces } from "../../route/pieces.js";
import { type Core, LIVE_LISTENERS, LIVE_SESSIONS, type ReactorListener } from "../core.js";
import { close, leavePlace } from "../end/close.js";
import { scalarIndex } from "../records/counters.js";
import { FD_PRESSURE, LIMIT_CONNECTIONS, LIMIT_RATE, MEMORY_PRESSURE } from "../records/reasons.js";
import { begin } from "../steps/sniff.js";
import { PROXY_REQUIRED, SNIFF } from "../table/table.js";
import { admit } from "./admit.js";
import { LATER, makeRoom } from "./room.js";

/**
 * Connections taken per listener and turn at most: enough for a burst, few enough that sessions are not kept
 * waiting. The first turn takes one, and the number doubles while each turn finds more, so that the usual
 * single client does not cost a second call that finds nothing.
 */
const ACCEPTS_PER_TURN = 64;

/** How long a listener rests when no descriptor was left. Level-triggered readiness would spin otherwise. */
const PAUSE_MS = 100;
/** How long it rests when all sessions are in use: one may end in another reactor at any time. */
const FULL_PAUSE_MS = 20;

/** A listening socket's slot in events: below every row's, and below the wake-up's. */
export function listenerEventSlot(listener: number): number {
	return -2 - listener;
}

export function listenerOfEventSlot(slot: number): number {
	return -2 - slot;
}

/** Starts to watch a listener: level-triggered, so that what a turn leaves is reported again. */
export function watchListener(core: Core, listener: ReactorListener): void {
	// Without memory for it the listener is as one that is paused: it is tried again.
	if (watch(core, listener) < 0) {
		listener.paused = true;
		core.resumeAtMs = Math.min(core.resumeAtMs, core.nowMs + PAUSE_MS);
	}
	core.listeners.set(listener.plan.slot, listener);
	core.retired.delete(listener.plan.slot);
	core.listenersChanged();
}

/**
 * Connections that are taken from a listener that is given up. Its queue holds no more (`net.core.somaxconn` ends at
 * 65,535), but a flood fills it as fast as it is emptied, and somebody waits for the end.
 */
const GIVEN_UP_ACCEPTS = 65_536;

/**
 * Takes what has arrived, then stops watching: clients whose connection was established are not cut off, unless
 * there is no place or descriptor for them. Closing the listener resets those.
 */
export function* giveUp(core: Core, listener: ReactorListener): Pieces {
	listener.givenUp = true;
	for (let left = GIVEN_UP_ACCEPTS; left > 0; left--) {
		if (!acceptOne(core, listener, true) && !core.room.isPutOff(core.wait)) break;
		yield;
	}
	core.kernel.readiness.remove(listener.plan.fd);
	core.listeners.delete(listener.plan.slot);
	core.retired.set(listener.plan.slot, listener);
	core.listenersChanged();
}

/** A listener has connections. What is left of them is reported again. */
export function accept(core: Core, listener: ReactorListener): void {
	const more = listener.acceptTurn === core.wait - 1;
	listener.acceptsPerTurn = more ? Math.min(2 * listener.acceptsPerTurn, ACCEPTS_PER_TURN) : 1;
	listener.acceptTurn = core.wait;
	for (let count = 0; count < listener.acceptsPerTurn; count++)
		if (!acceptOne(core, listener, count === 0)) return;
}

/** A connection may be taken. */
const ADMITTED = -1;
/** One may be taken once it is known to be there, in the next turn: then somebody is closed for it. */
const NOT_NOW = -2;

/**
 * Takes one connection. False when none is left for now, or none may be taken. `announced`: one is known to wait;
 * nobody is closed to make room for a connection that may not be there.
 */
function acceptOne(core: Core, listener: ReactorListener, announced: boolean): boolean {
	const refusal = takePlace(core, listener, announced);
	if (refusal === NOT_NOW || (refusal !== ADMITTED && !core.resetsWhenFull)) {
		leavePlace(core, listener.plan.slot);
		return false; // paused, or reported again if somebody waits
	}
	const fd = core.kernel.accept(listener.plan.fd, core.addressAt);
	if (fd >= 0) {
		open(core, listener, fd, refusal);
		return true;
	}
	leavePlace(core, listener.plan.slot);
	if (refusal === ADMITTED && core.acceptsPerSecond !== Number.POSITIVE_INFINITY && !listener.givenUp)
		core.sources.giveToken();
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
 * NOT_NOW. In all cases the place is taken: `leavePlace` gives it back.
 */
function takePlace(core: Core, listener: ReactorListener, announced: boolean): number {
	const { live, table } = core;
	const listenerFull = Atomics.add(live, LIVE_LISTENERS + listener.plan.slot, 1) >= listener.plan.connections;
	const full =
		Atomics.add(live, LIVE_SESSIONS, 1) >= core.connectionsMax || table.clients >= table.sessions - 1;
	if (full && !listenerFull && core.shedsWhenFull && !announced) return NOT_NOW;
	const room = full && !listenerFull && core.shedsWhenFull ? makeRoom(core, FD_PRESSURE, NONE, true) : 0;
	if (room === LATER) return NOT_NOW;
	if (listenerFull || (full && room === 0)) {
		if (!core.resetsWhenFull) {
			core.counters.add(PAUSES_FULL, 1);
			core.waitsForPlace = true;
			pause(core, listener, FULL_PAUSE_MS);
		}
		return LIMIT_CONNECTIONS;
	}
	// A listener that is given up takes all that it may at once: what it leaves is reset.
	if (core.acceptsPerSecond === Number.POSITIVE_INFINITY || listener.givenUp) return ADMITTED;
	const waitMs = core.sources.takeToken(core.acceptsPerSecond, core.nowMs);
	if (waitMs === 0) return ADMITTED;
	if (!core.resetsWhenFull) {
		core.counters.add(PAUSES_RATE, 1);
		pause(core, listener, waitMs);
	}
	return LIMIT_RATE;
}

function pause(core: Core, listener: ReactorListener, forMs: number): void {
	// Modified, not removed: watching it again must not need memory that may be short then too.
	core.kernel.readiness.modify(listener.plan.fd, 0, listenerEventSlot(listener.plan.slot), 0);
	listener.paused = true;
	core.resumeAtMs = Math.min(core.resumeAtMs, core.nowMs + forMs);
}

/** Watches paused listeners again. */
export function resumeListeners(core: Core): void {
	core.resumeAtMs = Number.POSITIVE_INFINITY;
	core.waitsForPlace = false;
	for (const listener of core.listeners.values()) {
		if (!listener.paused) continue;
		listener.paused = watch(core, listener) < 0;
		if (listener.paused) core.resumeAtMs = core.nowMs + PAUSE_MS;
	}
}

function watch(core: Core, listener: ReactorListener): number {
	const { readiness } = core.kernel;
	const slot = listenerEventSlot(listener.plan.slot);
	const known = readiness.modify(listener.plan.fd, EPOLLIN, slot, 0);
	return known < 0 ? readiness.add(listener.plan.fd, EPOLLIN, slot, 0) : known;
}

/** Gives a new connection its row, and sends it down the road. */
function open(core: Core, listener: ReactorListener, fd: number, refusal: number): void {
	const { table, kernel, counters } = core;
	const slot = table.takeClient();
	if (slot === NONE) throw new Error("no row, although there is one more than sessions may live");
	counters.add(DOWNSTREAM_OPENED, 1);
	counters.sessionOpened(listener.plan.slot);
	core.owners.connectionOpened(fd, core.index, slot, core.nowMs);
	table.fd[slot] = fd;
	table.state[slot] = SNIFF;
	table.listener[slot] = listener.plan.slot;
	table.acceptedMs[slot] = core.nowMs;
	table.activeMs[slot] = core.nowMs;
	table.policy[slot] = listener.policy;
	core.policies.enter(listener.policy);
	table.family[slot] = copyAddress(kernel.memory, core.addressAt, table.source, slot * 16);
	table.sourcePort[slot] = portAt(kernel.memory, core.addressAt);
	if (listener.plan.proxyRequired) table.flags[slot] = PROXY_REQUIRED;
	if (refusal !== ADMITTED) {
		close(core, slot, refusal);
		return;
	}
	if (!admit(core, listener, slot)) return;
	// Edge-triggered: peeked bytes stay in the kernel, and level-triggered readiness would report them for ever.
	// Writability is not asked for until something blocks, because every new socket would report it at once.
	const interest = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;
	if (kernel.readiness.add(fd, interest, slot, at(table.generation, slot)) < 0) {
		close(core, slot, MEMORY_PRESSURE);
		return;
	}
	begin(core, listener, slot);
}

const PAUSES_FULL = scalarIndex("acceptPausesFull");
const PAUSES_DESCRIPTORS = scalarIndex("acceptPausesDescriptors");
const PAUSES_RATE = scalarIndex("acceptPausesRate");
const ABORTED = scalarIndex("acceptAborted");
const DOWNSTREAM_OPENED = scalarIndex("downstreamOpened");
