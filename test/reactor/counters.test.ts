import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SECONDS_BUCKETS } from "../../src/parts/buckets.js";
import { REASONS } from "../../src/parts/reasons.js";
import {
	Counters,
	FROM_CLIENT,
	GATEWAY_STATUSES,
	HISTOGRAM_CELLS,
	LISTENER_SLOTS,
	ROUTE_SLOTS,
	type Scalar,
	STATUS_CLASSES,
	scalarIndex,
	TO_CLIENT,
	UPSTREAM_SLOTS,
} from "../../src/reactor/records/counters.js";
import { FD_PRESSURE, UPSTREAM_FAULTS } from "../../src/reactor/records/reasons.js";

const SCALARS: readonly Scalar[] = [
	"downstreamOpened",
	"downstreamClosed",
	"upstreamOpened",
	"upstreamClosed",
	"pipesOpen",
	"pipesLent",
	"bufferedBytes",
	"chunksLent",
	"acceptPausesDescriptors",
	"acceptPausesFull",
	"acceptAborted",
	"staleEvents",
	"dialRetries",
	"ejections",
	"turns",
	"splicedBytes",
];
const LISTENERS = [0, 1, LISTENER_SLOTS - 2, LISTENER_SLOTS - 1];
const ROUTES = [0, 1, ROUTE_SLOTS - 1];
const UPSTREAMS = [0, 1, UPSTREAM_SLOTS - 1];
const LAST_REASON = REASONS.length - 1;
const REASON_INDEXES = [0, 1, LAST_REASON];

/** Every figure that can be read at the ends of each range, by name. */
function readAll(counters: Counters): Map<string, number> {
	const all = new Map<string, number>();
	for (const name of SCALARS) all.set(name, counters.get(name));
	for (const listener of LISTENERS) {
		all.set(`accepted ${listener}`, counters.accepted(listener));
		all.set(`active ${listener}`, counters.active(listener));
		all.set(`bytes ${listener} from`, counters.bytes(listener, FROM_CLIENT));
		all.set(`bytes ${listener} to`, counters.bytes(listener, TO_CLIENT));
		for (const reason of REASON_INDEXES)
			all.set(`closed ${listener} ${reason}`, counters.closed(listener, reason));
		for (const group of [0, STATUS_CLASSES - 1])
			all.set(`unrouted ${listener} ${group}`, counters.unroutedRequests(listener, group));
		for (const [cell, value] of counters.requests(listener).entries())
			all.set(`requests ${listener} ${cell}`, value);
		for (const [cell, value] of counters.acceptWaits(listener).entries())
			all.set(`accept waits ${listener} ${cell}`, value);
		for (const [cell, value] of counters.handshakes(listener).entries())
			all.set(`handshakes ${listener} ${cell}`, value);
	}
	for (const reason of REASON_INDEXES) all.set(`refused ${reason}`, counters.requestsRefused(reason));
	for (const route of ROUTES) {
		all.set(`route ${route}`, counters.routeSessions(route));
		for (const group of [0, STATUS_CLASSES - 1])
			all.set(`requests of route ${route} ${group}`, counters.routeRequests(route, group));
	}
	for (const upstream of UPSTREAMS)
		for (const [cell, value] of counters.connects(upstream).entries())
			all.set(`connects ${upstream} ${cell}`, value);
	for (const upstream of UPSTREAMS) {
		for (const [cell, value] of counters.upstreamSeconds(upstream).entries())
			all.set(`seconds ${upstream} ${cell}`, value);
		for (const group of [0, STATUS_CLASSES - 1])
			all.set(`requests for ${upstream} ${group}`, counters.upstreamRequests(upstream, group));
		for (const index of GATEWAY_STATUSES.keys())
			all.set(`status ${upstream} ${index}`, counters.upstreamGatewayStatuses(upstream, index));
		for (const index of UPSTREAM_FAULTS.keys())
			all.set(`fault ${upstream} ${index}`, counters.upstreamFaults(upstream, index));
	}
	return all;
}

interface Write {
	readonly text: string;
	readonly apply: (counters: Counters) => void;
	/** What it adds, and where. */
	readonly changes: readonly (readonly [string, number])[];
}

