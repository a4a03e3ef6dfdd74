/**
 * The good client: every 20 ms one question in proper TLS or HTTP, over a connection of its own or one that is
 * kept, and one answer. What it meets is what the users of the target meet while somebody else attacks.
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
import { Channel } from "../rig/channel.js";
import { Places } from "../rig/places.js";
import { turn } from "../rig/turn.js";
import { PlainWire, TlsWire, type Wire } from "../rig/wire.js";
import { LATENESS } from "./lateness.js";
import { parseIpv4 } from "./loopback.js";
import {
	type Attempt,
	CLIENT_EVERY_MS,
	type ClientNews,
	type ClientOrder,
	type ClientStart,
	type Expected,
} from "./messages.js";
import { judgeResponse } from "./response.js";
import { fromBase64 } from "./traffic.js";

/** A user would have given up by then. */
const TIMEOUT_MS = 3000;
/** Attempts in flight: all that can be before the first of them times out, and some more. */
const PLACES_MAX = 256;
const NEWS_MS = 100;

/** Connections that are kept: asked in turn, each is used every second, as a browser's would be. */
const KEPT = 25;

const CONNECTING = 0;
const ASKED = 1;
/** Kept for the next question. */
const IDLE = 2;
const SHAKING = 3;

/** By state. */
const LATE: Readonly<Record<number, string>> = {
	[CONNECTING]: LATENESS.connecting,
	[SHAKING]: LATENESS.shaking,
	[ASKED]: LATENESS.asked,
};

const INTEREST = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
const SCRATCH_BYTES = 64 * 1024;
const ASK_AT = SCRATCH_BYTES;

interface Ask {
	readonly at: number;
	readonly length: number;
	readonly expected: Expected;
	/** Of answers that are expected byte by byte. */
	readonly bytes: Uint8Array;
	readonly kept: boolean;
}

const kernel = new LinuxKernel(SCRATCH_BYTES * 2);
const channel = new Channel<ClientOrder, ClientNews>(kernel, obey);
const places = new Places(kernel, PLACES_MAX);
const startedMs = new Float64Array(PLACES_MAX);
const states = new Uint8Array(PLACES_MAX);
const received = new Int32Array(PLACES_MAX);
/** What has come of a response. */
const texts = new Array<string>(PLACES_MAX).fill("");
/** Places of connections that are kept, the longest idle first. */
const idle: number[] = [];
const asksOf: (Ask | undefined)[] = new Array<Ask | undefined>(PLACES_MAX).fill(undefined);

let wire: Wire = new PlainWire(kernel);
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
		? CLIENT_EVERY_MS
		: Number.isFinite(nextMs)
			? Math.max(0, Math.min(CLIENT_EVERY_MS, Math.ceil(nextMs - nowMs)))
			: -1;
	turn(kernel, waitMs, places, advance, channel);
	doWhatIsDue(kernel.now());
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
	if (order.tls !== null) wire = new TlsWire(kernel, PLACES_MAX, order.tls);
	let at = ASK_AT;
	asks = order.asks.map(({ say, expect, kept }) => {
		const said = fromBase64(say);
		kernel.memory.set(said, at);
		const bytes = fromBase64(expect.kind === "bytes" ? expect.bytes : "");
		const ask = { at, length: said.length, expected: expect, bytes, kept };
		at += said.length;
		return ask;
	});
	address = Uint8Array.from(encodeInternet(parseIpv4(order.address), order.port));
	options = order.source === null ? {} : { source: parseIpv4(order.source) };
	nextMs = kernel.now();
}

function doWhatIsDue(nowMs: number): void {
	if (nowMs >= nextMs) {
		next(nowMs);
		// When the machine stood still, the beats that were missed are not made up for.
		nextMs = Math.max(nextMs + CLIENT_EVERY_MS, nowMs);
	}
	if (nowMs < newsDueMs) return;
	newsDueMs = nowMs + NEWS_MS;
	for (let place = 0; place < places.count; place++)
		if (isAsking(place) && nowMs - (startedMs[place] as number) > TIMEOUT_MS)
			finish(place, LATE[states[place] as number] ?? "");
	if (finishing) for (const place of idle.splice(0)) drop(place);
	const finished = finishing && places.taken === 0;
	if (news.length > 0 || finished) channel.tell({ attempts: news, finished });
	news = [];
	if (finished) finishing = false;
}

