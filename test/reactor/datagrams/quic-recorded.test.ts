import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { LongPacket, parseLongPacket } from "../../../src/protocol/quic/long-packet.js";
import { clientDatagrams, conversation, flights, vector } from "../../protocol/quic/fixtures.js";
import { concat, latin1 } from "../../protocol/samples.js";
import { CLIENT, MEMORY_BYTES, peerAt, Rig } from "./rig.js";

const rig = new Rig();
after(() => rig.dispose());
afterEach(() => {
	assert.equal(rig.halves.count, 0, "nothing is left of a hello that was routed");
});

function changed(bytes: Uint8Array, index: number, mask: number): Uint8Array {
	const copy = bytes.slice();
	copy[index] = (copy[index] as number) ^ mask;
	return copy;
}

/** How many bytes at the beginning of a datagram are its first packet. */
function firstPacketBytes(datagram: Uint8Array): number {
	const packet = new LongPacket();
	parseLongPacket(datagram, 0, datagram.length, packet);
	return packet.end;
}

for (const { client, serverName, alpn, datagrams } of flights()) {
	const orders = datagrams.length === 1 ? [datagrams] : [datagrams, datagrams.toReversed()];

	test(`${client}: the name is known with the last datagram, in whichever order they come`, () => {
		for (const order of orders) {
			for (const early of order.slice(0, -1)) assert.equal(rig.hear(early).verdict, "more");
			const said = rig.hear(order.at(-1) as Uint8Array);
			const held = order.slice(0, -1);
			assert.deepEqual(said, { verdict: "complete", protocol: "quic", name: serverName, alpn, held });
		}
	});

	test(`${client}: datagrams that come twice are held once`, () => {
		for (const order of orders) {
			for (const early of order.slice(0, -1))
				for (let i = 0; i < 5; i++) assert.equal(rig.hear(early).verdict, "more");
			const said = rig.hear(order.at(-1) as Uint8Array);
			assert.deepEqual([said.name, said.held.length], [serverName, order.length - 1]);
		}
	});

	test(`${client}: no datagram that was cut short says anything`, () => {
		for (const datagram of datagrams) {
			for (let length = 0; length < datagram.length; length++) {
				const said = rig.hear(datagram.subarray(0, length));
				assert.equal(said.name, undefined, `${length} bytes`);
				if (said.verdict === "more") assert.ok(length >= 1200 && length >= firstPacketBytes(datagram));
			}
			rig.forget();
		}
	});

	test(`${client}: with any byte changed it is not routed, and comes through all the same when it is sent again`, () => {
		for (const [number, datagram] of datagrams.entries()) {
			const others = datagrams.filter((_, i) => i !== number);
			const size = firstPacketBytes(datagram);
			for (let index = 0; index < size; index++) {
				for (const other of others) rig.hear(other);
				const said = rig.hear(changed(datagram, index, 1 << (index % 8)));
				assert.equal(said.name, undefined, `byte ${index} of datagram ${number}`);
				// One is routed without a name: whose first bit says that it is no packet of this kind.
				assert.ok(said.verdict !== "complete" || index === 0, `byte ${index} of datagram ${number}`);
				assert.equal(rig.hear(datagram).name, serverName, `byte ${index} of datagram ${number}`);
			}
		}
	});
}

test("flights of all clients at once are told apart by their connection IDs, from one address and from many", () => {
	for (const isOne of [true, false]) {
		const all = flights();
		const longest = Math.max(...all.map(({ datagrams }) => datagrams.length));
		const named = new Map<string, string | undefined>();
		for (let number = 0; number < longest; number++)
			for (const [i, { client, datagrams }] of all.entries()) {
				const datagram = datagrams[number];
				if (datagram === undefined) continue;
				const peer = isOne ? CLIENT : peerAt([198, 51, 100, i]);
				const said = rig.hear(datagram, peer);
				if (said.verdict === "complete") named.set(client, said.name);
			}
		assert.deepEqual(named, new Map(all.map(({ client, serverName }) => [client, serverName])));
	}
});

