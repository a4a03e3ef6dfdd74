/** A reactor in a thread of its own: it tells of IDs and takes them back, as fast as it can, and leaves some. */
import { workerData } from "node:worker_threads";
import { SharedIds } from "../../../src/reactor/datagrams/shared-ids.js";

export interface SharedIdsThread {
	readonly buffer: SharedArrayBuffer;
	readonly reactor: number;
	readonly rounds: number;
	/** IDs that it has at once, and leaves. */
	readonly has: number;
}

export const ID_BYTES = 8;

/** One that no other reactor has. */
export function idOf(reactor: number, number: number): Uint8Array {
	const bytes = new Uint8Array(ID_BYTES);
	new DataView(bytes.buffer).setUint32(0, number);
	bytes[ID_BYTES - 1] = reactor;
	return bytes;
}

const options = workerData as SharedIdsThread | null;
if (options !== null) {
	const { buffer, reactor, rounds, has } = options;
	const shared = new SharedIds(0, buffer);
	for (let round = 0; round < rounds; round++)
		for (let number = 0; number < has; number++) {
			shared.add(reactor, idOf(reactor, number), 0, ID_BYTES);
			if (round < rounds - 1) shared.remove(reactor, idOf(reactor, number), 0, ID_BYTES);
		}
}
