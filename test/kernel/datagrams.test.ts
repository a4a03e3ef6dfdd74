/** Datagrams by the real kernel: what is sent arrives as it was, and says of itself what was asked for. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { AF_INET, AF_INET6, EAGAIN, ECONNREFUSED, EMSGSIZE, EOPNOTSUPP } from "../../src/kernel/constants.js";
import { openDatagramListener } from "../../src/kernel/datagram-sockets.js";
import {
	DATAGRAM_PLACE_BYTES,
	EMPTY_PLACE,
	LOCAL_BYTES,
	SENDER_BYTES,
	SENDER_PLACES,
} from "../../src/kernel/datagrams.js";
import { LinuxKernel } from "../../src/kernel/linux.js";
import { encodeInternet, portAt } from "../../src/kernel/sockaddr.js";
import { SystemError } from "../../src/kernel/sockets.js";

const kernel = new LinuxKernel(4096);
const datagrams = kernel.openDatagrams();
after(() => kernel.dispose());

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const LOOPBACK_6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const SCRATCH = EMPTY_PLACE * DATAGRAM_PLACE_BYTES;
const NO_LOCAL = new Uint8Array(0);

function listener(address: Uint8Array | null): { fd: number; port: number } {
	const { fds, port } = openDatagramListener(
		{ address, port: 0, bindsAny: address === null, receiveBytes: null },
		1,
	);
	return { fd: fds[0] ?? -1, port };
}

function connected(address: Uint8Array, port: number, probesPath = false): number {
	const fd = datagrams.open(address.length === 4 ? AF_INET : AF_INET6, probesPath);
	assert.ok(fd >= 0);
	assert.equal(kernel.connect(fd, encodeInternet(address, port)), 0);
	return fd;
}

function write(text: string): number {
	const bytes = new TextEncoder().encode(text);
	datagrams.memory.set(bytes, SCRATCH);
	return bytes.length;
}

function text(place: number): string {
	const at = place * DATAGRAM_PLACE_BYTES;
	return new TextDecoder().decode(datagrams.memory.subarray(at, at + datagrams.lengthOf(place)));
}

for (const [name, address, bound] of [
	["IPv4", LOOPBACK, LOOPBACK],
	["IPv6", LOOPBACK_6, LOOPBACK_6],
	["IPv4 at a socket for every address", LOOPBACK, null],
	["IPv6 at a socket for every address", LOOPBACK_6, null],
] as const)
	test(`${name}: a datagram is answered from where it was sent to`, () => {
		const server = listener(bound);
		const client = connected(address, server.port);
		for (const ecn of [0, 1, 3]) {
			datagrams.add(SCRATCH, write("hello"), 5, ecn);
			assert.equal(datagrams.flush(client, 0, 1), 1);
			datagrams.clear();
			assert.equal(datagrams.receive(server.fd, 0, 32), 1);
			assert.deepEqual([text(0), datagrams.ecnOf(0), datagrams.segmentOf(0)], ["hello", ecn, 5]);
			assert.equal(datagrams.isCut(0), false);
			const local = datagrams.locals.subarray(0, 16);
			if (bound === null)
				assert.deepEqual(
					[...local.subarray(16 - address.length)],
					[...address],
					"it says where it was sent to",
				);
			else assert.ok(local.every((byte) => byte === 0));
			assert.ok(portAt(datagrams.senders, 0) > 0);
			datagrams.addTo(
				SCRATCH,
				write("answer"),
				6,
				ecn,
				datagrams.senders,
				0,
				datagrams.locals,
				bound === null ? 0 : -1,
			);
			assert.equal(datagrams.flush(server.fd, 0, 1), 1);
			datagrams.clear();
			// A connected socket takes nothing from anybody else.
			assert.equal(datagrams.receive(client, SENDER_PLACES, 4), 1);
			assert.deepEqual([text(SENDER_PLACES), datagrams.ecnOf(SENDER_PLACES)], ["answer", ecn]);
		}
		assert.equal(datagrams.receive(server.fd, 0, 4), -EAGAIN);
		kernel.close(client);
		kernel.close(server.fd);
	});

test("several datagrams travel as one message, and are cut again where they were cut", () => {
	const server = listener(LOOPBACK);
	const client = connected(LOOPBACK, server.port, true);
	const all = "a".repeat(1200) + "b".repeat(1200) + "c".repeat(100);
	datagrams.add(SCRATCH, write(all), 1200, 1);
	assert.equal(datagrams.flush(client, 0, 1), 1);
	datagrams.clear();
	const count = datagrams.receive(server.fd, 0, 32);
	const received = Array.from({ length: count }, (_, place) => text(place)).join("");
	assert.equal(received, all);
	assert.ok(datagrams.segmentOf(0) === 1200 || count === 3);
	// Sent on as it came.
	datagrams.addTo(
		...([0, datagrams.lengthOf(0), datagrams.segmentOf(0), 0, datagrams.senders, 0, NO_LOCAL, -1] as const),
	);
	assert.equal(datagrams.flush(server.fd, 0, 1), 1);
	datagrams.clear();
	assert.ok(datagrams.receive(client, SENDER_PLACES, 64) >= 1);
	kernel.close(client);
	kernel.close(server.fd);
});

test("the longest datagrams pass whole, and one that is longer is refused", () => {
	const server = listener(LOOPBACK);
	const client = connected(LOOPBACK, server.port);
	datagrams.memory.fill(7, SCRATCH, SCRATCH + 65_507);
	assert.equal(datagrams.send(client, SCRATCH, 65_507), 65_507);
	assert.equal(datagrams.receive(server.fd, 3, 1), 1);
	assert.deepEqual([datagrams.lengthOf(3), datagrams.isCut(3)], [65_507, false]);
	assert.equal(datagrams.send(client, SCRATCH, 65_508), -EMSGSIZE);
	kernel.close(client);
	kernel.close(server.fd);
});

/** On a machine that is busy, what was sent over loopback may come a little later. */
function receiveUntil(wanted: number, receive: (came: number) => number): void {
	const untilMs = Date.now() + 5_000;
	for (let came = 0; came < wanted; came += Math.max(0, receive(came)))
		assert.ok(Date.now() < untilMs, `${came} of ${wanted} came`);
}

