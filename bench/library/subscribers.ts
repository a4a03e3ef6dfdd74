/**
 * WebSocket subscribers, of which some never read. Arguments: port, and how many. Tells when all are connected, and when it is
 * asked for each message that came how long it was on its way.
 */
import { once } from "node:events";
import WebSocket from "ws";
import { DEAF } from "./audience.js";
import { obey, tell } from "./orders.js";

/** Clients that connect at a time: fewer than the listener's backlog. */
const AT_ONCE = 100;
/** The text begins with when it was sent, by the clock that is the same for all processes: CLOCK_MONOTONIC in nanoseconds. */
const STAMP_LENGTH = 24;

/** Microseconds, one for each message that came. */
export type Latencies = readonly number[];
export type SubscriberNews = "ready" | Latencies;

const [, , port, total] = process.argv;
const count = Number(total);
const latenciesUs: number[] = [];
for (let first = 0; first < count; first += AT_ONCE) {
	const opened: Promise<unknown>[] = [];
	for (let i = first; i < Math.min(count, first + AT_ONCE); i++) {
		const client = new WebSocket(`ws://127.0.0.1:${port}/${i % DEAF === 0 ? "deaf" : ""}`, {
			perMessageDeflate: false,
		});
		opened.push(once(client, "open"));
		if (i % DEAF === 0) client.once("open", () => client.pause());
		client.on("message", (data: Buffer) => {
			const sentNs = BigInt(data.toString("latin1", 0, STAMP_LENGTH).trim());
			latenciesUs.push(Number((process.hrtime.bigint() - sentNs) / 1000n));
		});
	}
	await Promise.all(opened);
}
obey<"report">(() => tell(latenciesUs));
tell("ready");
