/**
 * What a process holds, and what a piece of work leaves behind: a timer, here. Run it with
 * `npm run build && node dist/examples/library/diagnostics.js`.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import { LeakError, snapshot, withoutLeaks } from "sluice/diagnostics";

const { descriptors, memory } = snapshot();
console.log(`${descriptors?.all ?? "unknown"} descriptors, ${Math.round(memory.rss / 1e6)} MB`);

await withoutLeaks(async () => {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	server.close();
});
console.log("the server has left nothing");

let forgotten: NodeJS.Timeout | undefined;
try {
	await withoutLeaks(
		() => {
			forgotten = setInterval(() => {}, 60_000);
		},
		{ settleMs: 20 },
	);
} catch (error) {
	if (!(error instanceof LeakError)) throw error;
	for (const { kind, stack } of error.open) console.log(`a ${kind} was left:\n${stack}`);
}
clearInterval(forgotten);