function isAsking(place: number): boolean {
	return places.isTaken(place) && states[place] !== IDLE;
}

function next(nowMs: number): void {
	const ask = asks[count % asks.length];
	if (ask === undefined) return;
	count++;
	const place = ask.kept ? keptPlace() : undefined;
	if (place === undefined) {
		connect(nowMs, ask);
		return;
	}
	begin(place, nowMs, ask);
	say(place, ask);
}

/** The one that has been idle longest, once there are as many as there shall be. */
function keptPlace(): number | undefined {
	const kept = asksOf.filter((ask, place) => ask?.kept === true && places.isTaken(place)).length;
	return kept < KEPT ? undefined : idle.shift();
}

function connect(nowMs: number, ask: Ask): void {
	const place = places.firstFree();
	if (place === undefined) return;
	begin(place, nowMs, ask);
	states[place] = CONNECTING;
	const result = places.tryOpen(place, address, INTEREST, options);
	if (result < 0) news.push([nowMs, kernel.now() - nowMs, `connect: ${errorName(-result)}`]);
}

function begin(place: number, nowMs: number, ask: Ask): void {
	startedMs[place] = nowMs;
	received[place] = 0;
	texts[place] = "";
	asksOf[place] = ask;
}

function say(place: number, ask: Ask): void {
	states[place] = ASKED;
	const sent = wire.send(place, places.fd(place), ask.at, ask.length);
	if (sent === ask.length) return;
	finish(place, sent < 0 ? `send: ${errorName(-sent)}` : "send: only a part was taken");
}

function advance(place: number, flags: number): void {
	const fd = places.fd(place);
	const ask = asksOf[place];
	if (ask === undefined) return;
	if (states[place] === CONNECTING) {
		if ((flags & (EPOLLERR | EPOLLHUP)) !== 0) {
			finish(place, `connect: ${errorName(kernel.takeError(fd))}`);
			return;
		}
		if ((flags & EPOLLOUT) === 0) return;
		states[place] = SHAKING;
	}
	if (states[place] === SHAKING) {
		const shaken = wire.shake(place, fd);
		if (shaken === -EAGAIN) return;
		if (shaken < 0) {
			finish(place, `handshake: ${errorName(-shaken)}`);
			return;
		}
		say(place, ask);
	}
	while (isAsking(place)) {
		const got = wire.receive(place, fd, 0, SCRATCH_BYTES);
		if (got === -EAGAIN) return;
		if (got < 0) finish(place, `receive: ${errorName(-got)}`);
		else if (got === 0) finish(place, "closed without the answer");
		else {
			const outcome = check(place, ask, got);
			if (outcome !== undefined) finish(place, outcome);
		}
	}
	// An idle connection that its server ends is no failure: nothing was asked.
	if (states[place] === IDLE && (flags & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) forget(place);
}

/** `null`: this was the answer. `undefined`: more of it must come. */
function check(place: number, { expected, bytes, kept }: Ask, got: number): string | null | undefined {
	if (expected.kind === "any") return null;
	if (expected.kind === "response") {
		const text = (texts[place] ?? "") + Buffer.from(kernel.memory.buffer, 0, got).toString("latin1");
		texts[place] = text;
		const verdict = judgeResponse(text, expected.body);
		if (typeof verdict === "object") return verdict.failure;
		if (verdict === "kept" && kept) keep(place);
		return verdict === "incomplete" ? undefined : null;
	}
	const before = received[place] as number;
	if (before + got > bytes.length) return "more than the answer came";
	for (let i = 0; i < got; i++) if (kernel.memory[i] !== bytes[before + i]) return "the answer of another";
	received[place] = before + got;
	return before + got === bytes.length ? null : undefined;
}

/** Its answer is complete; what ended with it is counted by finish(). */
function keep(place: number): void {
	states[place] = IDLE;
	idle.push(place);
}

function forget(place: number): void {
	const at = idle.indexOf(place);
	if (at >= 0) idle.splice(at, 1);
	drop(place);
}

function finish(place: number, failure: string | null): void {
	if (states[place] !== IDLE) drop(place);
	const started = startedMs[place] as number;
	news.push([started, kernel.now() - started, failure]);
}

function drop(place: number): void {
	wire.drop(place);
	places.close(place);
}
