import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import fc from "fast-check";
import { ClientHello } from "../../../src/protocol/hello.js";
import { readDtlsHello } from "../../../src/protocol/hello-message.js";
import { COMPLETE } from "../../../src/protocol/index.js";
import { u32 } from "../../../src/rig/quic-initial.js";
import {
	alpn,
	echOuter,
	extension,
	sni,
	supportedVersions,
	u8,
	u16,
	u24,
	vector8,
	vector16,
} from "../../protocol/hello-builder.js";
import { clientDatagrams, conversation } from "../../protocol/quic/fixtures.js";
import { concat, hex } from "../../protocol/samples.js";
import { peerAt, Rig } from "./rig.js";

const rig = new Rig();
after(() => rig.dispose());
afterEach(() => rig.forget());

/** The body of a hello, with its cookie. */
function hello(extensions: readonly Uint8Array[], cookie = new Uint8Array(0), version = 0xfefd): Uint8Array {
	return concat(
		u16(version),
		new Uint8Array(32).fill(0xab),
		vector8(),
		vector8(cookie),
		vector16(hex("1301c02b")),
		vector8(u8(0)),
		vector16(...extensions),
	);
}

function fragment(body: Uint8Array, start = 0, end = body.length, message = 0): Uint8Array {
	return concat(
		u8(1),
		u24(body.length),
		u16(message),
		u24(start),
		u24(end - start),
		body.subarray(start, end),
	);
}

function record(number: number, ...fragments: Uint8Array[]): Uint8Array {
	return concat(hex("16feff 0000 0000"), u32(number), vector16(...fragments));
}

const BODY = hello([sni("dtls.example"), alpn("webrtc")]);

test("OpenSSL's hello is read, and once more with the cookie that it was asked for", () => {
	const [first = assert.fail(), second = assert.fail()] = clientDatagrams("dtls12-cookie");
	for (const datagram of [first, second, first])
		assert.deepEqual(rig.hear(datagram), {
			verdict: "complete",
			protocol: "dtls",
			name: "dtls.example.com",
			alpn: "",
			held: [],
		});
	const asked = conversation("dtls12-cookie")[1]?.datagram ?? assert.fail();
	assert.equal(rig.hear(asked).verdict, "message_type", "what a server says is no hello");
});

test("OpenSSL's hello in two datagrams is put together, in either order and whatever comes twice", () => {
	const [first = assert.fail(), second = assert.fail()] = clientDatagrams("dtls12-fragments");
	for (const [one, other] of [
		[first, second],
		[second, first],
	] as const) {
		for (let i = 0; i < 4; i++) assert.equal(rig.hear(one).verdict, "more");
		assert.equal(rig.hear(other, peerAt([192, 0, 2, 9])).verdict, "more", "of somebody else");
		const said = rig.hear(other);
		assert.deepEqual([said.name, said.held], ["fragments.example.com", [one]]);
		rig.forget();
	}
});

test("no recorded hello that was cut short says anything", () => {
	const all = [...clientDatagrams("dtls12-cookie"), ...clientDatagrams("dtls12-fragments").slice(0, 1)];
	for (const datagram of all)
		for (let length = 0; length < datagram.length; length++) {
			const said = rig.hear(datagram.subarray(0, length));
			assert.equal(said.name, undefined);
			assert.equal(rig.halves.count, 0, `${length} bytes are kept for nothing`);
			assert.equal(said.protocol, length < 2 ? "other" : "dtls");
		}
});

test("DTLS 1.3, 1.2 and 1.0 say which version they can speak at most; ECH's outer name counts", () => {
	const read = new ClientHello();
	for (const [extensions, version, max] of [
		[[supportedVersions(0x0a0a, 0xfefc, 0xfefd)], 0xfefd, 0xfefc],
		[[supportedVersions(0xfefd)], 0xfefd, 0xfefd],
		[[], 0xfefd, 0xfefd],
		[[], 0xfeff, 0xfeff],
		[[], 0xfe00, 0xfefd],
	] as const) {
		const body = hello([sni("a.example"), ...extensions], undefined, version);
		assert.equal(readDtlsHello(body, 0, body.length, read), COMPLETE);
		assert.deepEqual([read.legacyVersion, read.maxVersion], [version, max]);
		assert.equal(rig.hear(record(0, fragment(body))).name, "a.example");
	}
	assert.equal(
		rig.hear(record(0, fragment(hello([echOuter(32, 100), sni("public.example")])))).name,
		"public.example",
	);
	assert.equal(rig.hear(record(0, fragment(hello([], new Uint8Array(255))))).name, "");
});

test("fragments may share a record or a datagram, and what follows that is no record is let be", () => {
	const [one, two, three] = [fragment(BODY, 0, 30), fragment(BODY, 30, 50), fragment(BODY, 50)];
	assert.equal(rig.hear(record(0, one, two, three)).name, "dtls.example");
	assert.equal(rig.hear(concat(record(0, two), record(1, three), record(2, one))).name, "dtls.example");
	assert.equal(
		rig.hear(concat(record(0, one, two, three), hex("15feff00000000000000"))).name,
		"dtls.example",
	);
	assert.equal(rig.hear(record(0, one, fragment(BODY, 20))).name, "dtls.example");
});

