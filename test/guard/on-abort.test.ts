import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { Writable } from "node:stream";
import { test } from "node:test";
import { FrameWriter, frames } from "../../src/guard/frames.js";
import { Outbox } from "../../src/guard/outbox.js";
import { Pool } from "../../src/guard/pool.js";
import { TokenBucket } from "../../src/guard/token-bucket.js";
import { onAbort } from "../../src/parts/on-abort.js";

function listeners(signal: AbortSignal): number {
	return getEventListeners(signal, "abort").length;
}

test("a signal has one listener while anybody waits on it, and none after", () => {
	const { signal } = new AbortController();
	const cancels = Array.from({ length: 100 }, () => onAbort(signal, () => {}));
	assert.equal(listeners(signal), 1);
	for (const cancel of cancels) cancel();
	for (const cancel of cancels) cancel();
	assert.equal(listeners(signal), 0);
	const cancel = onAbort(signal, () => {});
	cancels[0]?.();
	assert.equal(listeners(signal), 1, "one that was cancelled before takes nobody's listener away");
	cancel();
	onAbort(undefined, () => {})();
});

test("an abort is told to all in order, also when one cancels itself or another", () => {
	const controller = new AbortController();
	const { signal } = controller;
	const told: number[] = [];
	const cancels = [1, 2, 3, 4].map((number) =>
		onAbort(signal, () => {
			told.push(number);
			cancels[number - 1]?.();
			if (number === 2) cancels[2]?.();
		}),
	);
	controller.abort();
	assert.deepEqual([told, listeners(signal)], [[1, 2, 4], 0]);
});

test("a hundred of each kind that wait on one signal are one listener, end with it, and leave nothing", async () => {
	const controller = new AbortController();
	const { signal } = controller;
	const stuck = (): Writable => new Writable({ highWaterMark: 1, write: () => {} });
	const bucket = new TokenBucket({ perSecond: 0.001, burst: 1 });
	bucket.tryTake();
	const pool = new Pool({ create: () => new Promise<object>(() => {}), destroy: () => {} });
	const outbox = new Outbox(stuck());
	outbox.send("a");
	const writer = new FrameWriter(stuck(), { highWaterBytes: 1 });
	writer.write("a");
	async function* silent(): AsyncGenerator<Uint8Array> {
		yield await new Promise<Uint8Array>(() => {});
	}
	const waits = Array.from({ length: 100 }, () => [
		bucket.take(1, { signal }),
		pool.acquire({ signal }),
		outbox.flushed({ signal }),
		writer.drained({ signal }),
		frames(silent(), { signal }).next(),
	]).flat();
	const ends = Promise.allSettled(waits);
	await new Promise((resolve) => setImmediate(resolve));
	assert.equal(listeners(signal), 1);
	controller.abort();
	for (const end of await ends) assert.equal(end.status === "rejected" && end.reason, signal.reason);
	assert.equal(listeners(signal), 0);
	outbox.close();
	await pool.close({ graceMs: 0 });
});
