import assert from "node:assert/strict";
import { test } from "node:test";
import { INITIAL_KEYS_BYTES, NOT_AUTHENTIC, QuicInitials } from "../../src/kernel/openssl/quic-initials.js";
import { COMPLETE } from "../../src/protocol/index.js";
import {
	LongPacket,
	PACKET_INITIAL,
	PACKET_RETRY,
	parseLongPacket,
} from "../../src/protocol/quic/long-packet.js";
import { INITIAL_VERSIONS, QUIC_V1, QUIC_V2 } from "../../src/protocol/quic/versions.js";
import { crypto, initial, keysOf, PING } from "../../src/rig/quic-initial.js";
import { vector } from "../protocol/quic/fixtures.js";
import { concat, latin1 } from "../protocol/samples.js";

const memory = new Uint8Array(new ArrayBuffer(65536));
const keys = new Uint8Array(INITIAL_KEYS_BYTES);
const packet = new LongPacket();

function put(bytes: Uint8Array, at = 0): void {
	memory.fill(0xee);
	memory.set(bytes, at);
}

/** The payload, if it is authentic; the packet's number is in `initials`. */
function open(initials: QuicInitials, bytes: Uint8Array, at = 0): Uint8Array | undefined {
	put(bytes, at);
	assert.equal(parseLongPacket(memory, at, at + bytes.length, packet), COMPLETE, packet.cause);
	assert.equal(packet.kind, PACKET_INITIAL);
	const length = initials.open(at, packet.numberAt, packet.end, keys, 0);
	assert.deepEqual(memory.subarray(at, at + bytes.length), bytes, "the packet is left as it was");
	return length === NOT_AUTHENTIC ? undefined : initials.plain.slice(0, length);
}

function derive(initials: QuicInitials, version: number, id: Uint8Array): void {
	put(id);
	initials.deriveKeys(version, 0, id.length, keys, 0);
}

for (const [name, version] of [
	["v1", QUIC_V1],
	["v2", QUIC_V2],
] as const) {
	const said = (what: string) => vector(`${name}.${what}`);

	test(`${name}: keys, and the client's Initial, are those of the RFC's appendix A`, () => {
		const initials = new QuicInitials(memory, INITIAL_VERSIONS);
		derive(initials, version, said("dcid"));
		assert.deepEqual(keys, concat(said("client_key"), said("client_hp"), said("client_iv")));
		const plain = open(initials, said("client_initial")) ?? assert.fail("it is authentic");
		const frame = said("client_crypto_frame");
		assert.deepEqual(plain.subarray(0, frame.length), frame);
		assert.ok(plain.subarray(frame.length).every((byte) => byte === 0));
		assert.equal(plain.length, 1162);
		assert.deepEqual([initials.packetNumber, initials.packetNumberBytes], [2, 4]);
		assert.equal(initials.firstByte, said("client_header")[0]);
		initials.dispose();
	});

	test(`${name}: and so are the server's`, () => {
		const server = INITIAL_VERSIONS.map((each) => ({ ...each, secretLabel: "server in" }));
		const initials = new QuicInitials(memory, server);
		derive(initials, version, said("dcid"));
		assert.deepEqual(keys, concat(said("server_key"), said("server_hp"), said("server_iv")));
		assert.deepEqual(open(initials, said("server_initial")), said("server_payload"));
		assert.deepEqual([initials.packetNumber, initials.packetNumberBytes], [1, 2]);
		assert.equal(initials.firstByte, said("server_header")[0]);
		initials.dispose();
	});

	test(`${name}: a Retry is true for the client's own connection ID, and with no byte changed`, () => {
		const initials = new QuicInitials(memory, INITIAL_VERSIONS);
		const retry = said("retry");
		const isTrue = (id: Uint8Array, bytes: Uint8Array) => {
			put(bytes, 7);
			assert.equal(parseLongPacket(memory, 7, 7 + bytes.length, packet), COMPLETE);
			return packet.kind === PACKET_RETRY && initials.isRetryOf(version, id, 7, 7 + bytes.length);
		};
		assert.ok(isTrue(said("dcid"), retry));
		assert.deepEqual(memory.slice(packet.tokenAt, packet.tokenAt + packet.tokenBytes), latin1("token"));
		assert.ok(!isTrue(latin1("another!"), retry));
		// What is behind the connection IDs' lengths: before, it is no packet of this kind.
		for (let i = 15; i < retry.length; i++) {
			const changed = retry.slice();
			changed[i] = (changed[i] as number) ^ 0x10;
			assert.ok(!isTrue(said("dcid"), changed), `byte ${i}`);
		}
		initials.dispose();
	});

	test(`${name}: no bit of an Initial can be changed`, () => {
		const initials = new QuicInitials(memory, INITIAL_VERSIONS);
		const bytes = said("client_initial");
		derive(initials, version, said("dcid"));
		put(bytes);
		assert.equal(parseLongPacket(memory, 0, bytes.length, packet), COMPLETE);
		const { numberAt, end } = packet;
		for (let bit = 0; bit < bytes.length * 8; bit++) {
			const index = bit >> 3;
			memory[index] = (memory[index] as number) ^ (1 << (bit & 7));
			assert.equal(
				initials.open(0, numberAt, end, keys, 0),
				NOT_AUTHENTIC,
				`bit ${bit & 7} of byte ${index}`,
			);
			memory[index] = bytes[index] as number;
		}
		initials.dispose();
	});
}

test("connection IDs of 0 to 20 bytes, numbers of 1 to 4, tokens of any length", () => {
	const initials = new QuicInitials(memory, INITIAL_VERSIONS);
	const frames = [PING, crypto(5, latin1("something of the hello"))];
	for (const version of [QUIC_V1, QUIC_V2])
		for (let length = 0; length <= 20; length++) {
			const destination = new Uint8Array(length).map((_, i) => 7 * i + length);
			const { key, iv, headerKey } = keysOf(version, destination);
			derive(initials, version, destination);
			assert.deepEqual(keys, concat(key, headerKey, iv));
			for (const [number, numberBytes] of [
				[0, 1],
				[255, 1],
				[0x1234, 2],
				[0xabcdef, 3],
				[0xfffffffe, 4],
			] as const) {
				const token = new Uint8Array(length * 31);
				const bytes = initial(frames, { version, destination, number, numberBytes, token, bytes: 0 });
				const plain = open(initials, bytes, length * 100) ?? assert.fail(`${length} bytes, number ${number}`);
				assert.deepEqual(plain, concat(...frames));
				assert.deepEqual([initials.packetNumber, initials.packetNumberBytes], [number, numberBytes]);
			}
		}
	initials.dispose();
});

test("what is too short, or outside the memory, is not authentic", () => {
	const initials = new QuicInitials(memory, INITIAL_VERSIONS);
	derive(initials, QUIC_V1, latin1("12345678"));
	for (let rest = 0; rest < 20; rest++) assert.equal(initials.open(0, 20, 20 + rest, keys, 0), NOT_AUTHENTIC);
	assert.equal(initials.open(10, 10, 60, keys, 0), NOT_AUTHENTIC);
	assert.equal(initials.open(65000, 65020, 65537, keys, 0), NOT_AUTHENTIC);
	assert.equal(initials.open(0, 20, 40, keys, 0), NOT_AUTHENTIC);
	assert.throws(() => initials.deriveKeys(5, 0, 8, keys, 0), /version 0x5 of QUIC is not known here/);
	assert.throws(() => initials.deriveKeys(QUIC_V1, 0, 56, keys, 0), RangeError);
	initials.dispose();
});
