/** For how long a connection has waited to be accepted: what the kernel tells is held against the clock. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { AF_INET, EINPROGRESS, EPOLLIN, EPOLLOUT, IPPROTO_TCP } from "../../src/kernel/constants.js";
import type { LinuxKernel } from "../../src/kernel/linux.js";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import { LOOPBACK, listen, newKernel, say, waitFor } from "./connection.js";

const TCP_DEFER_ACCEPT = 9;

/** The kernel counts in ticks of up to 10 ms: the time of each end is known to one of them. */
const TICKS_MS = 20;

const WAIT_MS = 120;

/**
 * Connects, leaves the connection in the queue while `meanwhile` lasts, and holds the kernel's figure against the time since the
 * handshake, or since `meanwhile` says that the connection was ready.
 */
async function checkWait(
	t: TestContext,
	listener: { fd: number; port: number },
	meanwhile: (kernel: LinuxKernel, client: number) => Promise<number | undefined>,
): Promise<void> {
	const kernel = newKernel(t);
	const client = kernel.socket(AF_INET);
	t.after(() => kernel.close(client));
	const beganMs = kernel.now();
	assert.equal(kernel.connect(client, encodeInternet(LOOPBACK, listener.port)), -EINPROGRESS);
	waitFor(kernel, client, EPOLLOUT);
	const shakenMs = kernel.now();
	const readyMs = await meanwhile(kernel, client);
	waitFor(kernel, listener.fd, EPOLLIN);
	const accepted = kernel.accept(listener.fd, 0);
	assert.ok(accepted >= 0);
	t.after(() => kernel.close(accepted));
	const beforeMs = kernel.now();
	const waitedMs = kernel.readyForMs(accepted);
	const afterMs = kernel.now();
	const least = beforeMs - (readyMs ?? shakenMs) - TICKS_MS;
	const most = afterMs - (readyMs === undefined ? beganMs : shakenMs) + TICKS_MS;
	assert.ok(waitedMs >= least && waitedMs <= most, `${waitedMs} is not within ${least} and ${most}`);
	if (readyMs !== undefined) assert.ok(waitedMs < afterMs - shakenMs - WAIT_MS / 2, `${waitedMs} ms`);
}

test("it counts from the end of the handshake, whether the client is silent, speaks or ends", async (t) => {
	const { fds, port } = listen(t);
	const listener = { fd: fds[0] ?? -1, port };
	await checkWait(t, listener, async () => undefined);
	await checkWait(t, listener, async () => {
		await sleep(WAIT_MS);
		return undefined;
	});
	await checkWait(t, listener, async (kernel, client) => {
		await sleep(WAIT_MS / 2);
		say(kernel, client, "hello");
		await sleep(WAIT_MS / 2);
		return undefined;
	});
	await checkWait(t, listener, async (kernel, client) => {
		await sleep(WAIT_MS / 2);
		kernel.shutdownWrite(client);
		await sleep(WAIT_MS / 2);
		return undefined;
	});
});

test("where acceptance is deferred until the client speaks, it counts from there", async (t) => {
	const { fds, port } = listen(t);
	const listener = { fd: fds[0] ?? -1, port };
	assert.equal(newKernel(t).setOption(listener.fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5), 0);
	await checkWait(t, listener, async (kernel, client) => {
		await sleep(WAIT_MS);
		say(kernel, client, "hello");
		const readyMs = kernel.now();
		await sleep(10);
		return readyMs;
	});
});

test("what is no TCP connection does not know", (t) => {
	const kernel = newKernel(t);
	assert.ok(kernel.readyForMs(-1) < 0);
	const pipe = kernel.openPipe();
	t.after(() => {
		kernel.close(pipe);
		kernel.close(kernel.pipeWriteEnd);
	});
	assert.ok(kernel.readyForMs(pipe) < 0);
});
