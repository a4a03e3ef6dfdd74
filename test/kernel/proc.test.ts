import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { test } from "node:test";
import { AF_INET, EPOLLIN, EPOLLOUT } from "../../src/kernel/constants.js";
import { handshakes, memoryLimitBytes, ProcFile, tcpMemoryBytes } from "../../src/kernel/proc.js";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import { eventually } from "../support/waiting.js";
import { connection, LOOPBACK, listen, newKernel, waitFor } from "./connection.js";

const PAGE_BYTES = 4_096;

test("the system's socket memory is the pages in the line of TCP, whatever stands around it", () => {
	for (const [text, pages] of [
		["sockets: used 290\nTCP: inuse 12 orphan 0 tw 4 alloc 15 mem 77\nUDP: inuse 2 mem 1\n", 77],
		["UDP: inuse 2 mem 99\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\n", 0],
		["TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 2097152", 2_097_152],
		// Only IPv4's and IPv6's together are told as TCP.
		["TCP6: inuse 4 mem 5\n", 0],
		["UDP: inuse 2 mem 99\n", 0],
		["", 0],
	] as const)
		assert.equal(tcpMemoryBytes(text), pages * PAGE_BYTES, JSON.stringify(text));
});

test("what this machine's kernel says can be read, and grows when a socket is full", async (t) => {
	const file = new ProcFile("/proc/net/sockstat");
	t.after(() => file.close());
	assert.match(file.read(), /^TCP: inuse \d+ .* mem \d+$/m);
	const kernel = newKernel(t);
	// Sockets of other processes may shrink by more at the same moment.
	await eventually(
		() => {
			const { near, far } = connection(t, kernel);
			const before = tcpMemoryBytes(file.read());
			while (kernel.send(near, 0, 1 << 16) > 0);
			const full = tcpMemoryBytes(file.read());
			for (const fd of [near, far]) kernel.reset(fd);
			return full > before ? true : undefined;
		},
		() => "a full socket does not show",
	);
});

test("a file of /proc is read anew each time, through the one descriptor", (t) => {
	const file = new ProcFile("/proc/uptime");
	t.after(() => file.close());
	const first = Number(file.read().split(" ")[0]);
	const second = Number(file.read().split(" ")[0]);
	assert.ok(first > 0 && second >= first);
	assert.match(readFileSync(`/proc/self/fdinfo/${file.fd}`, "utf8"), /^pos:\s*0$/m);
});

test("what the kernel counts of handshakes is found by its names, wherever they stand", () => {
	for (const [text, overflows, drops, cookiesSent, cookiesFailed] of [
		["TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPHPHits\nTcpExt: 1 2 3 4\n", 2, 3, 1, 0],
		[
			"IpExt: InNoRoutes ListenOverflows\nIpExt: 7 8\nTcpExt: ListenDrops SyncookiesFailed ListenOverflows\nTcpExt: 30 9 20\n",
			...[20, 30, 0, 9],
		],
		[
			"TcpExt: ListenOverflows ListenDrops\nTcpExt: 4294967297 9007199254740991\n",
			...[4_294_967_297, 9_007_199_254_740_991, 0, 0],
		],
		["TcpExt: TCPHPHits\nTcpExt: 1\n", 0, 0, 0, 0],
		["TcpExt: ListenOverflows ListenDrops\n", 0, 0, 0, 0],
		["", 0, 0, 0, 0],
	] as const)
		assert.deepEqual(
			handshakes(text),
			{ overflows, drops, cookiesSent, cookiesFailed },
			JSON.stringify(text),
		);
});

test("a handshake that meets a full accept queue is an overflow, and a drop", async (t) => {
	const kernel = newKernel(t);
	const { port } = listen(t, { backlog: 1 });
	const before = handshakes();
	const clients = Array.from({ length: 6 }, () => kernel.socket(AF_INET));
	t.after(() => {
		for (const fd of clients) kernel.reset(fd);
	});
	// A queue of 1 holds two; nobody accepts.
	for (const fd of clients) kernel.connect(fd, encodeInternet(LOOPBACK, port));
	const after = await eventually(
		() => {
			const now = handshakes();
			return now.overflows > before.overflows ? now : undefined;
		},
		() => "no overflow was counted",
	);
	assert.ok(after.drops - before.drops >= after.overflows - before.overflows);
});

test("a process may use no more than the machine has", () => {
	const bytes = memoryLimitBytes();
	assert.ok(bytes > 0 && bytes <= totalmem(), String(bytes));
});

test("what a socket holds grows when bytes wait in it, and falls when they are read", (t) => {
	const kernel = newKernel(t);
	const { near, far } = connection(t, kernel);
	const empty = kernel.socketMemory(far);
	assert.ok(empty >= 0 && empty <= 2 * PAGE_BYTES, `${empty} bytes in an empty socket`);
	let sent = 0;
	for (let count = kernel.send(near, 0, 1 << 16); count > 0; count = kernel.send(near, 0, 1 << 16))
		sent += count;
	waitFor(kernel, far, EPOLLIN);
	const full = kernel.socketMemory(far) + kernel.socketMemory(near);
	assert.ok(full >= sent, `${full} bytes for ${sent} that wait`);
	let received = 0;
	while (received < sent) {
		const count = kernel.receive(far, 0, 1 << 16);
		if (count > 0) received += count;
		else waitFor(kernel, far, EPOLLIN);
	}
	waitFor(kernel, near, EPOLLOUT);
	const read = kernel.socketMemory(far) + kernel.socketMemory(near);
	assert.ok(read < full / 4, `${read} bytes when all was read, of ${full}`);
	for (const fd of [near, far]) kernel.reset(fd);
	assert.ok(kernel.socketMemory(far) < 0, "an errno for what is no socket");
});
