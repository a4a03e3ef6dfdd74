import assert from "node:assert/strict";
import { test } from "node:test";
import { FailingUpstreams } from "../../src/gateway/failing-upstreams.js";
import { Counters } from "../../src/reactor/records/counters.js";
import {
	BAD_RESPONSE,
	CONNECT_REFUSED,
	FD_PRESSURE,
	UPSTREAM_DOWN,
} from "../../src/reactor/records/reasons.js";
import { type Line, linesLogger } from "../support/lines.js";

const FAIL = "requests to an upstream fail";
const AGAIN = "requests to an upstream are answered again";

class Bench {
	readonly counters = [new Counters(), new Counters()] as const;
	readonly lines: Line[];
	readonly failing: FailingUpstreams;
	#nowMs = 0;

	constructor() {
		const { logger, lines } = linesLogger();
		this.lines = lines;
		this.failing = new FailingUpstreams(() => this.counters, logger);
		this.failing.follow([{ name: "a", slot: 7 }]);
	}

	/** A second in which so many requests were answered, and so many were not. */
	second(answered: number, failed: number): string[] {
		for (let count = 0; count < answered; count++) this.counters[0].upstreamAnswered(7, 200, 1);
		for (let count = 0; count < failed; count++) this.counters[1].upstreamFailed(7, 502, CONNECT_REFUSED);
		return this.look();
	}

	look(): string[] {
		this.#nowMs += 1_000;
		this.failing.look(this.#nowMs);
		return this.lines.splice(0).map(({ message }) => message);
	}
}

test("failures in bulk are told once with what they were, and their end with what they came to", () => {
	const bench = new Bench();
	for (let second = 0; second < 20; second++) assert.deepEqual(bench.second(50, 0), []);
	bench.counters[0].upstreamAnswered(7, 503, 1);
	bench.counters[0].upstreamFailed(7, 502, BAD_RESPONSE);
	for (let count = 0; count < 100; count++) bench.counters[1].upstreamFailed(7, 503, UPSTREAM_DOWN);
	bench.failing.look(21_000);
	assert.deepEqual(bench.lines.splice(0), [
		{
			level: "warn",
			fields: {
				upstream: "a",
				requests: 552,
				failures: 102,
				by: { upstream_down: 100, bad_response: 1, 503: 1 },
			},
			message: FAIL,
		},
	]);
	for (let second = 0; second < 100; second++) assert.deepEqual(bench.second(0, 10), []);
	const later: string[] = [];
	for (let second = 0; second < 20; second++) later.push(...bench.second(10, 0));
	assert.deepEqual(later, [AGAIN]);
});

test("a few failures among many answers are not told", () => {
	const bench = new Bench();
	for (let second = 0; second < 100; second++) assert.deepEqual(bench.second(100, second % 4), []);
});

test("an upstream that nobody asks often is told of when it fails three times in a row", () => {
	const bench = new Bench();
	const told: string[] = [];
	for (let minute = 0; minute < 2; minute++) {
		told.push(...bench.second(0, 1));
		for (let second = 1; second < 60; second++) told.push(...bench.second(0, 0));
	}
	assert.deepEqual(told, []);
	assert.deepEqual(bench.second(0, 1), [FAIL]);
	for (let second = 0; second < 60; second++)
		assert.deepEqual(bench.second(0, 0), [], "nobody asks, so nobody knows");
	assert.deepEqual(bench.second(1, 0), [AGAIN]);
});

test("what is no fault of the upstream is not told: other statuses, and what the gateway lacks", () => {
	const bench = new Bench();
	for (let count = 0; count < 100; count++) {
		bench.counters[0].upstreamAnswered(7, 500, 1);
		bench.counters[0].upstreamAnswered(7, 404, 1);
		bench.counters[0].upstreamFailed(7, 503, FD_PRESSURE);
	}
	assert.deepEqual(bench.look(), []);
});

test("what was counted before an upstream was followed is not told, and it is followed on over reloads", () => {
	const bench = new Bench();
	for (let count = 0; count < 100; count++) bench.counters[0].upstreamFailed(8, 502, CONNECT_REFUSED);
	bench.failing.follow([
		{ name: "a", slot: 7 },
		{ name: "b", slot: 8 },
	]);
	assert.deepEqual(bench.second(0, 100), [FAIL]);
	bench.failing.follow([{ name: "a", slot: 7 }]);
	assert.deepEqual(bench.second(0, 100), []);
	bench.failing.follow([]);
	assert.deepEqual(bench.second(100, 0), []);
});
