/**
 * The listening sockets of this reactor: watched, paused while there is no place or descriptor for whoever waits, and given up
 * after a reload or a drain.
 */

import { EEXIST, EPOLLEXCLUSIVE, EPOLLIN } from "../../kernel/constants.js";
import type { AdmissionContext } from "./context.js";
import type { ReactorListener } from "./listener.js";

/** How long a listener rests when no descriptor was left. Level-triggered readiness would spin otherwise. */
export const PAUSE_MS = 100;
/** How long it rests when all sessions are in use: one may end in another reactor at any time. */
export const FULL_PAUSE_MS = 20;

/** A listening socket's slot in events: below every row's, and below the wake-up's. */
export function listenerEventSlot(listener: number): number {
	return -2 - listener;
}

export function listenerOfEventSlot(slot: number): number {
	return -2 - slot;
}

/** Otherwise its sessions come by lines that an agent has opened. */
export function hasSocket({ plan }: ReactorListener): boolean {
	return plan.fd >= 0;
}

/** Starts to watch a listener: level-triggered, so that what a turn leaves is reported again. */
export function watchListener(core: AdmissionContext, listener: ReactorListener): void {
	// Without memory for it the listener is as one that is paused: it is tried again.
	if (hasSocket(listener) && watch(core, listener) < 0) rest(core, listener);
	core.listeners.set(listener.plan.slot, listener);
	core.retired.delete(listener.plan.slot);
	core.listenersChanged();
}

/**
 * It is no listener of the plan any more; connections that it accepted still find their routes. One for datagrams goes on being read:
 * its sessions have no other socket.
 */
export function retire(core: AdmissionContext, listener: ReactorListener): void {
	if (hasSocket(listener) && listener.plan.datagrams === undefined)
		core.engine.readiness.remove(listener.plan.fd);
	core.listeners.delete(listener.plan.slot);
	core.retired.set(listener.plan.slot, listener);
	core.listenersChanged();
}

/** It is watched again after so long. */
export function pause(core: AdmissionContext, listener: ReactorListener, forMs: number): void {
	unwatch(core, listener);
	core.places.resumeBy(core.nowMs + forMs);
}

/**
 * At a socket that all reactors share the kernel wakes the one that has watched longest. Who has taken from its queue goes behind the
 * others, so that the next connection is somebody else's: the first in the line would have nearly all.
 */
export function goBehind(core: AdmissionContext, listener: ReactorListener): void {
	if (listener.plan.isShared !== true || listener.paused || listener.givenUp) return;
	core.engine.readiness.remove(listener.plan.fd);
	if (watch(core, listener) < 0) rest(core, listener);
}

function rest(core: AdmissionContext, listener: ReactorListener): void {
	listener.paused = true;
	core.places.resumeBy(core.nowMs + PAUSE_MS);
}

function unwatch(core: AdmissionContext, listener: ReactorListener): void {
	listener.paused = true;
	if (listener.plan.isShared === true) {
		core.engine.readiness.remove(listener.plan.fd);
		return;
	}
	// Modified, not removed: watching it again must not need memory that may be short then too.
	core.engine.readiness.modify(listener.plan.fd, 0, listenerEventSlot(listener.plan.slot), 0);
}

/** Watches paused listeners again. */
export function resumeListeners(core: AdmissionContext): void {
	const { places } = core;
	places.resumeAtMs = Number.POSITIVE_INFINITY;
	places.isWaitedFor = false;
	for (const listener of core.listeners.values()) {
		if (!listener.paused || listener.rests) continue;
		listener.paused = watch(core, listener) < 0;
		if (listener.paused) places.resumeAtMs = core.nowMs + PAUSE_MS;
	}
}

/** An operator has it rest, or go on. */
export function restListener(core: AdmissionContext, slot: number, rests: boolean): void {
	const listener = core.listeners.get(slot);
	// An order that changes nothing wakes nobody.
	if (listener === undefined || listener.rests === rests || !hasSocket(listener)) return;
	listener.rests = rests;
	// Clients of datagrams that have a session keep it.
	if (listener.plan.datagrams !== undefined) return;
	if (!rests) core.places.resumeBy(core.nowMs);
	else if (!listener.paused) unwatch(core, listener);
}

function watch(core: AdmissionContext, listener: ReactorListener): number {
	const { readiness } = core.engine;
	const slot = listenerEventSlot(listener.plan.slot);
	// One connection is news for one of those who share the socket. Such a watch cannot be modified: it is there, or it is not.
	if (listener.plan.isShared === true) {
		const added = readiness.add(listener.plan.fd, EPOLLIN | EPOLLEXCLUSIVE, slot, 0);
		return added === -EEXIST ? 0 : added;
	}
	const known = readiness.modify(listener.plan.fd, EPOLLIN, slot, 0);
	if (known >= 0) return known;
	// Another socket than one that had this number before has dropped nothing yet.
	listener.overrun = 0;
	return readiness.add(listener.plan.fd, EPOLLIN, slot, 0);
}
