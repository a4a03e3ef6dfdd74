/** Lines of sessions and requests are made in place, byte by byte. They must equal what objects and JSON.stringify make. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { OVERHANG_BYTES } from "../../src/gateway/json-bytes.js";
import { LogLines, type Names } from "../../src/gateway/log-lines.js";
import type { LineSink } from "../../src/gateway/log-writer.js";
import { REASONS } from "../../src/parts/reasons.js";
import { HTTP_CAUSES } from "../../src/protocol/http/causes.js";
import { PROTOCOL_NAMES } from "../../src/protocol/index.js";
import { Journal } from "../../src/reactor/records/journal.js";
import { write, writeRequest } from "../reactor/journal-records.js";
import { type RequestRecord, requestAt, type SessionRecord, sessionAt } from "../support/read-journal.js";
import { type Clock, requestLine, sessionLine } from "./reference-lines.js";

/** Takes lines one at a time, into room that is exactly as much as was asked for. */
class OneLine implements LineSink {
	bytes = Buffer.alloc(0);
	readonly start = 3;
	line = "";

	begin(maxBytes: number): boolean {
		this.line = "";
		this.bytes = Buffer.alloc(this.start + maxBytes, "#");
		return true;
	}

	end(end: number): void {
		assert.ok(end <= this.bytes.length, "it is longer than was said");
		assert.equal(this.bytes.toString("latin1", 0, this.start), "###");
		this.line = this.bytes.toString("utf8", this.start, end);
		assert.ok(this.bytes.subarray(end + OVERHANG_BYTES).every((byte) => byte === 0x23));
	}

	send(): void {}
}

/** Of names that JSON escapes, or UTF-8 needs several bytes for. */
const ODD = [
	'"quoted"',
	"back\\slash",
	"tab\tand\nline",
	"€ and 🚢",
	"\u0000\u001f\u007f\u0080",
	"\ud800 alone",
	"",
];

/** The same string each time. */
function remembered(make: (slot: number) => string): (slot: number) => string {
	const names = new Map<number, string>();
	return (slot) => {
		const name = names.get(slot) ?? make(slot);
		names.set(slot, name);
		return name;
	};
}

const odd = (slot: number) => ODD[slot % ODD.length] ?? "";

const NAMES: Names = {
	listener: { of: remembered((slot) => `listener ${slot} ${odd(slot)}`) },
	route: { of: remembered((slot) => `key\0${odd(slot)}`), shown: (name) => name.slice(4) },
	upstream: { of: remembered((slot) => `upstream ${slot} ${odd(slot + 1)}`) },
	address: { of: remembered((slot) => `a:${slot}`), shown: (name) => name.slice(2) },
};

class Comparison {
	readonly #journal = new Journal();
	readonly #sink = new OneLine();
	readonly #lines: LogLines;
	/** How many lines were compared. */
	count = 0;

	constructor(names = NAMES) {
		this.#lines = new LogLines(names, this.#sink);
	}

