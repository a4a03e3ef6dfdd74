/**
 * Clients who say one datagram each, are answered, and say nothing more: a process of its own. Each has an address of its own in
 * 127.0.0.0/8, and all of them share one port, so that thousands need no descriptor each.
 *
 *     127.16.0.1, 127.16.0.2, … ──► target ──► upstream
 *                               ◄── an answer to each
 */
import { EPOLLIN } from "../kernel/constants.js";
import { openDatagramListener } from "../kernel/datagram-sockets.js";
import {
	DATAGRAM_PLACE_BYTES,
	DATAGRAMS_ADDED_MAX,
	EMPTY_PLACE,
	LOCAL_BYTES,
	SENDER_PLACES,
} from "../kernel/datagrams.js";
import { LinuxKernel } from "../kernel/linux.js";
import { encodeInternet } from "../kernel/sockaddr.js";
import { f64, u8 } from "../parts/at.js";
import { Channel } from "../rig/channel.js";
import { turn } from "../rig/turn.js";
import { CROWD_SAID_BYTES_MAX, crowdHellos, crowdSaying, NUMBER_AT, TAGS } from "./datagram-traffic.js";
import { parseIpv4 } from "./loopback.js";
import type { CrowdNews, CrowdOrder } from "./messages.js";
import { fromBase64 } from "./traffic.js";

/** Under way at once: with more, Initials would be lost in buffers. */
const UNDER_WAY_MAX = 1_024;
/** Whoever was not answered says it again. */
const SAY_AGAIN_MS = 500;
/** Between two looks at who has something to say. */
const STEP_MS = 10;
/** Then those who were answered are all that there are. */
const PATIENCE_MS = 20_000;
const ARENA_BYTES = 4_096;
const WRITE_AT = EMPTY_PLACE * DATAGRAM_PLACE_BYTES;
/** As many as have room where they are written. */
const BATCH = Math.min(DATAGRAMS_ADDED_MAX, Math.floor(DATAGRAM_PLACE_BYTES / CROWD_SAID_BYTES_MAX));
/** In an answer. */
const ANSWERED_NUMBER_AT = TAGS.attackers.length + NUMBER_AT;
const SOCKET = 0;
const ROW = { serials: new Int32Array(1) };
/** Of 127.0.0.0/8: neither the good client's nor a server's. */
const NET = 127;
const SUBNET_MIN = 16;
const HOSTS = 254;

const kernel = new LinuxKernel(ARENA_BYTES);
const datagrams = kernel.openDatagrams();
const channel = new Channel<CrowdOrder, CrowdNews>(kernel, obey);
const local = new Uint8Array(LOCAL_BYTES);
const fd = openDatagramListener(
	{ address: new Uint8Array(4), port: 0, bindsAny: true, receiveBytes: null },
	1,
).fds[SOCKET] as number; // one was asked for
kernel.readiness.add(fd, EPOLLIN, SOCKET, 0);

let to: Uint8Array = new Uint8Array(0);
/** Clients that there were before, of which nobody comes again. */
let before = 0;
let count = 0;
/** Of those whose sessions are of QUIC, made before the first comes, and said again by others. `null`: they say what is no QUIC. */
let hellos: readonly Uint8Array[] | null = null;
/** Numbers begin here: those of hellos are used again, so that they need not be made anew. */
let base = 0;
/** Of these, by number: 1 when it was answered, and when it has said something last. */
let answered = new Uint8Array(0);
let saidMs = new Float64Array(0);
let answeredCount = 0;
let next = 0;
let firstMs = 0;
let lastMs = 0;

for (;;) {
	turn(kernel, count === 0 ? -1 : STEP_MS, ROW, hear, channel);
	if (count > 0) goOn(kernel.now());
}

function obey(order: CrowdOrder): void {
	to = encodeInternet(parseIpv4(order.address), order.port);
	count = order.count;
	if (order.hello === undefined) hellos = null;
	else if (hellos?.length !== count) hellos = crowdHellos(fromBase64(order.hello), count);
	base = hellos === null ? before : 0;
	answered = new Uint8Array(count);
	saidMs = new Float64Array(count);
	answeredCount = 0;
	next = 0;
	firstMs = kernel.now();
}

function goOn(nowMs: number): void {
	const isOver = answeredCount === count || nowMs - firstMs > PATIENCE_MS;
	if (isOver) {
		channel.tell({ came: answeredCount, firstMs, lastMs });
		before += count;
		count = 0;
		return;
	}
	for (let number = 0; number < next; number++)
		if (u8(answered, number) === 0 && nowMs - f64(saidMs, number) >= SAY_AGAIN_MS) say(number, nowMs);
	while (next < count && next - answeredCount < UNDER_WAY_MAX) say(next++, nowMs);
	flush();
}

function say(number: number, nowMs: number): void {
	if (datagrams.added === BATCH) flush();
	const at = WRITE_AT + datagrams.added * CROWD_SAID_BYTES_MAX;
	const said = hellos?.[number] ?? crowdSaying(base + number);
	datagrams.memory.set(said, at);
	writeAddress(before + number);
	datagrams.addTo(at, said.length, said.length, 0, to, 0, local, 0);
	saidMs[number] = nowMs;
}

function writeAddress(number: number): void {
	const rest = Math.floor(number / HOSTS);
	local[12] = NET;
	local[13] = SUBNET_MIN + ((rest >> 8) % (256 - SUBNET_MIN));
	local[14] = rest & 0xff;
	local[15] = 1 + (number % HOSTS);
}

/** What the kernel had no room for is said again. */
function flush(): void {
	if (datagrams.added === 0) return;
	lastMs = kernel.now();
	datagrams.flush(fd, 0, datagrams.added);
	datagrams.clear();
}

function hear(): void {
	for (;;) {
		const received = datagrams.receive(fd, 0, SENDER_PLACES);
		if (received <= 0) return;
		for (let place = 0; place < received; place++) take(place);
		if (received < SENDER_PLACES) return;
	}
}

function take(place: number): void {
	const start = place * DATAGRAM_PLACE_BYTES;
	const length = datagrams.lengthOf(place);
	const segment = Math.max(1, datagrams.segmentOf(place));
	const view = new DataView(datagrams.memory.buffer);
	for (let at = start; at + ANSWERED_NUMBER_AT + 4 <= start + length; at += segment) {
		const number = view.getUint32(at + ANSWERED_NUMBER_AT) - base;
		if (answered[number] !== 0) continue;
		answered[number] = 1;
		answeredCount++;
	}
}
