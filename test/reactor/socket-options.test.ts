/** Options of upstream sockets: what each needs at once, and what only a session that lasts is given. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
	AF_UNIX,
	IPPROTO_TCP,
	SO_KEEPALIVE,
	SO_RCVBUF,
	SO_SNDBUF,
	SOCK_CLOEXEC,
	SOCK_NONBLOCK,
	SOCK_STREAM,
	SOL_SOCKET,
	TCP_KEEPCNT,
	TCP_KEEPIDLE,
	TCP_KEEPINTVL,
	TCP_NODELAY,
	TCP_NOTSENT_LOWAT,
	TCP_USER_TIMEOUT,
} from "../../src/kernel/constants.js";
import * as libc from "../../src/kernel/libc.js";
import { encodeUnix } from "../../src/kernel/sockaddr.js";
import { startListening } from "../../src/kernel/sockets.js";
import { NONE } from "../../src/parts/none.js";
import type { Policy } from "../../src/reactor/plan/plan.js";
import { LASTING } from "../../src/reactor/table/marks.js";
import { Harness, PEEKING } from "./harness.js";
import { segmentsIn } from "./segments.js";
import { listenUnix } from "./unix-upstream.js";

const POLICY: Partial<Policy> = {
	keepaliveIdleSeconds: 41,
	keepaliveIntervalSeconds: 7,
	keepaliveProbes: 5,
	userTimeoutMs: 76_000,
	unsentBytes: 65_536,
	sendBufferBytes: 40_000,
	receiveBufferBytes: 50_000,
};

function option(fd: number, level: number, name: number): number {
	const words = new Int32Array([0, 4]);
	const address = libc.addressOf(words);
	assert.equal(libc.getsockopt(fd, level, name, address, address + 4), 0);
	return words[0] ?? Number.NaN;
}

/** Keepalive, its three figures, user timeout, unsent. */
function lasting(fd: number): number[] {
	return [
		option(fd, SOL_SOCKET, SO_KEEPALIVE),
		...[TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT, TCP_NOTSENT_LOWAT].map((name) =>
			option(fd, IPPROTO_TCP, name),
		),
	];
}

test("an upstream connection is given keepalive, user timeout and unsent when its session has lived a second, not before", (t) => {
	const upstreams = new Harness(t, { sessions: 1, routes: [PEEKING] });
	const { port } = upstreams.upstream();
	const harness = new Harness(t, {
		sessions: 4,
		routes: [{}],
		upstreamPorts: [port],
		policy: POLICY,
	});
	const { table } = harness.reactor.core;
	harness.kernel.stopClock();
	const dialled = (): number => {
		const opened = harness.counters.get("upstreamOpened");
		harness.client();
		harness.turnUntil(() => harness.counters.get("upstreamOpened") > opened, "the dial");
		harness.turnUntil(() => table.connected.filter((offset) => offset > 0).length > opened, "the upstream");
		return table.fd[table.sessions + opened] ?? NONE;
	};
	const first = dialled();
	const untouched = lasting(first);
	assert.equal(untouched[0], 0, "no keepalive yet");
	assert.equal(option(first, IPPROTO_TCP, TCP_NODELAY), 1);
	// The kernel doubles what it is asked for.
	assert.equal(option(first, SOL_SOCKET, SO_SNDBUF), 2 * 40_000);
	assert.equal(option(first, SOL_SOCKET, SO_RCVBUF), 2 * 50_000);
	harness.pass(900);
	assert.deepEqual(lasting(first), untouched);
	harness.pass(200);
	assert.deepEqual(lasting(first), [1, 41, 7, 5, 76_000, 65_536]);
	// One that comes later has its own second.
	const second = dialled();
	harness.pass(900);
	assert.deepEqual(lasting(second), untouched);
	assert.equal(harness.live, 2, "the second is no deadline of the session's");
	harness.pass(60_000);
	assert.deepEqual(lasting(second), [1, 41, 7, 5, 76_000, 65_536]);
	assert.equal(harness.live, 2);
});