	/** Writes records as the reactor does, and compares each line with its reference. Gives the lines. */
	of(records: { sessions?: SessionRecord[]; requests?: RequestRecord[] }, clock: Clock): string[] {
		const { sessions = [], requests = [] } = records;
		for (const record of sessions) assert.ok(write(this.#journal, record));
		for (const record of requests) assert.ok(writeRequest(this.#journal, record));
		this.#lines.setClock(clock.nowMs, clock.kernelMs);
		const made: string[] = [];
		const compare = (expected: string) => {
			assert.equal(this.#sink.line, expected);
			made.push(expected);
		};
		this.#journal.drain(
			(journal, record) => {
				this.#lines.session(journal, record);
				compare(sessionLine(sessionAt(journal, record), NAMES, clock));
			},
			(journal, record) => {
				this.#lines.request(journal, record);
				compare(requestLine(requestAt(journal, record), NAMES, clock));
			},
		);
		assert.equal(made.length, sessions.length + requests.length);
		this.count += made.length;
		return made;
	}
}

const CLOCK: Clock = { nowMs: Date.UTC(2026, 10, 28, 12, 0, 0, 7), kernelMs: 86_400_123.456 };

const SESSION: SessionRecord = {
	id: 4_711,
	listener: 1,
	route: 2,
	upstream: 3,
	address: 4,
	reason: 0,
	protocol: 1,
	tls: "",
	family: 4,
	sourcePort: 50_000,
	source: Uint8Array.of(192, 0, 2, 7, ...new Array<number>(12).fill(0)),
	name: "git.example.com",
	acceptedMs: CLOCK.kernelMs - 3_000.25,
	recognizedMs: CLOCK.kernelMs - 2_000.5,
	connectedMs: CLOCK.kernelMs - 1_000.75,
	securedMs: 0,
	closedMs: CLOCK.kernelMs,
	bytesFromClient: 12,
	bytesToClient: 2 ** 40,
};

const REQUEST: RequestRecord = {
	id: 4_711,
	listener: 1,
	route: 2,
	upstream: 3,
	address: 4,
	status: 200,
	reason: -1,
	cause: 0,
	flags: 0,
	method: "GET",
	path: "/a",
	host: "app.test",
	startedMs: CLOCK.kernelMs - 12.3456,
	endedMs: CLOCK.kernelMs,
	bytesFromClient: 12,
	bytesToClient: 2 ** 40,
};

/** A record for each value of each field, the others as they are in `base`. */
function varied<Row extends object>(base: Row, values: { [Key in keyof Row]?: readonly Row[Key][] }): Row[] {
	const records: Row[] = [];
	for (const key of Object.keys(values) as (keyof Row)[])
		for (const value of values[key] ?? []) records.push({ ...base, [key]: value });
	return records;
}

function range(end: number, start = 0): number[] {
	return Array.from({ length: end - start }, (_, index) => start + index);
}

const NUMBERS = [
	0,
	-0,
	...range(16).flatMap((power) => [10 ** power - 1, 10 ** power, 10 ** power + 1]),
	2 ** 31 - 1,
	2 ** 31,
	2 ** 32,
	999_999_999_999,
	1_000_000_000_001,
	Number.MAX_SAFE_INTEGER - 1,
	Number.MAX_SAFE_INTEGER,
	2 ** 53,
	1e21,
	1e300,
	0.5,
	-1,
	1e-7,
	Number.MAX_VALUE,
	Number.MIN_VALUE,
	-Number.MAX_VALUE,
	Number.NaN,
	Number.POSITIVE_INFINITY,
];

const TEXTS = [
	"",
	"a",
	"x".repeat(41),
	"x".repeat(42),
	"x".repeat(255),
	'"',
	"\\",
	'a"b\\c/d',
	"\b\f\n\r\t",
	"\u0000".repeat(255),
	String.fromCharCode(...range(256)).slice(1),
	String.fromCharCode(...range(255)),
	// UTF-8 that is broken, cut, or longer than it need be: each byte is a character.
	"\xc3\x28\xa0\xa1\xe2\x82\xf0\x28\x8c\xbc\xc0\xaf\xed\xa0\x80\xff\xfe",
	"ÿ".repeat(255),
];

const ADDRESSES: Uint8Array[] = [
	"00000000000000000000000000000000",
	"ffffffffffffffffffffffffffffffff",
	"00000000000000000000000000000001",
	"00000000000000000000ffffc0000207",
	"0a000001000000000000000000000000",
	"20010db8000000000001000000000001",
	"20010db8000000010000000000000001",
	"0001000000000000000000000000abcd",
	"fe800000000000000123456789abcdef",
	"123456789abcdef0123456789abcdef0",
].map((hex) => Uint8Array.from(Buffer.from(hex, "hex")));

/** Around changes of the calendar, and where its years are written otherwise. */
const WALL_TIMES = [
	0.25,
	1,
	86_399_999,
	86_400_000,
	...[
		1970, 1971, 1972, 1999, 2000, 2023, 2024, 2025, 2026, 2099, 2100, 2101, 2400, 9999, 10_000, 12_345,
	].flatMap((year) => [
		Date.UTC(year, 0, 1),
		Date.UTC(year, 0, 1) - 1,
		Date.UTC(year, 1, 28, 23, 59, 59, 999),
		Date.UTC(year, 1, 29),
		Date.UTC(year, 2, 1) - 1,
		Date.UTC(year, 2, 1),
		Date.UTC(year, 11, 31, 23, 59, 59, 999),
		Date.UTC(year, 6, 15, 9, 8, 7, 6) + 0.999,
	]),
	-1,
	-62_198_755_200_000,
	8.64e15,
	8.64e15 + 1,
	1e300,
	Number.POSITIVE_INFINITY,
	Number.NaN,
];

const SLOTS = [-1, ...range(10), 4_095, 65_535];

const FACTS = [
	"TLSv1.3\tTLS_AES_128_GCM_SHA256\t1\thttp/1.1\tCN=me\t",
	"TLSv1.3\tTLS_AES_128_GCM_SHA256\t0\t\t\t",
	'TLSv1.2\tECDHE\t0\th2\tO=\\"a", CN=ü\tthe client ended without close_notify',
	"\t\t\t\t\tno shared cipher",
	"\t\t\t\t\t",
	"\t",
	"TLSv1.3",
	"TLSv1.3\t",
	"TLSv1.3\tc\t",
	"TLSv1.3\tc\t10",
	"TLSv1.3\tc\tx\ta",
	"TLSv1.3\tc\t1\ta\ts\te\tone more\tand another",
	`v\tc\t1\ta\t${"\u0001".repeat(1_024)}\t${"é".repeat(1_024)}`,
];

test("sessions of every reason, protocol, address, name, number and time have the line that they had as objects", () => {
	const compared = new Comparison();
	const lines = compared.of(
		{
			sessions: varied(SESSION, {
				id: NUMBERS,
				listener: SLOTS.filter((slot) => slot >= 0),
				route: SLOTS,
				upstream: SLOTS,
				address: SLOTS,
				reason: range(256),
				protocol: range(256),
				sourcePort: [0, 1, 80, 65_535],
				name: TEXTS,
				bytesFromClient: NUMBERS,
				bytesToClient: NUMBERS,
				tls: FACTS,
				acceptedMs: [0],
				recognizedMs: [0],
				connectedMs: [0],
				securedMs: [CLOCK.kernelMs - 2_500.5],
				closedMs: [0],
			}),
		},
		CLOCK,
	);
	for (const word of [...REASONS, ...PROTOCOL_NAMES])
		assert.ok(
			lines.some((line) => line.includes(`"${word}"`)),
			word,
		);
	for (const family of [0, 1, 4, 6, 10])
		compared.of({ sessions: varied({ ...SESSION, family }, { source: ADDRESSES }) }, CLOCK);
	for (const nowMs of WALL_TIMES.filter((time) => time > -1e15 && time < 8.64e15)) {
		const sessions = varied(SESSION, { acceptedMs: WALL_TIMES });
		compared.of({ sessions }, { nowMs: Math.trunc(nowMs), kernelMs: Math.trunc(nowMs) });
	}
	assert.ok(compared.count > 5_000);
});

test("requests of every status, cause, flag, text, number and duration have the line that they had as objects", () => {
	const compared = new Comparison();
	const lines = compared.of(
		{
			requests: varied(REQUEST, {
				id: NUMBERS,
				listener: SLOTS.filter((slot) => slot >= 0),
				route: SLOTS,
				upstream: SLOTS,
				address: SLOTS,
				status: [...range(1_000), 65_535],
				reason: range(255, -1),
				cause: [...range(300), 65_535],
				flags: range(128),
				method: TEXTS,
				path: TEXTS,
				host: TEXTS,
				bytesFromClient: NUMBERS,
				bytesToClient: NUMBERS,
				startedMs: [0, -1, Number.NaN, ...NUMBERS],
			}),
		},
		CLOCK,
	);
	for (const word of [...REASONS, ...HTTP_CAUSES.slice(1).map(({ name }) => name)])
		assert.ok(
			lines.some((line) => line.includes(`"${word}"`)),
			word,
		);
	// Every flag with no status, with a path and without.
	compared.of({ requests: varied({ ...REQUEST, status: 0 }, { flags: range(128) }) }, CLOCK);
	compared.of({ requests: varied({ ...REQUEST, path: "" }, { flags: range(128) }) }, CLOCK);
	const started = 1_000;
	const durations = [
		0,
		0.0004,
		0.0005,
		-0.0001,
		0.001,
		0.01,
		0.1,
		1,
		1.5,
		12.3456,
		999.9994,
		999.9996,
		3e5 + 0.05,
	];
	const endedMs = [...durations.map((ms) => started + ms), ...NUMBERS];
	compared.of({ requests: varied({ ...REQUEST, startedMs: started }, { endedMs }) }, CLOCK);
	compared.of({ requests: [{ ...REQUEST, path: "p".repeat(65_535), host: "\u0001".repeat(65_535) }] }, CLOCK);
	assert.ok(compared.count > 2_000);
});

const int32 = fc.integer({ min: -1, max: 0x7fff_ffff });
const bytes = (maxLength: number) =>
	fc.array(fc.nat(255), { maxLength, size: "max" }).map((codes) => String.fromCharCode(...codes));
const double = fc.oneof(fc.double(), fc.maxSafeNat(), fc.double({ min: 0, max: 1e13, noNaN: true }));

test("sessions and requests of any numbers and bytes have the line that they had as objects", () => {
	const compared = new Comparison();
	const common = {
		id: double,
		listener: fc.nat(300),
		route: int32,
		upstream: int32,
		address: int32,
		bytesFromClient: double,
		bytesToClient: double,
	};
	const session: fc.Arbitrary<SessionRecord> = fc.record({
		...common,
		reason: fc.nat(255),
		protocol: fc.nat(255),
		family: fc.constantFrom(0, 4, 6),
		sourcePort: fc.nat(65_535),
		source: fc.uint8Array({ minLength: 16, maxLength: 16 }),
		name: bytes(255),
		tls: bytes(2_000),
		acceptedMs: double,
		recognizedMs: double,
		connectedMs: double,
		securedMs: fc.oneof(double, fc.constant(0)),
		closedMs: double,
	});
	const request: fc.Arbitrary<RequestRecord> = fc.record({
		...common,
		status: fc.nat(999),
		reason: fc.integer({ min: -1, max: 254 }),
		cause: fc.nat(65_535),
		flags: fc.nat(255),
		method: bytes(20),
		path: bytes(256),
		host: bytes(255),
		startedMs: double,
		endedMs: double,
	});
	fc.assert(
		fc.property(
			session,
			request,
			fc.nat(4e12),
			fc.double({ min: 0, max: 1e12, noNaN: true }),
			(one, other, nowMs, kernelMs) => {
				compared.of({ sessions: [one], requests: [other] }, { nowMs, kernelMs });
			},
		),
		{ numRuns: 500 },
	);
	assert.equal(compared.count, 1_000);
});

test("a number that has become another name's is written with the new name", () => {
	const names = ["old", "kept"];
	const of = (slot: number) => names[slot] ?? "";
	const sink = new OneLine();
	const lines = new LogLines({ ...NAMES, upstream: { of, shown: (name) => `<${name}>` } }, sink);
	const journal = new Journal();
	const said = (upstream: number): unknown => {
		assert.ok(write(journal, { ...SESSION, upstream }));
		journal.drain(lines.session, lines.request);
		return (JSON.parse(sink.line) as Record<string, unknown>)["upstream"];
	};
	assert.deepEqual([said(0), said(1), said(0)], ["<old>", "<kept>", "<old>"]);
	names[0] = "new";
	assert.deepEqual([said(0), said(1), said(-1)], ["<new>", "<kept>", null]);
});

test("a line for which there is no room is not written", () => {
	const refusing = new OneLine();
	refusing.begin = () => false;
	const lines = new LogLines(NAMES, refusing);
	const journal = new Journal();
	assert.ok(write(journal, SESSION) && writeRequest(journal, REQUEST));
	journal.drain(lines.session, lines.request);
	assert.equal(refusing.line, "");
});

/** Takes lines into one buffer, over and over. */
class Forgetful implements LineSink {
	readonly bytes = Buffer.alloc(1 << 16);
	readonly start = 0;
	lines = 0;
	begin(): boolean {
		return true;
	}
	end(): void {
		this.lines++;
	}
	send(): void {}
}

test("lines leave no garbage behind, once their code is compiled", async () => {
	const sink = new Forgetful();
	const lines = new LogLines(NAMES, sink);
	const journal = new Journal();
	let id = 0;
	/** What a line takes of the heap, in bytes; less than nothing when the collector has run. */
	const round = (): number => {
		while (journal.fill < 0.1) {
			write(journal, { ...SESSION, id: id++, tls: FACTS[id % FACTS.length] ?? "" });
			writeRequest(journal, { ...REQUEST, id: id++ });
		}
		const linesBefore = sink.lines;
		const before = process.memoryUsage().heapUsed;
		journal.drain(lines.session, lines.request);
		return (process.memoryUsage().heapUsed - before) / (sink.lines - linesBefore);
	};
	// Rounds in a row, for in one the collector may have taken as much as was left. The compiler is a thread of its own, and
	// waits for a processor on a busy machine.
	const spent: number[] = [];
	const isClean = () => spent.length >= 10 && spent.slice(-10).every((each) => each >= 0 && each < 2);
	while (!isClean() && spent.length < 3_000) {
		spent.push(round());
		await setImmediate();
	}
	assert.ok(isClean(), `the last rounds took ${spent.slice(-10).join(", ")} bytes a line`);
});
