/**
 * The good client: every 20 ms one connection, one question in proper TLS or HTTP, one answer. What it
 * meets is what the users of the target meet while somebody else attacks.
 */
import {
	EAGAIN,
	EPOLLERR,
	EPOLLET,
	EPOLLHUP,
	EPOLLIN,
	EPOLLOUT,
	EPOLLRDHUP,
	errorName,
} from "../kernel/constants.js";
import { LinuxKernel } from "../kernel/linux.js";
import { encodeInternet } from "../kernel/sockaddr.js";
import { Channel, ORDERS_SLOT } from "./channel.js";
import { startConnect } from "./connect.js";
import { parseIpv4 } from "./loopback.js";
import type { Attempt, ClientNews, ClientOrder, ClientStart } from "./messages.js";
import { fromBase64 } from "./traffic.js";

const EVERY_MS = 20;
/** A user would have given up by then. */
const TIMEOUT_MS = 3000;
/** Attempts in flight: all that can be before the first of them times out, and some more. */
const PLACES = 256;
const NEWS_MS = 100;

const INTEREST = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
const SCRATCH_BYTES = 64 * 1024;
const ASK_AT = SCRATCH_BYTES;

interface Ask {
	readonly at: number;
	readonly length: number;
	readonly expected: Uint8Array | null;
}

const kernel = new LinuxKernel(SCRATCH_BYTES * 2);
const channel = new Channel<ClientOrder, ClientNews>(kernel);
const fds = new Int32Array(PLACES).fill(-1);
const serials = new Int32Array(PLACES);
const startedMs = new Float64Array(PLACES);
const asked = new Uint8Array(PLACES);
const received = new Int32Array(PLACES);
const asksOf: (Ask | undefined)[] = new Array<Ask | undefined>(PLACES).fill(undefined);

let asks: Ask[] = [];
let address = new Uint8Array(0);
let options: { source?: Uint8Array } = {};
let count = 0;
let news: Attempt[] = [];
let nextMs = Number.POSITIVE_INFINITY;
let newsDueMs = 0;
let finishing = false;

for (;;) {
	const nowMs = kernel.now();
	const waitMs = finishing
		? EVERY_MS
		: Number.isFinite(nextMs)
			? Math.max(0, Math.min(EVERY_MS, Math.ceil(nextMs - nowMs)))
			: -1;
	const events = kernel.readiness.wait(waitMs);
	for (let event = 0; event < events; event++) {
		const place = kernel.readiness.slotOf(event);
		if (place === ORDERS_SLOT) for (const order of channel.take()) obey(order);
		else if (serials[place] === kernel.readiness.generationOf(event) && (fds[place] as number) >= 0)
			advance(place, kernel.readiness.flagsOf(event));
	}
	turn(kernel.now());
}

function obey(order: ClientOrder): void {
	if (order.do === "start") {
		start(order);
		return;
	}
	nextMs = Number.POSITIVE_INFINITY;
	finishing = true;
}

function start(order: ClientStart): void {
	let at = ASK_AT;
	asks = order.asks.map(({ say, expect }) => {
		const bytes = fromBase64(say);
		kernel.memory.set(bytes, at);
		const ask = { at, length: bytes.length, expected: expect === null ? null : fromBase64(expect) };
		at += bytes.length;
		return ask;
	});
	address = Uint8Array.from(encodeInternet(parseIpv4(order.address), order.port));
	options = order.source === null ? {} : { source: parseIpv4(order.source) };
	nextMs = kernel.now();
}

function turn(nowMs: number): void {
	if (nowMs >= nextMs) {
		connect(nowMs);
		// When the machine stood still, the beats that were missed are not made up for.
		nextMs = Math.max(nextMs + EVERY_MS, nowMs);
	}
	if (nowMs < newsDueMs) return;
	newsDueMs = nowMs + NEWS_MS;
	for (let place = 0; place < PLACES; place++)
		if ((fds[place] as number) >= 0 && nowMs - (startedMs[place] as number) > TIMEOUT_MS)
			finish(place, asked[place] === 0 ? "connect timed out" : "no answer in time");
	const finished = finishing && fds.every((fd) => fd < 0);
	if (news.length > 0 || finished) channel.tell({ attempts: news, finished });
	news = [];
	if (finished) finishing = false;
}

function connect(nowMs: number): void {
	const ask = asks[count % asks.length];
	const place = fds.indexOf(-1);
	if (ask === undefined || place < 0) return;
	count++;
	serials[place] = count;
	startedMs[place] = nowMs;
	asked[place] = 0;
	received[place] = 0;
	asksOf[place] = ask;
	try {
		fds[place] = startConnect(kernel, address, INTEREST, place, count, options);
	} catch (error) {
		news.push([nowMs, kernel.now() - nowMs, (error as Error).message]);
	}
}

function advance(place: number, flags: number): void {
	const fd = fds[place] as number;
	const ask = asksOf[place];
	if (ask === undefined) return;
	if (asked[place] === 0) {
		if ((flags & (EPOLLERR | EPOLLHUP)) !== 0) {
			finish(place, `connect: ${errorName(kernel.takeError(fd))}`);
			return;
		}
		if ((flags & EPOLLOUT) === 0) return;
		asked[place] = 1;
		const sent = kernel.send(fd, ask.at, ask.length);
		if (sent !== ask.length) {
			finish(place, sent < 0 ? `send: ${errorName(-sent)}` : "send: only a part was taken");
			return;
		}
	}
	for (;;) {
		const got = kernel.receive(fd, 0, SCRATCH_BYTES);
		if (got === -EAGAIN) return;
		if (got < 0) {
			finish(place, `receive: ${errorName(-got)}`);
			return;
		}
		if (got === 0) {
			finish(place, "closed without the answer");
			return;
		}
		const outcome = check(place, ask, got);
		if (outcome !== undefined) {
			finish(place, outcome);
			return;
		}
	}
}

/** `null`: this was the answer. `undefined`: more of it must come. */
function check(place: number, { expected }: Ask, got: number): string | null | undefined {
	if (expected === null) return null;
	const before = received[place] as number;
	if (before + got > expected.length) return "more than the answer came";
	for (let i = 0; i < got; i++) if (kernel.memory[i] !== expected[before + i]) return "the answer of another";
	received[place] = before + got;
	return before + got === expected.length ? null : undefined;
}

function finish(place: number, failure: string | null): void {
	kernel.close(fds[place] as number);
	fds[place] = -1;
	const started = startedMs[place] as number;
	news.push([started, kernel.now() - started, failure]);
}
