import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { COMPLETE, MALFORMED } from "../../../src/protocol/index.js";
import {
	LongPacket,
	PACKET_0RTT,
	PACKET_HANDSHAKE,
	PACKET_INITIAL,
	PACKET_NEGOTIATION,
	PACKET_RETRY,
	PACKET_UNKNOWN_VERSION,
	parseLongPacket,
} from "../../../src/protocol/quic/long-packet.js";
import { CUT_SHORT, varint, varintBytes } from "../../../src/protocol/quic/varint.js";
import { concat, hex } from "../samples.js";
import { conversation, vector } from "./fixtures.js";

const packet = new LongPacket();

/** The kinds of a datagram's packets with long headers, one behind the other. */
function kindsOf(datagram: Uint8Array): number[] {
	const kinds: number[] = [];
	for (let at = 0; parseLongPacket(datagram, at, datagram.length, packet) === COMPLETE; at = packet.end)
		kinds.push(packet.kind);
	return kinds;
}

test("the numbers of RFC 9000, appendix A.1, are read, and none that is cut short", () => {
	for (const [text, value] of [
		["c2197c5eff14e88c", Number(151_288_809_941_952_652n)],
		["9d7f3e7d", 494_878_333],
		["7bbd", 15_293],
		["25", 37],
		["4025", 37],
	] as const) {
		const bytes = hex(text);
		assert.equal(varint(bytes, 0, bytes.length), value);
		assert.equal(varintBytes(bytes[0] as number), bytes.length);
		for (let end = 0; end < bytes.length; end++) assert.equal(varint(bytes, 0, end), CUT_SHORT);
	}
});

test("the types of both versions are told apart", () => {
	const rest = concat(hex("08 0102030405060708 00"), hex("00 4020"), new Uint8Array(32));
	for (const [first, version, kind] of [
		["c0", "00000001", PACKET_INITIAL],
		["d0", "00000001", PACKET_0RTT],
		["e0", "00000001", PACKET_HANDSHAKE],
		["f0", "00000001", PACKET_RETRY],
		["d0", "6b3343cf", PACKET_INITIAL],
		["e0", "6b3343cf", PACKET_0RTT],
		["f0", "6b3343cf", PACKET_HANDSHAKE],
		["c0", "6b3343cf", PACKET_RETRY],
		["80", "00000000", PACKET_NEGOTIATION],
		["80", "1a2a3a4a", PACKET_UNKNOWN_VERSION],
	] as const) {
		// Only an Initial has a token, and Version Negotiation whole versions.
		const body =
			kind === PACKET_INITIAL || kind === PACKET_RETRY
				? rest
				: concat(rest.subarray(0, 10), rest.subarray(11));
		const trimmed = kind === PACKET_NEGOTIATION ? rest.subarray(0, 10 + 8) : body;
		const bytes = concat(hex(first), hex(version), trimmed);
		assert.equal(
			parseLongPacket(bytes, 0, bytes.length, packet),
			COMPLETE,
			`${first} ${version} ${packet.cause}`,
		);
		assert.equal(packet.kind, kind);
		assert.equal(packet.hasFixedBit, first !== "80");
	}
});

test("packets that share a datagram are read one behind the other", () => {
	const [client = assert.fail(), server = assert.fail(), third = assert.fail()] =
		conversation("aioquic-0rtt");
	assert.deepEqual(kindsOf(client.datagram), [PACKET_INITIAL]);
	assert.deepEqual(kindsOf(server.datagram), [PACKET_INITIAL, PACKET_HANDSHAKE]);
	assert.deepEqual(kindsOf(third.datagram), [PACKET_INITIAL, PACKET_HANDSHAKE]);
});

test("the Retry packets of both appendices have their IDs and their token", () => {
	for (const version of ["v1", "v2"]) {
		const bytes = vector(`${version}.retry`);
		assert.equal(parseLongPacket(bytes, 0, bytes.length, packet), COMPLETE);
		assert.equal(packet.kind, PACKET_RETRY);
		assert.equal(packet.destinationBytes, 0);
		const at = (start: number, length: number) =>
			Buffer.from(bytes.subarray(start, start + length)).toString("hex");
		assert.equal(at(packet.sourceAt, packet.sourceBytes), "f067a5502a4262b5");
		assert.equal(at(packet.tokenAt, packet.tokenBytes), Buffer.from("token").toString("hex"));
		assert.equal(packet.end - packet.numberAt, 16);
	}
});

test("no packet that is cut short is one, and every position stays within", () => {
	for (const name of ["v1.client_initial", "v2.client_initial", "v1.server_initial", "v2.server_initial"]) {
		const bytes = vector(name);
		for (let length = 0; length < bytes.length; length++)
			assert.equal(parseLongPacket(bytes, 0, length, packet), MALFORMED, `${name}, ${length} bytes`);
	}
	const header = fc.tuple(
		fc.integer({ min: 0x80, max: 0xff }),
		fc.constantFrom("00000001", "6b3343cf", "00000000", "ff00001d"),
		fc.uint8Array({ maxLength: 120 }),
		fc.nat(5),
	);
	fc.assert(
		fc.property(header, ([first, version, rest, start]) => {
			const bytes = concat(new Uint8Array(start).fill(0xff), Uint8Array.of(first), hex(version), rest);
			if (parseLongPacket(bytes, start, bytes.length, packet) === MALFORMED) {
				assert.notEqual(packet.cause, "");
				return;
			}
			const { destinationAt, destinationBytes, sourceAt, sourceBytes, tokenAt, tokenBytes, numberAt, end } =
				packet;
			assert.ok(start < destinationAt && destinationAt + destinationBytes < sourceAt);
			assert.ok(sourceAt + sourceBytes <= numberAt && numberAt <= end && end <= bytes.length);
			if (tokenBytes > 0) assert.ok(sourceAt + sourceBytes <= tokenAt && tokenAt + tokenBytes <= numberAt);
			assert.ok(end > start);
		}),
		{ numRuns: 5_000 },
	);
});
