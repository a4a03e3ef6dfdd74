/**
 * A relay that can become a black hole: from one moment on it forwards nothing, reads nothing and closes
 * nothing, as when a firewall forgets a connection or a machine loses its network. What it still does is
 * listen to its kernel, which tells it when the target has given a connection up.
 *
 *     client ◄──► inner   outer ◄──► target          a pair has two descriptors; each knows the other
 */
import { EAGAIN, EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP } from "../kernel/constants.js";
import { LinuxKernel } from "../kernel/linux.js";
import { encodeInternet } from "../kernel/sockaddr.js";
import { Channel } from "../rig/channel.js";
import { connect } from "../rig/connect.js";
import { spread } from "../rig/percentile.js";
import { Served } from "../rig/served.js";
import { turn } from "../rig/turn.js";
import { parseIpv4 } from "./loopback.js";
import type { RelayNews, RelayOrder } from "./messages.js";

const SCRATCH_BYTES = 64 * 1024;
/** Small, so that what the target sends into the hole soon waits on the target's side. */
const OUTER_RECEIVE_BUFFER_BYTES = 4096;
/** Roles: of what leads to a client, and to the target. */
const INNER = 1;
const OUTER = 2;

const INTEREST = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

const [targetAddress = "", targetPort = ""] = process.argv.slice(2);
const target = encodeInternet(parseIpv4(targetAddress), Number(targetPort));
const kernel = new LinuxKernel(SCRATCH_BYTES);
const channel = new Channel<RelayOrder, RelayNews>(kernel, obey);
const served = new Served(kernel, {
	backlog: 4096,
	acceptsPerTurn: 256,
	scratchBytes: SCRATCH_BYTES,
	interestOf: () => INTEREST,
	accepted: connectOnward,
});
/** By descriptor: the other one of its pair; -1: none. */
const others = new Int32Array(served.limit).fill(-1);

let frozenAtMs: number | null = null;
let deadlineMs = 0;
let frozen = 0;
const waiting = new Set<number>();
const overdueMs: number[] = [];

channel.tell({ news: "listening", port: served.listen(INNER).port });
for (;;) turn(kernel, -1, served, handle, channel);

function obey(order: RelayOrder): void {
	if (order.do === "freeze") {
		frozenAtMs = kernel.now();
		deadlineMs = order.deadlineMs;
		for (let fd = 0; fd < served.limit; fd++) if (served.role(fd) === OUTER) waiting.add(fd);
		frozen = waiting.size;
		return;
	}
	channel.tell({
		news: "report",
		report: { frozen, neverGone: waiting.size, overdueMs: spread(overdueMs) },
	});
	for (let fd = 0; fd < served.limit; fd++) if (served.role(fd) === OUTER) dropPair(fd);
}

function handle(fd: number, flags: number): void {
	if (frozenAtMs !== null) {
		const gone = (flags & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) !== 0;
		if (!gone || !waiting.delete(fd)) return;
		overdueMs.push(kernel.now() - frozenAtMs - deadlineMs);
		if (waiting.size === 0) channel.tell({ news: "all gone" });
	} else if (served.isListener(fd)) served.accept(fd);
	else {
		// Either side may have become ready for what the other has to say.
		forward(fd);
		const other = others[fd] as number;
		if (other >= 0) forward(other);
	}
}

function connectOnward(inner: number): void {
	const onward = connect(kernel, target, { receiveBufferBytes: OUTER_RECEIVE_BUFFER_BYTES });
	if (onward < 0) {
		served.drop(inner);
		return;
	}
	others[inner] = onward;
	others[onward] = inner;
	served.adopt(onward, OUTER);
}

/** From `fd` to its other: only what the other takes is taken. */
function forward(fd: number): void {
	const other = others[fd] as number;
	for (;;) {
		const count = kernel.peek(fd, 0, SCRATCH_BYTES);
		if (count === -EAGAIN) return;
		if (count <= 0) {
			dropPair(fd);
			return;
		}
		const sent = kernel.send(other, 0, count);
		if (sent === -EAGAIN) return;
		if (sent < 0) {
			dropPair(fd);
			return;
		}
		kernel.discard(fd, sent);
	}
}

function dropPair(fd: number): void {
	for (const each of [fd, others[fd] as number]) {
		others[each] = -1;
		served.drop(each);
	}
}
