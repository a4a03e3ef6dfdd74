import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
	AF_INET,
	AF_INET6,
	AF_UNIX,
	EAGAIN,
	ECONNREFUSED,
	ECONNRESET,
	EINPROGRESS,
	EPIPE,
	EPOLLERR,
	EPOLLET,
	EPOLLHUP,
	EPOLLIN,
	EPOLLOUT,
	EPOLLRDHUP,
	IPPROTO_TCP,
	SO_RCVLOWAT,
	SOL_SOCKET,
	TCP_NODELAY,
} from "../../src/kernel/constants.js";
import { copyAddress, encodeInternet, encodeUnix, familyAt, portAt } from "../../src/kernel/sockaddr.js";
import { closeDescriptor, openWake, wake } from "../../src/kernel/sockets.js";
import { countDescriptors } from "../../src/rig/proc.js";
import { freeAddress } from "../support/addresses.js";
import { notRunBecause } from "../support/needs.js";
import { eventually } from "../support/waiting.js";
import { connection, LOOPBACK, listen, newKernel, put, say, textAt, waitFor } from "./connection.js";

const EBADF = 9;
const AT = 4_096;

test("peek copies what waits and leaves it; receive takes it", (t) => {
	const kernel = newKernel(t);
	const { near, far } = connection(t, kernel);
	assert.equal(kernel.peek(far, AT, 100), -EAGAIN);
	assert.equal(kernel.receive(far, AT, 100), -EAGAIN);
	say(kernel, near, "hello world");
	waitFor(kernel, far, EPOLLIN);
	for (let again = 0; again < 3; again++) {
		assert.equal(kernel.peek(far, AT, 100), 11);
		assert.equal(textAt(kernel, AT, 11), "hello world");
	}
	assert.equal(kernel.peek(far, AT, 5), 5, "no more than was asked for");
	assert.equal(kernel.receive(far, AT, 6), 6);
	assert.equal(kernel.receive(far, AT + 6, 100), 5);
	assert.equal(textAt(kernel, AT, 11), "hello world");
	assert.equal(kernel.receive(far, AT, 100), -EAGAIN);
	for (const fd of [near, far]) assert.equal(kernel.close(fd), 0);
});

test("calls write into their piece of the arena and nowhere else", (t) => {
	const kernel = newKernel(t);
	const { near, far } = connection(t, kernel);
	say(kernel, near, "x".repeat(100));
	waitFor(kernel, far, EPOLLIN);
	kernel.memory.fill(0xee);
	for (const call of [() => kernel.peek(far, AT, 64), () => kernel.receive(far, AT, 64)]) {
		assert.equal(call(), 64);
		assert.equal(textAt(kernel, AT, 64), "x".repeat(64));
		assert.deepEqual([kernel.memory[AT - 1], kernel.memory[AT + 64]], [0xee, 0xee]);
	}
	for (const fd of [near, far]) kernel.close(fd);
});

test("a read that got less than it asked for has emptied the socket", (t) => {
	const kernel = newKernel(t);
	const { near, far } = connection(t, kernel);
	// Many segments, so that a read that stopped at one of them would show.
	kernel.setOption(near, IPPROTO_TCP, TCP_NODELAY, 1);
	const lengths = Array.from({ length: 40 }, (_, part) => 1 + part * 7);
	for (const length of lengths) say(kernel, near, "y".repeat(length));
	const total = lengths.reduce((sum, length) => sum + length, 0);
	while (kernel.peek(far, AT, 2 * total) < total) waitFor(kernel, far, EPOLLIN);
	const counts: number[] = [];
	do counts.push(kernel.receive(far, AT, 1_000));
	while (counts.at(-1) === 1_000);
	assert.deepEqual(counts, [...new Array<number>(Math.floor(total / 1_000)).fill(1_000), total % 1_000]);
	assert.equal(kernel.receive(far, AT, 1_000), -EAGAIN);
	for (const fd of [near, far]) kernel.close(fd);
});

test("discard throws away so many bytes, and the next are those behind", (t) => {
	const kernel = newKernel(t);
	const { near, far } = connection(t, kernel);
	assert.equal(kernel.discard(far, 10), -EAGAIN);
	say(kernel, near, "header:body");
	waitFor(kernel, far, EPOLLIN);
	assert.equal(kernel.discard(far, 7), 7);
	assert.equal(kernel.receive(far, AT, 100), 4);
	assert.equal(textAt(kernel, AT, 4), "body");
	say(kernel, near, "abc");
	waitFor(kernel, far, EPOLLIN);
	assert.equal(kernel.discard(far, 100), 3, "what there is");
	for (const fd of [near, far]) kernel.close(fd);
});

