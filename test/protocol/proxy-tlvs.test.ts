import assert from "node:assert/strict";
import { test } from "node:test";
import { commonNameOf, ProxyTlvs, TLV_ALPN, TLV_AUTHORITY, TLV_SSL } from "../../src/protocol/proxy-tlvs.js";

test("the common name of a subject, wherever it stands and however it is escaped", () => {
	for (const [subject, name] of [
		["CN=alice", "alice"],
		["CN=alice,O=Example", "alice"],
		["O=Example,CN=bob+UID=7", "bob"],
		["CN=Smith\\, John,O=Example", "Smith, John"],
		["CN=a\\+b\\\\c", "a+b\\c"],
		["CN=x\\2Cy", "x,y"],
		["O=CN\\=no,OU=CNX=no", ""],
		["", ""],
	] as const)
		assert.equal(commonNameOf(subject), name, subject);
});

test("what came with the client's header is passed on, and comes before what is known here", () => {
	const tlvs = new ProxyTlvs();
	const received = Uint8Array.of(9, 9, TLV_AUTHORITY, 0, 1, 0x61, 0x42, 0, 0, 9);
	tlvs.begin(received, 2, 9);
	tlvs.add(TLV_AUTHORITY, Buffer.from("b.test"));
	tlvs.add(TLV_ALPN, Buffer.from("xh2y"), 1, 3);
	assert.deepEqual(
		[...tlvs.bytes.subarray(0, tlvs.length)],
		[...[TLV_AUTHORITY, 0, 1, 0x61, 0x42, 0, 0], ...[TLV_ALPN, 0, 2, 0x68, 0x32]],
	);
	tlvs.begin(received, 0, 0);
	tlvs.addTls("TLSv1.2", "alice");
	const value = [3, 0, 0, 0, 0, 0x21, 0, 7, ...Buffer.from("TLSv1.2"), 0x22, 0, 5, ...Buffer.from("alice")];
	assert.deepEqual([...tlvs.bytes.subarray(0, tlvs.length)], [TLV_SSL, 0, value.length, ...value]);
});

test("what finds no room is left out, and nothing of it", () => {
	const tlvs = new ProxyTlvs();
	tlvs.begin(new Uint8Array(0), 0, 0);
	tlvs.add(TLV_AUTHORITY, new Uint8Array(3_990));
	const { length } = tlvs;
	tlvs.add(TLV_ALPN, new Uint8Array(20));
	assert.equal(tlvs.length, length);
	tlvs.begin(new Uint8Array(5_000), 0, 5_000);
	assert.equal(tlvs.length, 0);
});
