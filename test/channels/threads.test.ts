import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { ChannelLog } from "../../src/channels/log.js";

const MESSAGES = 20_000;

test("a message that a thread reads is not written over, however fast others are published", async () => {
	// A message takes some 300 bytes: the ring is full again and again.
	const sizes = { bytes: 16_384, channels: 1, reactors: 1 };
	const log = new ChannelLog(sizes);
	const done = new SharedArrayBuffer(4);
	const worker = new Worker(new URL("reader-thread.js", import.meta.url), {
		workerData: { sizes, buffer: log.buffer, done, last: MESSAGES },
	});
	const said = once(worker, "message");
	while (Atomics.load(new Int32Array(done), 0) === 0) await new Promise((resolve) => setImmediate(resolve));
	const nothing = new Uint8Array(0);
	for (let sequence = 1; sequence <= MESSAGES; sequence++) {
		const bytes = new Uint8Array(50 + (sequence % 300)).fill(sequence % 251);
		log.append(0, sequence, sequence, 0, bytes.length, [bytes, nothing, nothing]);
		// So that the reader is now ahead, now behind.
		if (sequence % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
	}
	const [{ read, missed, broken }] = (await said) as [{ read: number; missed: number; broken: number }];
	assert.equal(broken, 0);
	assert.equal(read + missed, MESSAGES);
	assert.ok(read > 0);
	await worker.terminate();
});
