import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LongPacket } from "../../../src/protocol/quic/long-packet.js";
import { hasServersId, namesServer } from "../../../src/protocol/quic/server-id.js";
import { QUIC_V1, QUIC_V2 } from "../../../src/protocol/quic/versions.js";
import { concat, hex } from "../samples.js";

const packet = new LongPacket();

/** Which of these servers a datagram names; `null`: its first packet has an ID that no server has chosen. */
function named(datagram: Uint8Array, servers: readonly string[]): string[] | null {
	if (!hasServersId(datagram, 0, datagram.length, packet)) return null;
	return servers.filter((id) => namesServer(datagram, packet, hex(id)));
}

/** A long header of that version and type, with so much behind it as it needs. */
function long(version: number, type: number, destination: string): Uint8Array {
	const id = hex(destination);
	const bytes = new Uint8Array(4);
	new DataView(bytes.buffer).setUint32(0, version);
	// Initials have a token behind the source, which is empty here, as is the source.
	const token = hex(type === (version === QUIC_V2 ? 1 : 0) ? "00" : "");
	const head = concat(
		Uint8Array.of(0xc0 | (type << 4)),
		bytes,
		Uint8Array.of(id.length),
		id,
		hex("00"),
		token,
	);
	return concat(head, hex("4020"), new Uint8Array(32));
}

const SERVERS = ["0a", "0a01", "0a02", "000000000000000000000000000001"] as const;

test("a server is named by what stands behind the first byte of an ID that it has chosen", () => {
	for (const [datagram, expected] of [
		["41 07 0a01 aabbccdd", ["0a", "0a01"]],
		["41 ff 0a02 aabbccdd", ["0a", "0a02"]],
		// Neither the fixed bit nor the first byte says anything of the server (RFC 9287).
		["01 00 0a01 aabbccdd", ["0a", "0a01"]],
		["41 07 0b01 0a01", []],
		["41 07 000000000000000000000000000001 0a", ["000000000000000000000000000001"]],
		// Cut short.
		["41 07 0a", ["0a"]],
		["41 07", []],
		["41", []],
		["", null],
	] as const)
		assert.deepEqual(named(hex(datagram.replaceAll(" ", "")), SERVERS), expected, datagram);
});

test("of long headers, Handshake packets have such an ID, in both versions", () => {
	for (const [version, type, expected] of [
		[QUIC_V1, 2, ["0a", "0a01"]],
		[QUIC_V2, 3, ["0a", "0a01"]],
		// Initial and 0-RTT packets, whose ID may be the client's own; Retry packets, which no client sends.
		[QUIC_V1, 0, null],
		[QUIC_V1, 1, null],
		[QUIC_V1, 3, null],
		[QUIC_V2, 1, null],
		[QUIC_V2, 2, null],
		[QUIC_V2, 0, null],
		// A version whose packets say who knows what.
		[0x1a2a3a4a, 2, null],
	] as const)
		assert.deepEqual(named(long(version, type, "070a01aabbccdd"), SERVERS), expected, `${version} ${type}`);
	assert.deepEqual(named(long(QUIC_V1, 2, "07"), SERVERS), []);
	// What stands behind a long header's ID is no part of it.
	assert.deepEqual(named(long(QUIC_V1, 2, "070a"), SERVERS), ["0a"]);
	assert.deepEqual(named(long(QUIC_V1, 2, ""), SERVERS), []);
});

test("a long header that is cut short names nobody", () => {
	const whole = long(QUIC_V1, 2, "070a01aabbccdd");
	for (let end = 0; end < whole.length; end++) assert.equal(named(whole.subarray(0, end), SERVERS), null);
});

test("nothing is read behind a datagram's end", () => {
	fc.assert(
		fc.property(
			fc.uint8Array({ maxLength: 64 }),
			fc.uint8Array({ minLength: 1, maxLength: 15 }),
			fc.uint8Array({ maxLength: 32 }),
			(datagram, id, behind) => {
				const alone = hasServersId(datagram, 0, datagram.length, packet) && namesServer(datagram, packet, id);
				const memory = concat(behind, datagram, id, behind);
				const end = behind.length + datagram.length;
				const within = hasServersId(memory, behind.length, end, packet) && namesServer(memory, packet, id);
				assert.equal(within, alone);
			},
		),
	);
});