test("discard works on a Unix socket, where bytes are really copied", async (t) => {
	const kernel = newKernel(t);
	const directory = mkdtempSync(join(tmpdir(), "sluice-kernel-"));
	const path = join(directory, "socket");
	const server = createServer((socket) => socket.end("header:body"));
	server.listen(path);
	await once(server, "listening");
	const fd = kernel.socket(AF_UNIX);
	t.after(async () => {
		kernel.close(fd);
		await new Promise((resolve) => server.close(resolve));
		rmSync(directory, { recursive: true });
	});
	assert.equal(kernel.connect(fd, encodeUnix(path)), 0);
	await eventually(
		() => (kernel.peek(fd, AT, 100) === 11 ? true : undefined),
		() => "no bytes",
	);
	assert.equal(kernel.discard(fd, 7), 7);
	assert.equal(kernel.receive(fd, AT, 100), 4);
	assert.equal(textAt(kernel, AT, 4), "body");
});

test("a Unix path of every length that the kernel takes reaches its socket", async (t) => {
	const kernel = newKernel(t);
	const directory = mkdtempSync(join(tmpdir(), "s-"));
	t.after(() => rmSync(directory, { recursive: true }));
	for (const length of [directory.length + 2, 107]) {
		const path = `${directory}/${"p".repeat(length - directory.length - 1)}`;
		const server = createServer();
		server.listen(path);
		await once(server, "listening");
		const fd = kernel.socket(AF_UNIX);
		assert.equal(kernel.connect(fd, encodeUnix(path)), 0, `${length} bytes`);
		kernel.close(fd);
		await new Promise((resolve) => server.close(resolve));
	}
});

test("send takes what there is room for, then nothing until somebody reads", (t) => {
	const kernel = newKernel(t);
	const { near, far } = connection(t, kernel);
	let sent = 0;
	let count = 0;
	for (; count >= 0; count = kernel.send(near, 0, 1 << 20)) sent += count;
	assert.equal(count, -EAGAIN);
	assert.ok(sent > 0);
	kernel.readiness.add(near, EPOLLOUT, 1, 0);
	assert.equal(kernel.readiness.wait(0), 0, "not writable");
	kernel.readiness.remove(near);
	let received = 0;
	while (received < sent) {
		const got = kernel.receive(far, 0, 1 << 20);
		if (got === -EAGAIN) waitFor(kernel, far, EPOLLIN);
		else {
			assert.ok(got > 0);
			received += got;
		}
	}
	assert.equal(received, sent, "nothing is lost and nothing added");
	waitFor(kernel, near, EPOLLOUT);
	assert.equal(kernel.send(near, 0, 100), 100);
	for (const fd of [near, far]) kernel.close(fd);
});

test("undelivered counts what the peer's machine has not acknowledged, and falls as the peer reads", (t) => {
	const kernel = newKernel(t);
	const { near, far } = connection(t, kernel);
	assert.equal(kernel.undelivered(near), 0);
	let count = 0;
	while (count >= 0) count = kernel.send(near, 0, 1 << 20);
	const full = kernel.undelivered(near);
	assert.ok(full > 0);
	assert.equal(kernel.undelivered(near), full, "nobody reads");
	// A reader makes room in its own buffer first; what waited here then moves on.
	for (let left = full; left >= full; left = kernel.undelivered(near)) {
		waitFor(kernel, far, EPOLLIN);
		assert.ok(kernel.receive(far, 0, 1 << 20) > 0);
	}
	for (const fd of [near, far]) kernel.close(fd);
	assert.equal(kernel.undelivered(near), -EBADF);
});

test("the end of a direction is read as 0 behind the last byte, and the other direction goes on", (t) => {
	const kernel = newKernel(t);
	const { near, far } = connection(t, kernel);
	say(kernel, near, "last words");
	assert.equal(kernel.shutdownWrite(near), 0);
	assert.ok((waitFor(kernel, far, EPOLLIN | EPOLLRDHUP) & EPOLLIN) !== 0);
	assert.equal(kernel.receive(far, AT, 100), 10);
	assert.equal(kernel.receive(far, AT, 100), 0);
	assert.equal(kernel.peek(far, AT, 100), 0);
	assert.equal(kernel.send(near, 0, 1), -EPIPE, "without a signal");
	say(kernel, far, "answer");
	waitFor(kernel, near, EPOLLIN);
	assert.equal(kernel.receive(near, AT, 100), 6);
	for (const fd of [near, far]) kernel.close(fd);
});

