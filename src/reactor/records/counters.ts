/**
 * What one reactor counts, in shared memory: only the reactor writes, the main thread adds up what all
 * reactors counted when metrics are asked for. Cells are doubles, aligned, so a reader never sees half of one.
 */

import { ADDRESSES_MAX, LISTENERS_MAX, ROUTES_MAX } from "../../config/bounds.js";
import { f64 } from "../../parts/at.js";
import { SECONDS_BUCKETS } from "../../parts/buckets.js";
import { REASONS } from "../../parts/reasons.js";
import { HTTP_CAUSES } from "../../protocol/http/causes.js";
import { DATAGRAM_DROPS } from "./datagram-drops.js";
import { UPSTREAM_FAULTS } from "./reasons.js";
import { RECYCLE_REASONS } from "./recycle-reasons.js";

// Numbers that there are. Twice what a configuration may have: a reload that replaces everything finds room for it while
// sessions still use what was before.
export const LISTENER_SLOTS = 2 * LISTENERS_MAX;
export const ROUTE_SLOTS = 2 * ROUTES_MAX;
/** An upstream has at least one address, so there are no more of them. */
export const UPSTREAM_SLOTS = 2 * ADDRESSES_MAX;

/** Cells of a histogram: one per bucket, one for what is above, and the sum. */
export const HISTOGRAM_CELLS = SECONDS_BUCKETS.length + 2;

/** Single figures. The order is the layout. */
export const SCALARS = [
	/** Descriptors by kind, opened and closed: the ledger. */
	"downstreamOpened",
	"downstreamClosed",
	"upstreamOpened",
	"upstreamClosed",
	/** Clients' rows without a descriptor of their own: sessions of datagrams. They are among those of `downstream`. */
	"flowsOpened",
	"flowsClosed",
	"pipesOpened",
	"pipesOpen",
	"pipesLent",
	"bufferedBytes",
	"chunksLent",
	/** Times a listener was paused because no descriptor or no row was left. */
	"acceptPausesDescriptors",
	"acceptPausesFull",
	"acceptPausesRate",
	/** Times a session had to wait for its rate of bytes. */
	"pacedWaits",
	/** Clients whose address found no room among the sources, so that its limits did not hold for them. */
	"sourcesNotCounted",
	/** Sessions closed to make room. */
	"shed",
	/** What the kernel held for this reactor's sockets when it was measured last. */
	"socketBytes",
	/** Connections gone between their arrival and accept. */
	"acceptAborted",
	/** Events for rows that have another owner by now. */
	"staleEvents",
	/** Datagrams that found no room in a socket before we read it. */
	"datagramsOverrun",
	/** Clients of QUIC that came from another address, and kept their session. */
	"clientsMoved",
	/** Sessions of datagrams that are found by their client, and connection IDs by which some are found. */
	"datagramFlows",
	"connectionIds",
	/** Hellos of QUIC and DTLS of which a part is there; that gave way to others; that waited in vain. */
	"halfHellos",
	"halfHellosDisplaced",
	"halfHellosExpired",
	"dialRetries",
	/** Connections to a listener for agents that were none of an agent. */
	"linesUnrecognized",
	/** Requests with a name and a password that are not good on their route. */
	"wrongPasswords",
	"poolBorrowed",
	"poolReturned",
	"poolIdle",
	"ejections",
	"turns",
	/** Milliseconds that the longest of them took. */
	"longestTurnMs",
	"splicedBytes",
	/** TLS sessions alive, and handshakes by how they ended. */
	"tlsSessions",
	"tlsFull",
	"tlsResumed",
	"tlsFailed",
	"tlsUpstreamFull",
	"tlsUpstreamResumed",
	"tlsUpstreamFailed",
	/**
	 * What the reactor's thread has on its heap, and in buffers beside it, and how long its collector has run. Written by the
	 * thread, now and then.
	 */
	"heapBytes",
	"externalBytes",
	"collectedMs",
	/** Ended sessions of listeners whose cells are others' by now. Written by the main thread. */
	"closedForgotten",
] as const;

export type Scalar = (typeof SCALARS)[number];

const SCALAR_INDEX = new Map<Scalar, number>(SCALARS.map((name, index) => [name, index]));

/** 1xx to 5xx; what is beyond counts as the last. */
export const STATUS_CLASSES = 5;

/** What stands in front of a server answers so for one that is gone: counted each for itself, beside its class. */
export const GATEWAY_STATUSES = [502, 503, 504] as const;

