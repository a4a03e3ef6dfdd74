import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import {
	AF_INET,
	EAGAIN,
	EPOLLOUT,
	IPPROTO_TCP,
	SO_KEEPALIVE,
	SOL_SOCKET,
	TCP_KEEPCNT,
	TCP_KEEPIDLE,
	TCP_KEEPINTVL,
	TCP_NODELAY,
	TCP_NOTSENT_LOWAT,
	TCP_USER_TIMEOUT,
} from "../../src/kernel/constants.js";
import * as libc from "../../src/kernel/libc.js";
import { copyAddress, encodeInternet } from "../../src/kernel/sockaddr.js";
import {
	acceptQueue,
	closeDescriptor,
	DESCRIPTORS_USED,
	growDescriptorTable,
	type ListenerOptions,
	openListener,
	peerPort,
	raiseDescriptorLimit,
	SystemError,
	setConnectionOptions,
	startListening,
} from "../../src/kernel/sockets.js";
import { countDescriptors } from "../../src/rig/proc.js";
import { CONNECTION } from "../support/connection-options.js";
import { notRunBecause } from "../support/needs.js";
import { LOOPBACK, listen, newKernel, waitFor } from "./connection.js";

const V6_LOOPBACK = Uint8Array.of(...new Array<number>(15).fill(0), 1);
const ipv6 = { skip: notRunBecause("IPv6 listeners", ["ipv6"]) ?? false };

function options(changes: Partial<ListenerOptions>): ListenerOptions {
	return { address: LOOPBACK, port: 0, backlog: 128, connection: CONNECTION, ...changes };
}

/** A client that has connected. */
async function client(t: TestContext, port: number, host = "127.0.0.1"): Promise<Socket> {
	const socket = connect(port, host);
	t.after(() => socket.destroy());
	await once(socket, "connect");
	return socket;
}

function inUse(open: () => unknown): void {
	assert.throws(open, (error) => {
		assert.ok(error instanceof SystemError);
		assert.equal(error.code, "EADDRINUSE");
		assert.equal(error.errno, 98);
		assert.match(error.message, /^(bind|listen): EADDRINUSE$/);
		return true;
	});
}

function openDescriptors(): number {
	return countDescriptors([process.pid]);
}

test("a listener with an option that the kernel refuses leaves no socket open", () => {
	const before = countDescriptors([process.pid]);
	// More probes than tcp(7) takes.
	const connection = { ...CONNECTION, keepalive: { ...CONNECTION.keepalive, probes: 1_000 } };
	assert.throws(() => openListener(options({ connection }), 2), /setsockopt: EINVAL/);
	assert.equal(countDescriptors([process.pid]), before);
});

test("a port that another program holds is in use", async (t) => {
	const server = createServer();
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	t.after(() => server.close());
	const { port } = server.address() as AddressInfo;
	const before = openDescriptors();
	for (const count of [1, 3]) inUse(() => openListener(options({ port }), count));
	assert.equal(openDescriptors(), before, "what was opened on the way is closed");
});

test("a port that we hold ourselves is in use for our second opening, although sockets of one opening share it", (t) => {
	for (const count of [1, 4]) {
		const { port, fds } = listen(t, {}, count);
		assert.equal(fds.length, count);
		for (const second of [1, 2]) inUse(() => openListener(options({ port }), second));
	}
});

test("every address of a port collides with one of them", (t) => {
	const { port } = listen(t);
	inUse(() => openListener(options({ address: Uint8Array.of(0, 0, 0, 0), port }), 1));
	inUse(() => openListener(options({ address: null, port }), 1));
});

test("a port is free again when it was closed, although connections of it are still ending", async (t) => {
	const kernel = newKernel(t);
	const { fds, port } = openListener(options({}), 1);
	const [fd = -1] = fds;
	const socket = await client(t, port);
	const accepted = kernel.accept(fd, 0);
	// Our end closes first, and so keeps the port in TIME_WAIT.
	kernel.close(accepted);
	socket.resume();
	await once(socket, "close");
	closeDescriptor(fd);
	listen(t, { port });
});

