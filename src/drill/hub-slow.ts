/**
 * Subscribers who read for a while and then stop, a process of its own. Of some channels they take a little now and then, of others nothing:
 *
 *     subscribed ──► reading ──stop──► a little, or nothing ──read on──► reading ──settle──► all is there that was published: left
 */
import { LinuxKernel } from "../kernel/linux.js";
import { raiseDescriptorLimit } from "../kernel/sockets.js";
import { f64, i32 } from "../parts/at.js";
import { Channel } from "../rig/channel.js";
import { spread } from "../rig/percentile.js";
import { SUBSCRIBERS_ARENA_BYTES } from "../rig/subscribers/arena.js";
import { Followed } from "../rig/subscribers/followed.js";
import { Subscribers } from "../rig/subscribers/subscribers.js";
import { TimedWire } from "../rig/subscribers/timed-wire.js";
import { type Row, turn } from "../rig/turn.js";
import type { End } from "./attack.js";
import { accountOf, HubMeeting } from "./hub-accounts.js";
import { CODE_OUTBOX_FULL, HUB_CHANNELS, type HubChannel, type MANNERS } from "./hub-traffic.js";
import type { HubSlowNews, HubSlowOrder, HubSlowReport, HubSlowSubscribe } from "./messages.js";

const STEP_MS = 20;
const STATUS_MS = 250;
/** Whoever reads, looks so often. */
const READ_MS = 100;
/** Who takes a little has its turn so often, and takes so much: a third of what comes. Its kernel lets more come once it has taken a message. */
const TRICKLE_MS = 250;
const TRICKLE_BYTES = 1536;
/** They do so for as long as this at least: until their buffers are full, and more than an outbox behind those. */
const SLOW_MIN_MS = 3500;
/** What is published is there by then. */
const SETTLE_MS = 10_000;
/**
 * Their buffers: full after a few messages. Loopback's segments are 64 KiB, larger than such a window: the last bytes that fit would
 * come only with window probes, seconds later.
 */
const SMALL = { receiveBufferBytes: 4096, segmentBytes: 536 };

/** All; and once more those who live, after they were slow. */
const READING = 0;
const SLOW = 1;
const READING_ON = 2;

/** The kernel's note when something came last, for each subscriber. */
class ArrivalsWire extends TimedWire {
	readonly lastUs: Float64Array;

	constructor(kernel: LinuxKernel, count: number) {
		super(kernel);
		this.lastUs = new Float64Array(count);
	}

	override receive(place: number, fd: number, offset: number, length: number): number {
		const count = super.receive(place, fd, offset, length);
		if (count > 0) this.lastUs[place] = this.arrivedUs;
		return count;
	}
}

/** Those of one channel: the kernel that watches their ends is theirs alone. */
class Group {
	readonly channel: HubChannel;
	readonly followed: Followed;
	readonly meeting = new HubMeeting();
	readonly ends = new Map<End, number>();
	readonly overdueMs: number[] = [];
	readonly #kernel: LinuxKernel;
	readonly #wire: ArrivalsWire;
	readonly #subscribers: Subscribers;
	readonly #deadlineMs: number;
	/** Turns that there were to take a little, one subscriber after the other. */
	#turns = 0;