test("bytes that wait for a connect end its handshake; a second send waits for no acknowledgement", (t) => {
	const { fd: listening, port } = new Harness(t, { sessions: 1, routes: [PEEKING] }).upstream();
	const harness = new Harness(t, {
		sessions: 4,
		routes: [PEEKING, { protocol: "any" }],
		upstreamPorts: [port],
	});
	const { table } = harness.reactor.core;
	harness.kernel.stopClock();
	const delays = (session: number): boolean =>
		option(table.fd[table.sessions + session] ?? NONE, IPPROTO_TCP, TCP_NODELAY) === 0;
	const accepted = (): number => {
		return harness.accepted(listening, "the dial");
	};
	// Nobody knows what this one has to say, if anything; the upstream may be the first to speak.
	const silent = harness.client();
	harness.turnUntil(() => harness.live === 1, "the client");
	harness.pass(1_000);
	const server = accepted();
	assert.equal(delays(0), false);
	harness.send(silent, "first");
	harness.turnUntil(() => harness.receive(server) === "first", "bytes");
	assert.equal(segmentsIn(server), 3, "SYN, the acknowledgement that ends the handshake, bytes");

	const client = harness.client();
	harness.send(client, "first");
	const upstream = accepted();
	harness.turnUntil(() => harness.receive(upstream) === "first", "bytes");
	assert.equal(segmentsIn(upstream), 2, "SYN, and bytes that acknowledge");
	assert.equal(delays(1), true);
	harness.send(client, "second");
	harness.turnUntil(() => harness.receive(upstream) === "second", "more");
	assert.equal(delays(1), false);

	// One that has sent once is given it with the other options of those that last.
	const lasting = harness.client();
	harness.send(lasting, "first");
	const other = accepted();
	harness.turnUntil(() => harness.receive(other) === "first", "bytes");
	assert.equal(delays(2), true);
	harness.pass(1_100);
	assert.equal(delays(2), false);
});

test("a lasting session to a Unix socket takes no harm from options that such a socket refuses", (t) => {
	const harness = new Harness(t, {
		sessions: 4,
		routes: [{}],
		policy: POLICY,
	});
	harness.kernel.stopClock();
	const listening = listenUnix(t, harness);
	const client = harness.client();
	const upstream = harness.accepted(listening, "the dial");
	const { table } = harness.reactor.core;
	const isLasting = (): boolean => ((table.flags[table.sessions] ?? 0) & LASTING) !== 0;
	harness.turnUntil(() => table.connected.some((offset) => offset > 0), "the upstream");
	assert.equal(isLasting(), false);
	harness.pass(2_000);
	harness.turnUntil(isLasting, "its second");
	harness.send(client, "still here");
	harness.turnUntil(() => harness.receive(upstream) === "still here", "bytes");
});

test("a Unix socket whose backlog stays full for `connect` has failed, and another address is tried", (t) => {
	const directory = mkdtempSync(join(tmpdir(), "sluice-unix-"));
	t.after(() => rmSync(directory, { recursive: true, force: true }));
	const harness = new Harness(t, { sessions: 16, routes: [{}], policy: { ...POLICY, connectMs: 5_000 } });
	harness.kernel.stopClock();
	const listen = (name: string, backlog: number): { listener: number; sockaddr: Uint8Array } => {
		const sockaddr = encodeUnix(join(directory, name));
		const listener = harness.adopt(libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
		assert.equal(libc.bind(listener, libc.addressOf(sockaddr), sockaddr.length), 0);
		startListening(listener, backlog);
		return { listener, sockaddr };
	};
	const full = listen("full.sock", 0);
	const free = listen("free.sock", 16);
	const filling = harness.adopt(libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	assert.equal(libc.connect(filling, libc.addressOf(full.sockaddr), full.sockaddr.length), 0);
	harness.command({
		kind: "upstream",
		upstream: {
			slot: 0,
			addresses: [full, free].map(({ sockaddr }, board) => ({ board, sockaddr, hash: board * 7 })),
			balance: "source_hash",
			proxyProtocol: "off",
			pool: null,
			host: null,
			trailers: false,
			ejectFailures: 2,
			authority: Uint8Array.of(0x75),
			ejectForMs: 3_600_000,
		},
	});
	const count = 8;
	for (let host = 1; host <= count; host++) harness.client(host);
	harness.turnUntil(() => harness.live === count, "the clients");
	const { table } = harness.reactor.core;
	const dialled = (): number => table.connected.filter((offset) => offset > 0).length;
	harness.turn();
	const atOnce = dialled();
	assert.ok(atOnce > 0 && atOnce < count, `${atOnce} of ${count} were for the free one`);
	// Whoever waits looks again every 20 ms.
	harness.pass(5_100);
	harness.turnUntil(() => dialled() === count, "the others");
	assert.equal(harness.counters.get("ejections"), 1);
	// The second failure takes it out of choice, so the rest do not try it again.
	assert.equal(harness.counters.get("dialRetries"), 2);
});