test("a second half from elsewhere, or with another port, does not complete a first one", () => {
	const flight = flights().find(({ datagrams }) => datagrams.length === 2) ?? assert.fail("there is one");
	const [first = assert.fail(), second = assert.fail()] = flight.datagrams;
	rig.hear(first);
	for (const peer of [peerAt([192, 0, 2, 2]), peerAt([192, 0, 2, 1], 4434), peerAt(Array(16).fill(0))])
		assert.equal(rig.hear(second, peer).verdict, "more");
	assert.equal(rig.hear(second).name, flight.serverName);
	rig.forget();
});

test("both RFCs' client Initials ask for example.com; their other packets ask for nothing", () => {
	for (const version of ["v1", "v2"]) {
		const said = rig.hear(vector(`${version}.client_initial`));
		assert.deepEqual([said.verdict, said.name], ["complete", "example.com"]);
		// Too short a datagram, as the server's; filled up, it does not open with a client's keys.
		const server = vector(`${version}.server_initial`);
		assert.equal(rig.hear(server).verdict, "datagram_too_short");
		const filled = rig.hear(concat(server, new Uint8Array(1200)));
		assert.equal(filled.verdict, "connection_id_length");
		assert.equal(rig.hear(vector(`${version}.retry`)).verdict, "no_initial");
	}
	// Appendix A.5 of both, ChaCha20-Poly1305 with a short header: its keys are nobody's but the two ends'.
	for (const short of [
		"4cfe4189655e5cd55c41f69080575d7999c25a5bfb",
		"5558b1c60ae7b6b932bc27d786f4bc2bb20f2162ba",
	]) {
		const said = rig.hear(new Uint8Array(Buffer.from(short, "hex")));
		assert.deepEqual([said.verdict, said.protocol, said.name], ["complete", "other", undefined]);
	}
});

test("after a Retry the client comes with the server's connection ID and a token, and is read by them", () => {
	const all = conversation("quic-go-retry");
	const retry = all.find(({ from }) => from === "server") ?? assert.fail("it is there");
	const named = clientDatagrams("quic-go-retry").map((datagram) => rig.hear(datagram));
	assert.deepEqual(
		named.slice(0, 4).map(({ verdict }) => verdict),
		["more", "complete", "more", "complete"],
	);
	assert.equal(named[1]?.name, named[3]?.name);
	assert.notEqual(named[1]?.name, "");
	// Behind the handshake's beginning its Initials have keys of an ID that is not in them any more.
	assert.equal(named[4]?.name, undefined);
	// The Retry is true, for the ID that the client chose, and for no other.
	const { memory, initials } = rig;
	const packet = new LongPacket();
	const [first = assert.fail()] = clientDatagrams("quic-go-retry");
	parseLongPacket(first, 0, first.length, packet);
	const chosen = first.slice(packet.destinationAt, packet.destinationAt + packet.destinationBytes);
	memory.set(retry.datagram);
	assert.ok(initials.isRetryOf(packet.version, chosen, 0, retry.datagram.length));
	assert.ok(!initials.isRetryOf(packet.version, latin1("another!"), 0, retry.datagram.length));
	rig.forget();
});

test("0-RTT is not routed by itself, and an Initial before it is", () => {
	const [, , , , , resumed = assert.fail(), early = assert.fail()] = clientDatagrams("aioquic-0rtt");
	assert.equal(rig.hear(early).verdict, "more");
	assert.equal(rig.halves.count, 0, "nothing is kept for it");
	const said = rig.hear(resumed);
	assert.deepEqual([said.verdict, said.protocol], ["complete", "quic"]);
	assert.notEqual(said.name, undefined);
});

test("it does not matter where in the memory a datagram lies, nor what lies around it", () => {
	for (const at of [1, 777, MEMORY_BYTES - 1400]) {
		for (const filler of [0x00, 0xff, 0xc0, 0x16]) {
			rig.memory.fill(filler);
			rig.at = at;
			for (const { client, serverName, datagrams } of flights()) {
				assert.equal(rig.hearAll(datagrams).name, serverName, client);
				const last = datagrams.at(-1) as Uint8Array;
				assert.deepEqual(rig.memory.subarray(at, at + last.length), last, "it is as it was");
				rig.memory.fill(filler, at, at + 1400);
			}
			assert.ok(
				rig.memory.every((byte) => byte === filler),
				"and so is all else",
			);
		}
	}
	rig.at = 0;
});
