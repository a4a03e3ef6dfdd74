/** Reads a channel's log while another thread writes to it, and says what it found. */
import { parentPort, workerData } from "node:worker_threads";
import { ChannelLog, type LogSizes } from "../../src/channels/log.js";
import { WEBSOCKET } from "../../src/channels/protocols.js";
import { Delivery, GAP, nextDelivery, pass, SEND, subscribeNow } from "../../src/channels/subscription.js";

const { sizes, buffer, done, last } = workerData as {
	readonly sizes: LogSizes;
	readonly buffer: SharedArrayBuffer;
	/** Int32: 1 when the reader has begun. */
	readonly done: SharedArrayBuffer;
	readonly last: number;
};

const log = new ChannelLog(sizes, buffer);
const subscription = subscribeNow(log, 0);
const bounds = { policy: "drop-oldest", messages: 1e9, bytes: 1e12 } as const;
const out = new Delivery();
let read = 0;
let missed = 0;
let broken = 0;
let before = 0;
Atomics.store(new Int32Array(done), 0, 1);
while (read + missed < last) {
	log.look();
	nextDelivery(log, 0, 0, bounds, subscription, out);
	if (out.kind === GAP) missed += out.missed;
	if (out.kind !== SEND) continue;
	const at = log.encodingAt(out.position, WEBSOCKET);
	const bytes = log.encodingBytes(out.position, WEBSOCKET);
	const sequence = log.sequence(out.position);
	// All bytes of a message say its number.
	for (let i = at; i < at + bytes; i++) if (log.ring[i] !== sequence % 251) broken++;
	if (sequence <= before) broken++;
	before = sequence;
	pass(log, subscription);
	log.endRead(0);
	read++;
}
parentPort?.postMessage({ read, missed, broken });
