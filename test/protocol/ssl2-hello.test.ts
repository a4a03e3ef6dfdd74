import assert from "node:assert/strict";
import { test } from "node:test";
import { COMPLETE, MALFORMED, NEED_MORE, recognizeSsl2Hello } from "../../src/protocol/index.js";
import { concat, hex } from "./samples.js";

/** A hello of SSL 2 that offers two ciphers; `version` as it stands on the wire. */
function ssl2Hello(version: string, sessionBytes = 0, challengeBytes = 16): Uint8Array {
	const ciphers = hex("010080 0700c0");
	const rest = concat(ciphers, new Uint8Array(sessionBytes).fill(7), new Uint8Array(challengeBytes).fill(9));
	const length = 9 + rest.length;
	const lengths = Uint8Array.of(0, ciphers.length, 0, sessionBytes, 0, challengeBytes);
	return concat(Uint8Array.of(0x80 | (length >> 8), length & 0xff), hex("01"), hex(version), lengths, rest);
}

test("a hello of SSL 2 is recognised by its first eleven bytes, whatever version it offers", () => {
	const hellos = [
		...["0002", "0300", "0301", "0303", "0304"].map((version) => ssl2Hello(version)),
		ssl2Hello("0002", 16, 32),
		// As OpenSSL 0.9.8 sent it.
		hex("802e 0103010015000000100100800700c0"),
	];
	for (const bytes of hellos) {
		for (let length = 0; length < 11; length++) assert.equal(recognizeSsl2Hello(bytes, 0, length), NEED_MORE);
		for (let length = 11; length <= bytes.length; length++)
			assert.equal(recognizeSsl2Hello(bytes, 0, length), COMPLETE);
		assert.equal(recognizeSsl2Hello(concat(hex("ff"), bytes), 1, 12), COMPLETE);
	}
});

test("what has a set first bit and lengths that do not agree is none, as soon as that is certain", () => {
	for (const bytes of [
		hex("16"),
		hex("802e 02"),
		hex("802e 01 01"),
		hex("802e 01 04"),
		hex("802e 01 0003"),
		hex("802f 0103010015000000100100"), // one byte longer than its parts
		hex("8021 0103010000000000180100"), // no cipher
		hex("8022 0103010001000000180100"), // a third of a cipher
		hex("802e 0103010015000800080100"), // a session id of eight bytes
		hex("8000 0028 7d1a9b3e 00000000 0000"), // a call of ONC RPC: record mark, XID
		hex("80000000000000000000 00"),
	])
		assert.equal(recognizeSsl2Hello(bytes, 0, bytes.length), MALFORMED, Buffer.from(bytes).toString("hex"));
});
