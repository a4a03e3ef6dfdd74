/** Datagrams that one reactor gives to another: whole, in their order, or lost. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { LOCAL_BYTES, SENDER_BYTES } from "../../../src/kernel/datagrams.js";
import { STRAY_BYTES_MAX, type Stray, Strays, strayBytes } from "../../../src/reactor/datagrams/strays.js";
import { Random } from "../../../src/rig/random.js";
import type { StraysThread } from "./strays-thread.js";

/** Of one reactor. */
const CELLS = 64;

/** All its bytes are `mark`. */
function give(strays: Strays, to: number, mark: number, length: number): boolean {
	const bytes = new Uint8Array(length + 3).fill(mark);
	const sender = new Uint8Array(SENDER_BYTES).fill(mark);
	const local = new Uint8Array(LOCAL_BYTES).fill(mark);
	return strays.give(to, mark, sender, 0, local, 0, bytes, 3, 3 + length, length % 4);
}

function content(
	strays: Strays,
	{ listener, length, ecn, senderAt, localAt, dataAt }: Stray,
): [number, number] {
	const { bytes } = strays;
	const all = [
		bytes.subarray(senderAt, senderAt + SENDER_BYTES),
		bytes.subarray(localAt, localAt + LOCAL_BYTES),
		bytes.subarray(dataAt, dataAt + length),
	];
	for (const part of all) assert.ok(part.every((byte) => byte === listener));
	assert.ok(ecn >= 0 && ecn < 4);
	return [listener, length];
}

function take(strays: Strays, reactor: number): [number, number][] {
	const taken: [number, number][] = [];
	strays.take(reactor, (stray) => taken.push(content(strays, stray)));
	return taken;
}

test("each reactor gets what is given to it, in its order, and what finds no room is refused", () => {
	for (let seed = 1; seed <= 20; seed++) {
		const random = new Random(seed);
		const reactors = 3;
		const strays = new Strays(new SharedArrayBuffer(strayBytes(reactors)));
		const model: [number, number][][] = [[], [], []];
		for (let step = 0; step < 600; step++) {
			const reactor = random.below(reactors);
			const waiting = model[reactor] ?? [];
			if (random.below(40) === 0) assert.deepEqual(take(strays, reactor), waiting.splice(0));
			else {
				const [mark, length] = [random.between(1, 255), random.below(STRAY_BYTES_MAX + 1)];
				assert.equal(give(strays, reactor, mark, length), waiting.length < CELLS);
				if (waiting.length < CELLS) waiting.push([mark, length]);
			}
		}
		for (const [reactor, waiting] of model.entries()) assert.deepEqual(take(strays, reactor), waiting);
	}
});

test("what is too long, or for a reactor that is not there, is refused", () => {
	const strays = new Strays(new SharedArrayBuffer(strayBytes(2)));
	assert.equal(give(strays, 0, 1, STRAY_BYTES_MAX + 1), false);
	assert.equal(give(strays, 2, 1, 10), false);
	assert.deepEqual([take(strays, 0), take(strays, 1), take(strays, 2)], [[], [], []]);
});

test("what threads give at the same time comes whole, once, and each one's in its order", async () => {
	const buffer = new SharedArrayBuffer(strayBytes(2));
	const strays = new Strays(buffer);
	const marks = [11, 22, 33];
	const count = 3_000;
	let running = marks.length;
	const given = new Map<number, number>();
	for (const mark of marks) {
		const workerData: StraysThread = { buffer, mark, count, to: 1 };
		const thread = new Worker(new URL("./strays-thread.js", import.meta.url), { workerData });
		thread.once("message", (number: number) => given.set(mark, number));
		void once(thread, "exit").then(() => running--);
	}
	const taken = new Map<number, number[]>(marks.map((mark) => [mark, []]));
	const takeAll = (): void => {
		for (const [mark, length] of take(strays, 1)) taken.get(mark)?.push(length);
	};
	while (running > 0) {
		takeAll();
		await new Promise((resolve) => setImmediate(resolve));
	}
	takeAll();
	assert.ok([...taken.values()].flat().length >= CELLS);
	for (const mark of marks) {
		const lengths = taken.get(mark) ?? [];
		assert.equal(lengths.length, given.get(mark), "what was taken to have room has come");
		// Numbers go round behind 2048; of those in between, some found no room.
		let before = -1;
		let rounds = 0;
		for (const length of lengths) {
			if (length <= before) rounds++;
			before = length;
		}
		assert.ok(rounds <= Math.ceil(count / STRAY_BYTES_MAX), `${rounds} steps back`);
	}
});
