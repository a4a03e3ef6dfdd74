/** Half-open connections, as the kernel tells of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AF_INET, AF_INET6, IPPROTO_TCP } from "../../src/kernel/constants.js";
import { type HalfOpen, halfOpenConnections } from "../../src/kernel/half-open.js";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import { setOption } from "../../src/kernel/sockets.js";
import { countDescriptors } from "../../src/rig/proc.js";
import { notRunBecause } from "../support/needs.js";
import { eventually } from "../support/waiting.js";
import { LOOPBACK, listen, newKernel } from "./connection.js";

/** The kernel takes a handshake as over when the first bytes have come, or after so many seconds. */
const TCP_DEFER_ACCEPT = 9;
const V6_LOOPBACK = Uint8Array.of(...new Array<number>(15).fill(0), 1);

/** More than one piece of the kernel's answer holds. */
const COUNT = 400;

function onPort(port: number): HalfOpen[] {
	return halfOpenConnections(new Set([AF_INET, AF_INET6])).filter((each) => each.port === port);
}

for (const [family, address, name] of [
	[AF_INET, LOOPBACK, "IPv4"],
	[AF_INET6, V6_LOOPBACK, "IPv6"],
] as const)
	test(`connections whose handshake is not over are counted by where they came to, over ${name}`, {
		skip: family === AF_INET6 ? (notRunBecause("half-open IPv6", ["ipv6"]) ?? false) : false,
	}, async (t) => {
		const kernel = newKernel(t);
		const { fds, port } = listen(t, { address, backlog: 1_024 }, 2);
		for (const fd of fds) setOption(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 30);
		assert.deepEqual(onPort(port), []);
		const descriptors = countDescriptors([process.pid]);
		const clients = Array.from({ length: COUNT }, () => kernel.socket(family));
		t.after(() => {
			for (const fd of clients) kernel.reset(fd);
		});
		for (const fd of clients) kernel.connect(fd, encodeInternet(address, port));
		// One says something, and is half-open no more.
		kernel.memory.fill(1, 0, 1);
		const [first = -1] = clients;
		await eventually(
			() => (kernel.send(first, 0, 1) === 1 ? true : undefined),
			() => "it is not connected",
		);
		const found = await eventually(
			() => {
				const now = onPort(port);
				return now[0]?.count === COUNT - 1 ? now : undefined;
			},
			() => `other half-open connections: ${JSON.stringify(onPort(port))}`,
		);
		assert.deepEqual(found, [{ address: Uint8Array.from(address), port, count: COUNT - 1 }]);
		assert.equal(countDescriptors([process.pid]), descriptors + clients.length);
	});
