/**
 * The one way out: every session ends here, with one reason, and nothing else gives a client's or an
 * upstream's descriptor back.
 */
import {
	ECONNABORTED,
	ECONNREFUSED,
	ECONNRESET,
	EHOSTDOWN,
	EHOSTUNREACH,
	ENETDOWN,
	ENETUNREACH,
	ENOBUFS,
	ENONET,
	EPIPE,
	EPROTO,
	ETIMEDOUT,
} from "../../kernel/constants.js";
import { at } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";
import { NO_CAUSE } from "../../protocol/http/causes.js";
import { type Core, LIVE_LISTENERS, LIVE_SESSIONS } from "../core.js";
import { closeOwned } from "../links/owned.js";
import { ANSWERED } from "../modes/http1/columns.js";
import { logCut } from "../modes/http1/log.js";
import { scalarIndex } from "../records/counters.js";
import {
	CLIENT_CLOSED,
	CLIENT_RESET,
	DRAINED,
	FD_PRESSURE,
	INTERNAL,
	KEEPALIVE_LOST,
	LIFETIME,
	LIMIT_CONNECTIONS,
	LIMIT_IP,
	LIMIT_RATE,
	MEMORY_PRESSURE,
	TLS_FAILED,
	UPSTREAM_RESET,
} from "../records/reasons.js";
import { RECYCLED_CUT } from "../records/recycle-reasons.js";
import { BLOCKED, EXCHANGE, HAD_REQUESTS, REFUSED, RELAY, REQUEST, SNIFF } from "../table/table.js";
import { isBusy } from "../wire/outbox.js";
import { endTransport, goodbye, isSecured } from "../wire/transport.js";
import { account } from "./account.js";

/** Ends the session that `slot` belongs to (either side's), and gives back all it held. */
export function close(core: Core, slot: number, reason: number): void {
	const { table } = core;
	const client = table.clientOf(slot);
	const link = at(table.peer, client);
	logCut(core, client, reason);
	core.messageCause = NO_CAUSE;
	account(core, client, reason);
	const reset = isCut(core, client, link, reason);
	if (at(table.state, client) === EXCHANGE) {
		// Borrowed, and not to be used again.
		core.counters.add(POOL_RETURNED, 1);
		core.counters.recycled(RECYCLED_CUT);
	}
	core.tlsFailures.delete(client);
	if ((at(table.flags, client) & HAD_REQUESTS) !== 0) closeOwned(core, client);
	if (link !== NONE) endConnection(core, link, reset);
	endConnection(core, client, reset);
	const address = at(table.address, client);
	if (address !== NONE) core.board.leave(address);
	const place = at(table.sourcePlace, client);
	if (place !== NONE) core.sources.leave(place);
	core.longNames.delete(client);
	core.proxyHeaders.delete(client);
	core.requestLog.ids.delete(client);
	core.policies.leave(at(table.policy, client));
	const listener = at(table.listener, client);
	if (link !== NONE) release(core, link);
	core.counters.sessionClosed(listener, reason);
	release(core, client);
	leavePlace(core, listener);
	// Somebody may be waiting in an accept queue for this place.
	if (core.waitsForPlace) core.resumeAtMs = Math.min(core.resumeAtMs, core.nowMs);
	if (core.draining && table.clients === 0) core.notify({ kind: "drained" });
}

/** Gives back the place that `acceptOne` took for a session. */
export function leavePlace(core: Core, listener: number): void {
	Atomics.sub(core.live, LIVE_LISTENERS + listener, 1);
	Atomics.sub(core.live, LIVE_SESSIONS, 1);
}

/**
 * Ends that are resets: the peers' own, and those of whoever is turned away or closed to make room, which
 * frees what the kernel holds at once, and leaves no TIME_WAIT behind.
 */
const RESETS: ReadonlySet<number> = new Set([
	CLIENT_RESET,
	UPSTREAM_RESET,
	KEEPALIVE_LOST,
	LIMIT_CONNECTIONS,
	LIMIT_IP,
	LIMIT_RATE,
	FD_PRESSURE,
	MEMORY_PRESSURE,
]);

/**
 * A reset on one side is a reset on the other, and so is any end while bytes wait: a stream that was cut must
 * not look complete. So is a busy session that we end on our own account. It also makes the kernel free at once what a stalled reader never took.
 */
