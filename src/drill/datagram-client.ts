/**
 * The good client of a listener for datagrams: every 20 ms, in turn, a connection of QUIC that begins, or a datagram in one of the
 * sessions that are kept; and the answer to it.
 *
 *     begins     datagram 1 of its hello ── 25 ms ──► datagram 2: now its clock starts ──► an answer to each
 *     is kept    a short header ──► its answer
 *
 * A hello without an answer is said once more after a second, as clients of QUIC do (RFC 9002, section 6.2.2).
 */
import { randomBytes } from "node:crypto";
import { AF_INET, EPOLLIN, errorName } from "../kernel/constants.js";
import { DATAGRAM_PLACE_BYTES, EMPTY_PLACE, SENDER_PLACES } from "../kernel/datagrams.js";
import { LinuxKernel } from "../kernel/linux.js";
import { encodeInternet } from "../kernel/sockaddr.js";
import { bindSource } from "../kernel/sockets.js";
import { i32 } from "../parts/at.js";
import { Channel } from "../rig/channel.js";
import { turn } from "../rig/turn.js";
import { answerTo, helloDatagrams, helloFrames, SAID_BYTES } from "./datagram-traffic.js";
import { LATENESS } from "./lateness.js";
import { parseIpv4 } from "./loopback.js";
import {
	type Attempt,
	CLIENT_EVERY_MS,
	type ClientNews,
	type DatagramClientOrder,
	type DatagramClientStart,
} from "./messages.js";
import { fromBase64 } from "./traffic.js";

/** A user would have given up by then. */
const TIMEOUT_MS = 3000;
/** Between the datagrams of a hello, which need not arrive together. */
const SECOND_AFTER_MS = 25;
/** Three times the round trip that a client of QUIC begins with. */
const SAY_AGAIN_MS = 1000;
const NEWS_MS = 100;
/** As many as the good client of connections keeps: each is used every second. */
const KEPT = 25;
/** Attempts in flight: all that can be before the first of them times out, those that are kept, and some more. */
const PLACES_MAX = 256;

const ID_BYTES = 8;
/** The fixed bit (RFC 9000, section 17.3.1). */
const SHORT_HEADER = 0x40;
const ARENA_BYTES = 4096;
const WRITE_AT = EMPTY_PLACE * DATAGRAM_PLACE_BYTES;

/** One session: what is said in it now, and what must be answered. */
interface Talk {
	readonly fd: number;
	said: readonly Uint8Array[];
	/** Those that have come are `null`. */
	answers: (Uint8Array | null)[];
	isHello: boolean;
	isSaidAgain: boolean;
	/** When its first datagram was said, and its last: the clock of the attempt. Infinity: it has not been. */
	beganMs: number;
	startedMs: number;
}

const kernel = new LinuxKernel(ARENA_BYTES);
const datagrams = kernel.openDatagrams();
const channel = new Channel<DatagramClientOrder, ClientNews>(kernel, obey);
const serials = new Int32Array(PLACES_MAX);
/** By place, which is the slot of its news. */
const talks = new Array<Talk | null>(PLACES_MAX).fill(null);
/** Places of sessions that are kept and wait for their turn, the longest idle first. */
const idle: number[] = [];
let keptCount = 0;
let frames: ReturnType<typeof helloFrames> | null = null;
let tag: Uint8Array = new Uint8Array(0);
let address: Uint8Array = new Uint8Array(0);
let source: Uint8Array = new Uint8Array(0);
let beat = 0;
let news: Attempt[] = [];
let nextMs = Number.POSITIVE_INFINITY;
let newsDueMs = 0;
let finishing = false;

for (;;) {
	turn(kernel, waitMs(kernel.now()), { serials }, hear, channel);
	doWhatIsDue(kernel.now());
}

function waitMs(nowMs: number): number {
	if (frames === null) return -1;
	let dueMs = Math.min(nextMs, nowMs + CLIENT_EVERY_MS);
	for (const talk of talks)
		if (talk?.startedMs === Number.POSITIVE_INFINITY) dueMs = Math.min(dueMs, talk.beganMs + SECOND_AFTER_MS);
	return Math.max(0, Math.ceil(dueMs - nowMs));
}

function obey(order: DatagramClientOrder): void {
	if (order.do === "start") start(order);
	else {
		nextMs = Number.POSITIVE_INFINITY;
		finishing = true;
	}
}

function start(order: DatagramClientStart): void {
	frames = helloFrames(fromBase64(order.hello));
	tag = fromBase64(order.tag);
	address = encodeInternet(parseIpv4(order.address), order.port);
	source = parseIpv4(order.source);
	nextMs = kernel.now();
}

function doWhatIsDue(nowMs: number): void {
	if (nowMs >= nextMs) {
		next(nowMs);
		// When the machine stood still, the beats that were missed are not made up for.
		nextMs = Math.max(nextMs + CLIENT_EVERY_MS, nowMs);
	}
	for (const [place, talk] of talks.entries()) if (talk !== null) goOn(place, talk, nowMs);
	if (nowMs < newsDueMs) return;
	newsDueMs = nowMs + NEWS_MS;
	if (finishing) for (const place of idle.splice(0)) drop(place);
	const finished = finishing && talks.every((talk) => talk === null);
	if (news.length > 0 || finished) channel.tell({ attempts: news, finished });
	news = [];
	if (finished) finishing = false;
}

