import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { i32 } from "../../src/parts/at.js";
import { NONE } from "../../src/parts/none.js";
import { CHUNK_BYTES } from "../../src/reactor/memory/arena.js";
import { FLOW, FULL_READS, KIND, PARKED, SOCKET } from "../../src/reactor/table/fields.js";
import * as marks from "../../src/reactor/table/marks.js";
import { QUEUED } from "../../src/reactor/table/marks.js";
import type { Slot } from "../../src/reactor/table/numbers.js";
import * as states from "../../src/reactor/table/states.js";
import { FREE, SNIFF } from "../../src/reactor/table/states.js";
import { LINK_BYTES_MAX, ROW_BYTES_MAX, type Table, tableOf } from "../../src/reactor/table/table.js";
import { offset, stamp } from "../../src/reactor/table/times.js";

type Column = Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;

function columnsOf(table: Table): Map<string, Column> {
	const fields = [...Object.entries(table), ...Object.entries(table.names)];
	return new Map(fields.filter((entry): entry is [string, Column] => ArrayBuffer.isView(entry[1])));
}

test("a client's row takes at most 178 bytes, an upstream's 64, and the memory is no more than its rows", () => {
	assert.deepEqual([ROW_BYTES_MAX, LINK_BYTES_MAX], [178, 64]);
	for (const sessions of [1, 3, 1_000, 9_999]) {
		const table = tableOf(sessions);
		assert.ok(table.rowBytes <= ROW_BYTES_MAX, `${table.rowBytes} bytes`);
		assert.ok(table.linkBytes <= LINK_BYTES_MAX, `${table.linkBytes} bytes`);
		const gaps = table.buffer.byteLength - sessions * (table.rowBytes + table.linkBytes);
		assert.ok(gaps >= 0 && gaps < 8 * columnsOf(table).size, `${gaps} bytes are in no row`);
		let bytes = 0;
		for (const column of columnsOf(table).values()) bytes += column.byteLength;
		assert.equal(bytes, sessions * (table.rowBytes + table.linkBytes));
	}
});

test("no column shares a byte with another", () => {
	for (const sessions of [1, 2, 7]) {
		const table = tableOf(sessions);
		const columns = columnsOf(table);
		for (const [name, column] of columns) {
			new Uint8Array(column.buffer, column.byteOffset, column.byteLength).fill(0xff);
			for (const [other, cells] of columns)
				if (other !== name)
					assert.ok(
						cells.every((cell) => cell === 0),
						`${name} overlaps ${other}`,
					);
			column.fill(0);
		}
	}
});

test("low slots are used first, of clients and of upstreams", () => {
	const table = tableOf(4);
	assert.deepEqual([table.takeClient(), table.takeClient(), table.takeClient()], [0, 1, 2]);
	assert.deepEqual([table.takeLink(), table.takeLink()], [4, 5]);
	table.state[1] = SNIFF;
	table.release(1 as Slot);
	assert.equal(table.takeClient(), 1, "a slot that was used before comes before one that never was");
	assert.equal(table.takeClient(), 3);
});

test("a full table gives NONE, and a released row again", () => {
	const table = tableOf(2);
	table.takeClient();
	const last = table.takeClient();
	assert.equal(table.takeClient(), NONE);
	assert.equal(table.clients, 2);
	table.state[last] = SNIFF;
	table.release(last);
	assert.equal(table.takeClient(), last);
	assert.equal(table.takeClient(), NONE);
	assert.equal(table.takeLink(), 2);
	assert.equal(table.takeLink(), 3);
	assert.equal(table.takeLink(), NONE);
});

test("a row released twice is a fault that shows at once", () => {
	const table = tableOf(2);
	const client = table.takeClient();
	table.state[client] = SNIFF;
	table.release(client);
	assert.throws(() => table.release(client), /released twice/);
	assert.throws(() => table.release(1 as Slot), /released twice/, "one that was never taken");
	assert.equal(table.clients, 0);
});

test("what a row still holds when it is released is a fault that shows at once", () => {
	const holds: [string, (table: Table, slot: number) => void][] = [
		[
			"deadline",
			(table, slot) => {
				table.due[slot] = 64;
			},
		],
		[
			"turn",
			(table, slot) => {
				table.flags[slot] = QUEUED;
			},
		],
	];
	for (const [what, hold] of holds) {
		const table = tableOf(1);
		const slot = table.takeClient();
		table.state[slot] = SNIFF;
		hold(table, slot);
		assert.throws(() => table.release(slot), new RegExp(what));
	}
});

