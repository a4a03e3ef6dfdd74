import assert from "node:assert/strict";
import { test } from "node:test";
import { ECONNREFUSED, ECONNRESET, EPOLLIN, EPOLLOUT } from "../../src/kernel/constants.js";
import { closeDescriptor, openListener } from "../../src/kernel/sockets.js";
import { loopback } from "../../src/rig/connect.js";
import { Places } from "../../src/rig/places.js";
import { countDescriptors } from "../../src/rig/proc.js";
import { ends, newKernel } from "./ends.js";

/** Connecting there fails at once, and nothing is sent: TCP has no broadcast. */
const BROADCAST = (() => {
	const address = loopback(9);
	address.fill(255, 4, 8);
	return address;
})();

test("a place is taken from the moment it connects until it is given up, and then free for the next", (t) => {
	const { places, address, served, taken, dropped, until } = ends(t, 2);
	assert.equal(places.firstFree(), 0);
	for (let time = 1; time <= 3; time++) {
		places.open(0, address, EPOLLIN);
		assert.equal(places.isTaken(0), true);
		assert.equal(places.taken, 1);
		assert.equal(places.firstFree(), 1);
		until(() => taken.length === time);
		places.close(0);
		assert.equal(places.taken, 0);
		until(
			() => dropped.length === time,
			undefined,
			(fd) => served.take(fd),
		);
	}
});

test("what is watched for can be changed: the connection is there first, and then an answer", (t) => {
	const { kernel, places, address, far, taken, until } = ends(t, 1);
	const heard: string[] = [];
	places.open(0, address, EPOLLOUT);
	const hear = (place: number, flags: number): void => {
		if ((flags & EPOLLOUT) !== 0) {
			heard.push("connected");
			assert.equal(kernel.takeError(places.fd(place)), 0);
			places.watch(place, EPOLLIN);
		} else heard.push(`${kernel.receive(places.fd(place), 0, 100)} bytes`);
	};
	until(() => heard.length === 1 && taken.length === 1, hear);
	far.send(taken[0] ?? -1, 0, 7);
	until(() => heard.length === 2, hear);
	assert.deepEqual(heard, ["connected", "7 bytes"]);
});

test("a reset reaches the other side as one", (t) => {
	const { places, address, far, taken, until } = ends(t, 1);
	places.open(0, address, EPOLLIN);
	until(() => taken.length === 1);
	places.reset(0);
	let result = 0;
	until(
		() => result !== 0,
		undefined,
		(fd) => {
			result = far.receive(fd, 0, 100);
		},
	);
	assert.equal(result, -ECONNRESET);
	assert.equal(places.isTaken(0), false);
});

test("a refusal is news of the place, which is given up like any other", (t) => {
	const { fds, port } = openListener({ address: Uint8Array.of(127, 0, 0, 1), port: 0, backlog: 1 }, 1);
	for (const fd of fds) closeDescriptor(fd);
	const { kernel, places, until } = ends(t, 1);
	places.open(0, loopback(port), EPOLLOUT);
	let error = 0;
	until(
		() => error !== 0,
		(place) => {
			error = kernel.takeError(places.fd(place));
			places.close(place);
		},
	);
	assert.equal(error, ECONNREFUSED);
	assert.equal(places.taken, 0);
});

test("a connection that cannot be started leaves the place free and no descriptor", (t) => {
	const places = new Places(newKernel(t), 1);
	const before = countDescriptors([process.pid]);
	assert.ok(places.tryOpen(0, BROADCAST, EPOLLIN) < 0);
	assert.throws(() => places.open(0, BROADCAST, EPOLLIN), /^Error: connect: E[A-Z]+$/);
	assert.equal(places.firstFree(), 0);
	assert.equal(places.taken, 0);
	assert.equal(countDescriptors([process.pid]), before);
});

test("all connections are closed at once, and places that have none are left alone", (t) => {
	const { places, address, taken, until } = ends(t, 3);
	const before = countDescriptors([process.pid]);
	for (const place of [0, 2]) places.open(place, address, EPOLLIN);
	until(() => taken.length === 2);
	assert.equal(countDescriptors([process.pid]), before + 4);
	places.closeAll();
	assert.equal(places.taken, 0);
	assert.equal(countDescriptors([process.pid]), before + 2);
});

test("nobody takes a taken place, or gives up a free one", (t) => {
	const { places, address } = ends(t, 1);
	assert.throws(() => places.close(0), /place 0 has no connection/);
	assert.throws(() => places.reset(0), /place 0 has no connection/);
	places.open(0, address, EPOLLIN);
	assert.throws(() => places.tryOpen(0, address, EPOLLIN), /place 0 has a connection/);
});
