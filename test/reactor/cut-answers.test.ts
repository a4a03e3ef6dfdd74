/** Answers that only the end of the stream ends, from upstreams that end it with a reset, or as they should. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { EAGAIN, ECONNRESET } from "../../src/kernel/constants.js";
import { Harness, reasonOf } from "./harness.js";

const ANSWER = "HTTP/1.1 200 OK\r\n\r\nthe first half";

function setUp(t: TestContext): { harness: Harness; client: number; upstream: number } {
	const upstreams = new Harness(t, { sessions: 1, routes: [{}] });
	const listening = upstreams.upstream();
	const harness = new Harness(t, { sessions: 8, routes: [{}], upstreamPorts: [listening.port] });
	harness.readRequests();
	const client = harness.client();
	harness.send(client, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
	const upstream = harness.accepted(listening.fd, "the upstream's connection");
	harness.turnUntil(() => harness.receive(upstream) !== -EAGAIN, "the request");
	return { harness, client, upstream };
}

/** All that comes, and what comes instead of more: "" for an end, or a negative errno. */
function outcome(harness: Harness, client: number): { text: string; end: string | number } {
	let text = "";
	let end: string | number = -EAGAIN;
	harness.turnUntil(() => {
		end = harness.receive(client);
		if (typeof end === "string") text += end;
		return end === "" || (typeof end === "number" && end !== -EAGAIN);
	}, "the end");
	return { text, end };
}

test("a reset that comes right behind a part of an answer is a reset for its client, too", (t) => {
	const { harness, client, upstream } = setUp(t);
	harness.send(upstream, ANSWER);
	harness.outside.reset(upstream);
	assert.equal(outcome(harness, client).end, -ECONNRESET);
	assert.deepEqual(harness.records().map(reasonOf), ["upstream_reset"]);
});

test("an end that comes right behind an answer makes it whole", (t) => {
	const { harness, client, upstream } = setUp(t);
	harness.send(upstream, ANSWER);
	harness.outside.close(upstream);
	const { text, end } = outcome(harness, client);
	assert.equal(end, "");
	assert.match(text, /the first half$/);
});
