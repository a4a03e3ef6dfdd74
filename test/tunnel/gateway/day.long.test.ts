/**
 * A day of visitors, recycled lines and drops in a clock of the test's: nothing drifts. Real are the control plane, the agent, their sockets
 * and their wire; the clock and all timers are the test's, and so is what reactors do with lines, which have a simulation of their own.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../../src/rig/random.js";
import { collect } from "../../leaks/rulers.js";
import { descriptorsOf, openSpare } from "../../support/descriptors.js";
import { turn, VirtualTime } from "../../support/virtual-time.js";
import { Day } from "./day-rig.js";

const HOURS = 24;
const MINUTE_MS = 60_000;
/** Tables and compilers have what they need by then. */
const WARM_UP_HOURS = 4;
const HEAP_MAX_BYTES = 1_000_000;
const SEED = 20_261_129;

test("in 24 hours of visitors, recycling and drops neither lines nor descriptors nor heap drift", async (t) => {
	await openSpare();
	const time = new VirtualTime();
	const random = new Random(SEED);
	const day = await Day.start(time);
	const held: { descriptors: number; timers: number; heap: number }[] = [];
	try {
		day.startAgent();
		await day.rest();
		for (let hour = 0; hour < HOURS; hour++) {
			for (let minute = 0; minute < 60; minute++) {
				await day.rest();
				await day.visit();
				await time.pass(MINUTE_MS);
				day.recycle();
				if (minute % 20 === 19) await drop(day, random);
			}
			const { parked } = await day.rest();
			await turn();
			await collect();
			held.push({
				// Each line has two ends here.
				descriptors: descriptorsOf(process.pid).length - 2 * parked,
				timers: time.timers,
				heap: process.memoryUsage().heapUsed,
			});
		}
		const { logins, recycled } = day.control.view().totals;
		t.diagnostic(`${day.visitors} visitors, ${logins} logins, lines ended: ${JSON.stringify(recycled)}`);
		t.diagnostic(`heap by hour, KiB: ${held.map(({ heap }) => Math.round(heap / 1024)).join(" ")}`);
		assert.equal(day.visitors, HOURS * 60);
		assert.ok(logins > HOURS && (recycled["age"] ?? 0) > HOURS, "there were drops, and old lines");
		const [first, ...others] = held.slice(WARM_UP_HOURS);
		for (const { descriptors, timers } of others)
			assert.deepEqual([descriptors, timers], [first?.descriptors, first?.timers]);
		assert.ok((others.at(-1)?.heap ?? 0) - (first?.heap ?? 0) < HEAP_MAX_BYTES, "the heap has grown");
	} finally {
		await day.end();
		time.end();
	}
});

/** What goes wrong three times an hour. */
async function drop(day: Day, random: Random): Promise<void> {
	switch (random.below(4)) {
		case 0:
			day.breakControl();
			return;
		case 1:
			await day.deafen(2 * MINUTE_MS);
			return;
		case 2:
			day.breakLine();
			return;
		default: {
			const { agent } = day;
			agent?.end("it is started anew");
			await agent?.ended;
			day.startAgent();
		}
	}
}
