/** Random bytes from a seed, sent and received in fits and starts, and compared by their hash. */
import { createCipheriv, createHash, type Hash } from "node:crypto";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../src/rig/random.js";

/** What a direction carried: how many bytes, and which. */
export interface Carried {
	readonly bytes: number;
	readonly hash: string;
}

/** Largest write; above every buffer of the gateway's, so that all its ways to move bytes are taken. */
const WRITE_MAX_BYTES = 256 * 1024;
/** About one write or read in so many is followed by a pause. */
const PAUSE_EVERY = 40;
const PAUSE_MAX_MS = 8;

/** Sends so many bytes in writes of random sizes with random pauses, then ends the direction. */
export async function sendRandomly(socket: Socket, bytes: number, seed: number): Promise<Carried> {
	const random = new Random(seed);
	const key = Buffer.alloc(16);
	key.writeUInt32BE(seed);
	const noise = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
	const zeros = Buffer.alloc(WRITE_MAX_BYTES);
	const hash = createHash("sha256");
	for (let left = bytes; left > 0; ) {
		// Small writes are as common as large ones.
		const wanted = random.chance(0.5)
			? 1 + random.fraction() * 1000
			: 1 + random.fraction() * WRITE_MAX_BYTES;
		const block = noise.update(zeros.subarray(0, Math.min(left, Math.floor(wanted))));
		left -= block.length;
		hash.update(block);
		if (!socket.write(block)) await drained(socket);
		if (random.fraction() * PAUSE_EVERY < 1) await sleep(random.fraction() * PAUSE_MAX_MS);
	}
	socket.end();
	return { bytes, hash: hash.digest("hex") };
}

function drained(socket: Socket): Promise<void> {
	return new Promise((resolve, reject) => {
		const settle = (error?: Error): void => {
			socket.off("drain", settle).off("close", closed).off("error", settle);
			if (error === undefined) resolve();
			else reject(error);
		};
		const closed = (): void => settle(new Error("closed before it took everything"));
		socket.once("drain", settle).once("close", closed).once("error", settle);
	});
}

/** Reads to the end with random pauses. Rejects when the connection is cut. */
export function receiveRandomly(socket: Socket, seed: number): Promise<Carried> {
	const random = new Random(seed);
	const hash: Hash = createHash("sha256");
	let bytes = 0;
	return new Promise((resolve, reject) => {
		socket.on("data", (block: Buffer) => {
			hash.update(block);
			bytes += block.length;
			if (random.fraction() * PAUSE_EVERY >= 1) return;
			socket.pause();
			setTimeout(() => socket.resume(), random.fraction() * PAUSE_MAX_MS);
		});
		socket.once("end", () => resolve({ bytes, hash: hash.digest("hex") }));
		socket.once("error", reject);
	});
}
