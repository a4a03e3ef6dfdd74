/** Heads of requests and answers in many records, one after another, and where no room is left for them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NONE } from "../../src/parts/none.js";
import { reasonOf } from "./harness.js";
import { NAME, Secured } from "./tls-peers.js";

const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

test("a head at the end of what was read ahead becomes whole", (t) => {
	const secured = new Secured(t, { http: true });
	const { harness } = secured;
	const client = secured.client();
	const requests = [];
	for (let i = 0; i < 6; i++)
		requests.push(`GET /${i} HTTP/1.1\r\nHost: ${NAME}\r\nX: ${"x".repeat(6_000)}\r\n\r\n`);
	// No record ends where a request does.
	const all = requests.join("");
	for (let from = 0; from < all.length; from += 1_700) client.say(all.slice(from, from + 1_700));
	client.push();
	const upstream = secured.accept();
	let served = 0;
	let heard = "";
	harness.turnUntil(() => {
		client.push();
		const more = harness.receive(upstream);
		if (typeof more === "string") heard += more;
		while (heard.split("\r\n\r\n").length - 1 > served) {
			harness.send(upstream, ANSWER);
			served++;
		}
		return served === requests.length;
	}, "all requests");
	assert.equal(heard.split("\r\n\r\n").length - 1, requests.length);
});

test("an answer's head in two records is not waited for in vain when no chunk is left", (t) => {
	const secured = new Secured(t, { http: true, upstreamTls: {} });
	const { harness } = secured;
	const client = secured.client();
	client.say(`GET / HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`);
	client.push();
	const upstream = secured.peer(secured.serverContext(), secured.accept());
	upstream.shake();
	const { chunks } = harness.reactor.core;
	const taken: number[] = [];
	for (let chunk = chunks.take(); chunk !== NONE; chunk = chunks.take()) taken.push(chunk);
	t.after(() => {
		for (const chunk of taken) chunks.give(chunk);
	});
	upstream.say("HTTP/1.1 200 OK\r\nConte");
	upstream.say("nt-Length: 0\r\n\r\n");
	upstream.push();
	let heard: string | number = "";
	harness.turnUntil(() => {
		client.carry();
		heard = client.hear();
		return typeof heard === "string" || heard === 0;
	}, "an answer");
	assert.match(String(heard), /^HTTP\/1\.1 50[23] /);
});

test("when no chunk is left, a head that has kept one for long goes for a newer one", (t) => {
	const secured = new Secured(t, { http: true });
	const { harness } = secured;
	const half = `GET / HTTP/1.1\r\nHost: ${NAME}\r\nX: `;
	const slow = secured.client();
	slow.say(half);
	slow.say("x");
	slow.push();
	const { chunks } = harness.reactor.core;
	harness.turnUntil(() => chunks.lent === 1, "a head that is read ahead");
	const taken: number[] = [];
	for (let chunk = chunks.take(); chunk !== NONE; chunk = chunks.take()) taken.push(chunk);
	t.after(() => {
		for (const chunk of taken) chunks.give(chunk);
	});
	const beganMs = performance.now();
	harness.turnUntil(() => performance.now() - beganMs > 1_100, "a second");
	const quick = secured.client();
	quick.say(half);
	quick.say("y\r\n\r\n");
	quick.push();
	const upstream = secured.accept();
	harness.turnUntil(() => typeof harness.receive(upstream) === "string", "the newer one's request");
	assert.deepEqual(harness.records().map(reasonOf), ["memory_pressure"]);
});

test("requests in the open ask for no TLS library", (t) => {
	const asked: number[] = [];
	const secured = new Secured(t, {
		http: true,
		entries: [],
		openTls: () => {
			asked.push(1);
			throw new Error("there is none");
		},
	});
	const { harness } = secured;
	const fd = harness.client();
	harness.send(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	const upstream = secured.accept();
	harness.turnUntil(() => typeof harness.receive(upstream) === "string", "the request");
	assert.deepEqual(asked, []);
});

test("what came while the upstream was dialled is read behind what was read ahead", (t) => {
	const secured = new Secured(t, { routes: [{ host: NAME }], upstreamTls: {} });
	const { harness } = secured;
	const client = secured.client();
	client.say("POST / HTTP/1.1\r\nHost: ");
	client.say(`${NAME}\r\nContent-Length: 10\r\n\r\n12345`);
	client.push();
	const upstream = secured.peer(secured.serverContext(), secured.accept());
	// News of it come before the upstream's handshake is complete.
	client.say("67890");
	client.push();
	for (let turn = 0; turn < 3; turn++) harness.turn();
	upstream.shake();
	let heard = "";
	harness.turnUntil(() => {
		upstream.pull();
		const more = upstream.hear();
		if (typeof more === "string") heard += more;
		return heard.endsWith("\r\n\r\n1234567890");
	}, "the rest of the body");
});
