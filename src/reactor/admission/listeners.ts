/**
 * The listening sockets of this reactor: watched, paused while there is no place or descriptor for whoever waits, and given up
 * after a reload or a drain.
 */

import { EPOLLIN } from "../../kernel/constants.js";
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
	if (hasSocket(listener) && watch(core, listener) < 0) {
		listener.paused = true;
		core.places.resumeBy(core.nowMs + PAUSE_MS);
	}
	core.listeners.set(listener.plan.slot, listener);
	core.retired.delete(listener.plan.slot);
	core.listenersChanged();
}

/** It is no listener of the plan any more; connections that it accepted still find their routes. */
export function retire(core: AdmissionContext, listener: ReactorListener): void {
	if (hasSocket(listener)) core.engine.readiness.remove(listener.plan.fd);
	core.listeners.delete(listener.plan.slot);
	core.retired.set(listener.plan.slot, listener);
	core.listenersChanged();
}

/** It is watched again after so long. */
export function pause(core: AdmissionContext, listener: ReactorListener, forMs: number): void {
	unwatch(core, listener);
	core.places.resumeBy(core.nowMs + forMs);
}

function unwatch(core: AdmissionContext, listener: ReactorListener): void {
	// Modified, not removed: watching it again must not need memory that may be short then too.
	core.engine.readiness.modify(listener.plan.fd, 0, listenerEventSlot(listener.plan.slot), 0);
	listener.paused = true;
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
	if (!rests) core.places.resumeBy(core.nowMs);
	else if (!listener.paused) unwatch(core, listener);
}

function watch(core: AdmissionContext, listener: ReactorListener): number {
	const { readiness } = core.engine;
	const slot = listenerEventSlot(listener.plan.slot);
	const known = readiness.modify(listener.plan.fd, EPOLLIN, slot, 0);
	return known < 0 ? readiness.add(listener.plan.fd, EPOLLIN, slot, 0) : known;
}
