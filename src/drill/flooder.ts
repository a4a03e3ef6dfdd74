/**
 * The flood: first halves of hellos of QUIC, whose second halves never come. Each has another address of 127.0.0.0/8 as its source,
 * and another port than the one before. Whoever sends it would not hear an answer, but here somebody listens at all of them.
 *
 *     pool of Initials ─┐
 *     addresses ────────┼──► so many in each turn, in batches, each batch from another port
 *     ports ────────────┘
 */
import { randomBytes } from "node:crypto";
import { setPriority } from "node:os";
import { EPOLLIN } from "../kernel/constants.js";
import { openDatagramListener } from "../kernel/datagram-sockets.js";
import { DATAGRAM_PLACE_BYTES, EMPTY_PLACE, LOCAL_BYTES, SENDER_PLACES } from "../kernel/datagrams.js";
import { LinuxKernel } from "../kernel/linux.js";
import { encodeInternet } from "../kernel/sockaddr.js";
import { Channel } from "../rig/channel.js";
import { initial } from "../rig/quic-initial.js";
import { turn } from "../rig/turn.js";
import { helloFrames } from "./datagram-traffic.js";
import type { Flood } from "./flood.js";
import { parseIpv4 } from "./loopback.js";
import type { AttackNews, AttackOrder } from "./messages.js";
import { fromBase64 } from "./traffic.js";

/**
 * Initials that are made before the flood begins, because each takes a tenth of a millisecond. One comes again after half a second,
 * from another address, when the one before has long been displaced.
 */
const POOL = 4_096;
/** Sockets, each bound to a port of all addresses. */
const PORTS = 64;
/** From one port in a row, each from another address. */
const BATCH = 16;
/** Between two looks at the clock. */
const TURN_MS = 2;
/** When the machine stood still, what was missed is not made up for beyond this: it would be another attack. */
const LATE_MAX_MS = 10;
const STATUS_MS = 250;
/** As the attackers of other drills: the target and its good client come first where cores are few. */
const NICE = 5;

const ID_BYTES = 8;
const ARENA_BYTES = 4_096;
const WRITE_AT = EMPTY_PLACE * DATAGRAM_PLACE_BYTES;
const HALF_BYTES = 1_200;
/** The first byte of 127.0.0.0/8, and of the others one that is neither the good client's nor a server's: 127.16 and up. */
const NET = 127;
const SUBNET_MIN = 16;

setPriority(NICE);
const kernel = new LinuxKernel(ARENA_BYTES);
const datagrams = kernel.openDatagrams();
const channel = new Channel<AttackOrder<Flood>, AttackNews>(kernel, obey);
const ROW = { serials: new Int32Array(PORTS) };
const sockets: number[] = [];
const local = new Uint8Array(LOCAL_BYTES);

let pool: readonly Uint8Array[] = [];
let to: Uint8Array = new Uint8Array(0);
let perMs = 0;
let startedMs = 0;
let endedMs = 0;
let paidUntilMs = Number.POSITIVE_INFINITY;
let statusDueMs = 0;
let sent = 0;
let lost = 0;
let heard = 0;

for (;;) {
	turn(kernel, pool.length === 0 ? -1 : TURN_MS, ROW, hear, channel);
	const nowMs = kernel.now();
	if (nowMs > paidUntilMs) send(nowMs);
	if (pool.length > 0 && nowMs >= statusDueMs) {
		statusDueMs = nowMs + STATUS_MS;
		tellStatus();
	}
}

function obey(order: AttackOrder<Flood>): void {
	switch (order.do) {
		case "attack":
			begin(order.attack);
			return;
		case "stop":
			end();
			return;
		case "release":
			end();
			channel.tell({ news: "report", report: report() });
			tellStatus();
	}
}

function begin({ address, port, hello, halvesPerSecond }: Flood): void {
	const [first] = helloFrames(fromBase64(hello));
	const id = (): Uint8Array => new Uint8Array(randomBytes(ID_BYTES));
	pool = Array.from({ length: POOL }, () =>
		initial([first], { destination: id(), source: id(), bytes: HALF_BYTES }),
	);
	to = encodeInternet(parseIpv4(address), port);
	while (sockets.length < PORTS) listen(sockets.length);
	perMs = halvesPerSecond / 1000;
	startedMs = kernel.now();
	paidUntilMs = startedMs;
}

/** What is sent to any address of this machine and this port comes here. */
function listen(slot: number): void {
	const options = { address: new Uint8Array(4), port: 0, bindsAny: true, receiveBytes: null };
	const fd = openDatagramListener(options, 1).fds[0] as number; // one was asked for
	kernel.readiness.add(fd, EPOLLIN, slot, 0);
	sockets.push(fd);
}

function end(): void {
	if (paidUntilMs !== Number.POSITIVE_INFINITY) endedMs = kernel.now();
	paidUntilMs = Number.POSITIVE_INFINITY;
}

/** All that is due by now. */
function send(nowMs: number): void {
	paidUntilMs = Math.max(paidUntilMs, nowMs - Math.max(LATE_MAX_MS, 1 / perMs));
	let due = Math.floor((nowMs - paidUntilMs) * perMs);
	paidUntilMs += due / perMs;
	for (; due > 0; due -= BATCH)
		sendBatch(sockets[Math.floor(sent / BATCH) % PORTS] as number, Math.min(BATCH, due));
}

function sendBatch(fd: number, count: number): void {
	for (let index = 0; index < count; index++) {
		const half = pool[(sent + index) % POOL] as Uint8Array;
		const at = WRITE_AT + index * HALF_BYTES;
		datagrams.memory.set(half, at);
		forgeSource();
		datagrams.addTo(at, half.length, half.length, 0, to, 0, local, 0);
	}
	sent += count;
	const taken = datagrams.flush(fd, 0, count);
	lost += count - Math.max(0, taken);
	datagrams.clear();
}

/** Another address of 127.0.0.0/8 as the one that is sent from. */
function forgeSource(): void {
	const bits = Math.floor(Math.random() * 2 ** 24);
	local[12] = NET;
	local[13] = SUBNET_MIN + ((bits >> 16) % (256 - SUBNET_MIN));
	local[14] = bits >> 8;
	// Neither the network nor its broadcast.
	local[15] = 1 + ((bits & 0xff) % 254);
}

/** Nothing may be sent to who has not been routed. */
function hear(slot: number): void {
	const fd = sockets[slot] as number; // it is watched
	for (;;) {
		const count = datagrams.receive(fd, 0, SENDER_PLACES);
		if (count <= 0) return;
		heard += count;
	}
}

function tellStatus(): void {
	const status = { atMs: kernel.now(), opened: sent, established: sent - lost, alive: 0, ended: sent };
	channel.tell({ news: "status", status });
}

function report() {
	return {
		opened: sent,
		established: sent - lost,
		alivePeak: 0,
		ends: { unanswered: sent - lost - heard, "could not start": lost, answered: heard },
		tookMs: endedMs - startedMs,
		overdueMs: null,
		faults: [],
	};
}
