import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { Journal } from "../../src/reactor/records/journal.js";
import { type RequestRecord, readJournal, type SessionRecord } from "../support/read-journal.js";
import { recordOf, write, writeRequest } from "./journal-records.js";
import type { WriterOptions } from "./journal-writer.js";

const int32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const u8 = fc.nat(255);
const ms = fc.double({ noNaN: true });
const record: fc.Arbitrary<SessionRecord> = fc.record(
	{
		id: fc.maxSafeNat(),
		listener: int32,
		route: int32,
		upstream: int32,
		address: int32,
		reason: u8,
		protocol: u8,
		family: u8,
		sourcePort: fc.nat(65_535),
		source: fc.uint8Array({ minLength: 16, maxLength: 16 }),
		name: fc.array(u8, { maxLength: 255, size: "max" }).map((bytes) => String.fromCharCode(...bytes)),
		tls: fc.array(u8, { maxLength: 2_000, size: "max" }).map((bytes) => String.fromCharCode(...bytes)),
		acceptedMs: ms,
		recognizedMs: ms,
		connectedMs: ms,
		securedMs: ms,
		closedMs: ms,
		bytesFromClient: fc.maxSafeNat(),
		bytesToClient: fc.maxSafeNat(),
	},
	{ noNullPrototype: true },
);

const text = (maxLength: number) =>
	fc.array(u8, { maxLength, size: "max" }).map((bytes) => String.fromCharCode(...bytes));
const request: fc.Arbitrary<RequestRecord> = fc.record(
	{
		id: fc.maxSafeNat(),
		listener: int32,
		route: int32,
		upstream: int32,
		address: int32,
		status: fc.nat(999),
		reason: fc.integer({ min: -1, max: 254 }),
		cause: u8,
		flags: u8,
		method: text(20),
		path: text(256),
		host: text(255),
		startedMs: ms,
		endedMs: ms,
		bytesFromClient: fc.maxSafeNat(),
		bytesToClient: fc.maxSafeNat(),
	},
	{ noNullPrototype: true },
);

function drained(journal: Journal): SessionRecord[] {
	const records: SessionRecord[] = [];
	readJournal(journal, (record) => records.push(record));
	return records;
}

test("records of any names and numbers come out as they went in, in their order, round and round the ring", () => {
	// One ring for all runs, so that each begins somewhere else in it.
	const journal = new Journal();
	let bytes = 0;
	fc.assert(
		fc.property(fc.array(record, { maxLength: 30 }), fc.nat(2_000), (records, apart) => {
			for (let id = 0; id < apart; id++) assert.ok(write(journal, recordOf(id)));
			assert.equal(drained(journal).length, apart);
			for (const each of records) {
				assert.ok(write(journal, each));
				bytes += each.name.length;
			}
			assert.deepEqual(drained(journal), records);
			assert.equal(journal.fill, 0);
		}),
		{ numRuns: 200 },
	);
	assert.ok(bytes > 0);
	assert.equal(journal.dropped, 0);
});

test("records of sessions and of requests share the ring, and each comes out as what it is", () => {
	const journal = new Journal();
	const either = fc.oneof(
		record.map((session) => ({ session })),
		request.map((asked) => ({ asked })),
	);
	fc.assert(
		fc.property(fc.array(either, { maxLength: 30 }), fc.nat(2_000), (records, apart) => {
			for (let id = 0; id < apart; id++) assert.ok(write(journal, recordOf(id)));
			drained(journal);
			for (const each of records)
				assert.ok("asked" in each ? writeRequest(journal, each.asked) : write(journal, each.session));
			const out: typeof records = [];
			readJournal(
				journal,
				(session) => out.push({ session }),
				(asked) => out.push({ asked }),
			);
			assert.deepEqual(out, records);
			assert.equal(journal.fill, 0);
		}),
		{ numRuns: 200 },
	);
});

test("a full ring drops what comes, counts it, and loses nothing of what it holds", () => {
	const journal = new Journal();
	let id = 0;
	let before = 0;
	for (; write(journal, recordOf(id)); id++) {
		assert.ok(journal.fill > before && journal.fill <= 1);
		before = journal.fill;
	}
	assert.equal(journal.dropped, 1);
	assert.ok(journal.fill > 0.99);
	assert.equal(write(journal, { ...recordOf(id), name: "x".repeat(255) }), false);
	assert.equal(journal.dropped, 2);
	const held = drained(journal);
	assert.equal(held.length, id);
	for (const [index, each] of held.entries()) assert.deepEqual(each, recordOf(index));
	assert.equal(journal.fill, 0);
	assert.ok(write(journal, recordOf(5)));
	assert.deepEqual(drained(journal), [recordOf(5)]);
	assert.equal(journal.dropped, 2);
});