test("what could be read in two ways, or is no hello, is a fault", () => {
	const whole = fragment(BODY);
	const changed = BODY.slice();
	changed[40] = (changed[40] as number) ^ 1;
	const cases: [string, ...Uint8Array[]][] = [
		["record_cut_short", hex("16fe")],
		["record_cut_short", record(0, whole).subarray(0, 60)],
		["record_epoch", concat(hex("16feff 0001 000000000000"), vector16(whole))],
		["fragment_cut_short", record(0)],
		["fragment_cut_short", record(0, whole.subarray(0, 11))],
		["fragment_cut_short", record(0, whole.subarray(0, 60))],
		["fragment_length", record(0, fragment(BODY, 5, 5))],
		["fragment_length", record(0, concat(u8(1), u24(20), u16(0), u24(10), u24(11), new Uint8Array(11)))],
		["message_type", record(0, concat(u8(2), whole.subarray(1)))],
		["message_type", record(0, whole, hex("0e 000000 0001 000000 000000"))],
		["message_number", record(0, fragment(BODY, 0, 30), fragment(BODY, 30, undefined, 1))],
		["hello_too_long", record(0, concat(u8(1), u24(8193), u16(0), u24(0), u24(1), u8(0xfe)))],
		["hello_too_short", record(0, fragment(BODY.subarray(0, 41)))],
		["hello_version", record(0, fragment(hello([], undefined, 0x0303)))],
		["cookie_length", record(0, fragment(concat(BODY.subarray(0, 35), u8(200), BODY.subarray(36))))],
		["server_name_invalid", record(0, fragment(hello([sni("a b")])))],
		["extension_duplicate", record(0, fragment(hello([extension(9), extension(9)])))],
		["piece_conflict", record(0, fragment(BODY, 0, 60)), record(1, fragment(changed, 30))],
		["message_length", record(0, fragment(BODY, 0, 60)), record(1, fragment(concat(BODY, u8(0)), 60))],
		["record_number_reused", record(7, fragment(BODY, 0, 60)), record(7, fragment(BODY, 60))],
	];
	for (const [cause, ...datagrams] of cases) {
		const said = rig.hearAll(datagrams);
		assert.deepEqual([said.verdict, said.name, said.protocol], [cause, undefined, "dtls"], cause);
		assert.equal(rig.halves.count, 0, cause);
	}
});

test("endless records are given up", () => {
	let verdict = "more";
	for (let number = 0; verdict === "more"; number++)
		verdict = rig.hear(record(number, fragment(BODY, 0, 10))).verdict;
	assert.equal(verdict, "too_many_records");
});

test("however a hello is cut into fragments and spread over datagrams, the name is the same", () => {
	const cut = fc.record({
		cuts: fc.array(fc.nat(BODY.length - 2), { maxLength: 20 }),
		order: fc.infiniteStream(fc.nat()),
		perDatagram: fc.integer({ min: 1, max: 5 }),
	});
	fc.assert(
		fc.property(cut, ({ cuts, order, perDatagram }) => {
			rig.forget();
			const ends = [...new Set([...cuts.map((at) => at + 1), BODY.length])].sort((a, b) => a - b);
			const all = ends.map((end, i) => record(i, fragment(BODY, ends[i - 1] ?? 0, end)));
			for (let i = all.length - 1; i > 0; i--) {
				const other = (order.next().value as number) % (i + 1);
				[all[i], all[other]] = [all[other] as Uint8Array, all[i] as Uint8Array];
			}
			const datagrams: Uint8Array[] = [];
			for (let i = 0; i < all.length; i += perDatagram)
				datagrams.push(concat(...all.slice(i, i + perDatagram)));
			for (const datagram of datagrams.slice(0, -1)) assert.equal(rig.hear(datagram).verdict, "more");
			const said = rig.hear(datagrams.at(-1) as Uint8Array);
			assert.deepEqual([said.name, said.held], ["dtls.example", datagrams.slice(0, -1)]);
		}),
		{ numRuns: 500 },
	);
});

test("no input throws, and a byte that was changed outside the name does not change it", () => {
	const real = record(0, fragment(BODY));
	const name = Buffer.from(real).indexOf("dtls.example");
	for (let index = 0; index < real.length; index++)
		for (const mask of [0x01, 0x10, 0xff]) {
			const bytes = real.slice();
			bytes[index] = (bytes[index] as number) ^ mask;
			const said = rig.hear(bytes);
			rig.forget();
			if (index < name || index >= name + 12)
				assert.ok(["dtls.example", "", undefined].includes(said.name), `byte ${index}`);
		}
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, isFragment) => {
			rig.hear(isFragment ? record(0, concat(u8(1), bytes)) : record(0, bytes));
		}),
		{ numRuns: 2_000 },
	);
});
