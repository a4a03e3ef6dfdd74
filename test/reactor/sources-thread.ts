/** A reactor's view of the sources, in a thread of its own: comes and goes as fast as it can. */
import { workerData } from "node:worker_threads";
import { Sources } from "../../src/reactor/records/sources.js";

/** What the thread is started with. */
export interface ThreadOptions {
	readonly places: number;
	readonly buffer: SharedArrayBuffer;
	/** Connections that come and go. */
	readonly rounds: number;
	/** Connections of each address that stay when the thread ends. */
	readonly stay: number;
	readonly addresses: number;
	/** What one address may hold, and how many it held over all threads: an Int32 each. */
	readonly limit: number;
	readonly holds: SharedArrayBuffer;
	/** Int32: times the limit was exceeded, tokens taken. */
	readonly found: SharedArrayBuffer;
	readonly tokensPerSecond: number;
}

export const EXCEEDED = 0;
export const TOKENS = 1;

const options = workerData as ThreadOptions;
const sources = new Sources(options.places, options.buffer);
const limits = { connections: options.limit, perSecond: Number.POSITIVE_INFINITY };
const holds = new Int32Array(options.holds);
const found = new Int32Array(options.found);
const bytes = new Uint8Array(16);

/** Time stands still, so that buckets are never refilled. */
const NOW_MS = 1_000;

function enter(address: number): number {
	bytes.set([10, 0, address >> 8, address & 255]);
	const place = sources.enter(4, bytes, 0, limits, NOW_MS);
	if (place >= 0 && Atomics.add(holds, address, 1) >= options.limit) Atomics.add(found, EXCEEDED, 1);
	return place;
}

function leave(address: number, place: number): void {
	Atomics.sub(holds, address, 1);
	sources.leave(place);
}

for (let round = 0; round < options.rounds; round++) {
	const address = round % options.addresses;
	const place = enter(address);
	if (sources.takeToken(options.tokensPerSecond, NOW_MS) === 0) Atomics.add(found, TOKENS, 1);
	if (place >= 0) leave(address, place);
}
for (let address = 0; address < options.addresses; address++)
	for (let count = 0; count < options.stay; count++) enter(address);
