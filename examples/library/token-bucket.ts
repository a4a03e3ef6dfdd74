/**
 * Downloads with a rate each, within one rate for all. Run it with
 * `npm run build && node dist/examples/library/token-bucket.js`.
 */
import { TokenBucket, TooManyWaiters } from "sluice/token-bucket";

const KIB = 1024;
const CHUNK_BYTES = 16 * KIB;

/** 512 KiB a second for all together; three downloads of 256 KiB a second each ask for more than that. */
using all = new TokenBucket({ perSecond: 512 * KIB, burst: 64 * KIB });

async function download(name: string, bytes: number, signal: AbortSignal): Promise<void> {
	using own = new TokenBucket({ perSecond: 256 * KIB, burst: 32 * KIB });
	const startedMs = performance.now();
	for (let left = bytes; left > 0; left -= CHUNK_BYTES) {
		// Both at one moment: who waits for its own rate holds nobody up in the shared one.
		await TokenBucket.takeFrom([own, all], Math.min(left, CHUNK_BYTES), { signal });
	}
	const seconds = (performance.now() - startedMs) / 1_000;
	console.log(`${name}: ${bytes / KIB} KiB in ${seconds.toFixed(2)} s`);
}

const signal = AbortSignal.timeout(5_000);
await Promise.all(["first", "second", "third"].map((name) => download(name, 128 * KIB, signal)));

// Where waiting makes no sense, there is an answer at once.
using logins = new TokenBucket({ perSecond: 1, burst: 3, waitersMax: 0 });
for (let attempt = 1; attempt <= 4; attempt++)
	console.log(`login ${attempt}: ${logins.tryTake() ? "goes on" : "come back later"}`);
try {
	await logins.take();
} catch (error) {
	if (!(error instanceof TooManyWaiters)) throw error;
	console.log(`waiting is not allowed either: ${error.code}`);
}
