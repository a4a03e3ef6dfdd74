import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import fc from "fast-check";
import { QUIC_V1, QUIC_V2 } from "../../../src/protocol/quic/versions.js";
import {
	crypto,
	DESTINATION,
	type InitialParts,
	initial,
	PING,
	padding,
	u32,
	varint,
} from "../../../src/rig/quic-initial.js";
import {
	alpn,
	echOuter,
	extension,
	message,
	sni,
	supportedVersions,
	u8,
} from "../../protocol/hello-builder.js";
import { flights } from "../../protocol/quic/fixtures.js";
import { concat, hex, latin1 } from "../../protocol/samples.js";
import { CLIENT, Rig } from "./rig.js";

const rig = new Rig();
after(() => rig.dispose());
afterEach(() => rig.forget());

const HELLO = message({ extensions: [sni("a.example"), alpn("h3"), supportedVersions(0x0304)] });

function piece(start: number, end = HELLO.length): Uint8Array {
	return crypto(start, HELLO.subarray(start, end));
}

/** What becomes of a hello whose beginning is heard in one datagram, and then of what `next` has in another one. */
function afterBeginning(next: readonly Uint8Array[], parts: InitialParts = {}): string {
	rig.forget();
	assert.equal(rig.hear(initial([piece(0, 30)], { number: 1 })).verdict, "more");
	const { verdict } = rig.hear(initial(next, { number: 2, ...parts }));
	return `${verdict} ${rig.halves.count}`;
}

test("a hello is read in one packet, in many frames, and in many packets of one datagram", () => {
	for (const version of [QUIC_V1, QUIC_V2]) {
		assert.equal(rig.hear(initial([piece(0)], { version })).name, "a.example");
		const frames = [padding(3), piece(40), PING, piece(0, 10), padding(1), piece(5, 44), PING];
		assert.equal(rig.hear(initial(frames, { version })).name, "a.example");
		const packets = [0, 20, 40, 60].map((start, number) =>
			initial([piece(start, number === 3 ? undefined : start + 20)], { version, number, bytes: 0 }),
		);
		const said = rig.hear(concat(...packets, padding(1200)));
		assert.deepEqual([said.name, said.alpn], ["a.example", "h3"]);
	}
});

test("ECH's outer name counts, and a hello without a name has none", () => {
	const outer = message({ extensions: [echOuter(32, 200), sni("public.example")] });
	assert.equal(rig.hear(initial([crypto(0, outer)])).name, "public.example");
	const nameless = message({ extensions: [sni("127.0.0.1")] });
	assert.equal(rig.hear(initial([crypto(0, nameless)])).name, "");
});

test("0-RTT beside an Initial is held with it, as far as there is room, and alone when it has begun", () => {
	const early = concat(
		u8(0xd0),
		u32(QUIC_V1),
		u8(8),
		latin1("8 bytes+"),
		u8(3),
		latin1("src"),
		varint(300),
		padding(300),
	);
	const first = concat(initial([piece(0, 30)], { number: 0 }), early);
	assert.equal(rig.hear(first).verdict, "more");
	for (let i = 0; i < 30; i++) assert.equal(rig.hear(early).verdict, "more");
	const last = initial([piece(30)], { number: 1 });
	const said = rig.hear(last);
	assert.equal(said.name, "a.example");
	assert.deepEqual(said.held[0], first);
	assert.ok(said.held.length > 15 && said.held.length < 30, `${said.held.length} are held`);
	assert.ok(said.held.slice(1).every((held) => Buffer.compare(held, early) === 0));
});

