import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { renderMetrics } from "../../src/admin/metrics.js";
import type { AdminView } from "../../src/admin/view.js";
import { SECONDS_BUCKETS } from "../../src/parts/buckets.js";
import { REASONS } from "../../src/parts/reasons.js";
import {
	Counters,
	FROM_CLIENT,
	SCALARS,
	type Scalar,
	scalarIndex,
	TO_CLIENT,
} from "../../src/reactor/records/counters.js";
import {
	CLIENT_CLOSED,
	FD_PRESSURE,
	HANDSHAKE_TIMEOUT,
	RESPONSE_TIMEOUT,
	UPSTREAM_CLOSED,
	UPSTREAM_DOWN,
} from "../../src/reactor/records/reasons.js";
import { type Family, type Labels, parseExposition } from "./exposition.js";
import { viewOf } from "./view.js";

/** `gateway/ledger.ts` has them as `descriptors()`, which this file's view answers with zeros. */
const READ_BY_LEDGER: readonly Scalar[] = [
	"downstreamOpened",
	"downstreamClosed",
	"upstreamOpened",
	"upstreamClosed",
	"flowsOpened",
	"flowsClosed",
	"pipesOpened",
	"closedForgotten",
];

/** The value of one series, undefined when the page does not show it. */
function reader(view: AdminView): (name: string, labels?: Labels) => number | undefined {
	const families = parseExposition(renderMetrics(view));
	const samples = [...families.values()].flatMap((family: Family) => family.samples);
	return (name, labels = {}) => {
		const wanted = JSON.stringify(Object.entries(labels).sort());
		return samples.find(
			(sample) => sample.name === name && JSON.stringify(Object.entries(sample.labels).sort()) === wanted,
		)?.value;
	};
}

test("an idle gateway's page is well formed", () => {
	const view = viewOf({ listeners: () => [{ slot: 0, name: "0.0.0.0:443" }] });
	const read = reader(view);
	assert.equal(read("sluice_connections_active", { listener: "0.0.0.0:443" }), 0);
	assert.equal(read("sluice_connections_limit"), 9_000);
	assert.equal(read("process_max_fds"), 20_000);
	// The two normal ends are there from the start, so that a rate exists; the others come with their first.
	for (const [index, reason] of REASONS.entries()) {
		const shown = read("sluice_sessions_closed_total", { listener: "0.0.0.0:443", reason }) !== undefined;
		assert.equal(shown, index === CLIENT_CLOSED || index === UPSTREAM_CLOSED, reason);
	}
});

test("whatever the reactors count as a single figure is shown, or read by the ledger, which is shown", () => {
	const read = new Set<string>();
	class Watched extends Counters {
		override get(name: Scalar): number {
			read.add(name);
			return super.get(name);
		}
	}
	renderMetrics(viewOf({ counters: () => [new Watched()] }));
	assert.deepEqual(
		SCALARS.filter((name) => !read.has(name)),
		READ_BY_LEDGER,
	);
});

