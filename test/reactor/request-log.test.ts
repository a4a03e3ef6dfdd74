/** What is kept of requests for the log is there while they are under way, and no longer; without the option, never. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { SHARE_ALL } from "../../src/reactor/modes/http1/log.js";
import { type RequestRecord, readJournal, type SessionRecord } from "../support/read-journal.js";
import { Harness } from "./harness.js";

const GET = "GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A reactor that reads requests, and passes them to an upstream that the test answers by hand. */
function setUp(t: TestContext, logRequests: number): { harness: Harness; upstream: number } {
	const upstreams = new Harness(t, { sessions: 1, routes: [{}] });
	const { fd, port } = upstreams.upstream();
	const harness = new Harness(t, { sessions: 8, routes: [{ path: "/a" }], upstreamPorts: [port] });
	harness.readRequests({ logRequests });
	return { harness, upstream: fd };
}

function received(harness: Harness, fd: number): string {
	let text = "";
	harness.turnUntil(() => {
		const got = harness.receive(fd);
		if (typeof got === "string") text += got;
		return text !== "";
	}, "an answer");
	return text;
}

function drained(harness: Harness): { sessions: SessionRecord[]; requests: RequestRecord[] } {
	const sessions: SessionRecord[] = [];
	const requests: RequestRecord[] = [];
	readJournal(
		harness.journal,
		(session) => sessions.push(session),
		(request) => requests.push(request),
	);
	return { sessions, requests };
}

/** A request that is answered, one that is under way when its client goes, one without a route, and half a head. */
function traffic(harness: Harness, upstream: number): void {
	const { notes } = harness.reactor.core.requestLog;
	const noted = harness.reactor.core.listeners.get(0)?.plan.logRequests === 0 ? 0 : 1;
	const client = harness.client();
	harness.turnUntil(() => harness.live === 1, "the client");
	harness.send(client, GET);
	const server = harness.accepted(upstream, "the upstream's connection");
	received(harness, server);
	assert.equal(notes.size, noted);
	harness.send(server, OK);
	received(harness, client);
	assert.equal(notes.size, 0, "answered");
	harness.send(client, GET);
	received(harness, server);
	assert.equal(notes.size, noted);
	harness.reset(client);
	harness.turnUntil(() => harness.live === 0, "its end");

	const lost = harness.client();
	harness.turnUntil(() => harness.live === 1, "the second client");
	harness.send(lost, GET.replace("/a", "/b"));
	assert.match(received(harness, lost), /^HTTP\/1\.1 404 /);
	harness.reset(lost);
	harness.turnUntil(() => harness.live === 0, "its end");

	const bad = harness.client();
	harness.turnUntil(() => harness.live === 1, "the third client");
	harness.send(bad, "GET / HTTP/1.1\r\nNo host: here\r\n\r\n");
	assert.match(received(harness, bad), /^HTTP\/1\.1 400 /);
	harness.reset(bad);
	harness.turnUntil(() => harness.live === 0, "its end");
	assert.equal(notes.size, 0);
}

test("each request has one record, before its session's, with the session's number", (t) => {
	const { harness, upstream } = setUp(t, SHARE_ALL);
	traffic(harness, upstream);
	const { sessions, requests } = drained(harness);
	assert.deepEqual(
		requests.map(({ id, method, path, host, status }) => [id, method, path, host, status]),
		[
			[0, "GET", "/a", "a.test", 200],
			[0, "GET", "/a", "a.test", 0],
			[1, "GET", "/b", "a.test", 404],
			[2, "", "", "", 400],
		],
	);
	assert.deepEqual(
		sessions.map(({ id }) => id),
		[0, 1, 2],
	);
});

test("where requests are not logged, nothing is kept and nothing is written of them", (t) => {
	const { harness, upstream } = setUp(t, 0);
	traffic(harness, upstream);
	const { sessions, requests } = drained(harness);
	assert.equal(requests.length, 0);
	assert.deepEqual(
		sessions.map(({ id }) => id),
		[0, 1, 2],
	);
});

test("a journal that is full costs the line, and what was kept for it is freed all the same", (t) => {
	const { harness, upstream } = setUp(t, SHARE_ALL);
	while (harness.journal.begin(255) >= 0) harness.journal.commit();
	const { dropped } = harness.journal;
	traffic(harness, upstream);
	assert.ok(harness.journal.dropped > dropped);
});