const SUM = HISTOGRAM_CELLS - 1;
const ABOVE = SECONDS_BUCKETS.length;

const WRITES: readonly Write[] = [
	...SCALARS.map((name) => ({
		text: name,
		apply: (counters: Counters) => counters.add(scalarIndex(name), 3),
		changes: [[name, 3]] as const,
	})),
	...LISTENERS.flatMap((listener): Write[] => [
		{
			text: `sessionOpened ${listener}`,
			apply: (counters) => counters.sessionOpened(listener),
			changes: [
				[`accepted ${listener}`, 1],
				[`active ${listener}`, 1],
			],
		},
		...REASON_INDEXES.map((reason) => ({
			text: `sessionClosed ${listener} ${reason}`,
			apply: (counters: Counters) => counters.sessionClosed(listener, reason),
			changes: [
				[`active ${listener}`, -1],
				[`closed ${listener} ${reason}`, 1],
			] as const,
		})),
		{
			text: `moved ${listener} from`,
			apply: (counters) => counters.moved(listener, FROM_CLIENT, 5),
			changes: [[`bytes ${listener} from`, 5]],
		},
		{
			text: `moved ${listener} to`,
			apply: (counters) => counters.moved(listener, TO_CLIENT, 7),
			changes: [[`bytes ${listener} to`, 7]],
		},
		{
			text: `a request of ${listener} without a route`,
			apply: (counters) => counters.requestAnswered(-1, listener, 504),
			changes: [[`unrouted ${listener} ${STATUS_CLASSES - 1}`, 1]],
		},
		{
			text: `accepted ${listener} behind 16 s`,
			apply: (counters) => counters.acceptWaited(listener, 16_000),
			changes: [
				[`accept waits ${listener} ${ABOVE}`, 1],
				[`accept waits ${listener} ${SUM}`, 16],
			],
		},
		{
			text: `handshake ${listener} at once`,
			apply: (counters) => counters.handshakeTook(listener, 0),
			changes: [[`handshakes ${listener} 0`, 1]],
		},
		{
			text: `handshake ${listener} of 16 s`,
			apply: (counters) => counters.handshakeTook(listener, 16_000),
			changes: [
				[`handshakes ${listener} ${ABOVE}`, 1],
				[`handshakes ${listener} ${SUM}`, 16],
			],
		},
	]),
	...REASON_INDEXES.map((reason) => ({
		text: `requestRefused ${reason}`,
		apply: (counters: Counters) => counters.requestRefused(reason),
		changes: [[`refused ${reason}`, 1]] as const,
	})),
	...ROUTES.map((route) => ({
		text: `a request of route ${route}`,
		apply: (counters: Counters) => counters.requestAnswered(route, 1, 100),
		changes: [[`requests of route ${route} 0`, 1]] as const,
	})),
	...ROUTES.map((route) => ({
		text: `routed ${route}`,
		apply: (counters: Counters) => counters.routed(route),
		changes: [[`route ${route}`, 1]] as const,
	})),
	...UPSTREAMS.flatMap((upstream): Write[] => [
		{
			text: `connect ${upstream} at once`,
			apply: (counters) => counters.connectTook(upstream, 0),
			changes: [[`connects ${upstream} 0`, 1]],
		},
		{
			text: `connect ${upstream} of 32 s`,
			apply: (counters) => counters.connectTook(upstream, 32_000),
			changes: [
				[`connects ${upstream} ${ABOVE}`, 1],
				[`connects ${upstream} ${SUM}`, 32],
			],
		},
		{
			text: `an answer of ${upstream} after 16 s`,
			apply: (counters) => counters.upstreamAnswered(upstream, 101, 16_000),
			changes: [
				[`requests for ${upstream} 0`, 1],
				[`seconds ${upstream} ${ABOVE}`, 1],
				[`seconds ${upstream} ${SUM}`, 16],
			],
		},
		...GATEWAY_STATUSES.map(
			(status, index): Write => ({
				text: `${status} of ${upstream}`,
				apply: (counters) => counters.upstreamAnswered(upstream, status, 0),
				changes: [
					[`requests for ${upstream} ${STATUS_CLASSES - 1}`, 1],
					[`seconds ${upstream} 0`, 1],
					[`status ${upstream} ${index}`, 1],
				],
			}),
		),
		...UPSTREAM_FAULTS.map(
			(reason, index): Write => ({
				text: `${upstream} failed by ${REASONS[reason]}`,
				apply: (counters) => counters.upstreamFailed(upstream, 502, reason),
				changes: [
					[`requests for ${upstream} ${STATUS_CLASSES - 1}`, 1],
					[`fault ${upstream} ${index}`, 1],
				],
			}),
		),
		{
			text: `no fault of ${upstream}`,
			apply: (counters) => counters.upstreamFailed(upstream, 503, FD_PRESSURE),
			changes: [],
		},
	]),
];