const LISTENER_ACCEPTED = SCALARS.length;
const LISTENER_ACTIVE = LISTENER_ACCEPTED + LISTENER_SLOTS;
const LISTENER_BYTES = LISTENER_ACTIVE + LISTENER_SLOTS;
const LISTENER_CLOSED = LISTENER_BYTES + 2 * LISTENER_SLOTS;
const LISTENER_HANDSHAKES = LISTENER_CLOSED + REASONS.length * LISTENER_SLOTS;
const UPSTREAM_CONNECTS = LISTENER_HANDSHAKES + HISTOGRAM_CELLS * LISTENER_SLOTS;
const ROUTE_SESSIONS = UPSTREAM_CONNECTS + HISTOGRAM_CELLS * UPSTREAM_SLOTS;
const ROUTE_REQUESTS = ROUTE_SESSIONS + ROUTE_SLOTS;
const LISTENER_REQUESTS = ROUTE_REQUESTS + STATUS_CLASSES * ROUTE_SLOTS;
const LISTENER_UNROUTED = LISTENER_REQUESTS + HISTOGRAM_CELLS * LISTENER_SLOTS;
const POOL_RECYCLED = LISTENER_UNROUTED + STATUS_CLASSES * LISTENER_SLOTS;
const BAD_REQUESTS = POOL_RECYCLED + RECYCLE_REASONS.length;
const BAD_RESPONSES = BAD_REQUESTS + HTTP_CAUSES.length;
const REQUESTS_REFUSED = BAD_RESPONSES + HTTP_CAUSES.length;
const UPSTREAM_REQUESTS = REQUESTS_REFUSED + REASONS.length;
const UPSTREAM_GATEWAY_STATUSES = UPSTREAM_REQUESTS + STATUS_CLASSES * UPSTREAM_SLOTS;
const UPSTREAM_FAULTED = UPSTREAM_GATEWAY_STATUSES + GATEWAY_STATUSES.length * UPSTREAM_SLOTS;
const UPSTREAM_SECONDS = UPSTREAM_FAULTED + UPSTREAM_FAULTS.length * UPSTREAM_SLOTS;
const TURN_SECONDS = UPSTREAM_SECONDS + HISTOGRAM_CELLS * UPSTREAM_SLOTS;
const LISTENER_ACCEPT_WAITS = TURN_SECONDS + HISTOGRAM_CELLS;
const LISTENER_DATAGRAMS = LISTENER_ACCEPT_WAITS + HISTOGRAM_CELLS * LISTENER_SLOTS;
const DATAGRAMS_DROPPED = LISTENER_DATAGRAMS + 2 * LISTENER_SLOTS;
const CELLS = DATAGRAMS_DROPPED + DATAGRAM_DROPS.length;

/** Bytes that came from clients, and bytes that went to them. */
export const FROM_CLIENT = 0;
export const TO_CLIENT = 1;

export class Counters {
	readonly buffer: SharedArrayBuffer;
	readonly #cells: Float64Array;