test("each owner of a slot has a generation of its own", () => {
	const table = tableOf(1);
	const seen = new Set<number>();
	for (let owner = 0; owner < 100; owner++) {
		const slot = table.takeClient();
		table.state[slot] = SNIFF;
		const generation = table.generation[slot] ?? Number.NaN;
		assert.ok(!seen.has(generation));
		seen.add(generation);
		table.release(slot);
		assert.notEqual(table.generation[slot], generation, "it changes when the row is given back, not later");
	}
});

test("generations wrap where their column ends", () => {
	const table = tableOf(1);
	const slot = table.takeClient();
	table.generation[slot] = 0x7fff_ffff;
	table.state[slot] = SNIFF;
	table.release(slot);
	assert.equal(table.generation[slot], -0x8000_0000);
});

test("a new owner finds nothing of the one before", () => {
	const table = tableOf(1);
	const dirty = (slot: number) => {
		for (const [name, column] of columnsOf(table)) {
			// Kept on purpose: the generation counts owners.
			if (name !== "generation" && slot < column.length) column[slot] = 77;
		}
	};
	const client = table.takeClient();
	const link = table.takeLink();
	const read = (slot: number) =>
		[...columnsOf(table)]
			.filter(([name]) => !FILLED_BY_THEIR_OWNER.has(name))
			.map(([name, column]) => [name, column[slot]]);
	const before = [read(client), read(link)];
	for (const slot of [client, link]) {
		dirty(slot);
		// What must have been given back before.
		table.due[slot] = 0;
		table.flags[slot] = i32(table.flags, slot) & ~QUEUED;
		table.release(slot);
	}
	assert.deepEqual([table.takeClient(), table.takeLink()], [client, link]);
	assert.deepEqual([read(client), read(link)], before);
});

/** Written by whoever takes the row before anybody reads them, or read only where another column says so. */
const FILLED_BY_THEIR_OWNER = new Set([
	"generation",
	"acceptedMs",
	"number",
	"active",
	"listener",
	"policy",
	"ownPolicy",
	"family",
	"source",
	"sourcePort",
	"bytes",
	"heldWhere",
	"next",
	"previous",
	"queueNext",
	"queuePrevious",
]);

test("a row that was just taken has written its descriptor's cell, a client's also whose session it is, and nothing else", () => {
	const table = tableOf(3);
	table.takeClient();
	table.takeLink();
	for (const slot of [table.takeClient(), table.takeLink()]) {
		const written = [...columnsOf(table)].filter(([, column]) => (column[slot] ?? 0) !== 0);
		const names = written.map(([name]) => name).sort();
		assert.deepEqual(names, table.isClient(slot) ? ["fd", "session"] : ["fd"]);
	}
});

test("what waits for a connection is in a chunk or in a pipe, and never in both", () => {
	const table = tableOf(2);
	const slot = table.takeClient();
	assert.deepEqual([table.chunkOf(slot), table.pipeOf(slot), table.heldBytes(slot)], [NONE, NONE, 0]);
	table.holdChunk(slot, 0, 0, CHUNK_BYTES);
	assert.deepEqual([table.chunkOf(slot), table.pipeOf(slot)], [0, NONE]);
	assert.deepEqual([table.chunkStart(slot), table.heldBytes(slot)], [0, CHUNK_BYTES]);
	assert.throws(() => table.holdPipe(slot, 0, 5), /a chunk or a pipe/);
	assert.throws(() => table.holdChunk(slot, 1, 0, 5), /a chunk or a pipe/);
	table.holdChunk(slot, 0, CHUNK_BYTES - 1, 1);
	assert.deepEqual([table.chunkStart(slot), table.heldBytes(slot)], [CHUNK_BYTES - 1, 1]);
	table.holdNothing(slot);
	assert.deepEqual([table.chunkOf(slot), table.pipeOf(slot), table.heldBytes(slot)], [NONE, NONE, 0]);
	table.holdPipe(slot, 0, 1 << 20);
	assert.deepEqual([table.chunkOf(slot), table.pipeOf(slot), table.heldBytes(slot)], [NONE, 0, 1 << 20]);
	assert.throws(() => table.holdChunk(slot, 0, 0, 5), /a chunk or a pipe/);
});

