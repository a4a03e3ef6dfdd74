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
import { openListener, raiseDescriptorLimit } from "../kernel/sockets.js";
import { Channel, ORDERS_SLOT } from "../rig/channel.js";
import { tryConnect } from "../rig/connect.js";
import { spread } from "../rig/percentile.js";
import { parseIpv4 } from "./loopback.js";
import type { RelayNews, RelayOrder } from "./messages.js";

const SCRATCH_BYTES = 64 * 1024;
/** Small, so that what the target sends into the hole soon waits on the target's side. */
const OUTER_RECEIVE_BUFFER_BYTES = 4096;
const INTEREST = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

const [targetAddress = "", targetPort = ""] = process.argv.slice(2);
const target = encodeInternet(parseIpv4(targetAddress), Number(targetPort));
const limit = raiseDescriptorLimit();
const kernel = new LinuxKernel(SCRATCH_BYTES);
const channel = new Channel<RelayOrder, RelayNews>(kernel);
// By descriptor: the other one of its pair (-1: none), whether it leads to the target, and its generation.
const others = new Int32Array(limit).fill(-1);
const outer = new Uint8Array(limit);
const uses = new Int32Array(limit);

let frozenAtMs: number | null = null;
let deadlineMs = 0;
let frozen = 0;
const waiting = new Set<number>();
const overdueMs: number[] = [];

const { fds, port } = openListener(
	{
		address: Uint8Array.of(127, 0, 0, 1),
		port: 0,
		backlog: 4096,
	},
	1,
);
const listener = fds[0] as number; // one was asked for
kernel.readiness.add(listener, EPOLLIN, listener, 0);
channel.tell({ news: "listening", port });

for (;;) {
	const events = kernel.readiness.wait(-1);
	for (let event = 0; event < events; event++) {
		const fd = kernel.readiness.slotOf(event);
		if (fd === ORDERS_SLOT) for (const order of channel.take()) obey(order);
		else if (kernel.readiness.generationOf(event) === uses[fd]) handle(fd, kernel.readiness.flagsOf(event));
	}
}

function obey(order: RelayOrder): void {
	if (order.do === "freeze") {
		frozenAtMs = kernel.now();
		deadlineMs = order.deadlineMs;
		for (let fd = 0; fd < limit; fd++) if ((others[fd] as number) >= 0 && outer[fd] === 1) waiting.add(fd);
		frozen = waiting.size;
		return;
	}
	channel.tell({
		news: "report",
		report: { frozen, neverGone: waiting.size, overdueMs: spread(overdueMs) },
	});
	for (let fd = 0; fd < limit; fd++) if ((others[fd] as number) >= 0) dropPair(fd);
}

function handle(fd: number, flags: number): void {
	if (frozenAtMs !== null) {
		const gone = (flags & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) !== 0;
		if (!gone || !waiting.delete(fd)) return;
		overdueMs.push(kernel.now() - frozenAtMs - deadlineMs);
		if (waiting.size === 0) channel.tell({ news: "all gone" });
	} else if (fd === listener) acceptAll();
	else {
		// Either side may have become ready for what the other has to say.
		forward(fd);
		const other = others[fd] as number;
		if (other >= 0) forward(other);
	}
}

function acceptAll(): void {
	for (;;) {
		const inner = kernel.accept(listener, 0);
		if (inner < 0) return;
		const onward = tryConnect(kernel, target, 0, 0, 0, { receiveBufferBytes: OUTER_RECEIVE_BUFFER_BYTES });
		if (onward < 0) {
			kernel.close(inner);
			continue;
		}
		others[inner] = onward;
		others[onward] = inner;
		outer[inner] = 0;
		outer[onward] = 1;
		kernel.readiness.modify(onward, INTEREST, onward, uses[onward] as number);
		kernel.readiness.add(inner, INTEREST, inner, uses[inner] as number);
	}
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
		uses[each] = (uses[each] as number) + 1;
		kernel.close(each);
	}
}
