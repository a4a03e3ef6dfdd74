/**
 * The good client of a hub: subscribers who read all that comes, and who publishes to them. A process of its own, which sleeps while a message
 * is delivered; when it came to whom, the kernel has noted.
 *
 *     publish ──► answered ──► asleep for the rest of its 50 ms ──► looked at: an attempt for each subscriber ──► the next channel
 *                                                                      └── some lack it: again, until all have it or time is up
 */
import { LinuxKernel } from "../kernel/linux.js";
import { raiseDescriptorLimit } from "../kernel/sockets.js";
import { f64 } from "../parts/at.js";
import { Channel } from "../rig/channel.js";
import { SUBSCRIBERS_ARENA_BYTES } from "../rig/subscribers/arena.js";
import type { PublishersDoor } from "../rig/subscribers/doors.js";
import { Followed } from "../rig/subscribers/followed.js";
import { numbered } from "../rig/subscribers/numbered.js";
import { Publisher } from "../rig/subscribers/publisher.js";
import { Subscribers } from "../rig/subscribers/subscribers.js";
import { TimedWire } from "../rig/subscribers/timed-wire.js";
import { type Row, turn } from "../rig/turn.js";
import { accountOf, HubMeeting } from "./hub-accounts.js";
import { HUB_CHANNELS, MESSAGE_BYTES, PUBLISH_EVERY_MS } from "./hub-traffic.js";
import { LATENESS } from "./lateness.js";
import type { Attempt, HubAudienceNews, HubAudienceOrder, HubAudienceStart } from "./messages.js";

/** A user would have given up by then. */
const TIMEOUT_MS = 3000;
/** Between two looks at those who have not had a message. */
const LOOK_AGAIN_MS = 5;
/** Deliveries are told together that took as long as each other, to a tenth of a millisecond. */
const STEPS_PER_MS = 10;
const IDLE_MS = 100;

const CLOSED = "the subscriber was closed";
const LEFT_OUT = "the message was left out";

/** A channel, who reads it, and who publishes to it. */
interface Served {
	readonly name: string;
	readonly followed: Followed;
	readonly meeting: HubMeeting;
	readonly door: PublishersDoor;
	publisher: Publisher | null;
	/** Of the message that was published last. */
	number: number;
}

/** The message that is on its way. */
interface UnderWay {
	readonly served: Served;
	readonly startedMs: number;
	readonly sentUs: number;
	/** When each delivery of it had come, behind `sentUs`. */
	readonly tookMs: Float64Array;
	delivered: number;
	lookMs: number;
}

const NOBODY: Row = { serials: new Int32Array(0) };

raiseDescriptorLimit();
/** Orders alone. Publishers have one of their own, too, for they wait for it. */
const ordersKernel = new LinuxKernel(8);
const publishersKernel = new LinuxKernel(SUBSCRIBERS_ARENA_BYTES);
const kernel = new LinuxKernel(SUBSCRIBERS_ARENA_BYTES);
const wire = new TimedWire(kernel);
const channel = new Channel<HubAudienceOrder, HubAudienceNews>(ordersKernel, obey);

let channels: readonly Served[] = [];
let published = 0;
let underWay = null as UnderWay | null;
let dueMs = Number.POSITIVE_INFINITY;
let finishing = false;

for (;;) {
	const nextMs = underWay?.lookMs ?? dueMs;
	const waitMs = Math.max(0, Math.min(IDLE_MS, Math.ceil(nextMs - ordersKernel.now())));
	turn(ordersKernel, Number.isFinite(nextMs) ? waitMs : -1, NOBODY, () => {}, channel);
	goOn(ordersKernel.now());
}

function obey(order: HubAudienceOrder): void {
	if (order.do === "finish") {
		finishing = true;
		if (underWay === null) finish();
		return;
	}
	channels = HUB_CHANNELS.map(({ name }) => serve(name, order));
	channel.tell({ attempts: [], finished: false, subscribed: true });
	dueMs = ordersKernel.now();
}