test("close delivers what was sent, then the end", (t) => {
	const kernel = newKernel(t);
	const { near, far } = connection(t, kernel);
	say(kernel, near, "all of it");
	assert.equal(kernel.close(near), 0);
	waitFor(kernel, far, EPOLLRDHUP);
	assert.equal(kernel.receive(far, AT, 100), 9);
	assert.equal(kernel.receive(far, AT, 100), 0);
	assert.equal(kernel.close(far), 0);
	assert.equal(kernel.close(far), -EBADF);
});

test("reset reaches the other end as a reset, also behind bytes that it had not read", (t) => {
	const kernel = newKernel(t);
	const { near, far } = connection(t, kernel);
	say(kernel, near, "never read");
	waitFor(kernel, far, EPOLLIN);
	assert.equal(kernel.reset(near), 0);
	assert.equal(kernel.close(near), -EBADF, "the descriptor is given back");
	const flags = waitFor(kernel, far, EPOLLRDHUP);
	assert.ok((flags & EPOLLERR) !== 0 && (flags & EPOLLHUP) !== 0);
	assert.equal(kernel.takeError(far), ECONNRESET);
	assert.equal(kernel.takeError(far), 0, "an error is taken once");
	kernel.close(far);

	const other = connection(t, kernel);
	kernel.reset(other.near);
	waitFor(kernel, other.far, EPOLLRDHUP);
	assert.equal(kernel.receive(other.far, AT, 100), -ECONNRESET);
	assert.equal(kernel.send(other.far, 0, 1), -EPIPE, "without a signal");
	kernel.close(other.far);
});

test("a refused connect says so, at once or by its error", async (t) => {
	const kernel = newKernel(t);
	const { host, port } = await freeAddress();
	const fd = kernel.socket(AF_INET);
	const result = kernel.connect(fd, encodeInternet(Uint8Array.from(host.split("."), Number), port));
	if (result === -EINPROGRESS) {
		waitFor(kernel, fd, EPOLLOUT);
		assert.equal(kernel.takeError(fd), ECONNREFUSED);
	} else assert.equal(result, -ECONNREFUSED);
	kernel.close(fd);
});

test("accept says who came, and -EAGAIN when nobody did", (t) => {
	const kernel = newKernel(t);
	const { fds, port } = listen(t);
	const [listener = -1] = fds;
	assert.equal(kernel.accept(listener, AT), -EAGAIN);
	const near = kernel.socket(AF_INET);
	kernel.connect(near, encodeInternet(LOOPBACK, port));
	waitFor(kernel, listener, EPOLLIN);
	const far = kernel.accept(listener, AT);
	assert.ok(far >= 0);
	const peer = new Uint8Array(16);
	assert.equal(copyAddress(kernel.memory, AT, peer, 0), 4);
	assert.deepEqual([...peer.subarray(0, 4)], [127, 0, 0, 1]);
	const peerPort = portAt(kernel.memory, AT);
	assert.equal(kernel.localAddress(near, AT), 16);
	assert.deepEqual([familyAt(kernel.memory, AT), portAt(kernel.memory, AT)], [AF_INET, peerPort]);
	assert.equal(kernel.localAddress(far, AT), 16);
	assert.equal(portAt(kernel.memory, AT), port);
	for (const fd of [near, far]) kernel.close(fd);
});

test("IPv6 connects and is accepted as IPv6", {
	skip: notRunBecause("IPv6 system calls", ["ipv6"]) ?? false,
}, (t) => {
	const kernel = newKernel(t);
	const address = new Uint8Array(16);
	address[15] = 1;
	const { fds, port } = listen(t, { address });
	const near = kernel.socket(AF_INET6);
	kernel.connect(near, encodeInternet(address, port));
	waitFor(kernel, fds[0] ?? -1, EPOLLIN);
	const far = kernel.accept(fds[0] ?? -1, AT);
	const peer = new Uint8Array(16);
	assert.equal(copyAddress(kernel.memory, AT, peer, 0), 6);
	assert.deepEqual(peer, address);
	assert.equal(kernel.localAddress(far, AT), 28);
	for (const fd of [near, far]) kernel.close(fd);
});

