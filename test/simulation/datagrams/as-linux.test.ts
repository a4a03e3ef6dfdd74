/** What the simulated kernel says of datagrams is what Linux says: each of these holds on both. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
	AF_INET,
	AF_INET6,
	EAGAIN,
	ECONNREFUSED,
	EINVAL,
	EMSGSIZE,
	EPOLLERR,
	EPOLLIN,
} from "../../../src/kernel/constants.js";
import { openDatagramListener } from "../../../src/kernel/datagram-sockets.js";
import {
	DATAGRAM_PLACE_BYTES,
	type Datagrams,
	EMPTY_PLACE,
	LOCAL_BYTES,
	SENDER_BYTES,
	SENDER_PLACES,
} from "../../../src/kernel/datagrams.js";
import type { Kernel } from "../../../src/kernel/kernel.js";
import { LinuxKernel } from "../../../src/kernel/linux.js";
import { encodeInternet, portAt } from "../../../src/kernel/sockaddr.js";
import { Random } from "../../../src/rig/random.js";
import { CALM } from "../faults.js";
import { SimulatedKernel } from "../simulated-kernel.js";
import { Trace } from "../trace.js";
import { DATAGRAM_CALM, type DatagramFaults } from "./datagram-faults.js";
import { DatagramKernel } from "./datagram-kernel.js";
import { SimulatedDatagramSocket } from "./datagram-socket.js";
import { endpoint } from "./endpoints.js";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const LOOPBACK_6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const SCRATCH = EMPTY_PLACE * DATAGRAM_PLACE_BYTES;
const NO_LOCAL = new Uint8Array(0);

/** A kernel, and what is beside its interface: sockets that others open, and time for datagrams to arrive. */
abstract class Machine {
	abstract readonly kernel: Kernel;
	abstract readonly datagrams: Datagrams;
	/** `null`: to every address. */
	abstract bind(address: Uint8Array | null, receiveBytes?: number): { fd: number; port: number };
	abstract unbind(fd: number): void;
	abstract arrive(): void;

	connected(address: Uint8Array, port: number, probesPath = false): number {
		const fd = this.datagrams.open(address.length === 4 ? AF_INET : AF_INET6, probesPath);
		assert.ok(fd >= 0);
		assert.equal(this.kernel.connect(fd, encodeInternet(address, port)), 0);
		return fd;
	}

	/** A socket that nobody listens at the other end of, and that has been told so. */
	refused(): number {
		const server = this.bind(LOOPBACK);
		this.unbind(server.fd);
		const client = this.connected(LOOPBACK, server.port);
		assert.equal(this.send(client, "anybody?"), 8);
		return client;
	}

	write(text: string, at = SCRATCH): number {
		const bytes = new TextEncoder().encode(text);
		this.datagrams.memory.set(bytes, at);
		return bytes.length;
	}

	send(fd: number, text: string): number {
		const sent = this.datagrams.send(fd, SCRATCH, this.write(text));
		this.arrive();
		return sent;
	}

	/** Sends what was added. */
	flush(fd: number, first = 0): number {
		const count = this.datagrams.flush(fd, first, this.datagrams.added - first);
		this.arrive();
		return count;
	}

	receive(fd: number, first: number, most: number): number | string[] {
		const count = this.datagrams.receive(fd, first, most);
		return count < 0 ? count : Array.from({ length: count }, (_, i) => this.text(first + i));
	}

	text(place: number): string {
		const at = place * DATAGRAM_PLACE_BYTES;
		return new TextDecoder().decode(this.datagrams.memory.subarray(at, at + this.datagrams.lengthOf(place)));
	}
}

class Linux extends Machine {
	readonly kernel = new LinuxKernel(4096);
	readonly datagrams = this.kernel.openDatagrams();

	bind(address: Uint8Array | null, receiveBytes: number | null = null): { fd: number; port: number } {
		const { fds, port } = openDatagramListener(
			{ address, port: 0, bindsAny: address === null, receiveBytes },
			1,
		);
		return { fd: fds[0] ?? -1, port };
	}

	unbind(fd: number): void {
		this.kernel.close(fd);
	}

	arrive(): void {
		// Over the loopback device it has arrived when the call returns.
	}
}