test("a row's time of waiting and a client's of its last byte are told as they were, and none where there is none", () => {
	const table = tableOf(1);
	const slot = table.takeClient();
	const acceptedMs = 5 * 2 ** 32 - 10;
	table.acceptedMs[slot] = acceptedMs;
	assert.deepEqual(
		[table.sinceMs(slot, 9e9), table.dialledMs(slot), table.recognizedMs(slot), table.connectedMs(slot)],
		[0, 0, 0, 0],
	);
	table.since[slot] = stamp(acceptedMs + 4);
	table.dialled[slot] = offset(acceptedMs, acceptedMs + 5);
	table.active[slot] = stamp(acceptedMs + 6);
	table.recognized[slot] = offset(acceptedMs, acceptedMs + 7);
	table.connected[slot] = offset(acceptedMs, acceptedMs + 8);
	const nowMs = acceptedMs + 2_000_000_000;
	assert.deepEqual(
		[table.sinceMs(slot, nowMs), table.dialledMs(slot), table.activeMs(slot, nowMs)],
		[acceptedMs + 4, acceptedMs + 5, acceptedMs + 6],
	);
	assert.deepEqual([table.recognizedMs(slot), table.connectedMs(slot)], [acceptedMs + 7, acceptedMs + 8]);
});

test("a session is named by either of its rows", () => {
	const table = tableOf(3);
	const client = table.takeClient();
	const link = table.takeLink();
	assert.equal(table.sessionOf(client), client);
	assert.equal(table.sessionOf(link), NONE, "nobody's yet");
	table.join(client, link);
	assert.equal(table.sessionOf(link), client);
	assert.deepEqual([table.peerOf(client), table.peerOf(link), table.linkOf(client)], [link, client, link]);
	table.part(client, link);
	assert.equal(table.sessionOf(client), client);
	assert.deepEqual([table.sessionOf(link), table.peerOf(client), table.peerOf(link)], [NONE, NONE, NONE]);
});

test("whatever is taken and released, no slot has two owners, and none is used while a lower one is free", () => {
	const SESSIONS = 9;
	const step = fc.oneof(
		fc.constantFrom("client" as const, "link" as const),
		fc.record({ release: fc.nat(2 * SESSIONS - 1) }),
	);
	fc.assert(
		fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
			const table = tableOf(SESSIONS);
			const taken = new Set<number>();
			const touched = { client: -1, link: SESSIONS - 1 };
			for (const step of steps) {
				if (step === "client" || step === "link") {
					const slot = step === "client" ? table.takeClient() : table.takeLink();
					const [first, end] = step === "client" ? [0, SESSIONS] : [SESSIONS, 2 * SESSIONS];
					const free = Array.from({ length: end - first }, (_, i) => first + i).filter((i) => !taken.has(i));
					if (slot === NONE) assert.equal(free.length, 0);
					else {
						assert.ok(free.includes(slot), `${slot} is not free`);
						// Memory that no row has used yet is touched only when every used row is taken.
						if (slot > touched[step]) assert.ok(free.every((other) => other >= slot));
						touched[step] = Math.max(touched[step], slot);
						taken.add(slot);
						table.state[slot] = SNIFF;
					}
				} else if (taken.delete(step.release)) {
					table.release(step.release as Slot);
					assert.equal(table.state[step.release], FREE);
					assert.equal(table.fd[step.release], NONE);
				} else assert.throws(() => table.release(step.release as Slot));
				assert.equal(table.clients, [...taken].filter((slot) => slot < SESSIONS).length);
				assert.equal(table.links, [...taken].filter((slot) => slot >= SESSIONS).length);
			}
		}),
	);
});

test("no two flags share a bit, and no two states a number", () => {
	const numbers = Object.values(states);
	// Who never meet in a row share one: clients' and upstreams', and those of streams and of datagrams.
	const shared = {
		BY_LINE: "LASTING",
		BY_FRAMES: "LOCAL",
		UNPROVED: "UNDECIDED",
		HEADER_DUE: "PROXY_REQUIRED",
		SUBSCRIBES: "ONLY_NEW",
	} as const;
	const all = new Map<string, number>(Object.entries(marks));
	for (const [name, other] of Object.entries(shared)) assert.equal(all.get(name), all.get(other), name);
	const flags = [...all].filter(([name]) => !(name in shared));
	assert.equal(new Set(numbers).size, numbers.length);
	assert.ok(flags.length >= 16);
	assert.equal(new Set(flags.map(([, value]) => value)).size, flags.length);
	for (const [name, value] of flags) {
		assert.equal(value & (value - 1), 0, `${name} is one bit`);
		assert.equal(value & (FULL_READS | KIND), 0, `${name} is no bit of a number`);
	}
	assert.equal(FULL_READS & KIND, 0);
	for (const kind of [SOCKET, FLOW, PARKED]) assert.equal(kind & KIND, kind);
});
