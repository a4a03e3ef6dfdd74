/** What a guard has connections inherit, read back from the kernel. Needs koffi, as the guard does for it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import type { GuardOptions } from "../../src/guard/guard.js";
import { guard, OptionError } from "../../src/guard/guard.js";
import {
	IPPROTO_TCP,
	SO_KEEPALIVE,
	SOL_SOCKET,
	TCP_KEEPCNT,
	TCP_KEEPIDLE,
	TCP_KEEPINTVL,
	TCP_NOTSENT_LOWAT,
	TCP_USER_TIMEOUT,
} from "../../src/kernel/constants.js";
import * as libc from "../../src/kernel/libc.js";
import { eventually } from "../support/waiting.js";
import { client, stand } from "./standing.js";

function optionOf(fd: number, level: number, name: number): number {
	const words = new Int32Array([0, 4]);
	const at = libc.addressOf(words);
	assert.equal(libc.getsockopt(fd, level, name, at, at + 4), 0);
	return words[0] ?? -1;
}

/** What a connection has that comes once the guard has set the listener's options. */
async function inherited(
	options: GuardOptions,
	isThere: (fd: number) => boolean,
): Promise<Record<string, number>> {
	const server = createServer((socket) => void socket.on("error", () => {}));
	let found: Record<string, number> = {};
	await stand(server, options, async ({ port }) => {
		const { fd: listening } = (server as unknown as { _handle: { fd: number } })._handle;
		await eventually(
			() => isThere(listening) || undefined,
			() => "the options on the listening socket",
		);
		const came = once(server, "connection") as Promise<[Socket & { _handle: { fd: number } }]>;
		const socket = await client(port);
		const [
			{
				_handle: { fd },
			},
		] = await came;
		found = {
			on: optionOf(fd, SOL_SOCKET, SO_KEEPALIVE),
			idle: optionOf(fd, IPPROTO_TCP, TCP_KEEPIDLE),
			interval: optionOf(fd, IPPROTO_TCP, TCP_KEEPINTVL),
			probes: optionOf(fd, IPPROTO_TCP, TCP_KEEPCNT),
			userTimeoutMs: optionOf(fd, IPPROTO_TCP, TCP_USER_TIMEOUT),
			unsent: optionOf(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT),
		};
		socket.destroy();
	});
	return found;
}

test("keepalive, user timeout and the bound on unsent bytes are those of sluice.yaml", async () => {
	const found = await inherited({}, (fd) => optionOf(fd, SOL_SOCKET, SO_KEEPALIVE) === 1);
	assert.deepEqual(found, {
		...{ on: 1, idle: 30, interval: 10, probes: 6, userTimeoutMs: 90_000, unsent: 65_536 },
	});
});

test("what is asked for otherwise holds, and keepalive may be off while unsent is bounded", async () => {
	const bounded = (fd: number): boolean => optionOf(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT) === 131_072;
	const { on, unsent } = await inherited({ keepalive: "off", limits: { unsent: "128KiB" } }, bounded);
	assert.deepEqual([on, unsent], [0, 131_072]);
});

test("fewer unsent bytes than the kernel can work with are refused", () => {
	assert.throws(
		() => guard(createServer(), { limits: { unsent: 4_096 } }),
		(error) => error instanceof OptionError && /limits\.unsent.*at least 16384/.test(error.message),
	);
});