class Simulated extends Machine {
	readonly kernel = new SimulatedKernel(new Random(1), CALM, new Trace(), 4096, 1_000);
	readonly side = new DatagramKernel(this.kernel, new Random(2), new Trace());
	readonly datagrams = this.side.openDatagrams();
	#port = 40_000;

	constructor() {
		super();
		this.kernel.datagrams = this.side;
	}

	bind(address: Uint8Array | null, receiveBytes?: number): { fd: number; port: number } {
		const port = this.#port++;
		const locals = (address === null ? [LOOPBACK, LOOPBACK_6] : [address]).map((each) =>
			endpoint(each, port),
		);
		const family = address?.length === 4 ? AF_INET : AF_INET6;
		const socket = new SimulatedDatagramSocket(family, false, locals, address === null);
		if (receiveBytes !== undefined) socket.capacity = receiveBytes;
		return { fd: this.side.bind(socket), port };
	}

	unbind(fd: number): void {
		this.side.unbind(fd);
	}

	arrive(): void {
		this.side.network.deliver(1_000);
	}
}

const MACHINES: readonly (readonly [string, () => Machine])[] = [
	["Linux", () => new Linux()],
	["the simulated kernel", () => new Simulated()],
];

function onBoth(name: string, holds: (machine: Machine) => void): void {
	for (const [kernel, make] of MACHINES) test(`${kernel}: ${name}`, () => holds(make()));
}

for (const [name, address, bound] of [
	["IPv4", LOOPBACK, LOOPBACK],
	["IPv6", LOOPBACK_6, LOOPBACK_6],
	["IPv4 at a socket for every address", LOOPBACK, null],
	["IPv6 at a socket for every address", LOOPBACK_6, null],
] as const)
	onBoth(`${name}: a datagram is answered from where it was sent to`, (machine) => {
		const { datagrams } = machine;
		const server = machine.bind(bound);
		const client = machine.connected(address, server.port);
		for (const ecn of [0, 1, 3]) {
			datagrams.add(SCRATCH, machine.write("hello"), 5, ecn);
			assert.equal(machine.flush(client), 1);
			datagrams.clear();
			assert.deepEqual(machine.receive(server.fd, 2, 30), ["hello"]);
			assert.deepEqual([datagrams.ecnOf(2), datagrams.segmentOf(2), datagrams.isCut(2)], [ecn, 5, false]);
			const local = datagrams.locals.subarray(2 * LOCAL_BYTES, 2 * LOCAL_BYTES + 16);
			if (bound === null) assert.deepEqual([...local.subarray(16 - address.length)], [...address]);
			else assert.ok(local.every((byte) => byte === 0));
			const localAt = bound === null ? 2 * LOCAL_BYTES : -1;
			const length = machine.write("answer");
			datagrams.addTo(
				SCRATCH,
				length,
				length,
				ecn,
				datagrams.senders,
				2 * SENDER_BYTES,
				datagrams.locals,
				localAt,
			);
			assert.equal(machine.flush(server.fd), 1);
			datagrams.clear();
			assert.deepEqual(machine.receive(client, SENDER_PLACES, 4), ["answer"]);
			assert.equal(datagrams.ecnOf(SENDER_PLACES), ecn);
		}
		assert.equal(machine.receive(server.fd, 0, 4), -EAGAIN);
	});

onBoth("several datagrams in one message are put together again, or come one by one", (machine) => {
	const { datagrams } = machine;
	const server = machine.bind(LOOPBACK);
	const client = machine.connected(LOOPBACK, server.port);
	const all = "a".repeat(1200) + "b".repeat(1200) + "c".repeat(100);
	datagrams.add(SCRATCH, machine.write(all), 1200, 0);
	assert.equal(machine.flush(client), 1);
	datagrams.clear();
	const received = machine.receive(server.fd, 0, 32);
	assert.ok(Array.isArray(received));
	assert.equal(received.join(""), all);
	assert.ok(received.length === 3 || (received.length === 1 && datagrams.segmentOf(0) === 1200));
});