test("many are received with one call, each with its sender; what found no room is counted", () => {
	const { fds, port } = openDatagramListener(
		{ address: LOOPBACK, port: 0, bindsAny: false, receiveBytes: 4096 },
		1,
	);
	const fd = fds[0] ?? -1;
	const clients = [connected(LOOPBACK, port), connected(LOOPBACK, port)];
	for (const [index, client] of clients.entries()) datagrams.send(client, SCRATCH, write(`client ${index}`));
	receiveUntil(2, (came) => datagrams.receive(fd, came, 32 - came));
	assert.deepEqual([text(0), text(1)], ["client 0", "client 1"]);
	assert.notEqual(portAt(datagrams.senders, 0), portAt(datagrams.senders, SENDER_BYTES));
	for (let i = 0; i < 100; i++) datagrams.send(clients[0] ?? -1, SCRATCH, write("x".repeat(1000)));
	let received = 0;
	for (let count = 1; count > 0; received += Math.max(0, count)) count = datagrams.receive(fd, 0, 32);
	assert.ok(received < 100);
	datagrams.send(clients[0] ?? -1, SCRATCH, write("after"));
	assert.equal(datagrams.receive(fd, 0, 1), 1);
	assert.equal(datagrams.droppedOf(0), 100 - received);
	for (const client of clients) kernel.close(client);
	kernel.close(fd);
});

test("where nobody listens, a connected socket is told, and goes on", () => {
	const server = listener(LOOPBACK);
	kernel.close(server.fd);
	const client = connected(LOOPBACK, server.port);
	assert.equal(datagrams.send(client, SCRATCH, write("anybody?")), 8);
	assert.equal(datagrams.receive(client, SENDER_PLACES, 1), -ECONNREFUSED);
	assert.equal(datagrams.receive(client, SENDER_PLACES, 1), -EAGAIN);
	kernel.close(client);
});

