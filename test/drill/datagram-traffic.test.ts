/** What crosses the wire in drills of datagrams is what the gateway's own parsers take it for. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import {
	answerTo,
	crowdHellos,
	crowdSaying,
	ECHO_BYTES,
	helloDatagrams,
	helloFrames,
	NUMBER_AT,
	tagOf,
} from "../../src/drill/datagram-traffic.js";
import { sayings } from "../../src/drill/traffic.js";
import { recognizeDatagram } from "../../src/protocol/datagram.js";
import { PROTOCOL_OTHER } from "../../src/protocol/protocols.js";
import { LongPacket, PACKET_INITIAL, parseLongPacket } from "../../src/protocol/quic/long-packet.js";
import { COMPLETE } from "../../src/protocol/verdict.js";

test("a hello comes in two Initials of full size, and neither has all of it", async () => {
	const { hello } = await sayings("good");
	const frames = helloFrames(hello);
	// Type, offset and length stand before the data: at most 1 + 2 + 2 bytes here.
	for (const frame of frames) assert.ok(frame.length < hello.length - 50);
	const ids = { destination: new Uint8Array(randomBytes(8)), source: new Uint8Array(randomBytes(8)) };
	const packet = new LongPacket();
	for (const datagram of helloDatagrams(frames, ids)) {
		assert.equal(datagram.length, 1200);
		assert.equal(parseLongPacket(datagram, 0, datagram.length, packet), COMPLETE);
		assert.equal(packet.kind, PACKET_INITIAL);
		const id = datagram.subarray(packet.destinationAt, packet.destinationAt + packet.destinationBytes);
		assert.deepEqual(id, ids.destination);
	}
});

test("an answer tells whose upstream gave it, and to what", () => {
	const said = new Uint8Array(randomBytes(64));
	const answer = answerTo(tagOf("good"), said);
	assert.deepEqual(answer.subarray(-ECHO_BYTES), said.subarray(0, ECHO_BYTES));
	assert.notDeepEqual(answer, answerTo(tagOf("attackers"), said));
	assert.notDeepEqual(answer, answerTo(tagOf("good"), new Uint8Array(randomBytes(64))));
	assert.equal(answerTo(tagOf("good"), said.subarray(0, 3)).length, tagOf("good").length + 3);
});

test("the crowd knows its clients by a number, whether they say a hello or what is no QUIC", async () => {
	const { hello } = await sayings("good");
	const packet = new LongPacket();
	const said = [...crowdHellos(hello, 3), crowdSaying(3)];
	for (const [number, datagram] of said.entries()) {
		const echo = answerTo(tagOf("attackers"), datagram).subarray(-ECHO_BYTES);
		assert.equal(new DataView(echo.buffer, echo.byteOffset).getUint32(NUMBER_AT), number);
	}
	const ids = said.slice(0, 3).map((datagram) => {
		assert.equal(parseLongPacket(datagram, 0, datagram.length, packet), COMPLETE);
		const { destinationAt, destinationBytes } = packet;
		return Buffer.from(datagram.subarray(destinationAt, destinationAt + destinationBytes)).toString("hex");
	});
	assert.equal(new Set(ids).size, 3);
	const [plain = new Uint8Array(0)] = said.slice(3);
	assert.equal(recognizeDatagram(plain, 0, plain.length, packet), PROTOCOL_OTHER);
});