test("what a server would close for ends the hello", () => {
	const cases: [string, readonly Uint8Array[], InitialParts?][] = [
		["frame_type", [u8(0x08), piece(30)]],
		["frame_type", [hex("4001"), piece(30)]], // PING, longer than it must be
		["frame_type", [piece(30), u8(0x1d)]],
		["frame_cut_short", [hex("01 06 05")], { bytes: 0 }],
		["frame_cut_short", [hex("06 00 7fff 00")]],
		["frame_cut_short", [hex("06 1e 02 00")], { bytes: 0 }], // a byte less than it says
		["frame_cut_short", [hex("02 00 00 3f 00")], { bytes: 0 }],
		["frame_cut_short", [hex("02 00 00 ffffffffffffffff 00")]],
		["closed_by_client", [hex("1c 00 00 00")]],
		["reserved_bits", [piece(30)], { firstByte: 0x04 }],
		["source_connection_id", [piece(30)], { source: latin1("sr") }],
		["source_connection_id", [piece(30)], { source: latin1("srd") }],
		["piece_conflict", [crypto(29, concat(u8(0xff), HELLO.subarray(30)))]],
		["packet_number_reused", [piece(30)], { number: 1 }],
		["data_after_hello", [piece(30), crypto(HELLO.length, u8(1))]],
		["data_after_hello", [crypto(HELLO.length, u8(1))]],
		["hello_too_long", [crypto(8192, u8(1))]],
		["hello_too_long", [hex("06 ffffffffffffffff 01 00")]],
	];
	for (const [cause, frames, parts] of cases) {
		const bytes =
			parts?.bytes === 0 ? concat(initial(frames, { number: 2, ...parts }), padding(1200)) : undefined;
		if (bytes === undefined) assert.equal(afterBeginning(frames, parts), `${cause} 0`);
		else {
			rig.forget();
			rig.hear(initial([piece(0, 30)], { number: 1 }));
			assert.equal(rig.hear(bytes).verdict, cause);
			assert.equal(rig.halves.count, 0);
		}
	}
});

test("what a server would drop leaves the hello as it is", () => {
	const rest = initial([piece(30)], { number: 2 });
	const spoilt = rest.slice();
	spoilt[1100] = (spoilt[1100] as number) ^ 1;
	for (const [cause, datagram] of [
		["not_authentic", spoilt],
		["datagram_too_short", initial([piece(30)], { number: 2, bytes: 1199 })],
		["cut_short", rest.subarray(0, 1199)],
		["fixed_bit", initial([piece(30)], { number: 2, firstByte: 0x40 })],
	] as const) {
		assert.equal(rig.hear(initial([piece(0, 30)], { number: 1 })).verdict, "more");
		assert.equal(rig.hear(datagram).verdict, cause);
		assert.equal(rig.halves.count, 1, cause);
		const said = rig.hear(rest);
		assert.deepEqual([said.name, said.held.length], ["a.example", 1], cause);
	}
});

test("a packet of another connection ends its datagram, and an Initial in a short one is none, wherever it stands", () => {
	const other = initial([piece(30)], {
		number: 2,
		destination: latin1("another!"),
		keysOf: DESTINATION,
		bytes: 0,
	});
	assert.equal(rig.hear(concat(initial([piece(0, 30)], { number: 1 }), other)).verdict, "more");
	const early = concat(
		u8(0xd0),
		u32(QUIC_V1),
		u8(8),
		DESTINATION,
		u8(3),
		latin1("src"),
		varint(40),
		padding(40),
	);
	const rest = (bytes: number) => initial([piece(30)], { number: 2, bytes: bytes - early.length });
	assert.equal(rig.hear(concat(early, rest(1199))).verdict, "more");
	assert.equal(rig.hear(concat(early, rest(1200))).name, "a.example");
});

test("acknowledgements are passed over, and packets that say nothing are not held", () => {
	assert.equal(afterBeginning([hex("02 01 00 01 00 00 00"), hex("03 01 00 00 00 01 01 01")]), "more 1");
	const said = rig.hear(initial([piece(30)], { number: 3 }));
	assert.deepEqual([said.name, said.held.length], ["a.example", 1]);
	assert.equal(rig.hear(initial([PING])).verdict, "more");
	assert.equal(rig.halves.count, 0);
});

test("a number that is cut so short that it could be a later one is a fault", () => {
	rig.hear(initial([piece(0, 30)], { number: 300, numberBytes: 2 }));
	assert.equal(rig.hear(initial([piece(30)], { number: 5 })).verdict, "packet_number");
	rig.hear(initial([piece(0, 30)], { number: 126 }));
	assert.equal(rig.hear(initial([piece(30)], { number: 0 })).name, "a.example");
	rig.hear(initial([piece(0, 30)], { number: 127 }));
	assert.equal(rig.hear(initial([piece(30)], { number: 0 })).verdict, "packet_number");
});