test("splice moves bytes from a socket through a pipe to a socket, and says what read and write would", (t) => {
	const kernel = newKernel(t);
	const from = connection(t, kernel);
	const to = connection(t, kernel);
	const readEnd = kernel.openPipe();
	const writeEnd = kernel.pipeWriteEnd;
	assert.ok(readEnd >= 0 && writeEnd >= 0 && readEnd !== writeEnd);
	assert.equal(kernel.splice(from.far, writeEnd, 100), -EAGAIN, "nothing to read");
	assert.equal(kernel.splice(readEnd, to.near, 100), -EAGAIN, "nothing in the pipe");
	say(kernel, from.near, "through the pipe");
	waitFor(kernel, from.far, EPOLLIN);
	assert.equal(kernel.splice(from.far, writeEnd, 7), 7);
	assert.equal(kernel.splice(from.far, writeEnd, 1_000), 9);
	assert.equal(kernel.splice(readEnd, to.near, 16), 16);
	waitFor(kernel, to.far, EPOLLIN);
	assert.equal(kernel.receive(to.far, AT, 100), 16);
	assert.equal(textAt(kernel, AT, 16), "through the pipe");
	kernel.shutdownWrite(from.near);
	waitFor(kernel, from.far, EPOLLRDHUP);
	assert.equal(kernel.splice(from.far, writeEnd, 100), 0, "the end of the stream");
	for (const fd of [from.near, from.far, to.near, to.far, readEnd, writeEnd])
		assert.equal(kernel.close(fd), 0);
});

test("a pipe holds many buffers, and splicing into a full one says so", (t) => {
	const kernel = newKernel(t);
	const { near, far } = connection(t, kernel);
	const readEnd = kernel.openPipe();
	const writeEnd = kernel.pipeWriteEnd;
	let held = 0;
	for (let full = false; !full; ) {
		const sent = kernel.send(near, 0, 64 * 1024);
		assert.ok(sent > 0);
		waitFor(kernel, far, EPOLLIN);
		for (;;) {
			const count = kernel.splice(far, writeEnd, 1 << 20);
			if (count > 0) held += count;
			else {
				assert.equal(count, -EAGAIN);
				// Either the socket is empty or the pipe is full.
				full = kernel.peek(far, AT, 1) > 0;
				break;
			}
		}
	}
	assert.ok(held >= 32 * 1024, `${held} bytes`);
	for (const fd of [near, far, readEnd, writeEnd]) kernel.close(fd);
});

test("SO_RCVLOWAT keeps readiness quiet until so many bytes are there, or the end", (t) => {
	const kernel = newKernel(t);
	const { near, far } = connection(t, kernel);
	assert.equal(kernel.setOption(far, SOL_SOCKET, SO_RCVLOWAT, 10), 0);
	kernel.readiness.add(far, EPOLLIN | EPOLLRDHUP | EPOLLET, 5, 0);
	say(kernel, near, "12345");
	assert.equal(kernel.readiness.wait(0), 0);
	say(kernel, near, "67890");
	assert.equal(kernel.readiness.wait(20_000), 1);
	assert.ok((kernel.readiness.flagsOf(0) & EPOLLIN) !== 0);
	for (const fd of [near, far]) kernel.close(fd);
	assert.equal(kernel.setOption(far, SOL_SOCKET, SO_RCVLOWAT, 1), -EBADF);
});

test("an event brings back the slot and the generation it was added with, whatever they are", (t) => {
	const kernel = newKernel(t);
	const { near, far } = connection(t, kernel);
	for (const [slot, generation] of [
		[0, 0],
		[-1, 0],
		[-257, -1],
		[0x7fff_ffff, 0x7fff_ffff],
		[12, -0x8000_0000],
	] as const) {
		assert.equal(kernel.readiness.add(near, EPOLLOUT, slot, generation), 0);
		assert.equal(kernel.readiness.wait(0), 1);
		assert.deepEqual([kernel.readiness.slotOf(0), kernel.readiness.generationOf(0)], [slot, generation]);
		assert.equal(kernel.readiness.flagsOf(0), EPOLLOUT);
		assert.equal(kernel.readiness.modify(near, EPOLLIN, slot, generation + 1), 0);
		assert.equal(kernel.readiness.wait(0), 0);
		assert.equal(kernel.readiness.remove(near), 0);
		assert.ok(kernel.readiness.remove(near) < 0, "it is not watched any more");
	}
	for (const fd of [near, far]) kernel.close(fd);
});