function isCut(core: Core, client: number, link: number, reason: number): boolean {
	const { flags, state } = core.table;
	if (RESETS.has(reason)) {
		// Who was told why is not cut off as well: a reset would destroy what it was told.
		return !(at(state, client) === REFUSED && at(core.table.reason, client) === reason);
	}
	// Whatever had broken it, neither side has said that it was done. Before, in a handshake, nothing is under way.
	if (reason === TLS_FAILED && (at(state, client) === RELAY || at(state, client) === EXCHANGE)) return true;
	// The rest of the answer will never come.
	if (at(state, client) === EXCHANGE && core.exchanges.has(client, ANSWERED)) return true;
	const ours = reason === DRAINED || reason === LIFETIME || reason === INTERNAL;
	if (ours && at(state, client) === RELAY && isBusy(core, client)) return true;
	return (at(flags, client) & BLOCKED) !== 0 || (link !== NONE && (at(flags, link) & BLOCKED) !== 0);
}

/** A system call on one of the session's descriptors failed: the errno tells who ended it. */
export function closeFailed(core: Core, slot: number, errno: number): void {
	switch (errno) {
		case ECONNABORTED:
			// Of the kernel itself where there is no TLS: somebody has destroyed the socket (`ss -K`).
			if (isSecured(core, slot)) cut(core, slot);
			else wasReset(core, slot);
			return;
		case ECONNRESET:
		case EPIPE:
			wasReset(core, slot);
			return;
		case ENOBUFS:
			close(core, slot, MEMORY_PRESSURE);
			return;
		case EPROTO:
			close(core, slot, TLS_FAILED);
			return;
		case ECONNREFUSED:
		case EHOSTDOWN:
		case ENETDOWN:
		case ENONET:
		case ETIMEDOUT:
		case EHOSTUNREACH:
		case ENETUNREACH:
			close(core, slot, KEEPALIVE_LOST);
			return;
		default:
			core.remark("error", `a session failed with errno ${errno}`);
			close(core, slot, INTERNAL);
	}
}

function wasReset(core: Core, slot: number): void {
	close(core, slot, slot < core.table.sessions ? CLIENT_RESET : UPSTREAM_RESET);
}

/**
 * The stream ended, and TLS had not said so (`close_notify`). Many clients end so when nothing is under way: that is their
 * end as any other. Amid something nobody knows whether that was all, for whoever is on the path can forge such an end.
 */
function cut(core: Core, slot: number): void {
	const { table, exchanges, tlsFailures } = core;
	const isClient = slot < table.sessions;
	const state = at(table.state, slot);
	const isBetween =
		state === SNIFF ||
		(state === REQUEST && (at(table.flags, slot) & BLOCKED) === 0 && at(exchanges.headMs, slot) === 0);
	if (isClient && isBetween) {
		close(core, slot, CLIENT_CLOSED);
		return;
	}
	const client = table.clientOf(slot);
	tlsFailures.set(client, `the ${isClient ? "client" : "upstream"} ended without close_notify`);
	close(core, slot, TLS_FAILED);
}

/** Gives back an upstream connection whose dial failed; the session goes on to the next address. */
export function closeLink(core: Core, link: number): void {
	endConnection(core, link, false);
	release(core, link);
}

/**
 * The row is free, and counted as closed. There is no system call from here to there: the ledger looks from another
 * thread, and a call may keep this one, on a busy machine, for as long as the ledger looks.
 */
function release(core: Core, slot: number): void {
	const { table, counters } = core;
	counters.add(slot < table.sessions ? DOWNSTREAM_CLOSED_COUNT : UPSTREAM_CLOSED_COUNT, 1);
	table.release(slot);
}

function endConnection(core: Core, slot: number, reset: boolean): void {
	const { table, kernel } = core;
	core.wheel.cancel(slot);
	core.queue.remove(slot);
	const chunk = at(table.chunk, slot);
	if (chunk !== NONE) {
		core.buffered(at(table.chunkStart, slot) - at(table.chunkEnd, slot));
		core.chunks.give(chunk);
	}
	const pipe = at(table.pipe, slot);
	if (pipe !== NONE) {
		core.buffered(-at(table.pipeBytes, slot));
		core.pipes.discard(pipe);
	}
	if (slot >= table.sessions) core.loops.closed(slot - table.sessions);
	const fd = at(table.fd, slot);
	// What the peer has not been told by now, it is told as well as the socket's room allows.
	if (!reset && (at(table.flags, slot) & BLOCKED) === 0) goodbye(core, slot);
	endTransport(core, slot);
	if (reset) kernel.reset(fd);
	else kernel.close(fd);
}

const DOWNSTREAM_CLOSED_COUNT = scalarIndex("downstreamClosed");
const POOL_RETURNED = scalarIndex("poolReturned");
const UPSTREAM_CLOSED_COUNT = scalarIndex("upstreamClosed");