onBoth("messages that are joined are the datagrams that they were", (machine) => {
	const { datagrams } = machine;
	const server = machine.bind(null);
	const client = machine.connected(LOOPBACK, server.port);
	const texts = ["a".repeat(1200), "b".repeat(2400), "c".repeat(100)];
	let at = SCRATCH;
	for (const [index, text] of texts.entries()) {
		const length = machine.write(text, at);
		if (index === 0) datagrams.add(at, length, 1200, 1);
		else datagrams.join(at, length, 1200);
		// Beside each other they would be one piece.
		at += length + 1000;
	}
	assert.equal(datagrams.added, 1);
	datagrams.add(SCRATCH, machine.write("alone", at), 5, 0);
	assert.equal(machine.flush(client), 2);
	assert.equal(textOf(machine, server.fd), `${texts.join("")}aaaaa`);

	// What is left of the first is one datagram, and the other is as it was.
	datagrams.narrow(0, at, 5);
	assert.equal(machine.flush(client), 2);
	assert.equal(textOf(machine, server.fd), "aloneaaaaa");
	datagrams.clear();

	// Answered in the same way, from the address that it was sent to.
	const names = [datagrams.senders, 0, datagrams.locals, 0] as const;
	datagrams.addTo(SCRATCH, 3, 3, 2, ...names);
	datagrams.join(at, 3, 3);
	assert.equal(machine.flush(server.fd), 1);
	datagrams.clear();
	const received = machine.receive(client, SENDER_PLACES, 4);
	assert.equal(Array.isArray(received) ? received.join("") : received, "aaaalo");
	assert.equal(datagrams.ecnOf(SENDER_PLACES), 2);
});

/** All that is there, one behind the other. */
function textOf(machine: Machine, fd: number): string {
	const received = machine.receive(fd, 0, 32);
	assert.ok(Array.isArray(received), String(received));
	return received.join("");
}

onBoth("segments of which there are too many are refused", (machine) => {
	const { datagrams } = machine;
	const server = machine.bind(LOOPBACK);
	const client = machine.connected(LOOPBACK, server.port);
	datagrams.add(SCRATCH, 2_000, 5, 0);
	assert.equal(machine.flush(client), -EINVAL);
	assert.equal(machine.receive(server.fd, 0, 1), -EAGAIN);
});

onBoth(
	"the longest datagram passes whole, and one that is longer does not; one of no bytes is one",
	(machine) => {
		const { datagrams } = machine;
		const server = machine.bind(LOOPBACK);
		const client = machine.connected(LOOPBACK, server.port);
		assert.equal(datagrams.send(client, SCRATCH, 65_507), 65_507);
		assert.equal(datagrams.send(client, SCRATCH, 65_508), -EMSGSIZE);
		assert.equal(datagrams.send(client, SCRATCH, 0), 0);
		machine.arrive();
		assert.equal(datagrams.receive(server.fd, 3, 5), 2);
		assert.deepEqual([datagrams.lengthOf(3), datagrams.isCut(3)], [65_507, false]);
		assert.deepEqual([datagrams.lengthOf(4), datagrams.segmentOf(4), datagrams.isCut(4)], [0, 0, false]);
	},
);

onBoth(
	"of messages that are sent at once, one that is refused ends the call, and the rest can follow",
	(machine) => {
		const { datagrams } = machine;
		const server = machine.bind(LOOPBACK);
		const client = machine.connected(LOOPBACK, server.port);
		for (const length of [3, 65_508, 4]) datagrams.add(SCRATCH, length, length, 0);
		assert.equal(datagrams.added, 3);
		assert.deepEqual(
			[machine.flush(client), machine.flush(client, 1), machine.flush(client, 2)],
			[1, -EMSGSIZE, 1],
		);
		datagrams.clear();
		assert.equal(datagrams.added, 0);
		assert.equal(datagrams.receive(server.fd, 0, 32), 2);
		assert.deepEqual([datagrams.lengthOf(0), datagrams.lengthOf(1)], [3, 4]);
	},
);

