/** A crowd that keeps the head of the queue waiting, and clients that come, are queued behind it, and reset. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { reasonOf } from "./harness.js";
import { Secured } from "./tls-peers.js";

const SESSIONS = 200;
const HELLOS = 180;
/** More than any array sized by the table would hold, had each of them left an entry behind. */
const WAVES = 400;
const WAVE = 6;

const ONE = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const PIPELINED = ONE.repeat(2);

/** One ClientHello, sent again and again. */
function sendHellos(secured: Secured): void {
	const { harness } = secured;
	const first = secured.peer(secured.clientContext(), harness.client());
	secured.tls.handshake(first.session);
	let hello: string | number = -1;
	while (typeof hello !== "string") hello = harness.receive(first.far);
	harness.reset(first.fd);
	for (let i = 0; i < HELLOS; i++) harness.send(harness.client(2 + (i % 200)), hello);
}

test("connections that were queued and reset leave nothing in the queue, however long those before them wait", (t) => {
	const secured = new Secured(t, {
		sessions: SESSIONS,
		http: true,
		routes: [{ host: "only.example" }],
		entries: [{}],
	});
	const { harness } = secured;
	const { core } = harness.reactor;
	sendHellos(secured);
	let most = 0;
	const waves: number[][] = [];
	for (let wave = 0; wave < WAVES; wave++) {
		const now: number[] = [];
		for (let i = 0; i < WAVE; i++) {
			const fd = harness.client(2 + (i % 200));
			harness.send(fd, PIPELINED);
			now.push(fd);
		}
		waves.push(now);
		if (waves.length > 2) for (const fd of waves.shift() ?? []) harness.reset(fd);
		harness.turn();
		most = Math.max(most, core.queue.length);
		assert.ok(core.queue.length <= core.table.clients + core.table.links, `${core.queue.length} wait`);
	}
	assert.ok(most > 0, "nobody was queued");
	for (const fd of waves.flat()) harness.reset(fd);
	harness.turnUntil(() => core.queue.length === 0, "the end of the queue");
});

test("a client whose next request waits for its turn behind others is not idle", (t) => {
	const secured = new Secured(t, {
		sessions: SESSIONS,
		http: true,
		policy: { keepAliveMs: 1_000 },
		routes: [{ host: "only.example" }],
		entries: [{}],
	});
	const { harness } = secured;
	const { core } = harness.reactor;
	const client = harness.client();
	harness.send(client, ONE);
	let heard = "";
	const answers = (count: number): void =>
		harness.turnUntil(() => {
			const text = harness.receive(client);
			if (typeof text === "string") heard += text;
			return heard.split("HTTP/1.1 404").length > count;
		}, `${count} answers`);
	answers(1);
	sendHellos(secured);
	harness.turnUntil(() => core.queue.length > HELLOS / 2, "the crowd in the queue");
	harness.send(client, PIPELINED);
	answers(2);
	assert.equal(heard.split("HTTP/1.1 404").length, 3, "both were answered at once");
	assert.ok(core.queue.length > 10, `only ${core.queue.length} wait`);
	harness.pass(1_100);
	answers(3);
	assert.ok(!harness.records().some((record) => reasonOf(record) === "idle_timeout"));
});
