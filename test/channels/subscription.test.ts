/** What subscribers of a channel get, against a model that keeps all messages in lists. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ChannelLog, FLAG_SUPERSEDED, NOWHERE } from "../../src/channels/log.js";
import { PROTOCOLS, WEBSOCKET } from "../../src/channels/protocols.js";
import {
	Delivery,
	GAP,
	NOTHING,
	nextDelivery,
	type OutboxBounds,
	OVERFLOW,
	pass,
	SEND,
	type SlowPolicy,
	type Subscription,
	subscribeNow,
} from "../../src/channels/subscription.js";

const CHANNELS = 3;

interface Published {
	readonly text: string;
	readonly key: number;
}

/** One subscriber with what it was sent, and told. */
class Subscriber {
	readonly subscription: Subscription;
	readonly sent: string[] = [];
	/** Of all of its channel: what it did not get, and what a newer one stood for. */
	missed = 0;
	conflated = 0;
	isOver = false;
	readonly channel: number;
	readonly bounds: OutboxBounds;
	readonly since: number;

	constructor(log: ChannelLog, channel: number, bounds: OutboxBounds) {
		this.channel = channel;
		this.bounds = bounds;
		this.subscription = subscribeNow(log, channel);
		this.since = log.count(channel);
	}

	/** Takes up to so many messages. */
	take(log: ChannelLog, most: number, out: Delivery): void {
		log.look();
		for (let left = most; left > 0 && !this.isOver; ) {
			nextDelivery(log, 0, this.channel, this.bounds, this.subscription, out);
			this.conflated += out.conflated;
			this.missed += out.missed;
			if (out.kind === NOTHING) return;
			if (out.kind === OVERFLOW) this.isOver = true;
			if (out.kind !== SEND) {
				assert.equal(out.kind === GAP, out.missed > 0);
				continue;
			}
			const at = log.encodingAt(out.position, WEBSOCKET);
			const bytes = log.ring.slice(at, at + log.encodingBytes(out.position, WEBSOCKET));
			this.sent.push(new TextDecoder().decode(bytes));
			pass(log, this.subscription);
			log.endRead(0);
			left--;
		}
	}
}

interface Publish {
	readonly kind: "publish";
	readonly channel: number;
	readonly length: number;
	readonly key: number;
}
interface Take {
	readonly kind: "take";
	readonly subscriber: number;
	readonly most: number;
}
interface Forget {
	readonly kind: "forget";
	readonly before: number;
}

const steps = fc.array(
	fc.oneof(
		{
			weight: 6,
			arbitrary: fc.record<Publish>({
				kind: fc.constant("publish" as const),
				channel: fc.nat(CHANNELS - 1),
				length: fc.nat(60),
				key: fc.nat(3),
			}),
		},
		{
			weight: 3,
			arbitrary: fc.record<Take>({
				kind: fc.constant("take" as const),
				subscriber: fc.nat(5),
				most: fc.integer({ min: 1, max: 12 }),
			}),
		},
		{ weight: 1, arbitrary: fc.record<Forget>({ kind: fc.constant("forget" as const), before: fc.nat(60) }) },
	),
	{ maxLength: 120 },
);

const bounds = fc.record<OutboxBounds>({
	policy: fc.constantFrom<SlowPolicy>("drop-oldest", "drop-newest", "conflate", "disconnect"),
	messages: fc.integer({ min: 1, max: 8 }),
	bytes: fc.integer({ min: 20, max: 300 }),
});

