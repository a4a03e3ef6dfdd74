/**
 * Messages at a steady pace, and when each came to whom:
 *
 *     publish ──► answered ──► asleep until the next one is due ──► what has come is looked at ──► publish …
 *
 * The server has the machine to itself while it delivers. When a delivery came, the kernel has noted.
 */
import { Deadline } from "../../../src/rig/deadline.js";
import { spread } from "../../../src/rig/percentile.js";
import type { Followed } from "../../../src/rig/subscribers/followed.js";
import { numbered } from "../../../src/rig/subscribers/numbered.js";
import type { Publisher } from "../../../src/rig/subscribers/publisher.js";
import type { Delivered, Publishing } from "./commands.js";

/** What has not come to all by then is lost. */
const LOST_MS = 10_000;
const LOOK_AGAIN_MS = 5;

/** `first`: the number of the first message. */
export function runDeliveries(
	nowUs: () => number,
	publisher: Publisher,
	followed: readonly Followed[],
	{ messages, everyMs, bytes }: Publishing,
	first: number,
): Omit<Delivered, "wallMs"> {
	const latenciesUs: number[] = [];
	let deliveries = 0;
	let late = 0;
	for (let number = first; number < first + messages; number++) {
		const dueMs = performance.now() + everyMs;
		const sentUs = nowUs();
		publisher.publish(numbered(number, bytes));
		publisher.awaitAnswer();
		sleep(dueMs - performance.now());
		const look = (): number =>
			sum(followed, (each) =>
				each.lookFor(number, (arrivedUs) => {
					deliveries++;
					if (!Number.isNaN(arrivedUs)) latenciesUs.push(arrivedUs - sentUs);
				}),
			);
		if (look() === 0) continue;
		late++;
		const deadline = new Deadline(`message ${number}`, LOST_MS);
		for (let missing = look(); missing > 0; missing = look()) {
			deadline.check(`${missing} subscribers have not got it`);
			sleep(LOOK_AGAIN_MS);
		}
	}
	const latency = spread(latenciesUs);
	const known = { p50Us: latency?.p50 ?? Number.NaN, p99Us: latency?.p99 ?? Number.NaN };
	return { deliveries, late, ...known };
}

/** One after the other. Returns how many. */
export function fill(publisher: Publisher, { messages, bytes, everyMs }: Publishing, first: number): number {
	for (let number = first; number < first + messages; number++) {
		publisher.publish(numbered(number, bytes));
		publisher.awaitAnswer();
		sleep(everyMs);
	}
	return messages;
}

const nobody = new Int32Array(new SharedArrayBuffer(4));

function sleep(ms: number): void {
	if (ms > 0) Atomics.wait(nobody, 0, 0, ms);
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
	return items.reduce((total, item) => total + of(item), 0);
}
