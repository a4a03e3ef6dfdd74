/** Packets with made-up sources: what is in them, and where they are not sent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { halfOpen } from "../../src/drill/kernel-tables.js";
import { setSysctl } from "../../src/drill/namespace-settings.js";
import { synPacket } from "../../src/drill/syn-flood.js";
import { openRawSocket, waysOut } from "../../src/kernel/raw-socket.js";

/** RFC 1071: over all of it with its sum, what is left is none. */
function sumOf(bytes: Uint8Array, start = 0): number {
	let sum = start;
	for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
	while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
	return sum;
}

test("a SYN says who it is from, and both of its sums are right", () => {
	const [from, to] = [Uint8Array.of(198, 18, 7, 9), Uint8Array.of(127, 0, 0, 1)];
	for (const sequence of [0, 1, 0xffff_ffff, 123_456_789]) {
		const packet = Buffer.from(synPacket(from, 40_000, to, 443, sequence));
		assert.equal(packet.length, 44);
		assert.equal(packet.readUInt16BE(2), 44);
		assert.deepEqual([...packet.subarray(12, 20)], [198, 18, 7, 9, 127, 0, 0, 1]);
		assert.deepEqual(
			[packet.readUInt16BE(20), packet.readUInt16BE(22), packet.readUInt32BE(24), packet[33]],
			[40_000, 443, sequence, 2],
		);
		assert.equal(sumOf(packet.subarray(0, 20)), 0xffff);
		// The addresses, the protocol and the length belong to the sum of TCP.
		assert.equal(sumOf(packet.subarray(12), 6 + 24), 0xffff);
	}
});

test("a namespace that has another interface than loopback has a way out", () => {
	const head = "Inter-|   Receive  |  Transmit\n face |bytes    packets|bytes    packets\n";
	assert.deepEqual(waysOut(`${head}    lo: 10 1 10 1\n`), []);
	assert.deepEqual(waysOut(`${head}    lo: 10 1 10 1\n  eth0: 1 1 1 1\nwg-home:1 1 1 1\n`), [
		"eth0",
		"wg-home",
	]);
});

test("no packet with a made-up source is sent where there is a way out, and no setting of the machine is changed", (t) => {
	assert.throws(() => setSysctl("net/ipv4/tcp_syncookies", 0), /no drill's to change/);
	if (waysOut().length === 0) return t.skip("this machine has no other interface than loopback");
	assert.throws(() => openRawSocket(Uint8Array.of(127, 0, 0, 1)), /only where none gets out/);
});

test("a port to which nobody has come has no half-open connection", () => {
	assert.equal(halfOpen(1), 0);
});