test("a port that another socket holds is an error; sockets of one listener share it", () => {
	const options = { address: LOOPBACK, port: 0, bindsAny: false, receiveBytes: null };
	const { fds, port } = openDatagramListener(options, 3);
	assert.equal(fds.length, 3);
	assert.throws(
		() => openDatagramListener({ ...options, port }, 1),
		(error) => error instanceof SystemError && error.code === "EADDRINUSE",
	);
	for (const fd of fds) kernel.close(fd);
});

/** On a machine that is busy, what was sent over loopback may be there a little later. */
const PATIENCE_MS = 5_000;

/** Which of them has received something. */
function receiver(fds: readonly number[]): number {
	for (const untilMs = Date.now() + PATIENCE_MS; ; assert.ok(Date.now() < untilMs, "somebody receives it")) {
		const fd = fds.find((each) => datagrams.receive(each, 0, 1) === 1);
		if (fd !== undefined) return fd;
	}
}

for (const [name, bound, address] of [
	["an address of IPv4", LOOPBACK, LOOPBACK],
	["an address of IPv6", LOOPBACK_6, LOOPBACK_6],
	["every address, asked over IPv4", null, LOOPBACK],
	["every address, asked over IPv6", null, LOOPBACK_6],
] as const)
	test(`a socket beside those of ${name} hears one client, and changes nothing for the others`, () => {
		const { fds, port } = openDatagramListener(
			{ address: bound, port: 0, bindsAny: bound === null, receiveBytes: null },
			3,
		);
		const clients = Array.from({ length: 24 }, () => connected(address, port));
		const ears: number[] = [];
		const hearing = (): Map<number, number> => {
			const heard = new Map<number, number>();
			for (const [index, client] of clients.entries()) {
				datagrams.send(client, SCRATCH, write(`${index}`));
				heard.set(index, receiver([...fds, ...ears]));
				assert.equal(text(0), `${index}`);
			}
			for (const fd of [...fds, ...ears])
				assert.equal(datagrams.receive(fd, 0, 1), -EAGAIN, "each is heard once");
			return heard;
		};
		const before = hearing();
		for (let count = 0; count < 4; count++) {
			datagrams.send(clients[count] as number, SCRATCH, write("who"));
			const fd = receiver(fds);
			const localAt = bound === null ? 0 : -1;
			const ear = datagrams.openBeside(fd, datagrams.senders, 0, datagrams.locals, localAt);
			// Before Linux 6.13 there is none, because the others would change places.
			if (ear === -EOPNOTSUPP) break;
			assert.ok(ear >= 0, `errno ${-ear}`);
			ears.push(ear);
			before.set(count, ear);
			assert.deepEqual(hearing(), before);
		}
		for (const fd of [...clients, ...fds, ...ears]) kernel.close(fd);
	});

test("a place says nothing of the message that was there before", () => {
	const server = listener(null);
	const client = connected(LOOPBACK, server.port);
	datagrams.add(SCRATCH, write("first"), 5, 3);
	datagrams.flush(client, 0, 1);
	datagrams.clear();
	datagrams.receive(server.fd, 5, 1);
	assert.equal(datagrams.ecnOf(5), 3);
	const other = listener(LOOPBACK);
	const second = connected(LOOPBACK, other.port);
	datagrams.send(second, SCRATCH, write("second"));
	assert.equal(datagrams.receive(other.fd, 5, 1), 1);
	assert.deepEqual([text(5), datagrams.ecnOf(5)], ["second", 0]);
	assert.ok(datagrams.locals.subarray(5 * LOCAL_BYTES, 6 * LOCAL_BYTES).every((byte) => byte === 0));
	for (const fd of [server.fd, client, other.fd, second]) kernel.close(fd);
});