onBoth("what finds no room is counted with the next that does", (machine) => {
	const { datagrams } = machine;
	const server = machine.bind(LOOPBACK, 4_096);
	const client = machine.connected(LOOPBACK, server.port);
	machine.send(client, "first");
	assert.deepEqual(machine.receive(server.fd, 0, 32), ["first"]);
	assert.equal(datagrams.droppedOf(0), -1);
	for (let i = 0; i < 100; i++) machine.send(client, "x".repeat(1_000));
	let received = 0;
	for (let count = 1; count > 0; received += Math.max(0, count)) count = datagrams.receive(server.fd, 0, 32);
	assert.ok(received > 0 && received < 100);
	machine.send(client, "after");
	assert.deepEqual(machine.receive(server.fd, 0, 1), ["after"]);
	assert.equal(datagrams.droppedOf(0), 100 - received);
});

onBoth("that nobody listens is told once: to a read", (machine) => {
	const client = machine.refused();
	assert.equal(machine.receive(client, SENDER_PLACES, 1), -ECONNREFUSED);
	assert.equal(machine.receive(client, SENDER_PLACES, 1), -EAGAIN);
	assert.equal(machine.send(client, "anybody now?"), 12);
});

onBoth("… or to the next send, which has sent nothing then", (machine) => {
	const client = machine.refused();
	assert.equal(machine.send(client, "anybody now?"), -ECONNREFUSED);
	assert.equal(machine.receive(client, SENDER_PLACES, 1), -EAGAIN);
	assert.equal(machine.send(client, "anybody now?"), 12);
	assert.equal(machine.receive(client, SENDER_PLACES, 1), -ECONNREFUSED);
});

onBoth("… or to many at once, of which none has gone", (machine) => {
	const { datagrams } = machine;
	const client = machine.refused();
	for (const length of [3, 4]) datagrams.add(SCRATCH, length, length, 0);
	assert.equal(machine.flush(client), -ECONNREFUSED);
	assert.equal(machine.receive(client, SENDER_PLACES, 1), -EAGAIN);
});

onBoth("… or to who asks for it", (machine) => {
	const client = machine.refused();
	assert.equal(machine.kernel.takeError(client), ECONNREFUSED);
	assert.equal(machine.kernel.takeError(client), 0);
	assert.equal(machine.receive(client, SENDER_PLACES, 1), -EAGAIN);
});

onBoth("what was answered before is not lost by it", (machine) => {
	const { datagrams } = machine;
	const server = machine.bind(LOOPBACK);
	const client = machine.connected(LOOPBACK, server.port);
	machine.send(client, "question");
	assert.deepEqual(machine.receive(server.fd, 0, 1), ["question"]);
	datagrams.addTo(SCRATCH, machine.write("answer"), 6, 0, datagrams.senders, 0, NO_LOCAL, -1);
	assert.equal(machine.flush(server.fd), 1);
	datagrams.clear();
	machine.unbind(server.fd);
	machine.send(client, "another");
	assert.equal(machine.receive(client, SENDER_PLACES, 4), -ECONNREFUSED);
	assert.deepEqual(machine.receive(client, SENDER_PLACES, 4), ["answer"]);
});

onBoth("a connected socket takes nothing from anybody else", (machine) => {
	const { datagrams } = machine;
	const server = machine.bind(LOOPBACK);
	const other = machine.bind(LOOPBACK);
	const client = machine.connected(LOOPBACK, server.port);
	machine.send(client, "question");
	machine.receive(server.fd, 0, 1);
	assert.ok(portAt(datagrams.senders, 0) > 0);
	datagrams.addTo(SCRATCH, machine.write("forged"), 6, 0, datagrams.senders, 0, NO_LOCAL, -1);
	assert.equal(machine.flush(other.fd), 1);
	datagrams.clear();
	assert.equal(machine.receive(client, SENDER_PLACES, 4), -EAGAIN);
});

onBoth("what waits is news as long as it waits, and so is a refusal", (machine) => {
	const { readiness } = machine.kernel;
	const server = machine.bind(LOOPBACK);
	assert.equal(readiness.add(server.fd, EPOLLIN, 7, 1), 0);
	assert.equal(readiness.wait(0), 0);
	const client = machine.connected(LOOPBACK, server.port);
	machine.send(client, "one");
	machine.send(client, "two");
	for (const left of ["one", "two"]) {
		assert.deepEqual([readiness.wait(0), readiness.slotOf(0), readiness.flagsOf(0)], [1, 7, EPOLLIN]);
		assert.deepEqual(machine.receive(server.fd, 0, 1), [left]);
	}
	assert.equal(readiness.wait(0), 0);
	const refused = machine.refused();
	assert.equal(readiness.add(refused, EPOLLIN, 8, 1), 0);
	for (let i = 0; i < 2; i++)
		assert.deepEqual(
			[readiness.wait(0), readiness.slotOf(0), readiness.flagsOf(0) & EPOLLERR],
			[1, 8, EPOLLERR],
		);
	machine.receive(refused, SENDER_PLACES, 1);
	assert.equal(readiness.wait(0), 0);
});