test("what a subscriber gets is what its channel had, in order, with exactly the gaps that it is told of", () => {
	fc.assert(
		fc.property(steps, fc.array(bounds, { minLength: 6, maxLength: 6 }), (all, kinds) => {
			// Small enough that the log itself drops what nobody has had.
			const log = new ChannelLog({ bytes: 4_096, channels: CHANNELS, reactors: 1 });
			const out = new Delivery();
			const model: Published[][] = Array.from({ length: CHANNELS }, () => []);
			const newest = new Map<string, number>();
			const subscribers = kinds.map((kind, index) => new Subscriber(log, index % CHANNELS, kind));
			let sequence = 0;
			for (const step of all) {
				if (step.kind === "publish") {
					const { channel, key } = step;
					const text = `${++sequence}${"x".repeat(step.length)}`;
					const encoding = new TextEncoder().encode(text);
					const position = log.append(
						channel,
						sequence,
						sequence,
						0,
						encoding.length,
						Array.from({ length: PROTOCOLS }, () => encoding),
					);
					const before = newest.get(`${channel} ${key}`);
					if (before !== undefined) log.supersede(before);
					newest.set(`${channel} ${key}`, position);
					model[channel]?.push({ text, key });
				} else if (step.kind === "take") subscribers[step.subscriber]?.take(log, step.most, out);
				else log.forgetBefore(step.before);
				check(log, model);
			}
			for (const subscriber of subscribers) {
				subscriber.take(log, 1_000, out);
				verify(subscriber, model[subscriber.channel] ?? []);
			}
		}),
		{ numRuns: 400 },
	);
});

function verify(
	{ sent, missed, conflated, isOver, bounds, since }: Subscriber,
	published: readonly Published[],
): void {
	const texts = published.slice(since).map(({ text }) => text);
	// In order, each once.
	let at = -1;
	for (const text of sent) {
		const found = texts.indexOf(text, at + 1);
		assert.ok(found > at, `${text} came out of order`);
		at = found;
	}
	if (isOver) {
		assert.equal(bounds.policy, "disconnect");
		return;
	}
	assert.equal(sent.length + missed + conflated, texts.length, bounds.policy);
	if (bounds.policy !== "conflate") assert.equal(conflated, 0);
	// Whoever has caught up has the newest one, unless it was published into a hole.
	if (texts.length > 0 && bounds.policy !== "drop-newest" && missed === 0)
		assert.equal(sent.at(-1), texts.at(-1));
}

/** What the log says of its channels is so. */
function check(log: ChannelLog, model: readonly (readonly Published[])[]): void {
	for (let channel = 0; channel < CHANNELS; channel++) {
		const texts = model[channel] ?? [];
		assert.equal(log.count(channel), texts.length);
		let position = log.oldest(channel);
		let last = NOWHERE;
		for (; position !== NOWHERE; position = log.next(position)) {
			const at = log.encodingAt(position, WEBSOCKET);
			const text = new TextDecoder().decode(log.ring.slice(at, at + log.encodingBytes(position, WEBSOCKET)));
			assert.equal(text, texts[log.index(position) - 1]?.text);
			last = position;
		}
		assert.equal(last, log.newest(channel));
		if (last !== NOWHERE) assert.equal(log.flags(last) & FLAG_SUPERSEDED, 0);
	}
}

test("where a newer message stands for others, the newest of each key fit an outbox that all of them would not", () => {
	const log = new ChannelLog({ bytes: 65_536, channels: 1, reactors: 1 });
	const out = new Delivery();
	const subscriber = new Subscriber(log, 0, { policy: "conflate", messages: 3, bytes: 1_000 });
	const newest = new Map<number, number>();
	// The first key is quiet, and the second one is not.
	for (const [index, key] of [0, ...new Array<number>(50).fill(1), 2].entries()) {
		const encoding = new TextEncoder().encode(`${key} ${index}`);
		const encodings = Array.from({ length: PROTOCOLS }, () => encoding);
		const position = log.append(0, index + 1, index, 0, encoding.length, encodings);
		const before = newest.get(key);
		if (before !== undefined) log.supersede(before);
		newest.set(key, position);
	}
	subscriber.take(log, 100, out);
	assert.deepEqual(subscriber.sent, ["0 0", "1 50", "2 51"]);
	assert.deepEqual([subscriber.missed, subscriber.conflated], [0, 49]);
});