test("what all reactors counted is added up", () => {
	const [first, second] = [new Counters(), new Counters()];
	const view = viewOf({
		counters: () => [first, second],
		listeners: () => [
			{ slot: 3, name: "a" },
			{ slot: 255, name: "b" },
		],
		routes: () => [
			{ slot: 0, listener: "a", name: "sni=x" },
			{ slot: 65_535, listener: "b", name: "*" },
		],
		upstreams: () => [{ slot: 4_095, name: "u" }],
		addresses: () => [
			{ upstream: "u", address: "10.0.0.1:1", healthy: true, active: 3 },
			{ upstream: "u", address: "10.0.0.2:1", healthy: false, active: 0 },
		],
		acceptQueues: () => [{ listener: "a", depth: 5, limit: 4_096 }],
		halfOpen: () => [{ listener: "a", count: 7 }],
		handshakes: () => ({ overflows: 11, drops: 12, cookiesSent: 13, cookiesFailed: 14 }),
		logLinesDropped: () => 6,
		reloads: () => ({ succeeded: 7, failed: 8, lastSucceeded: false, succeededAtMs: 1_500 }),
		certificates: () => [{ file: "/etc/sluice/www.pem", expirySeconds: 2_000_000_000 }],
		version: () => "1.2.3",
		mainThread: () => ({ collectedSeconds: 0.25, longestDelaySeconds: 0.5 }),
		descriptors: () => ({
			...viewOf().descriptors(),
			downstream: { opened: 6, closed: 0 },
			upstream: { opened: 0, closed: 8 },
		}),
	});
	for (const counters of [first, second]) {
		counters.sessionOpened(3);
		counters.sessionOpened(3);
		counters.sessionOpened(255);
		counters.sessionClosed(3, HANDSHAKE_TIMEOUT);
		counters.moved(255, FROM_CLIENT, 10);
		counters.moved(255, TO_CLIENT, 2 ** 50);
		counters.routed(65_535);
		counters.requestAnswered(65_535, 255, 404);
		counters.requestAnswered(-1, 255, 400);
		counters.upstreamAnswered(4_095, 200, 3);
		counters.upstreamAnswered(4_095, 503, 30);
		counters.upstreamFailed(4_095, 504, RESPONSE_TIMEOUT);
		counters.upstreamFailed(4_095, 503, FD_PRESSURE);
		counters.upstreamFailed(-1, 503, UPSTREAM_DOWN);
		counters.add(scalarIndex("splicedBytes"), 100);
		counters.connectTook(4_095, 3);
		counters.set(scalarIndex("tlsSessions"), 4);
		counters.add(scalarIndex("tlsResumed"), 3);
	}
	second.handshakeTook(3, 20_000);
	first.acceptWaited(3, 0);
	second.acceptWaited(3, 40);
	second.add(scalarIndex("collectedMs"), 1_500);
	const read = reader(view);
	assert.equal(read("sluice_connections_active", { listener: "a" }), 2);
	assert.equal(read("sluice_connections_total", { listener: "a" }), 4);
	assert.equal(read("sluice_connections_active", { listener: "b" }), 2);
	assert.equal(read("sluice_reactor_sessions", { reactor: "0" }), 2);
	assert.equal(read("sluice_reactor_sessions", { reactor: "1" }), 2);
	assert.equal(read("sluice_sessions_closed_total", { listener: "a", reason: "handshake_timeout" }), 2);
	assert.equal(read("sluice_bytes_total", { listener: "b", direction: "from_client" }), 20);
	assert.equal(read("sluice_bytes_total", { listener: "b", direction: "to_client" }), 2 ** 51);
	assert.equal(read("sluice_route_sessions_total", { listener: "b", route: "*" }), 2);
	assert.equal(
		read("sluice_route_sessions_total", { listener: "a", route: "sni=x" }),
		undefined,
		"none took it",
	);
	assert.equal(read("sluice_requests_total", { listener: "b", route: "*", status: "4xx" }), 2);
	assert.equal(read("sluice_requests_total", { listener: "b", route: "", status: "4xx" }), 2);
	assert.equal(read("sluice_spliced_bytes_total"), 200);
	assert.equal(read("sluice_tls_sessions"), 8);
	assert.equal(read("sluice_tls_handshakes_total", { side: "client", result: "resumed" }), 6);
	assert.equal(read("sluice_tls_handshakes_total", { side: "upstream", result: "failed" }), 0);
	assert.equal(read("sluice_descriptors_opened_total", { kind: "downstream" }), 6);
	assert.equal(read("sluice_descriptors_closed_total", { kind: "upstream" }), 8);
	assert.equal(read("sluice_upstream_healthy", { upstream: "u", address: "10.0.0.1:1" }), 1);
	assert.equal(read("sluice_upstream_healthy", { upstream: "u", address: "10.0.0.2:1" }), 0);
	assert.equal(read("sluice_upstream_sessions", { upstream: "u", address: "10.0.0.1:1" }), 3);
	assert.equal(read("sluice_accept_queue_depth", { listener: "a" }), 5);
	assert.equal(read("sluice_accept_queue_limit", { listener: "a" }), 4_096);
	assert.equal(read("sluice_kernel_syn_received", { listener: "a" }), 7);
	const counted = ["listen_overflows", "listen_drops", "syncookies_sent", "syncookies_failed"];
	assert.deepEqual(
		counted.map((name) => read(`sluice_kernel_${name}_total`)),
		[11, 12, 13, 14],
	);
	assert.equal(read("sluice_log_lines_dropped_total"), 6);
	assert.equal(read("sluice_reloads_total", { result: "succeeded" }), 7);
	assert.equal(read("sluice_reloads_total", { result: "failed" }), 8);
	assert.equal(read("sluice_reload_success"), 0);
	assert.equal(read("sluice_reload_success_timestamp_seconds"), 1.5);
	assert.equal(read("sluice_certificate_expiry_seconds", { file: "/etc/sluice/www.pem" }), 2_000_000_000);
	const collected = (thread: string) => read("sluice_thread_collector_seconds_total", { thread });
	assert.deepEqual(["main", "reactor:0", "reactor:1"].map(collected), [0.25, 0, 1.5]);
	assert.equal(read("sluice_main_delay_longest_seconds"), 0.5);
	assert.equal(read("sluice_build_info", { version: "1.2.3", node: process.version }), 1);
	assert.equal(read("sluice_upstream_requests_total", { upstream: "u", status: "2xx" }), 2);
	assert.equal(read("sluice_upstream_requests_total", { upstream: "u", status: "5xx" }), 4);
	assert.equal(read("sluice_upstream_requests_total", { upstream: "u", status: "4xx" }), undefined);
	assert.equal(read("sluice_upstream_failures_total", { upstream: "u", reason: "response_timeout" }), 2);
	assert.equal(
		read("sluice_upstream_failures_total", { upstream: "u", reason: "fd_pressure" }),
		undefined,
		"no fault of the upstream",
	);
	assert.equal(read("sluice_upstream_seconds_bucket", { upstream: "u", le: "0.005" }), 2);
	assert.equal(read("sluice_upstream_seconds_count", { upstream: "u" }), 4);
	assert.equal(read("sluice_connect_seconds_bucket", { upstream: "u", le: "0.0025" }), 0);
	assert.equal(read("sluice_connect_seconds_bucket", { upstream: "u", le: "0.005" }), 2);
	assert.equal(read("sluice_connect_seconds_sum", { upstream: "u" }), 0.006);
	assert.equal(read("sluice_accept_wait_seconds_bucket", { listener: "a", le: "0.0005" }), 1);
	assert.equal(read("sluice_accept_wait_seconds_bucket", { listener: "a", le: "0.025" }), 1);
	assert.equal(read("sluice_accept_wait_seconds_count", { listener: "a" }), 2);
	assert.equal(read("sluice_accept_wait_seconds_sum", { listener: "a" }), 0.04);
	assert.equal(read("sluice_accept_wait_seconds_count", { listener: "b" }), 0);
	assert.equal(read("sluice_handshake_seconds_bucket", { listener: "a", le: "10" }), 0);
	assert.equal(read("sluice_handshake_seconds_count", { listener: "a" }), 1);
	assert.equal(read("sluice_handshake_seconds_count", { listener: "b" }), 0);
});