	/** With a buffer: another thread's view of the same counters. */
	constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(CELLS * 8)) {
		this.buffer = buffer;
		this.#cells = new Float64Array(buffer);
	}

	get(name: Scalar): number {
		return f64(this.#cells, scalarIndex(name));
	}

	add(index: number, amount: number): void {
		this.#cells[index] = f64(this.#cells, index) + amount;
	}

	set(index: number, value: number): void {
		this.#cells[index] = value;
	}

	accepted(listener: number): number {
		return f64(this.#cells, LISTENER_ACCEPTED + listener);
	}

	active(listener: number): number {
		return f64(this.#cells, LISTENER_ACTIVE + listener);
	}

	bytes(listener: number, direction: number): number {
		return f64(this.#cells, LISTENER_BYTES + 2 * listener + direction);
	}

	/** Datagrams that were passed on. */
	datagrams(listener: number, direction: number): number {
		return f64(this.#cells, LISTENER_DATAGRAMS + 2 * listener + direction);
	}

	/** By its place in DATAGRAM_DROPS. */
	datagramsDropped(drop: number): number {
		return f64(this.#cells, DATAGRAMS_DROPPED + drop);
	}

	closed(listener: number, reason: number): number {
		return f64(this.#cells, LISTENER_CLOSED + REASONS.length * listener + reason);
	}

	routeSessions(route: number): number {
		return f64(this.#cells, ROUTE_SESSIONS + route);
	}

	handshakes(listener: number): Float64Array {
		const start = LISTENER_HANDSHAKES + HISTOGRAM_CELLS * listener;
		return this.#cells.subarray(start, start + HISTOGRAM_CELLS);
	}

	connects(upstream: number): Float64Array {
		const start = UPSTREAM_CONNECTS + HISTOGRAM_CELLS * upstream;
		return this.#cells.subarray(start, start + HISTOGRAM_CELLS);
	}

	/** Requests by route and class of status, 0 for 1xx to 4 for 5xx. */
	routeRequests(route: number, group: number): number {
		return f64(this.#cells, ROUTE_REQUESTS + STATUS_CLASSES * route + group);
	}

	/** The same for requests that took no route, by listener. */
	unroutedRequests(listener: number, group: number): number {
		return f64(this.#cells, LISTENER_UNROUTED + STATUS_CLASSES * listener + group);
	}

	requests(listener: number): Float64Array {
		const start = LISTENER_REQUESTS + HISTOGRAM_CELLS * listener;
		return this.#cells.subarray(start, start + HISTOGRAM_CELLS);
	}

	poolRecycled(reason: number): number {
		return f64(this.#cells, POOL_RECYCLED + reason);
	}

	badRequests(cause: number): number {
		return f64(this.#cells, BAD_REQUESTS + cause);
	}

	badResponses(cause: number): number {
		return f64(this.#cells, BAD_RESPONSES + cause);
	}

	requestsRefused(reason: number): number {
		return f64(this.#cells, REQUESTS_REFUSED + reason);
	}

	/** Requests for an upstream, by class of the status that was answered, by it or in its place. */
	upstreamRequests(upstream: number, group: number): number {
		return f64(this.#cells, UPSTREAM_REQUESTS + STATUS_CLASSES * upstream + group);
	}

	/** Of these, those that the upstream itself answered with a status of GATEWAY_STATUSES. */
	upstreamGatewayStatuses(upstream: number, index: number): number {
		return f64(this.#cells, UPSTREAM_GATEWAY_STATUSES + GATEWAY_STATUSES.length * upstream + index);
	}

	/** And those that we answered in its place, by the reason among UPSTREAM_FAULTS. */
	upstreamFaults(upstream: number, index: number): number {
		return f64(this.#cells, UPSTREAM_FAULTED + UPSTREAM_FAULTS.length * upstream + index);
	}

	/** How long the heads of its answers took. */
	upstreamSeconds(upstream: number): Float64Array {
		const start = UPSTREAM_SECONDS + HISTOGRAM_CELLS * upstream;
		return this.#cells.subarray(start, start + HISTOGRAM_CELLS);
	}

	turnSeconds(): Float64Array {
		return this.#cells.subarray(TURN_SECONDS, TURN_SECONDS + HISTOGRAM_CELLS);
	}

	acceptWaits(listener: number): Float64Array {
		const start = LISTENER_ACCEPT_WAITS + HISTOGRAM_CELLS * listener;
		return this.#cells.subarray(start, start + HISTOGRAM_CELLS);
	}

	// What the reactor calls.

	turnTook(ms: number): void {
		this.#observe(TURN_SECONDS, ms / 1000);
		if (ms > f64(this.#cells, LONGEST_TURN_MS)) this.#cells[LONGEST_TURN_MS] = ms;
	}

	sessionOpened(listener: number): void {
		this.add(LISTENER_ACCEPTED + listener, 1);
		this.add(LISTENER_ACTIVE + listener, 1);
	}

	/** A connection that was measured waited so long to be accepted. */
	acceptWaited(listener: number, ms: number): void {
		this.#observe(LISTENER_ACCEPT_WAITS + HISTOGRAM_CELLS * listener, ms / 1000);
	}

	sessionClosed(listener: number, reason: number): void {
		this.add(LISTENER_ACTIVE + listener, -1);
		this.add(LISTENER_CLOSED + REASONS.length * listener + reason, 1);
	}

	moved(listener: number, direction: number, bytes: number): void {
		this.add(LISTENER_BYTES + 2 * listener + direction, bytes);
	}

	/** A message of so many datagrams was passed on. */
	passed(listener: number, direction: number, datagrams: number, bytes: number): void {
		this.add(LISTENER_DATAGRAMS + 2 * listener + direction, datagrams);
		this.moved(listener, direction, bytes);
	}

	dropped(drop: number, datagrams: number): void {
		this.add(DATAGRAMS_DROPPED + drop, datagrams);
	}

	routed(route: number): void {
		this.add(ROUTE_SESSIONS + route, 1);
	}

	/** The head of an upstream's answer is there, so long after the request's. */
	upstreamAnswered(upstream: number, status: number, ms: number): void {
		this.add(UPSTREAM_REQUESTS + STATUS_CLASSES * upstream + classOf(status), 1);
		if (status >= 502 && status <= 504)
			this.add(UPSTREAM_GATEWAY_STATUSES + GATEWAY_STATUSES.length * upstream + status - 502, 1);
		this.#observe(UPSTREAM_SECONDS + HISTOGRAM_CELLS * upstream, ms / 1000);
	}

	/** We answered in its place. Counts nothing where that was no fault of the upstream. */
	upstreamFailed(upstream: number, status: number, reason: number): void {
		const fault = UPSTREAM_FAULTS.indexOf(reason);
		if (fault < 0 || upstream < 0) return;
		this.add(UPSTREAM_REQUESTS + STATUS_CLASSES * upstream + classOf(status), 1);
		this.add(UPSTREAM_FAULTED + UPSTREAM_FAULTS.length * upstream + fault, 1);
	}

	/** A request was answered, by its upstream or by us; `route` below 0: it took none. */
	requestAnswered(route: number, listener: number, status: number): void {
		const group = classOf(status);
		const start =
			route >= 0 ? ROUTE_REQUESTS + STATUS_CLASSES * route : LISTENER_UNROUTED + STATUS_CLASSES * listener;
		this.add(start + group, 1);
	}

	/** A request was answered by its upstream, which took so long. */
	requestServed(route: number, listener: number, status: number, ms: number): void {
		this.requestAnswered(route, listener, status);
		this.#observe(LISTENER_REQUESTS + HISTOGRAM_CELLS * listener, ms / 1000);
	}

	/** A request was answered by ourselves. */
	requestRefused(reason: number): void {
		this.add(REQUESTS_REFUSED + reason, 1);
	}

	recycled(reason: number): void {
		this.add(POOL_RECYCLED + reason, 1);
	}

	badRequest(cause: number): void {
		this.add(BAD_REQUESTS + cause, 1);
	}

	badResponse(cause: number): void {
		this.add(BAD_RESPONSES + cause, 1);
	}

	handshakeTook(listener: number, ms: number): void {
		this.#observe(LISTENER_HANDSHAKES + HISTOGRAM_CELLS * listener, ms / 1000);
	}

	connectTook(upstream: number, ms: number): void {
		this.#observe(UPSTREAM_CONNECTS + HISTOGRAM_CELLS * upstream, ms / 1000);
	}

	// What the main thread calls when a number gets another name, and nothing of the reactor's carries it.

	forgetListener(listener: number): void {
		const closed = LISTENER_CLOSED + REASONS.length * listener;
		for (let reason = 0; reason < REASONS.length; reason++)
			this.add(scalarIndex("closedForgotten"), f64(this.#cells, closed + reason));
		this.#clear(LISTENER_ACCEPTED + listener, 1);
		this.#clear(LISTENER_ACTIVE + listener, 1);
		this.#clear(LISTENER_BYTES + 2 * listener, 2);
		this.#clear(LISTENER_DATAGRAMS + 2 * listener, 2);
		this.#clear(closed, REASONS.length);
		this.#clear(LISTENER_HANDSHAKES + HISTOGRAM_CELLS * listener, HISTOGRAM_CELLS);
		this.#clear(LISTENER_ACCEPT_WAITS + HISTOGRAM_CELLS * listener, HISTOGRAM_CELLS);
		this.#clear(LISTENER_REQUESTS + HISTOGRAM_CELLS * listener, HISTOGRAM_CELLS);
		this.#clear(LISTENER_UNROUTED + STATUS_CLASSES * listener, STATUS_CLASSES);
	}

	forgetRoute(route: number): void {
		this.#clear(ROUTE_SESSIONS + route, 1);
		this.#clear(ROUTE_REQUESTS + STATUS_CLASSES * route, STATUS_CLASSES);
	}

	forgetUpstream(upstream: number): void {
		this.#clear(UPSTREAM_CONNECTS + HISTOGRAM_CELLS * upstream, HISTOGRAM_CELLS);
		this.#clear(UPSTREAM_REQUESTS + STATUS_CLASSES * upstream, STATUS_CLASSES);
		this.#clear(UPSTREAM_GATEWAY_STATUSES + GATEWAY_STATUSES.length * upstream, GATEWAY_STATUSES.length);
		this.#clear(UPSTREAM_FAULTED + UPSTREAM_FAULTS.length * upstream, UPSTREAM_FAULTS.length);
		this.#clear(UPSTREAM_SECONDS + HISTOGRAM_CELLS * upstream, HISTOGRAM_CELLS);
	}

	#clear(start: number, count: number): void {
		this.#cells.fill(0, start, start + count);
	}

	#observe(start: number, seconds: number): void {
		let bucket = 0;
		while (bucket < SECONDS_BUCKETS.length && seconds > (SECONDS_BUCKETS[bucket] as number)) bucket++;
		this.add(start + bucket, 1);
		this.add(start + HISTOGRAM_CELLS - 1, seconds);
	}
}

/** 0 for 1xx to 4 for 5xx. */
function classOf(status: number): number {
	return Math.min(STATUS_CLASSES, Math.max(1, Math.floor(status / 100))) - 1;
}

/** Where a single figure lies, for `add` and `set`. */
export function scalarIndex(name: Scalar): number {
	return SCALAR_INDEX.get(name) ?? 0;
}

const LONGEST_TURN_MS = scalarIndex("longestTurnMs");