test("an address that this machine has not is an error with its name", () => {
	// TEST-NET-1 (RFC 5737) belongs to nobody.
	assert.throws(() => openListener(options({ address: Uint8Array.of(192, 0, 2, 1) }), 1), {
		code: "EADDRNOTAVAIL",
		call: "bind",
	});
});

test("sockets of one listener have one port, and connections are shared among them", async (t) => {
	const kernel = newKernel(t);
	const { fds, port } = listen(t, {}, 4);
	const COUNT = 200;
	await Promise.all(Array.from({ length: COUNT }, () => client(t, port)));
	const counts = fds.map((fd) => acceptQueue(fd).depth);
	assert.equal(
		counts.reduce((sum, count) => sum + count, 0),
		COUNT,
	);
	// By hash: all on one of four would take a fault, not bad luck.
	for (const count of counts) assert.ok(count > 0 && count < COUNT, `${counts}`);
	for (const fd of fds) {
		for (let accepted = kernel.accept(fd, 0); accepted >= 0; accepted = kernel.accept(fd, 0))
			kernel.close(accepted);
		assert.equal(acceptQueue(fd).depth, 0);
	}
});

test("the accept queue is counted, and its limit is the backlog, which may change", async (t) => {
	const kernel = newKernel(t);
	const { fds, port } = listen(t, { backlog: 7 });
	const [fd = -1] = fds;
	assert.deepEqual(acceptQueue(fd), { depth: 0, limit: 7 });
	await client(t, port);
	await client(t, port);
	assert.deepEqual(acceptQueue(fd), { depth: 2, limit: 7 });
	startListening(fd, 40);
	assert.deepEqual(acceptQueue(fd), { depth: 2, limit: 40 });
	kernel.close(kernel.accept(fd, 0));
	assert.equal(acceptQueue(fd).depth, 1);
});

test("a backlog above net.core.somaxconn is what the kernel makes of it", (t) => {
	const most = Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"));
	const { fds } = listen(t, { backlog: 1_000_000 });
	assert.equal(acceptQueue(fds[0] ?? -1).limit, most);
});

test("* takes IPv4 and IPv6 on one socket, and tells them apart", ipv6, async (t) => {
	const kernel = newKernel(t);
	const { fds, port } = listen(t, { address: null });
	const [fd = -1] = fds;
	for (const [host, family, address] of [
		["127.0.0.1", 4, [...LOOPBACK]],
		["::1", 6, [...V6_LOOPBACK]],
	] as const) {
		await client(t, port, host);
		const accepted = kernel.accept(fd, 0);
		assert.ok(accepted >= 0);
		const out = new Uint8Array(16);
		assert.equal(copyAddress(kernel.memory, 0, out, 0), family);
		assert.deepEqual([...out.subarray(0, address.length)], address);
		kernel.close(accepted);
	}
});

test("an IPv6 listener takes IPv6 only, so that an IPv4 one may have the same port", ipv6, async (t) => {
	const kernel = newKernel(t);
	const six = listen(t, { address: V6_LOOPBACK });
	const four = listen(t, { port: six.port });
	await client(t, six.port, "::1");
	await client(t, six.port, "127.0.0.1");
	assert.deepEqual([acceptQueue(six.fds[0] ?? -1).depth, acceptQueue(four.fds[0] ?? -1).depth], [1, 1]);
	for (const fd of [...six.fds, ...four.fds]) kernel.close(kernel.accept(fd, 0));
});

function option(fd: number, level: number, name: number): number {
	const words = Int32Array.of(0, 4);
	assert.equal(libc.getsockopt(fd, level, name, libc.addressOf(words), libc.addressOf(words) + 4), 0);
	return words[0] ?? Number.NaN;
}

