import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import {
	connecting,
	countConnecting,
	holderOf,
	listenQueue,
	socketsOf,
	socketsTo,
	tcpCounter,
	tcpMemoryBytes,
} from "../../src/drill/kernel-tables.js";
import { closeDescriptor, openListener } from "../../src/kernel/sockets.js";
import { dial } from "../support/peers.js";
import { scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

scenario("the queue of a listener from which nobody accepts is read from outside", async (scenario) => {
	const { fds, port } = openListener(
		{
			address: Uint8Array.of(127, 0, 0, 1),
			port: 0,
			backlog: 8,
		},
		1,
	);
	scenario.defer(() => fds.forEach(closeDescriptor));
	for (let count = 0; count < 3; count++) await dial(scenario, port);
	const { depth, inodes } = listenQueue(port);
	assert.equal(depth, 3);
	assert.equal(holderOf(inodes), process.pid);
	assert.equal(connecting(port), 0);
});

scenario("sockets of datagrams are known by the port that they are connected to", async (scenario) => {
	const server = createSocket("udp4");
	scenario.defer(() => new Promise<void>((resolve) => server.close(resolve)));
	await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
	const { port } = server.address();
	assert.equal(socketsTo(port).size, 0);
	const clients = [createSocket("udp4"), createSocket("udp4")] as const;
	for (const client of clients)
		await new Promise<void>((resolve) => client.connect(port, "127.0.0.1", resolve));
	// While others close sockets of theirs a read may miss one.
	const both = await eventually(
		() => (socketsTo(port).size === 2 ? socketsTo(port) : undefined),
		() => "two sockets are not found",
	);
	const ours = socketsOf(process.pid);
	assert.ok([...both].every((inode) => ours.has(inode)));
	await new Promise<void>((resolve) => clients[0].close(resolve));
	const [left, ...others] = [...both].filter((inode) => socketsOf(process.pid).has(inode));
	assert.ok(left !== undefined);
	assert.deepEqual(others, []);
	await new Promise<void>((resolve) => clients[1].close(resolve));
	assert.equal(socketsTo(port).size, 0);
});

test("a port that nobody listens on has no queue and no holder", async () => {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as AddressInfo;
	await new Promise((resolve) => server.close(resolve));
	assert.deepEqual(listenQueue(port), { depth: 0, inodes: [] });
	assert.equal(holderOf([]), null);
});

test("a connection that the kernel's table lists twice is one", () => {
	const row = (local: string, remote: string, state: string): string[] => ["0:", local, remote, state];
	const table = [
		row("0100007F:1F90", "00000000:0000", "0A"),
		row("0100007F:9C40", "0100007F:1F90", "02"),
		row("0100007F:9C41", "0100007F:1F90", "02"),
		row("0100007F:9C42", "0100007F:1F90", "01"),
		row("0100007F:9C43", "0100007F:1F91", "02"),
	];
	assert.equal(countConnecting([...table, ...table.slice(1)], 0x1f90), 2);
});

test("counters that this kernel does not have are 0", () => {
	assert.equal(tcpCounter("NoSuchCounter"), 0);
	assert.ok(tcpCounter("ListenOverflows") >= 0);
	assert.ok(tcpMemoryBytes() >= 0);
});