test("whatever things are called and whatever was counted, the page is well formed and says it", () => {
	// What a YAML file may name a thing, and worse.
	const name = fc.string({
		unit: fc.constantFrom('"', "\\", "\n", "{", "}", ",", "=", " ", "a", "ü", "🚪", "#", "\t"),
	});
	const names = fc.uniqueArray(name, { maxLength: 6 });
	fc.assert(
		fc.property(
			names,
			names,
			fc.array(fc.double({ min: 0, max: 20_000, noNaN: true }), { maxLength: 30 }),
			fc.array(fc.nat(REASONS.length - 1), { maxLength: 30 }),
			(listeners, upstreams, times, reasons) => {
				const counters = [new Counters(), new Counters()];
				const each = (index: number) => counters[index % 2] ?? new Counters();
				for (const [index, ms] of times.entries()) {
					each(index).handshakeTook(index % 3, ms);
					each(index).connectTook(index % 3, ms);
				}
				for (const [index, reason] of reasons.entries()) {
					each(index).sessionOpened(index % 3);
					each(index).sessionClosed(index % 3, reason);
				}
				const numbered = (names: string[]) => names.map((name, slot) => ({ slot, name }));
				const read = reader(
					viewOf({
						counters: () => counters,
						listeners: () => numbered(listeners),
						upstreams: () => numbered(upstreams),
						routes: () => numbered(upstreams).map((route) => ({ ...route, listener: listeners[0] ?? "" })),
						addresses: () =>
							upstreams.map((upstream) => ({ upstream, address: upstream, healthy: true, active: 1 })),
						acceptQueues: () => listeners.map((listener) => ({ listener, depth: 0, limit: 1 })),
					}),
				);
				for (const [slot, listener] of listeners.entries()) {
					const mine = times.filter((_, index) => index % 3 === slot);
					assert.equal(read("sluice_handshake_seconds_count", { listener }), mine.length);
					for (const bound of SECONDS_BUCKETS)
						assert.equal(
							read("sluice_handshake_seconds_bucket", { listener, le: String(bound) }),
							mine.filter((ms) => ms / 1000 <= bound).length,
						);
					assert.equal(
						read("sluice_connections_total", { listener }),
						reasons.filter((_, index) => index % 3 === slot).length,
					);
				}
			},
		),
		{ numRuns: 40 },
	);
});

test("the process's own figures are those of this process", () => {
	const read = reader(viewOf());
	assert.equal(read("process_open_fds"), readdirSync("/proc/self/fd").length - 1);
	const resident = read("process_resident_memory_bytes") ?? 0;
	assert.ok(Math.abs(resident - process.memoryUsage.rss()) < resident / 2);
	const started = read("process_start_time_seconds") ?? 0;
	assert.ok(Math.abs(started - (Date.now() / 1000 - process.uptime())) < 5);
	assert.ok((read("process_cpu_seconds_total") ?? 0) > 0);
});

test("what the packaged rules and the board ask for is in /metrics", () => {
	const families = parseExposition(renderMetrics(viewOf()));
	const read = (name: string): string =>
		readFileSync(new URL(`../../../packaging/${name}`, import.meta.url), "utf8");
	const rules = read("prometheus/rules.yaml")
		.split("\n")
		.filter((line) => !/^\s*(#|summary:)/.test(line))
		.join("\n");
	const recorded = [...rules.matchAll(/- record: (\S+)/g)].map(([, name]) => name);
	for (const [what, text] of Object.entries({ rules, board: read("grafana/sluice.json") })) {
		const asked = new Set(text.match(/\b(sluice|process)[_:]\w+/g) ?? []);
		assert.ok(asked.size > 30, what);
		for (const name of asked)
			if (!recorded.includes(name)) assert.ok(families.has(name.replace(/_bucket$/, "")), `${what}: ${name}`);
	}
});