test("each write changes its own cells and no other, at the ends of every range", () => {
	for (const write of WRITES) {
		const counters = new Counters();
		const expected = readAll(counters);
		write.apply(counters);
		for (const [name, amount] of write.changes) expected.set(name, (expected.get(name) ?? 0) + amount);
		assert.deepEqual(readAll(counters), expected, write.text);
		// Nor a cell between those: all that was written is where it can be read.
		const cells = new Float64Array(counters.buffer);
		assert.equal(cells.filter((cell) => cell !== 0).length, write.changes.length, write.text);
	}
});

test("any sequence of writes adds up", () => {
	fc.assert(
		fc.property(fc.array(fc.nat(WRITES.length - 1), { maxLength: 100 }), (indexes) => {
			const counters = new Counters();
			const expected = readAll(counters);
			for (const index of indexes) {
				const write = WRITES[index];
				write?.apply(counters);
				for (const [name, amount] of write?.changes ?? [])
					expected.set(name, (expected.get(name) ?? 0) + amount);
			}
			assert.deepEqual(readAll(counters), expected);
		}),
		{ numRuns: 30 },
	);
});

test("every figure has a place of its own", () => {
	const places = SCALARS.map(scalarIndex);
	assert.equal(new Set(places).size, SCALARS.length);
});

test("a time lies in the first bucket whose bound it does not pass", () => {
	fc.assert(
		fc.property(
			fc.oneof(fc.double({ min: 0, max: 20_000, noNaN: true }), fc.constantFrom(...boundsMs())),
			(ms) => {
				const counters = new Counters();
				counters.handshakeTook(3, ms);
				const cells = [...counters.handshakes(3)];
				const bucket = SECONDS_BUCKETS.findIndex((bound) => ms / 1000 <= bound);
				assert.equal(cells.indexOf(1), bucket === -1 ? SECONDS_BUCKETS.length : bucket);
				assert.equal(cells[HISTOGRAM_CELLS - 1], ms / 1000);
			},
		),
		{ numRuns: 50 },
	);
});

function boundsMs(): number[] {
	return SECONDS_BUCKETS.map((bound) => bound * 1000);
}

test("another view of the same memory reads the same figures", () => {
	const writer = new Counters();
	const reader = new Counters(writer.buffer);
	writer.set(scalarIndex("turns"), 12);
	writer.sessionOpened(LISTENER_SLOTS - 1);
	assert.equal(reader.get("turns"), 12);
	assert.equal(reader.accepted(LISTENER_SLOTS - 1), 1);
});

test("what was counted for an upstream goes when its number becomes another's, and nothing else does", () => {
	for (const upstream of UPSTREAMS) {
		const counters = new Counters();
		const other = (upstream + 2) % UPSTREAM_SLOTS;
		const count = (of: number): void => {
			counters.connectTook(of, 20_000);
			for (const status of [101, 200, 302, 404, ...GATEWAY_STATUSES])
				counters.upstreamAnswered(of, status, 20_000);
			for (const reason of UPSTREAM_FAULTS) counters.upstreamFailed(of, 502, reason);
		};
		count(other);
		const expected = [...new Float64Array(counters.buffer)].filter((cell) => cell !== 0).length;
		count(upstream);
		counters.forgetUpstream(upstream);
		const left = [...new Float64Array(counters.buffer)].filter((cell) => cell !== 0).length;
		assert.equal(left, expected);
		assert.equal(counters.upstreamRequests(other, 4), 3 + UPSTREAM_FAULTS.length);
	}
});