test("what comes in endless packets, or frames with gaps, is given up", () => {
	let verdict = "more";
	for (let number = 0; verdict === "more" && number < 100; number++)
		verdict = rig.hear(initial([piece(0, 30)], { number })).verdict;
	assert.equal(verdict, "too_many_packets");
	const long = message({ extensions: [extension(21, padding(400)), sni("a.example")] });
	const gaps = Array.from({ length: 100 }, (_, i) => crypto(2 * i, long.subarray(2 * i, 2 * i + 1)));
	assert.equal(rig.hear(initial(gaps)).verdict, "too_many_pieces");
	const many = Array.from({ length: 9 }, (_, number) => initial([PING], { number, bytes: 0 }));
	assert.equal(rig.hear(concat(...many, padding(1200))).verdict, "too_many_packets");
	const huge = message({ extensions: [extension(21, padding(7500)), sni("a.example")] });
	let last = "more";
	for (let i = 0; last === "more"; i++)
		last = rig.hear(
			initial([crypto(i * 1000, huge.subarray(i * 1000, (i + 1) * 1000))], { number: i }),
		).verdict;
	assert.equal(last, "hello_too_long");
	assert.equal(rig.halves.count, 0);
});

test("connection IDs: eight bytes at least without a token, twenty at most", () => {
	const destination = latin1("7 bytes");
	assert.equal(rig.hear(initial([piece(0)], { destination })).verdict, "connection_id_length");
	const token = latin1("token");
	assert.equal(rig.hear(initial([piece(0)], { destination, token })).name, "a.example");
	assert.equal(rig.hear(initial([piece(0)], { destination: padding(0), token })).name, "a.example");
	assert.equal(rig.hear(initial([piece(0)], { token, firstByte: 0x40 })).name, "a.example");
	assert.equal(
		rig.hear(initial([piece(0)], { destination: padding(20), source: padding(20) })).name,
		"a.example",
	);
	assert.equal(rig.hear(initial([piece(0)], { source: padding(21) })).verdict, "connection_id_length");
});

test("versions that cannot be opened are dropped, or routed without a name, as the setting says", () => {
	const [flight = assert.fail()] = flights();
	const [known = assert.fail()] = flight.datagrams;
	const of = (version: string, bytes = known.length) =>
		concat(known.subarray(0, 1), hex(version), known.subarray(5, bytes));
	for (const version of ["0a1a2a3a", "ff00001d", "51303530", "00000002"]) {
		for (const setting of ["reject", "route"] as const) {
			rig.unknownVersions = setting;
			const { verdict, protocol, name } = rig.hear(of(version));
			assert.deepEqual(
				[verdict, protocol, name],
				[setting === "route" ? "complete" : "unknown_version", "quic", undefined],
			);
		}
		// Nobody answers one that is so short: it may be anything.
		assert.equal(rig.hear(of(version, 1199)).protocol, "other");
	}
	assert.equal(rig.hear(hex("c0 00000000 00 00 00000001 6b3343cf")).verdict, "version_negotiation");
	assert.equal(rig.hear(hex("c0 00000000 00 00 000000")).protocol, "other");
	rig.unknownVersions = "reject";
});

test("what begins as a known version is QUIC, however little there is of it", () => {
	for (const begun of ["c0 00000001", "c0 00000001 08", "80 6b3343cf", "c0 00000001 00 15"]) {
		const { verdict, protocol } = rig.hear(hex(begun));
		assert.deepEqual([verdict, protocol], ["cut_short", "quic"], begun);
	}
});

test("a half whose time is over is not gone on with", () => {
	assert.equal(rig.hear(initial([piece(0, 30)], { number: 1 })).verdict, "more");
	rig.nowMs += 4_999;
	assert.equal(rig.hear(initial([PING], { number: 2 })).verdict, "more");
	assert.equal(rig.halves.count, 1);
	rig.nowMs += 1;
	assert.equal(rig.hear(initial([piece(30)], { number: 3 })).verdict, "more");
	assert.deepEqual([rig.halves.count, rig.halves.expired > 0], [1, true]);
	const said = rig.hear(initial([piece(0, 30)], { number: 4 }));
	assert.deepEqual([said.name, said.held.length], ["a.example", 1]);
});

