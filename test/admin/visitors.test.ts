import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { mock, type TestContext, test } from "node:test";
import { Visitors } from "../../src/admin/visitors.js";

/** What is used of a socket, or of a response. */
class Thing extends EventEmitter {
	destroyed = false;
	paused = false;

	pause(): void {
		this.paused = true;
	}

	destroy(): void {
		if (this.destroyed) return;
		this.destroyed = true;
		this.emit("close");
	}

	get socket(): Socket {
		return this as unknown as Socket;
	}

	get response(): ServerResponse {
		return this as unknown as ServerResponse;
	}
}

function setUp(t: TestContext): Visitors {
	mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
	const visitors = new Visitors(Date.now);
	t.after(() => {
		visitors.close();
		mock.timers.reset();
	});
	return visitors;
}

function come(visitors: Visitors, count: number): Thing[] {
	return Array.from({ length: count }, () => {
		const socket = new Thing();
		visitors.came(socket.socket);
		return socket;
	});
}

const gone = (sockets: readonly Thing[]): number => sockets.filter(({ destroyed }) => destroyed).length;

test("a few that say nothing are closed after five seconds, a crowd after one", (t) => {
	const visitors = setUp(t);
	const few = come(visitors, 8);
	mock.timers.tick(4_900);
	assert.equal(gone(few), 0);
	mock.timers.tick(500);
	assert.equal(gone(few), 8);
	const many = come(visitors, 9);
	mock.timers.tick(900);
	assert.equal(gone(many), 0);
	mock.timers.tick(500);
	assert.equal(gone(many), 9);
});

test("beyond forty, who has waited longest makes room", (t) => {
	const visitors = setUp(t);
	const sockets = come(visitors, 60);
	assert.deepEqual(
		sockets.map(({ destroyed }) => destroyed),
		sockets.map((_, index) => index < 20),
	);
});

test("who is being answered makes no room, and waits anew when its answer has gone", (t) => {
	const visitors = setUp(t);
	const [asking] = come(visitors, 1) as [Thing];
	const response = new Thing();
	assert.equal(visitors.asked(asking.socket, response.response), true);
	const crowd = come(visitors, 41);
	assert.deepEqual([asking.destroyed, gone(crowd)], [false, 1]);
	mock.timers.tick(1_500);
	assert.deepEqual([asking.destroyed, gone(crowd)], [false, 41]);
	response.destroy();
	mock.timers.tick(4_500);
	assert.equal(asking.destroyed, false);
	mock.timers.tick(1_000);
	assert.equal(asking.destroyed, true);
});

test("an answer that is not taken ends its connection after ten seconds", (t) => {
	const visitors = setUp(t);
	const [asking] = come(visitors, 1) as [Thing];
	assert.equal(visitors.asked(asking.socket, new Thing().response), true);
	mock.timers.tick(9_999);
	assert.equal(asking.destroyed, false);
	mock.timers.tick(1);
	assert.equal(asking.destroyed, true);
});

test("who asks again before its answer has gone is closed behind it", (t) => {
	const visitors = setUp(t);
	const [asking] = come(visitors, 1) as [Thing];
	const [first, second] = [new Thing(), new Thing()];
	assert.equal(visitors.asked(asking.socket, first.response), true);
	first.destroy();
	assert.equal(visitors.asked(asking.socket, second.response), true);
	for (let more = 0; more < 20; more++)
		assert.equal(visitors.asked(asking.socket, new Thing().response), false);
	assert.deepEqual([asking.paused, asking.destroyed], [true, false]);
	second.destroy();
	assert.equal(asking.destroyed, true);
});

test("eight long answers are under way at most", (t) => {
	const visitors = setUp(t);
	const answers = Array.from({ length: 8 }, () => new Thing());
	for (const { response } of answers) assert.equal(visitors.mayAnswerLong(response), true);
	assert.equal(visitors.mayAnswerLong(new Thing().response), false);
	answers[3]?.destroy();
	assert.equal(visitors.mayAnswerLong(new Thing().response), true);
	assert.equal(visitors.mayAnswerLong(new Thing().response), false);
});