	constructor(channel: HubChannel, { subscribers, doors, deadlineMs }: HubSlowSubscribe) {
		const door = doors[channel.name];
		if (door === undefined) throw new Error(`nobody said where ${channel.name} is`);
		this.channel = channel;
		this.#deadlineMs = deadlineMs;
		this.#kernel = new LinuxKernel(SUBSCRIBERS_ARENA_BYTES);
		this.#wire = new ArrivalsWire(this.#kernel, subscribers);
		const options = { meeting: this.meeting, watchesEnds: true };
		this.#subscribers = new Subscribers(this.#kernel, this.#wire, subscribers, door, options);
		this.followed = new Followed(this.#subscribers, null, 1, this.meeting.disorder);
		this.meeting.followed = this.followed;
		this.meeting.onEnd = (place, error) => this.#ended(place, error);
		this.#subscribers.open(SMALL);
	}

	get count(): number {
		return this.#subscribers.count;
	}

	get alive(): number {
		return this.#subscribers.alive;
	}

	/** Whose connections have ended: what they have not read comes first. */
	lookAtEnds(): void {
		turn(this.#kernel, 0, this.#subscribers.row, (place) => this.followed.takeAll(place));
	}

	read(): void {
		for (let place = 0; place < this.count; place++) this.followed.takeAll(place);
	}

	/** Whose turn it is takes a little: all of them have one within TRICKLE_MS. */
	trickle(sinceMs: number): void {
		const due = Math.floor((sinceMs * this.count) / TRICKLE_MS);
		// When the machine stood still, turns that were missed are not made up for.
		this.#turns = Math.max(this.#turns, due - this.count);
		for (; this.#turns < due; this.#turns++)
			this.followed.takeLittle(this.#turns % this.count, TRICKLE_BYTES);
	}

	/** Of those who are there, who lack something of what was published. */
	behind(published: number): number {
		let count = 0;
		for (let place = 0; place < this.count; place++)
			if (this.#subscribers.isAlive(place) && i32(this.followed.had, place) !== published) count++;
		return count;
	}

	/** Who is still there goes. */
	leave(): void {
		const how: End = this.channel.manner === "stop" ? "given up" : "read on";
		this.#count(how, this.alive);
		this.#subscribers.close();
	}

	#ended(place: number, error: string | null): void {
		if (this.meeting.codes.get(place) === CODE_OUTBOX_FULL) this.#count("told that its outbox is full");
		else if (this.channel.manner === "trickle") this.#count("cut off");
		else {
			this.#count(error === null ? "closed by the target" : "reset by the target");
			// Its clock began when its buffer had taken what came last.
			this.overdueMs.push((this.#wire.nowUs() - f64(this.#wire.lastUs, place)) / 1000 - this.#deadlineMs);
		}
	}

	#count(how: End, count = 1): void {
		if (count > 0) this.ends.set(how, (this.ends.get(how) ?? 0) + count);
	}
}

const NOBODY: Row = { serials: new Int32Array(0) };

raiseDescriptorLimit();
const kernel = new LinuxKernel(8);
const channel = new Channel<HubSlowOrder, HubSlowNews>(kernel, obey);
let groups: readonly Group[] = [];
let state = READING;
let slowSinceMs = Number.NEGATIVE_INFINITY;
/** What was published to each channel, once that is all. */
let settling: { readonly published: Readonly<Record<string, number>>; readonly giveUpMs: number } | null =
	null;
let readDueMs = 0;
let statusDueMs = 0;

for (;;) {
	turn(kernel, groups.length === 0 ? -1 : STEP_MS, NOBODY, () => {}, channel);
	goOn(kernel.now());
}

function obey(order: HubSlowOrder): void {
	switch (order.do) {
		case "subscribe":
			groups = HUB_CHANNELS.map((each) => new Group(each, order));
			channel.tell({ news: "subscribed" });
			return;
		case "stop reading":
			state = SLOW;
			slowSinceMs = kernel.now();
			return;
		case "read on":
			state = READING_ON;
			return;
		case "settle":
			settling = { published: order.published, giveUpMs: kernel.now() + SETTLE_MS };
	}
}

function goOn(nowMs: number): void {
	for (const group of groups) group.lookAtEnds();
	if (state === SLOW) for (const group of of("trickle")) group.trickle(nowMs - slowSinceMs);
	else if (nowMs >= readDueMs) {
		readDueMs = nowMs + READ_MS;
		for (const group of state === READING ? groups : of("trickle")) group.read();
	}
	if (nowMs >= statusDueMs) {
		statusDueMs = nowMs + STATUS_MS;
		tellStatus(nowMs);
	}
	if (settling !== null && (behind(settling.published) === 0 || nowMs >= settling.giveUpMs)) {
		channel.tell({ news: "report", report: leave(settling.published) });
		settling = null;
		groups = [];
	}
}

function of(manner: (typeof MANNERS)[number]): Group[] {
	return groups.filter((group) => group.channel.manner === manner);
}

/** Alive are those whom the target has to close, and those who have not been slow for long enough: then they may live. */
function tellStatus(atMs: number): void {
	const count = groups.reduce((sum, group) => sum + group.count, 0);
	const ended = groups.reduce((sum, group) => sum + group.count - group.alive, 0);
	const isLongEnough = atMs - slowSinceMs >= SLOW_MIN_MS;
	const alive = (isLongEnough ? of("stop") : groups).reduce((sum, group) => sum + group.alive, 0);
	channel.tell({ news: "status", status: { atMs, opened: count, established: count, alive, ended } });
}

/** Of those who live, so many lack something. */
function behind(published: Readonly<Record<string, number>>): number {
	return of("trickle").reduce((sum, group) => sum + group.behind(published[group.channel.name] ?? 0), 0);
}

function leave(published: Readonly<Record<string, number>>): HubSlowReport {
	const accounts = groups.map(({ channel: { name }, followed, meeting }) =>
		accountOf(name, followed, meeting),
	);
	const lacking = behind(published);
	for (const group of groups) group.leave();
	const ends: Partial<Record<End, number>> = {};
	for (const group of groups) for (const [end, count] of group.ends) ends[end] = (ends[end] ?? 0) + count;
	return {
		...{ accounts, behind: lacking, ends },
		overdueMs: spread(groups.flatMap(({ overdueMs }) => overdueMs)),
		faults: groups.flatMap(({ meeting, channel: { name } }) =>
			meeting.fault === null ? [] : [`${name}: ${meeting.fault}`],
		),
	};
}
