/** Bytes and ends that hide in a TLS session, or behind one, while edges say nothing of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { Secured } from "./tls-peers.js";

test("what comes behind the rest of a record is read with it", (t) => {
	const secured = new Secured(t);
	const { harness } = secured;
	const client = secured.client();
	const upstream = secured.accept();
	client.say("a".repeat(5_000));
	client.push(1_000);
	for (let turn = 0; turn < 5; turn++) harness.turn();
	// The rest of that record, and a second one, in one piece.
	client.say("b".repeat(2_000));
	client.push();
	let heard = "";
	harness.turnUntil(() => {
		const more = harness.receive(upstream);
		if (typeof more === "string") heard += more;
		return heard.length === 7_000;
	}, "both records");
	assert.equal(heard, "a".repeat(5_000) + "b".repeat(2_000));
});

test("an end that came with the last bytes, and with nothing behind it, is carried on", (t) => {
	const secured = new Secured(t);
	const { harness } = secured;
	const client = secured.client();
	const upstream = secured.accept();
	client.say("last words");
	client.sayGoodbye();
	client.push();
	let heard = "";
	let ended = false;
	harness.turnUntil(() => {
		const more = harness.receive(upstream);
		if (more === "") ended = true;
		else if (more !== -EAGAIN) heard += String(more);
		return ended;
	}, "the end");
	assert.equal(heard, "last words");
});

test("a client that sends one byte per record has its share of a turn, and no more", (t) => {
	const secured = new Secured(t);
	const { harness } = secured;
	const client = secured.client();
	const upstream = secured.accept();
	const heard = (): number => {
		let count = 0;
		for (let more = harness.receive(upstream); typeof more === "string"; more = harness.receive(upstream))
			count += more.length;
		return count;
	};
	for (let record = 0; record < 20_000; record++) client.say("x");
	for (let i = 0; i < 3; i++) harness.turn();
	let arrived = heard();
	while (client.push() > 0) {}
	harness.turn();
	const first = heard();
	assert.ok(first > 0 && first < 6_000, `${first} records in a turn`);
	arrived += first;
	harness.turnUntil(() => {
		client.push();
		arrived += heard();
		return arrived === 20_000;
	}, "all of them");
});

test("heads of one byte per record have their share of a turn, and no more", (t) => {
	for (const host of ["never.example", "www.example.com"]) {
		// With a condition on what is inside, the head is sniffed first.
		const secured = new Secured(t, {
			http: host === "www.example.com",
			routes: [{ host }, { host: "a.example" }],
			// Ten thousand records take a busy machine longer than a handshake may.
			policy: { handshakeMs: 600_000 },
		});
		const { harness } = secured;
		const client = secured.client();
		const head = `GET / HTTP/1.1\r\nX: ${"x".repeat(14_000)}\r\nHost: a.example\r\n\r\n`;
		for (const byte of head) client.say(byte);
		for (let i = 0; i < 3; i++) harness.turn();
		while (client.push() > 0) {}
		let turns = 0;
		let upstream = -EAGAIN;
		harness.turnUntil(() => {
			turns++;
			client.push();
			upstream = harness.outside.accept(secured.listener.fd, 0);
			return upstream >= 0;
		}, "the dial");
		harness.adopt(upstream);
		assert.ok(turns > 3, `${turns} turns`);
	}
});