test("the simulated kernel puts datagrams of one sender together, as Linux does with some", () => {
	const machine = new Simulated();
	const { datagrams } = machine;
	machine.side.network.faults = { ...DATAGRAM_CALM, merged: 1 };
	const server = machine.bind(LOOPBACK);
	const [one, other] = [machine.connected(LOOPBACK, server.port), machine.connected(LOOPBACK, server.port)];
	for (const text of ["aaa", "bbb", "c", "ddd", "eeee"]) machine.send(one, text);
	machine.send(other, "fff");
	datagrams.add(SCRATCH, machine.write("ggg"), 3, 2);
	machine.flush(other);
	assert.deepEqual(machine.receive(server.fd, 0, 32), ["aaabbbc", "ddd", "eeee", "fff", "ggg"]);
	assert.deepEqual(
		[0, 1, 2, 3, 4].map((place) => datagrams.segmentOf(place)),
		[3, 3, 4, 3, 3],
	);
	assert.deepEqual(
		[3, 4].map((place) => datagrams.ecnOf(place)),
		[0, 2],
	);
});

test("on the simulated network datagrams are lost, doubled, overtaken and spoilt, and sends fail, as often as is said", () => {
	const machine = new Simulated();
	const { datagrams, side } = machine;
	const server = machine.bind(LOOPBACK);
	const client = machine.connected(LOOPBACK, server.port);
	const heard = (faults: Partial<DatagramFaults>): string[] => {
		side.network.faults = { ...DATAGRAM_CALM, ...faults };
		for (let i = 0; i < 30; i++) datagrams.send(client, SCRATCH, machine.write(`${i}`));
		machine.arrive();
		const received = machine.receive(server.fd, 0, 32);
		return Array.isArray(received) ? received : [];
	};
	const all = Array.from({ length: 30 }, (_, i) => `${i}`);
	const some = (text: string[]) => text.length > 0 && text.length < 30;
	assert.deepEqual(heard({}), all);
	assert.deepEqual(heard({ lost: 1 }), []);
	assert.deepEqual(heard({ corrupt: 1 }), []);
	for (const fault of ["lost", "corrupt", "noRoom", "noMemory", "forbidden"] as const)
		assert.ok(some(heard({ [fault]: 0.3 })), fault);
	assert.deepEqual(heard({ doubled: 1 }).slice(0, 4), ["0", "0", "1", "1"]);
	assert.ok(datagrams.receive(server.fd, 0, 32) > 0);
	const overtaken = heard({ overtaken: 0.5 });
	assert.notDeepEqual(overtaken, all);
	assert.deepEqual(
		overtaken.map(Number).sort((one, other) => one - other),
		all.map(Number),
	);
});

test("a way that takes less says so: the first device at once, and whoever is far by and by", () => {
	const machine = new Simulated();
	const { network } = machine.side;
	const heard: number[] = [];
	for (const [port, isFar] of [
		[1, false],
		[2, true],
	] as const)
		network.hosts.set(endpoint(LOOPBACK, port).key, {
			pathBytes: 1_200,
			isFar,
			hears: ({ bytes }) => heard.push(bytes.length) > 0,
		});
	const long = "x".repeat(1_201);
	for (const probesPath of [false, true]) {
		const near = machine.connected(LOOPBACK, 1, probesPath);
		assert.equal(machine.send(near, long), probesPath ? -EMSGSIZE : 1_201);
		const far = machine.connected(LOOPBACK, 2, probesPath);
		assert.equal(machine.send(far, long), 1_201);
		assert.equal(machine.receive(far, SENDER_PLACES, 1), probesPath ? -EMSGSIZE : -EAGAIN);
	}
	assert.deepEqual(heard, [1_201, 1_201]);
});
