/** Two connections, each with a bucket of its own, and one bucket that both share. */
import { TokenBucket } from "sluice/token-bucket";

const shared = new TokenBucket({ perSecond: 100, burst: 10 });
const startedMs = performance.now();

async function connection(name: string): Promise<void> {
	using own = new TokenBucket({ perSecond: 50, burst: 5 });
	for (let message = 0; message < 20; message++)
		await TokenBucket.takeFrom([own, shared], 1, { signal: AbortSignal.timeout(5_000) });
	console.log(`${name}: 20 messages in ${Math.round(performance.now() - startedMs)} ms`);
}

await Promise.all([connection("a"), connection("b")]);