test("records that are only begun are not read", () => {
	const journal = new Journal();
	assert.ok(journal.begin(10) >= 0);
	assert.deepEqual(drained(journal), []);
	write(journal, recordOf(3));
	assert.deepEqual(drained(journal), [recordOf(3)]);
});

test("each record gives its room back as soon as it was taken", () => {
	const journal = new Journal();
	for (let id = 0; write(journal, recordOf(id)); id++);
	const dropped = journal.dropped;
	let written = 0;
	readJournal(journal, () => {
		// What is written while draining is left for the next time.
		if (written < 100 && write(journal, recordOf(written))) written++;
	});
	assert.ok(written > 0);
	assert.deepEqual(
		drained(journal),
		Array.from({ length: written }, (_, id) => recordOf(id)),
	);
	assert.ok(journal.dropped >= dropped);
});

test("positions pass the end of their 32 bits unharmed", () => {
	const journal = new Journal();
	const positions = new Int32Array(journal.buffer, 0, 2);
	// A few records before 2^31 words: 16 GiB of log lines.
	positions.fill(0x7fff_ffff - 100);
	for (let id = 0; id < 5_000; id++) {
		assert.ok(write(journal, recordOf(id)));
		if (id % 1_000 === 999)
			assert.deepEqual(
				drained(journal),
				Array.from({ length: 1_000 }, (_, index) => recordOf(id - 999 + index)),
			);
	}
	assert.equal(journal.fill, 0);
	assert.equal(journal.dropped, 0);
});

test("the writer is told to tell when the reader sleeps, and when the ring is half full; otherwise not", () => {
	const journal = new Journal();
	let told = 0;
	const put = (id: number) => write(journal, recordOf(id), () => told++);
	put(0);
	assert.equal(told, 0, "a reader that was never asleep looks by itself");
	assert.equal(journal.sleep(), false, "something waits, so there is no sleep");
	drained(journal);
	assert.equal(journal.sleep(), true);
	put(1);
	assert.equal(told, 1);
	put(2);
	assert.equal(told, 1, "it is awake by now");
	drained(journal);
	for (let id = 0; journal.fill < 0.9; id++) put(id);
	assert.equal(told, 2, "once, on the way up");
});

interface Threads {
	readonly journal: Journal;
	/** Takes the records, and compares each with what was written. */
	readonly take: (record: SessionRecord) => void;
	/** How many have arrived. */
	readonly arrived: () => number;
	readonly worker: Worker;
	/** Resolves when the writer has ended, to how often it found no room. */
	readonly ended: Promise<number>;
}

function startWriter(count: number, burst: number): Threads {
	const journal = new Journal();
	const refusals = new SharedArrayBuffer(4);
	const options: WriterOptions = { buffer: journal.buffer, count, burst, refusals };
	const worker = new Worker(new URL("./journal-writer.js", import.meta.url), { workerData: options });
	let next = 0;
	return {
		journal,
		worker,
		arrived: () => next,
		take: (record) => {
			const expected = recordOf(next++);
			// deepEqual on 200,000 records takes seconds; this finds the same, and deepEqual then tells.
			let same = record.source.join() === expected.source.join();
			for (const [key, value] of Object.entries(expected))
				if (key !== "source") same &&= record[key as keyof SessionRecord] === value;
			if (!same) assert.deepEqual(record, expected);
		},
		ended: new Promise((resolve, reject) => {
			worker.once("error", reject);
			worker.once("exit", () => resolve(Atomics.load(new Int32Array(refusals), 0)));
		}),
	};
}

test("a reactor writes while the main thread reads: every record arrives once, whole and in order", async () => {
	const COUNT = 200_000;
	const { journal, take, arrived, ended } = startWriter(COUNT, 0);
	let refused: number | undefined;
	const end = ended.then((count) => {
		refused = count;
	});
	while (refused === undefined) {
		readJournal(journal, take);
		await setImmediate();
	}
	await end;
	readJournal(journal, take);
	assert.equal(arrived(), COUNT);
	assert.equal(journal.dropped, refused);
});

test("a reader that sleeps whenever nothing waits is woken for every record", async () => {
	const COUNT = 20_000;
	const { journal, take, arrived, worker, ended } = startWriter(COUNT, 50);
	let wakeUps = 0;
	worker.on("message", () => {
		wakeUps++;
		do readJournal(journal, take);
		while (!journal.sleep());
	});
	journal.sleep();
	await ended;
	// All messages of a thread arrive before its end: had one not been sent, records would be left here.
	assert.equal(journal.fill, 0);
	assert.equal(arrived(), COUNT);
	assert.ok(wakeUps < COUNT / 2, `${wakeUps} wake-ups`);
});
