import assert from "node:assert/strict";
import { test } from "node:test";
import { EPOLLIN, EPOLLOUT } from "../../src/kernel/constants.js";
import { NO_ROLE } from "../../src/rig/served.js";
import { ends, ROLE } from "./ends.js";

test("connections have the role of their listener until they become something else, and none when they end", (t) => {
	const { places, address, served, taken, dropped, until } = ends(t, 1);
	places.open(0, address, EPOLLIN);
	until(() => taken.length === 1);
	const [fd = -1] = taken;
	assert.equal(served.role(fd), ROLE);
	assert.equal(served.isListener(fd), false);
	served.become(fd, ROLE + 1);
	assert.equal(served.role(fd), ROLE + 1);
	places.close(0);
	until(
		() => dropped.length > 0,
		undefined,
		(given) => assert.equal(served.take(given), 0),
	);
	assert.deepEqual(dropped, [fd]);
	assert.equal(served.role(fd), NO_ROLE);
});

test("more connections than are taken in one turn come in the next ones", (t) => {
	const { places, address, taken, until } = ends(t, 9);
	for (let place = 0; place < places.count; place++) places.open(place, address, EPOLLIN);
	until(() => taken.length === 9);
	assert.equal(new Set(taken).size, 9);
});

test("what waits is taken, and nothing is no end", (t) => {
	const { kernel, places, address, served, taken, until } = ends(t, 1);
	places.open(0, address, EPOLLIN);
	until(() => taken.length === 1);
	const [fd = -1] = taken;
	assert.equal(served.take(fd), 0);
	assert.equal(served.role(fd), ROLE);
	kernel.send(places.fd(0), 0, 300);
	const counts: number[] = [];
	until(
		() => counts.length > 0,
		undefined,
		(given) => counts.push(served.take(given)),
	);
	assert.deepEqual(counts, [300]);
});

test("a connection is watched for something else when its server has much to say", (t) => {
	const { places, address, served, taken, until } = ends(t, 1);
	places.open(0, address, EPOLLIN);
	until(() => taken.length === 1);
	const [fd = -1] = taken;
	let flags = 0;
	served.watch(fd, EPOLLOUT);
	until(
		() => flags !== 0,
		undefined,
		(_fd, news) => {
			flags = news;
		},
	);
	assert.equal(flags, EPOLLOUT);
});

test("who was dropped while others were heard is not heard, though its news had come", (t) => {
	const { kernel, places, address, served, taken, dropped, until } = ends(t, 2);
	for (const place of [0, 1]) places.open(place, address, EPOLLIN);
	until(() => taken.length === 2);
	for (const place of [0, 1]) kernel.send(places.fd(place), 0, 1);
	const heard: number[] = [];
	until(
		() => heard.length > 0,
		undefined,
		(fd) => {
			heard.push(fd);
			for (const other of taken) if (other !== fd) served.drop(other);
		},
	);
	assert.equal(heard.length, 1);
	assert.equal(dropped.length, 1);
});
