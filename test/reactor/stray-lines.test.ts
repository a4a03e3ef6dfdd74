/** Empty lines between requests, from a client that sends them as fast as they are taken. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EAGAIN, IPPROTO_TCP, TCP_NODELAY } from "../../src/kernel/constants.js";
import { Harness } from "./harness.js";

const REQUEST = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
const ANSWER = "HTTP/1.1 204 No Content\r\n\r\n";
const LINES = 12_000;

test("a client whose next empty line is always there already has a turn's share, and its next request is answered", (t) => {
	const upstreams = new Harness(t, { sessions: 1, routes: [{}] });
	const listening = upstreams.upstream();
	const harness = new Harness(t, { sessions: 8, routes: [{}], upstreamPorts: [listening.port] });
	harness.readRequests();
	const client = harness.client();
	harness.outside.setOption(client, IPPROTO_TCP, TCP_NODELAY, 1);
	let upstream = -EAGAIN;
	const answer = (): void => {
		harness.turnUntil(() => {
			if (upstream < 0) upstream = harness.outside.accept(listening.fd, 0);
			return upstream >= 0 && harness.receive(upstream) !== -EAGAIN;
		}, "the request");
		harness.send(upstream, ANSWER);
		harness.turnUntil(() => String(harness.receive(client)).startsWith("HTTP/1.1 204"), "the answer");
	};
	harness.send(client, REQUEST);
	answer();

	let sent = 1;
	let most = 0;
	let before = sent;
	harness.kernel.whenTaken = (): void => {
		if (sent++ < LINES) harness.send(client, "\r\n");
	};
	harness.send(client, "\r\n");
	harness.turnUntil(() => {
		most = Math.max(most, sent - before);
		before = sent;
		return sent > LINES;
	}, "all lines");
	// A turn has its bytes twice: for news, and for what waits in the queue.
	assert.ok(most <= 2 * 512, `${most} looks in one turn`);

	harness.kernel.whenTaken = undefined;
	harness.send(client, REQUEST);
	answer();
	assert.deepEqual(harness.records(), []);
});