function next(nowMs: number): void {
	const wantsKept = beat++ % 2 === 1;
	// Until there are as many as there shall be, those that begin become kept ones.
	const place = wantsKept && keptCount === KEPT ? idle.shift() : undefined;
	const talk = place === undefined ? undefined : talks[place];
	if (place === undefined || talk === null || talk === undefined) begin(nowMs);
	else ask(place, talk, nowMs);
}

function begin(nowMs: number): void {
	const place = talks.indexOf(null);
	if (place < 0 || frames === null) return;
	const fd = datagrams.open(AF_INET, false);
	if (fd < 0) throw new Error(`a UDP socket could not be opened: ${errorName(-fd)}`);
	bindSource(fd, source);
	const result = kernel.connect(fd, address);
	if (result < 0) throw new Error(`a UDP socket could not be connected: ${errorName(-result)}`);
	kernel.readiness.add(fd, EPOLLIN, place, i32(serials, place));
	const ids = { destination: randomBytes(ID_BYTES), source: randomBytes(ID_BYTES) };
	const said = helloDatagrams(frames, ids);
	const answers = said.map((each) => answerTo(tag, each));
	const talk: Talk = {
		...{ fd, said, answers, isHello: true, isSaidAgain: false },
		...{ beganMs: nowMs, startedMs: Number.POSITIVE_INFINITY },
	};
	talks[place] = talk;
	say(place, talk, 0);
}

/** One datagram more in a session that is there. */
function ask(place: number, talk: Talk, nowMs: number): void {
	const said = new Uint8Array(randomBytes(SAID_BYTES));
	said[0] = SHORT_HEADER;
	talk.said = [said];
	talk.answers = [answerTo(tag, said)];
	talk.isHello = false;
	talk.beganMs = nowMs;
	talk.startedMs = nowMs;
	say(place, talk, 0);
}

function say(place: number, talk: Talk, index: number): void {
	const said = talk.said[index] as Uint8Array; // whoever calls has made it
	datagrams.memory.set(said, WRITE_AT);
	const sent = datagrams.send(talk.fd, WRITE_AT, said.length);
	if (sent < 0) finish(place, talk, `send: ${errorName(-sent)}`);
}

/** The second datagram, the same once more, or the end of waiting: what is due. */
function goOn(place: number, talk: Talk, nowMs: number): void {
	if (talk.answers.length === 0) return;
	if (talk.startedMs === Number.POSITIVE_INFINITY) {
		if (nowMs < talk.beganMs + SECOND_AFTER_MS) return;
		talk.startedMs = nowMs;
		say(place, talk, 1);
		return;
	}
	const waitedMs = nowMs - talk.startedMs;
	if (waitedMs > TIMEOUT_MS) finish(place, talk, LATENESS.asked);
	else if (talk.isHello && !talk.isSaidAgain && waitedMs > SAY_AGAIN_MS) {
		talk.isSaidAgain = true;
		for (const index of talk.said.keys()) if (talks[place] === talk) say(place, talk, index);
	}
}

function hear(place: number): void {
	const talk = talks[place];
	if (talk === null || talk === undefined) return;
	const received = datagrams.receive(talk.fd, SENDER_PLACES, 1);
	if (received < 0) {
		finish(place, talk, `receive: ${errorName(-received)}`);
		return;
	}
	const at = SENDER_PLACES * DATAGRAM_PLACE_BYTES;
	const length = datagrams.lengthOf(SENDER_PLACES);
	const segment = Math.max(1, datagrams.segmentOf(SENDER_PLACES));
	for (let from = at; from < at + length; from += segment)
		check(place, talk, datagrams.memory.subarray(from, Math.min(from + segment, at + length)));
}

function check(place: number, talk: Talk, answer: Uint8Array): void {
	const index = talk.answers.findIndex((each) => each !== null && Buffer.compare(each, answer) === 0);
	if (index < 0) {
		// What was said twice is answered twice.
		if (talk.isSaidAgain) return;
		const waiting = idle.indexOf(place);
		if (waiting >= 0) idle.splice(waiting, 1);
		finish(place, talk, "the answer of another");
		return;
	}
	talk.answers[index] = null;
	if (talk.answers.every((each) => each === null)) finish(place, talk, null);
}

/** The attempt is over; a session may be kept for the next one. */
function finish(place: number, talk: Talk, failure: string | null): void {
	const isNew = talk.isHello;
	const keeps = failure === null && (!isNew || (keptCount < KEPT && !talk.isSaidAgain));
	const started = Math.min(talk.startedMs, kernel.now());
	news.push([started, kernel.now() - started, failure]);
	talk.answers = [];
	if (!isNew && !keeps) keptCount--;
	if (isNew && keeps) keptCount++;
	if (keeps) idle.push(place);
	else drop(place);
}

function drop(place: number): void {
	const talk = talks[place];
	if (talk === null || talk === undefined) return;
	kernel.close(talk.fd);
	serials[place] = i32(serials, place) + 1;
	talks[place] = null;
}
