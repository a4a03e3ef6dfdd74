/**
 * What all relay to: one process, one epoll loop, started once per run.
 *
 * - the port `echo`: datagrams are received and sent back one by one, as most programs do;
 * - the port `batches`: what came as one message of several datagrams goes back as one;
 * - a port per name: each datagram is answered with 16 bytes that say which name it is.
 *
 * Prints its ports as one line of JSON and ends when its parent is gone.
 */
import { writeSync } from "node:fs";
import { EPOLLIN } from "../../../src/kernel/constants.js";
import { openDatagramListener } from "../../../src/kernel/datagram-sockets.js";
import {
	DATAGRAM_PLACE_BYTES,
	DATAGRAMS_ADDED_MAX,
	SENDER_BYTES,
	SENDER_PLACES,
} from "../../../src/kernel/datagrams.js";
import { LinuxKernel } from "../../../src/kernel/linux.js";
import { turn } from "../../../src/rig/turn.js";
import type { EchoPorts } from "./driver.js";
import { takeApart } from "./flows.js";
import { NAMED_BYTES, NAMES, SCRATCH_AT } from "./wire.js";

const ARENA_BYTES = 4096;
/** Messages taken from one socket before others have their turn. */
const RECEIVES_PER_TURN = 4;

const ECHO = 0;
const BATCHES = 1;
/** The first of the names' roles. */
const NAMED = 2;

const kernel = new LinuxKernel(ARENA_BYTES);
const datagrams = kernel.openDatagrams();
/** By role. */
const sockets: number[] = [];
const serials = new Int32Array(NAMED + NAMES.length);
const NO_LOCALS = new Uint8Array(0);

for (const index of NAMES.keys()) datagrams.memory[SCRATCH_AT + index * NAMED_BYTES] = index;
const ports: EchoPorts = {
	echo: listen(ECHO),
	batches: listen(BATCHES),
	named: NAMES.map((_, index) => listen(NAMED + index)),
};
writeSync(1, `${JSON.stringify(ports)}\n`);

const parent = process.ppid;
for (;;) {
	const events = turn(kernel, 500, { serials }, hear);
	if (events === 0 && process.ppid !== parent) process.exit(0);
}

function listen(role: number): number {
	const address = Uint8Array.of(127, 0, 0, 1);
	const { fds, port } = openDatagramListener({ address, port: 0, bindsAny: false, receiveBytes: null }, 1);
	const fd = fds[0] as number;
	if (role !== BATCHES) takeApart(kernel, fd);
	sockets[role] = fd;
	kernel.readiness.add(fd, EPOLLIN, role, 0);
	return port;
}

function hear(role: number): void {
	const fd = sockets[role] as number;
	for (let i = 0; i < RECEIVES_PER_TURN; i++) {
		const count = datagrams.receive(fd, 0, SENDER_PLACES);
		if (count <= 0) return;
		for (let place = 0; place < count; place++) answer(fd, role, place);
		flush(fd);
		if (count < SENDER_PLACES) return;
	}
}

function answer(fd: number, role: number, place: number): void {
	const at = place * DATAGRAM_PLACE_BYTES;
	const length = datagrams.lengthOf(place);
	const segment = datagrams.segmentOf(place);
	if (role === BATCHES) reply(fd, place, at, length, segment);
	else if (role >= NAMED)
		reply(fd, place, SCRATCH_AT + (role - NAMED) * NAMED_BYTES, NAMED_BYTES, NAMED_BYTES);
	else reply(fd, place, at, length, length);
}

function reply(fd: number, place: number, at: number, length: number, segment: number): void {
	if (datagrams.added === DATAGRAMS_ADDED_MAX) flush(fd);
	datagrams.addTo(at, length, segment, 0, datagrams.senders, place * SENDER_BYTES, NO_LOCALS, -1);
}

/** What the kernel has no room for is lost, as it would be on any way. */
function flush(fd: number): void {
	for (let first = 0; first < datagrams.added; ) {
		const sent = datagrams.flush(fd, first, datagrams.added - first);
		first += sent > 0 ? sent : 1;
	}
	datagrams.clear();
}
