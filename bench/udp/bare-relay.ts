/**
 * A relay of datagrams with nothing but the calls that any must make: what the kernel and the way to it cost, without a gateway.
 *
 *     node bare-relay.js '[[LISTEN, TO], …]'
 */
import { AF_INET, EPOLLIN } from "../../src/kernel/constants.js";
import { openDatagramListener } from "../../src/kernel/datagram-sockets.js";
import {
	CONNECTED_PLACES,
	DATAGRAM_PLACE_BYTES,
	SENDER_BYTES,
	SENDER_PLACES,
} from "../../src/kernel/datagrams.js";
import { LinuxKernel } from "../../src/kernel/linux.js";
import { raiseDescriptorLimit } from "../../src/kernel/sockets.js";
import { loopback } from "../../src/rig/connect.js";
import { turn } from "../../src/rig/turn.js";

const ARENA_BYTES = 4096;
/** Nothing expires here: the oldest makes way. */
const SESSIONS_MAX = 12_000;
const RECEIVES_PER_TURN = 4;

/** A socket that anybody sends to, and where that goes. */
interface Way {
	readonly fd: number;
	readonly to: Uint8Array;
	/** Slots of sessions by the address and port of their clients. */
	readonly slots: Map<number, number>;
}

const kernel = new LinuxKernel(ARENA_BYTES);
const datagrams = kernel.openDatagrams();
const { senders } = datagrams;
raiseDescriptorLimit();
const ways: Way[] = [];
// By slot. The first ones are those of the ways.
const fds = new Int32Array(SESSIONS_MAX).fill(-1);
const serials = new Int32Array(SESSIONS_MAX);
const wayOf = new Uint8Array(SESSIONS_MAX);
const keys = new Float64Array(SESSIONS_MAX);
const names = new Uint8Array(SESSIONS_MAX * SENDER_BYTES);
const NO_LOCALS = new Uint8Array(0);

// What bench/udp/systems/bare-relay.ts passes.
for (const [port, to] of JSON.parse(process.argv[2] ?? "[]") as [number, number][]) {
	const address = Uint8Array.of(127, 0, 0, 1);
	const { fds } = openDatagramListener({ address, port, bindsAny: false, receiveBytes: null }, 1);
	const fd = fds[0] as number;
	kernel.readiness.add(fd, EPOLLIN, ways.length, 0);
	ways.push({ fd, to: loopback(to), slots: new Map() });
}
let next = ways.length;
/** The way that what is added is for. */
let replies: Way | null = null;
let place = SENDER_PLACES;

for (const parent = process.ppid; process.ppid === parent; ) {
	turn(kernel, 500, { serials }, (slot) => {
		const way = ways[slot];
		if (way !== undefined) fromClients(way, slot);
		else fromUpstream(slot);
	});
	sendReplies();
}

function fromClients(way: Way, index: number): void {
	sendReplies();
	for (let i = 0; i < RECEIVES_PER_TURN; i++) {
		const count = datagrams.receive(way.fd, 0, SENDER_PLACES);
		for (let from = 0; from < count; ) {
			const key = keyAt(from);
			let to = from + 1;
			while (to < count && keyAt(to) === key) to++;
			forward(way.slots.get(key) ?? open(way, index, key, from), from, to);
			from = to;
		}
		if (count < SENDER_PLACES) return;
	}
}

/** Messages of one client. */
function forward(slot: number, from: number, to: number): void {
	const fd = fds[slot] as number;
	const length = datagrams.lengthOf(from);
	if (to - from === 1 && datagrams.segmentOf(from) >= length) {
		datagrams.send(fd, from * DATAGRAM_PLACE_BYTES, length);
		return;
	}
	for (let at = from; at < to; at++)
		datagrams.add(at * DATAGRAM_PLACE_BYTES, datagrams.lengthOf(at), datagrams.segmentOf(at), 0);
	datagrams.flush(fd, 0, datagrams.added);
	datagrams.clear();
}

/** What comes is kept where it is until the turn ends, so that replies to many clients are one call. */
function fromUpstream(slot: number): void {
	const way = ways[wayOf[slot] as number] as Way;
	if (replies !== way || place === SENDER_PLACES + CONNECTED_PLACES) sendReplies();
	replies = way;
	const room = SENDER_PLACES + CONNECTED_PLACES - place;
	const count = datagrams.receive(fds[slot] as number, place, Math.min(room, 16));
	for (const end = place + Math.max(0, count); place < end; place++)
		datagrams.addTo(
			...([place * DATAGRAM_PLACE_BYTES, datagrams.lengthOf(place), datagrams.segmentOf(place), 0] as const),
			...([names, slot * SENDER_BYTES, NO_LOCALS, -1] as const),
		);
}

function sendReplies(): void {
	if (replies !== null && datagrams.added > 0) {
		for (let first = 0; first < datagrams.added; ) {
			const sent = datagrams.flush(replies.fd, first, datagrams.added - first);
			first += sent > 0 ? sent : 1;
		}
		datagrams.clear();
	}
	place = SENDER_PLACES;
}

/** Of the sender at a place: its address and port, in one number. */
function keyAt(place: number): number {
	const at = place * SENDER_BYTES;
	const port = ((senders[at + 2] as number) << 8) | (senders[at + 3] as number);
	const host = ((senders[at + 4] as number) << 24) | ((senders[at + 5] as number) << 16);
	return ((host | ((senders[at + 6] as number) << 8) | (senders[at + 7] as number)) >>> 0) * 65_536 + port;
}

function open(way: Way, index: number, key: number, place: number): number {
	const slot = next++;
	if (next === SESSIONS_MAX) next = ways.length;
	if ((fds[slot] as number) >= 0) {
		kernel.close(fds[slot] as number);
		ways[wayOf[slot] as number]?.slots.delete(keys[slot] as number);
		serials[slot] = (serials[slot] as number) + 1;
	}
	const fd = datagrams.open(AF_INET, false);
	kernel.connect(fd, way.to);
	fds[slot] = fd;
	wayOf[slot] = index;
	keys[slot] = key;
	names.set(senders.subarray(place * SENDER_BYTES, (place + 1) * SENDER_BYTES), slot * SENDER_BYTES);
	way.slots.set(key, slot);
	kernel.readiness.add(fd, EPOLLIN, slot, serials[slot] as number);
	return slot;
}
