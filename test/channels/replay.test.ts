/** Where somebody begins who comes back, against a list of all that was published. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ChannelLog, NOWHERE } from "../../src/channels/log.js";
import { PROTOCOLS } from "../../src/channels/protocols.js";
import { type ReplayWish, subscribeFrom } from "../../src/channels/subscription.js";

const wishes = fc.record<ReplayWish>({
	after: fc.integer({ min: NOWHERE, max: 45 }),
	last: fc.constantFrom(0 as const, 1 as const),
	messages: fc.integer({ min: 0, max: 20 }),
	sinceMs: fc.integer({ min: 0, max: 45 }),
});

test("whoever resumes gets what he has missed, as far as it is kept, and is told where it is not; wherever the search begins", () => {
	fc.assert(
		fc.property(
			fc.array(fc.nat(1), { maxLength: 40 }),
			fc.array(wishes, { maxLength: 12 }),
			(channels, all) => {
				// Small enough that the log has dropped the first ones.
				const log = new ChannelLog({ bytes: 2_048, channels: 2, reactors: 1 });
				const published: number[] = [];
				for (const [index, channel] of channels.entries()) {
					const sequence = index + 1;
					log.append(channel, sequence, sequence, 0, 1, new Array(PROTOCOLS).fill(Uint8Array.of(1)));
					if (channel === 0) published.push(sequence);
				}
				log.look();
				let near = NOWHERE;
				for (const each of all) {
					const wish = each.after < 0 ? { ...each, messages: 1, sinceMs: 0 } : { ...each, last: 0 as const };
					const alone = subscribeFrom(log, 0, 0, wish);
					const hinted = subscribeFrom(log, 0, 0, wish, near);
					assert.deepEqual(hinted.subscription, alone.subscription);
					assert.deepEqual([hinted.history, hinted.isTooOld], [alone.history, alone.isTooOld]);
					if (alone.before !== NOWHERE) near = alone.before;
					verify(log, published, wish, alone);
				}
			},
		),
	);
});

function verify(
	log: ChannelLog,
	published: readonly number[],
	{ after, last, messages, sinceMs }: ReplayWish,
	{ history, isTooOld, subscription }: ReturnType<typeof subscribeFrom>,
): void {
	const wanted =
		after < 0
			? published.slice(last === 0 ? published.length : -1)
			: published.filter((each) => each > after);
	const isThere = (sequence: number): boolean => sequence > log.goneSequence(0);
	const kept = published.filter(
		(each, index) => isThere(each) && each >= sinceMs && index >= published.length - messages,
	);
	const followed = wanted.filter((each) => kept.includes(each));
	assert.equal(history, followed.length);
	assert.equal(subscription.had, published.length - followed.length);
	assert.equal(isTooOld, after >= 0 && followed.length < wanted.length);
}