test("everything else is other", () => {
	const dns = hex("9b1d 0100 0001 0000 0000 0000 07 6578616d706c65 03 636f6d 00 0001 0001");
	for (const bytes of [
		padding(0),
		u8(0xc0),
		hex("c000"),
		latin1("hello"),
		dns,
		padding(1500),
		hex("16 03 01"),
		hex("16"),
	])
		assert.deepEqual([rig.hear(bytes).verdict, rig.hear(bytes).protocol], ["complete", "other"]);
});

test("however a hello is cut, shuffled, repeated and spread over datagrams, the name is the same", () => {
	const cut = fc.record({
		size: fc.integer({ min: 0, max: 2500 }),
		cuts: fc.array(fc.nat(3000), { maxLength: 25 }),
		order: fc.infiniteStream(fc.nat()),
		perDatagram: fc.integer({ min: 1, max: 12 }),
		version: fc.constantFrom(QUIC_V1, QUIC_V2),
	});
	fc.assert(
		fc.property(cut, ({ size, cuts, order, perDatagram, version }) => {
			rig.forget();
			const whole = message({ extensions: [extension(21, padding(size)), sni("cut.example"), alpn("h3")] });
			const ends = [...new Set([...cuts.map((at) => at % whole.length), whole.length])].sort((a, b) => a - b);
			const frames = ends.map((end, i) => crypto(ends[i - 1] ?? 0, whole.subarray(ends[i - 1] ?? 0, end)));
			// Some come twice.
			const all = [...frames, ...frames.filter((_, i) => i % 3 === 0)];
			for (let i = all.length - 1; i > 0; i--) {
				const other = (order.next().value as number) % (i + 1);
				[all[i], all[other]] = [all[other] as Uint8Array, all[i] as Uint8Array];
			}
			let said = rig.hear(initial([PING], { version }));
			const names: (string | undefined)[] = [];
			for (let at = 0, number = 1; at < all.length && said.verdict === "more"; at += perDatagram, number++) {
				said = rig.hear(initial(all.slice(at, at + perDatagram), { version, number }));
				names.push(said.name);
			}
			if (said.verdict === "hello_too_long") return; // of the datagrams: the limit is there to be met
			assert.deepEqual([said.verdict, names.at(-1)], ["complete", "cut.example"]);
			assert.ok(names.slice(0, -1).every((name) => name === undefined));
		}),
		{ numRuns: 300 },
	);
});

test("no input throws or hangs, and bytes that were made up or changed never name anything that was not sent", () => {
	const real = flights();
	const names = new Set([...real.map(({ serverName }) => serverName), undefined]);
	const mutation = fc.record({
		flight: fc.nat(real.length - 1),
		edits: fc.array(fc.tuple(fc.nat(1300), fc.nat(255), fc.nat(2)), { maxLength: 6 }),
		length: fc.nat(1400),
	});
	fc.assert(
		fc.property(mutation, ({ flight, edits, length }) => {
			const datagram = real[flight]?.datagrams[0] ?? assert.fail();
			let bytes = [...datagram];
			for (const [at, value, kind] of edits)
				bytes.splice(Math.min(at, bytes.length), kind === 0 ? 1 : 0, ...(kind === 2 ? [] : [value]));
			bytes = length > 1300 ? bytes : bytes.slice(0, Math.max(length, 700));
			assert.ok(names.has(rig.hear(Uint8Array.from(bytes)).name));
		}),
		{ numRuns: 1_000 },
	);
	const prefixes = [
		[],
		[0xc0, 0, 0, 0, 1],
		[0xd0, 0x6b, 0x33, 0x43, 0xcf],
		[0x16, 0xfe, 0xff, 0, 0],
		[0x16, 0xfe, 0xfd],
	];
	fc.assert(
		fc.property(
			fc.constantFrom(...prefixes),
			fc.uint8Array({ minLength: 0, maxLength: 2000 }),
			(prefix, rest) => {
				assert.equal(rig.hear(Uint8Array.from([...prefix, ...rest]), CLIENT).name, undefined);
			},
		),
		{ numRuns: 2_000 },
	);
	// Frames that are made up, in packets that open.
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(20), (frames, number) => {
			const said = rig.hear(initial([frames], { number, destination: latin1("made up!") }));
			assert.equal(said.name, undefined);
		}),
		{ numRuns: 1_000 },
	);
});
