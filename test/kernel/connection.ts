/** Two ends of one TCP connection over loopback, both made and driven by a kernel under test, in one thread. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { AF_INET, EINPROGRESS, EPOLLIN, EPOLLOUT } from "../../src/kernel/constants.js";
import { LinuxKernel } from "../../src/kernel/linux.js";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import {
	closeDescriptor,
	type Listener,
	type ListenerOptions,
	openListener,
} from "../../src/kernel/sockets.js";
import { CONNECTION } from "../support/connection-options.js";
import { PATIENCE_MS } from "../support/waiting.js";

export const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const ARENA_BYTES = 1 << 20;

export function newKernel(t: TestContext): LinuxKernel {
	const kernel = new LinuxKernel(ARENA_BYTES);
	t.after(() => kernel.dispose());
	return kernel;
}

export function listen(t: TestContext, options: Partial<ListenerOptions> = {}, count = 1): Listener {
	const listener = openListener(
		{ address: LOOPBACK, port: 0, backlog: 128, connection: CONNECTION, ...options },
		count,
	);
	t.after(() => {
		for (const fd of listener.fds) closeDescriptor(fd);
	});
	return listener;
}

/** Descriptors of a connection: the client's end, and what accept gave. Closed after the test, unless the test did. */
export interface Ends {
	readonly near: number;
	readonly far: number;
}

export function connection(t: TestContext, kernel: LinuxKernel): Ends {
	const { fds, port } = listen(t);
	const near = kernel.socket(AF_INET);
	assert.ok(near >= 0);
	assert.equal(kernel.connect(near, encodeInternet(LOOPBACK, port)), -EINPROGRESS);
	const [listener = -1] = fds;
	waitFor(kernel, listener, EPOLLIN);
	const far = kernel.accept(listener, 0);
	assert.ok(far >= 0);
	waitFor(kernel, near, EPOLLOUT);
	assert.equal(kernel.takeError(near), 0);
	return { near, far };
}

/** Waits until a descriptor has news of a kind, and returns all the news that it has. */
export function waitFor(kernel: LinuxKernel, fd: number, interest: number): number {
	assert.equal(kernel.readiness.add(fd, interest, 1, 0), 0);
	const giveUpAtMs = kernel.now() + PATIENCE_MS;
	let count = 0;
	// A signal, such as that by which a stopped process goes on, wakes it early.
	while (count === 0 && kernel.now() < giveUpAtMs) count = kernel.readiness.wait(PATIENCE_MS);
	assert.equal(count, 1, `no news of descriptor ${fd}`);
	const flags = kernel.readiness.flagsOf(0);
	kernel.readiness.remove(fd);
	return flags;
}

/** Puts a text into the arena and sends it all. */
export function say(kernel: LinuxKernel, fd: number, text: string, offset = 0): void {
	const length = put(kernel, text, offset);
	assert.equal(kernel.send(fd, offset, length), length);
}

export function put(kernel: LinuxKernel, text: string, offset: number): number {
	const bytes = Buffer.from(text, "latin1");
	kernel.memory.set(bytes, offset);
	return bytes.length;
}

export function textAt(kernel: LinuxKernel, offset: number, length: number): string {
	return Buffer.from(kernel.memory.subarray(offset, offset + length)).toString("latin1");
}
