/** Lines go to the reactor in which a visitor waits, whatever happens meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LineTraffic } from "../../../src/gateway/tunnels/line-traffic.js";
import type { MovedLine, ReactorCommand } from "../../../src/reactor/plan/plan.js";
import { LineDesk } from "../../../src/tunnel/gateway/line-desk.js";

const TUNNEL = 1;

function rig(): { traffic: LineTraffic; told: [number, ReactorCommand["kind"], number?][] } {
	const told: [number, ReactorCommand["kind"], number?][] = [];
	const desk = new LineDesk(() => 0, { lines: 2, linesMax: 4 });
	const traffic = new LineTraffic({
		desk: () => desk,
		placeOf: (tunnel) => (tunnel === TUNNEL ? { upstream: 0, address: 5, plain: true } : undefined),
		tell: (reactor, command) =>
			told.push(command.kind === "giveLine" ? [reactor, command.kind, command.to] : [reactor, command.kind]),
	});
	return { traffic, told };
}

const LINE: MovedLine = {
	upstream: 0,
	address: 5,
	tunnel: TUNNEL,
	fd: 3,
	session: 0,
	leaveMs: 0,
	openedMs: 0,
	uses: 0,
};

test("a line that was given for a visitor who has gone goes to one who waits elsewhere", () => {
	const { traffic, told } = rig();
	traffic.news(1, { kind: "waiting", tunnel: TUNNEL, waiting: 1 });
	traffic.news(0, { kind: "parked", tunnel: TUNNEL });
	assert.deepEqual(told, [[0, "giveLine", 1]]);
	traffic.news(1, { kind: "waiting", tunnel: TUNNEL, waiting: 0 });
	traffic.news(2, { kind: "waiting", tunnel: TUNNEL, waiting: 1 });
	told.length = 0;
	traffic.given(0, { kind: "lineGiven", to: 1, line: LINE });
	assert.deepEqual(told, [[2, "takeLine"]]);
	assert.equal(traffic.parkedIn(TUNNEL, 2), 1);
	assert.equal(traffic.parkedIn(TUNNEL, 0), 0);
});

test("a line that nobody waits for any more where it is goes to who waits elsewhere", () => {
	const { traffic, told } = rig();
	traffic.news(0, { kind: "waiting", tunnel: TUNNEL, waiting: 1 });
	traffic.news(0, { kind: "parked", tunnel: TUNNEL });
	traffic.news(1, { kind: "waiting", tunnel: TUNNEL, waiting: 1 });
	told.length = 0;
	traffic.news(0, { kind: "waiting", tunnel: TUNNEL, waiting: 0 });
	assert.deepEqual(told, [[0, "giveLine", 1]]);
});

test("a line that a canary has left is offered to who came meanwhile in another reactor", () => {
	const { traffic, told } = rig();
	traffic.news(0, { kind: "parked", tunnel: TUNNEL });
	traffic.news(1, { kind: "waiting", tunnel: TUNNEL, waiting: 1 });
	told.length = 0;
	traffic.canaryBack(0, TUNNEL);
	assert.deepEqual(told, [[0, "giveLine", 1]]);
});

test("a line goes to who may have the last one before it goes to a WebSocket that may not", () => {
	const { traffic, told } = rig();
	traffic.news(0, { kind: "waiting", tunnel: TUNNEL, waiting: 1, lasting: 1 });
	traffic.news(1, { kind: "waiting", tunnel: TUNNEL, waiting: 2, lasting: 1 });
	told.length = 0;
	traffic.news(0, { kind: "parked", tunnel: TUNNEL });
	assert.deepEqual(told, [[0, "giveLine", 1]]);
	traffic.news(1, { kind: "waiting", tunnel: TUNNEL, waiting: 1, lasting: 1 });
	told.length = 0;
	traffic.news(0, { kind: "returned", tunnel: TUNNEL });
	assert.deepEqual(told, [[0, "serveLine"]]);
});

test("where a line that was moved for a visitor is dead, another one is moved", () => {
	const { traffic, told } = rig();
	traffic.news(0, { kind: "parked", tunnel: TUNNEL });
	traffic.news(0, { kind: "parked", tunnel: TUNNEL });
	traffic.news(1, { kind: "waiting", tunnel: TUNNEL, waiting: 1 });
	traffic.given(0, { kind: "lineGiven", to: 1, line: LINE });
	told.length = 0;
	traffic.news(1, { kind: "ended", tunnel: TUNNEL, was: "parked" });
	assert.deepEqual(told, [[0, "giveLine", 1]]);
});
