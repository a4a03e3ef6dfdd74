import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AF_INET, AF_INET6, AF_UNIX, EADDRINUSE, errorName } from "../../src/kernel/constants.js";
import {
	copyAddress,
	encodeInternet,
	encodeUnix,
	familyAt,
	portAt,
	SOCKADDR_BYTES,
	UNIX_PATH_MAX_BYTES,
} from "../../src/kernel/sockaddr.js";

const port = fc.nat(65_535);

test("an address and its port come back from where they were put", () => {
	const address = fc.oneof(
		fc.uint8Array({ minLength: 4, maxLength: 4 }),
		fc
			.uint8Array({ minLength: 16, maxLength: 16 })
			.filter((bytes) => !(bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff)),
	);
	fc.assert(
		fc.property(address, port, fc.nat(64), fc.nat(64), (address, port, offset, outOffset) => {
			const encoded = encodeInternet(address, port);
			assert.equal(encoded.length, address.length === 4 ? 16 : SOCKADDR_BYTES);
			const memory = new Uint8Array(offset + 32).fill(0x77);
			memory.set(encoded, offset);
			assert.equal(familyAt(memory, offset), address.length === 4 ? AF_INET : AF_INET6);
			assert.equal(portAt(memory, offset), port);
			const out = new Uint8Array(outOffset + 20).fill(0x11);
			assert.equal(copyAddress(memory, offset, out, outOffset), address.length === 4 ? 4 : 6);
			assert.deepEqual(out.subarray(outOffset, outOffset + address.length), address);
			assert.ok(out.subarray(0, outOffset).every((byte) => byte === 0x11));
			assert.ok(out.subarray(outOffset + 16).every((byte) => byte === 0x11));
		}),
	);
});

test("an IPv4 client of an IPv6 socket is an IPv4 client", () => {
	fc.assert(
		fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), port, (address, port) => {
			const mapped = new Uint8Array(16);
			mapped.fill(0xff, 10, 12);
			mapped.set(address, 12);
			const out = new Uint8Array(16);
			assert.equal(copyAddress(encodeInternet(mapped, port), 0, out, 0), 4);
			assert.deepEqual(out.subarray(0, 4), address);
		}),
	);
	// One bit off, and it is none.
	const near = new Uint8Array(16);
	near[10] = 0xff;
	near[11] = 0xfe;
	assert.equal(copyAddress(encodeInternet(near, 1), 0, new Uint8Array(16), 0), 6);
});

test("a Unix path ends with a NUL, and a longer one than the kernel takes is refused with both numbers", () => {
	const path = "/run/ü.sock";
	const encoded = encodeUnix(path);
	assert.equal(familyAt(encoded, 0), AF_UNIX);
	assert.equal(new TextDecoder().decode(encoded.subarray(2, -1)), path);
	assert.equal(encoded.at(-1), 0);
	assert.equal(encodeUnix("x".repeat(UNIX_PATH_MAX_BYTES)).length, 110);
	assert.throws(() => encodeUnix("x".repeat(UNIX_PATH_MAX_BYTES + 1)), /108 bytes.*107/);
	assert.throws(() => encodeUnix("ü".repeat(54)), RangeError, "bytes count, not characters");
});

test("an error number has its name, or says its number", () => {
	assert.equal(errorName(EADDRINUSE), "EADDRINUSE");
	assert.equal(errorName(9_999), "errno 9999");
});
