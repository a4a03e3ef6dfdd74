import assert from "node:assert/strict";
import { test } from "node:test";
import { EPOLLIN } from "../../src/kernel/constants.js";
import { Places } from "../../src/rig/places.js";
import { turn, turnUntilOver } from "../../src/rig/turn.js";
import { ends, newKernel } from "./ends.js";

test("news of a connection that was given up within the same turn are nobody's, also when its place has the next", (t) => {
	const { kernel, places, address, far, taken, until } = ends(t, 2);
	for (const place of [0, 1]) places.open(place, address, EPOLLIN);
	until(() => taken.length === 2);
	for (const fd of taken) far.send(fd, 0, 1);
	const heard: number[] = [];
	const events = turn(kernel, 1000, places, (place) => {
		heard.push(place);
		const other = 1 - place;
		places.close(other);
		places.open(other, address, EPOLLIN);
	});
	assert.equal(events, 2);
	assert.equal(heard.length, 1);
});

test("a load ends when it says so, however much news there is still", (t) => {
	const { kernel, places, address, far, taken, until } = ends(t, 3);
	for (const place of [0, 1, 2]) places.open(place, address, EPOLLIN);
	until(() => taken.length === 3);
	for (const fd of taken) far.send(fd, 0, 1);
	let heard = 0;
	const tookMs = turnUntilOver(kernel, places, {
		what: "three bytes",
		timeoutMs: 60_000,
		isOver: () => heard >= 3,
		progress: () => `${heard} came`,
		hear: () => heard++,
	});
	assert.equal(heard, 3);
	assert.ok(tookMs >= 0);
});

test("a load whose time is over is an error that says how far it got, also while there is news all the time", (t) => {
	const { kernel, places, address, far, taken, until } = ends(t, 1);
	places.open(0, address, EPOLLIN);
	until(() => taken.length === 1);
	// Nobody takes it, so that there is news in each turn.
	far.send(taken[0] ?? -1, 0, 1);
	let heard = 0;
	const load = {
		what: "two bytes",
		timeoutMs: 5,
		isOver: () => false,
		progress: () => "one came",
		hear: () => heard++,
	};
	assert.throws(
		() => turnUntilOver(kernel, places, load),
		/^Error: two bytes: no end in sight \(one came\)$/,
	);
	assert.ok(heard > 0);
	const silent = newKernel(t);
	assert.throws(() => turnUntilOver(silent, new Places(silent, 1), load), /no end in sight/);
});

test("a load that is over at once waits for nothing", (t) => {
	const kernel = newKernel(t);
	turnUntilOver(kernel, new Places(kernel, 1), {
		what: "nothing",
		timeoutMs: 60_000,
		isOver: () => true,
		progress: () => "",
		hear: () => {},
	});
});