test("edge-triggered, a state is told once and told again when something comes", (t) => {
	const kernel = newKernel(t);
	const { near, far } = connection(t, kernel);
	kernel.readiness.add(far, EPOLLIN | EPOLLRDHUP | EPOLLET, 1, 0);
	say(kernel, near, "a");
	assert.equal(kernel.readiness.wait(20_000), 1);
	assert.equal(kernel.readiness.wait(0), 0, "unread bytes do not spin");
	say(kernel, near, "b");
	assert.equal(kernel.readiness.wait(20_000), 1);
	// Changing the interest reports the state as it is.
	kernel.readiness.modify(far, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1, 0);
	assert.equal(kernel.readiness.wait(0), 1);
	assert.equal(kernel.readiness.flagsOf(0), EPOLLIN | EPOLLOUT);
	for (const fd of [near, far]) kernel.close(fd);
});

test("more events than one wait gives come with the next", (t) => {
	const kernel = newKernel(t);
	const COUNT = 600;
	const wakes = Array.from({ length: COUNT }, () => openWake());
	for (const [index, fd] of wakes.entries()) {
		kernel.readiness.add(fd, EPOLLIN | EPOLLET, index, index * 2);
		wake(fd);
	}
	const seen = new Set<number>();
	for (let count = 1; count > 0; ) {
		count = kernel.readiness.wait(0);
		for (let event = 0; event < count; event++) {
			assert.equal(kernel.readiness.generationOf(event), kernel.readiness.slotOf(event) * 2);
			seen.add(kernel.readiness.slotOf(event));
		}
	}
	assert.equal(seen.size, COUNT);
	for (const fd of wakes) closeDescriptor(fd);
});

test("a wake-up is seen once, however often it was given", (t) => {
	const kernel = newKernel(t);
	const fd = openWake();
	t.after(() => closeDescriptor(fd));
	kernel.readiness.add(fd, EPOLLIN, -1, 0);
	assert.equal(kernel.readiness.wait(0), 0);
	for (let again = 0; again < 3; again++) wake(fd);
	assert.equal(kernel.readiness.wait(0), 1);
	kernel.clearWake(fd);
	assert.equal(kernel.readiness.wait(0), 0);
	kernel.clearWake(fd);
	wake(fd);
	assert.equal(kernel.readiness.wait(0), 1);
});

test("the clock does not go back, and is the machine's monotonic one", (t) => {
	const kernel = newKernel(t);
	const monotonic = () => Number(process.hrtime.bigint() / 1000n) / 1000;
	let last = kernel.now();
	for (let i = 0; i < 10_000; i++) {
		const now = kernel.now();
		assert.ok(now >= last);
		last = now;
	}
	// A kernel's own offset is taken with two readings, and between them, as between the two here, a busy machine may do
	// other things. One kernel of several shows that the clocks are the same.
	const apart = Array.from({ length: 10 }, () => Math.abs(newKernel(t).now() - monotonic()));
	assert.ok(Math.min(...apart) < 250, apart.join(" "));
});

test("a kernel's own descriptors go with it", (t) => {
	const open = () => countDescriptors([process.pid]);
	newKernel(t);
	const before = open();
	const kernel = newKernel(t);
	assert.equal(open(), before + 1);
	const readEnd = kernel.openPipe();
	assert.equal(open(), before + 3);
	kernel.close(readEnd);
	kernel.close(kernel.pipeWriteEnd);
	const other = newKernel(t);
	other.dispose();
	assert.equal(open(), before + 1);
});

test("a failing call leaves the arena as it was", (t) => {
	const kernel = newKernel(t);
	put(kernel, "keep", AT);
	assert.equal(kernel.receive(1_000_000, AT, 4), -EBADF);
	assert.equal(kernel.peek(1_000_000, AT, 4), -EBADF);
	assert.equal(kernel.accept(1_000_000, AT), -EBADF);
	assert.equal(kernel.localAddress(1_000_000, AT), -EBADF);
	assert.equal(kernel.takeError(1_000_000), EBADF);
	assert.equal(textAt(kernel, AT, 4), "keep");
});