function serve(name: string, { subscribers: count, doors }: HubAudienceStart): Served {
	const door = doors[name];
	if (door === undefined) throw new Error(`nobody said where ${name} is`);
	const meeting = new HubMeeting();
	const subscribers = new Subscribers(kernel, wire, count, door.subscribe, { meeting });
	const followed = new Followed(subscribers, wire, 1, meeting.disorder);
	meeting.followed = followed;
	subscribers.open();
	return { name, followed, meeting, door: door.publish, publisher: null, number: 0 };
}

function goOn(nowMs: number): void {
	if (underWay !== null) {
		if (nowMs >= underWay.lookMs) look(underWay, nowMs);
	} else if (nowMs >= dueMs && !finishing) publish(nowMs);
}

function publish(nowMs: number): void {
	const served = channels[published++ % channels.length] as Served; // they were served before anything was due
	// When the machine stood still, the beats that were missed are not made up for.
	dueMs = Math.max(dueMs + PUBLISH_EVERY_MS, nowMs);
	const sentUs = wire.nowUs();
	const failure = say(served, numbered(served.number + 1, MESSAGE_BYTES));
	if (failure !== null) {
		tell([[nowMs, ordersKernel.now() - nowMs, failure]]);
		return;
	}
	served.number++;
	const tookMs = new Float64Array(served.followed.subscribers.count);
	underWay = { served, startedMs: nowMs, sentUs, tookMs, delivered: 0, lookMs: dueMs };
}

/** `null`: it was published. */
function say(served: Served, text: string): string | null {
	try {
		if (served.publisher === null) {
			served.publisher = new Publisher(publishersKernel, served.door);
			served.publisher.open();
		}
		served.publisher.publish(text);
		served.publisher.awaitAnswer();
		return null;
	} catch (error) {
		served.publisher?.close();
		served.publisher = null;
		const [first = ""] = (error as Error).message.split("\r\n");
		return `publish: ${first}`;
	}
}

function look(message: UnderWay, nowMs: number): void {
	const { served, sentUs, tookMs } = message;
	const lookedUs = wire.nowUs();
	const missing = served.followed.lookFor(served.number, (arrivedUs, number) => {
		// An older one has failed when it was late.
		if (number !== served.number) return;
		tookMs[message.delivered++] = ((Number.isNaN(arrivedUs) ? lookedUs : arrivedUs) - sentUs) / 1000;
	});
	if (missing > 0 && nowMs - message.startedMs < TIMEOUT_MS) {
		message.lookMs = nowMs + LOOK_AGAIN_MS;
		return;
	}
	underWay = null;
	tell(attemptsOf(message, missing, nowMs));
	if (finishing) finish();
}

function attemptsOf(
	{ served, startedMs, tookMs, delivered }: UnderWay,
	missing: number,
	nowMs: number,
): Attempt[] {
	const { subscribers } = served.followed;
	const closed = subscribers.count - subscribers.alive;
	const failures = {
		...{ [LATENESS.asked]: missing, [CLOSED]: closed },
		[LEFT_OUT]: subscribers.count - delivered - missing - closed,
	};
	const attempts = inSteps(startedMs, tookMs.subarray(0, delivered).sort());
	for (const [cause, count] of Object.entries(failures))
		if (count > 0) attempts.push([startedMs, nowMs - startedMs, cause, count]);
	return attempts;
}

/** Those who took as long as each other are one attempt. */
function inSteps(startedMs: number, sorted: Float64Array): Attempt[] {
	const attempts: Attempt[] = [];
	for (let from = 0; from < sorted.length; ) {
		const step = Math.ceil(f64(sorted, from) * STEPS_PER_MS);
		let to = from;
		while (to < sorted.length && Math.ceil(f64(sorted, to) * STEPS_PER_MS) === step) to++;
		attempts.push([startedMs, step / STEPS_PER_MS, null, to - from]);
		from = to;
	}
	return attempts;
}

function tell(attempts: readonly Attempt[]): void {
	channel.tell({ attempts, finished: false });
}

function finish(): void {
	finishing = false;
	dueMs = Number.POSITIVE_INFINITY;
	const accounts = channels.map(({ name, followed, meeting, number }) => ({
		...accountOf(name, followed, meeting),
		published: number,
	}));
	channel.tell({ attempts: [], finished: true, accounts });
}