test("accepted sockets inherit what the listener was given, also what it is given later", async (t) => {
	const kernel = newKernel(t);
	const { fds, port } = listen(t, {
		connection: {
			keepalive: { idleSeconds: 41, intervalSeconds: 42, probes: 43, userTimeoutMs: 44_000 },
			sockets: { unsentBytes: 45_000, sendBytes: null, receiveBytes: null },
		},
	});
	const [fd = -1] = fds;
	const inherited = async () => {
		await client(t, port);
		const accepted = kernel.accept(fd, 0);
		assert.equal(kernel.receive(accepted, 0, 10), -EAGAIN, "it does not block");
		const values = [
			[SOL_SOCKET, SO_KEEPALIVE],
			[IPPROTO_TCP, TCP_KEEPIDLE],
			[IPPROTO_TCP, TCP_KEEPINTVL],
			[IPPROTO_TCP, TCP_KEEPCNT],
			[IPPROTO_TCP, TCP_NODELAY],
			[IPPROTO_TCP, TCP_USER_TIMEOUT],
			[IPPROTO_TCP, TCP_NOTSENT_LOWAT],
		].map(([level = 0, name = 0]) => option(accepted, level, name));
		kernel.close(accepted);
		return values;
	};
	assert.deepEqual(await inherited(), [1, 41, 42, 43, 1, 44_000, 45_000]);
	setConnectionOptions(fd, {
		keepalive: { idleSeconds: 51, intervalSeconds: 52, probes: 53, userTimeoutMs: 54_000 },
		sockets: { unsentBytes: 55_000, sendBytes: null, receiveBytes: null },
	});
	assert.deepEqual(await inherited(), [1, 51, 52, 53, 1, 54_000, 55_000]);
});

test("calls on what is no listener fail with the call's name", () => {
	assert.throws(() => acceptQueue(1_000_000), { name: "SystemError", call: "getsockopt" });
	assert.throws(() => startListening(1_000_000, 1), { name: "SystemError", call: "listen" });
	assert.throws(() => setConnectionOptions(1_000_000, CONNECTION), {
		name: "SystemError",
		call: "setsockopt",
	});
});

test("the descriptor limit is raised to the hard one, and no further than wanted", async () => {
	const limit = raiseDescriptorLimit();
	const line = /^Max open files\s+(\d+)\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
	assert.equal(limit, Math.min(Number(line?.[2]), DESCRIPTORS_USED));
	assert.ok(Number(line?.[1]) >= limit);
	assert.equal(raiseDescriptorLimit(), limit);
	assert.equal(raiseDescriptorLimit(100), 100);
});

test("the table of descriptors grows at once, and takes no descriptor", () => {
	const size = (): number =>
		Number(/^FDSize:\s*(\d+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
	const before = countDescriptors([process.pid]);
	const wanted = 2 * size();
	assert.ok(wanted <= raiseDescriptorLimit());
	growDescriptorTable(wanted);
	assert.ok(size() >= wanted, `${size()} of ${wanted}`);
	assert.equal(countDescriptors([process.pid]), before);
	// More than the limit allows is nobody's failure.
	growDescriptorTable(1 << 30);
});

test("a socket says to which port it is connected, and whether it is still being connected", (t) => {
	const kernel = newKernel(t);
	// A queue of one, which nobody takes from: the kernel drops what asks further.
	const { port } = listen(t, { backlog: 0 });
	const connectTo = (to: number): number => {
		const fd = kernel.socket(AF_INET);
		t.after(() => closeDescriptor(fd));
		kernel.connect(fd, encodeInternet(LOOPBACK, to));
		return fd;
	};
	const connected = connectTo(port);
	waitFor(kernel, connected, EPOLLOUT);
	const connecting = connectTo(port);
	const fresh = kernel.socket(AF_INET);
	t.after(() => closeDescriptor(fresh));
	assert.deepEqual([connected, connecting, fresh].map(peerPort), [port, undefined, 0]);
});
