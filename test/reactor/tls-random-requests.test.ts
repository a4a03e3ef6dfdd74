/** Requests and answers through TLS in records, pieces and pauses of all sizes: each request gets its answer, whole. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Random } from "../../src/rig/random.js";
import { PATIENCE_MS } from "../support/waiting.js";
import { NAME, type Peer, Secured } from "./tls-peers.js";

const RUNS = Number(process.env["SLUICE_RUNS"] ?? 12);
const FIRST_SEED = Number(process.env["SLUICE_SEED"] ?? 1);
const REQUESTS = 12;

/** Single bytes, small pieces, and as much as there may be. */
function sizeOf(random: Random): number {
	const kind = random.fraction();
	if (kind < 0.1) return 1;
	if (kind < 0.5) return random.between(1, 600);
	return random.between(1, 16_384);
}

function bodyOf(random: Random): { fields: string; body: string } {
	const kind = random.fraction();
	if (kind < 0.3) return { fields: "Content-Length: 0\r\n", body: "" };
	const text = "0123456789".repeat(Math.ceil(sizeOf(random) / (kind < 0.6 ? 10 : 2)));
	if (kind < 0.7) return { fields: `Content-Length: ${text.length}\r\n`, body: text };
	let body = "";
	for (let from = 0; from < text.length; ) {
		const part = text.slice(from, from + sizeOf(random));
		body += `${part.length.toString(16)}\r\n${part}\r\n`;
		from += part.length;
	}
	return { fields: "Transfer-Encoding: chunked\r\n", body: `${body}0\r\n\r\n` };
}

class Talker {
	#rest = "";
	heard = "";
	readonly peer: Peer;

	constructor(peer: Peer) {
		this.peer = peer;
	}

	say(text: string): void {
		this.#rest += text;
	}

	step(random: Random): void {
		const { peer } = this;
		if (this.#rest !== "" && peer.waiting < 50_000 && random.chance(0.6)) {
			const part = this.#rest.slice(0, sizeOf(random));
			peer.say(part);
			this.#rest = this.#rest.slice(part.length);
		}
		if (random.chance(0.6)) peer.push(sizeOf(random));
		if (random.chance(0.6)) peer.pull(sizeOf(random));
		const more = peer.hear(sizeOf(random));
		if (typeof more === "string") this.heard += more;
		else assert.ok(more === -10_001 || more === -10_002, `read: ${more}`);
	}
}

function run(t: TestContext, seed: number): void {
	const random = new Random(seed);
	const secured = new Secured(t, { http: true, upstreamTls: {} });
	const { harness } = secured;
	const { chunks } = harness.reactor.core;
	const client = new Talker(secured.client());
	const serverContext = secured.serverContext();
	let asked = "";
	let answers = "";
	const answersOf: string[] = [];
	for (let i = 0; i < REQUESTS; i++) {
		const request = bodyOf(random);
		const padding = "p".repeat(random.chance(0.3) ? random.fraction() * 9_000 : 10);
		asked += `POST /${i} HTTP/1.1\r\nHost: ${NAME}\r\nX-Padding: ${padding}\r\n${request.fields}\r\n${request.body}`;
		const answer = bodyOf(random);
		const padded = "q".repeat(random.chance(0.3) ? random.fraction() * 9_000 : 10);
		const text = `HTTP/1.1 200 OK\r\nX-Number: ${i}\r\nX-Padding: ${padded}\r\n${answer.fields}\r\n${answer.body}`;
		answersOf.push(text);
		answers += text;
	}
	client.say(asked);
	const upstreams: { talker: Talker }[] = [];
	const giveUpAtMs = performance.now() + PATIENCE_MS;
	while (client.heard.length < answers.length) {
		if (performance.now() > giveUpAtMs)
			assert.fail(
				`${client.heard.length} of ${answers.length}, upstreams ${upstreams.map(({ talker }) => talker.heard.slice(-60))} ${JSON.stringify(harness.records())}`,
			);
		if (random.chance(0.7)) client.step(random);
		for (const upstream of upstreams) {
			if (random.chance(0.7)) upstream.talker.step(random);
			const match = /^POST \/(\d+) [\s\S]*?\r\n\r\n/.exec(upstream.talker.heard);
			if (match === null) continue;
			const [head, number] = match;
			const { heard } = upstream.talker;
			const length = /\r\nContent-Length: (\d+)/.exec(head);
			const end =
				length !== null ? head.length + Number(length[1]) : heard.indexOf("0\r\n\r\n", head.length) + 5;
			if (end < head.length + (length === null ? 5 : 0) || heard.length < end) continue;
			if (length === null && !/(^|\r\n)0\r\n\r\n$/.test(heard.slice(head.length, end))) continue;
			upstream.talker.heard = heard.slice(end);
			upstream.talker.say(answersOf[Number(number)] ?? "");
		}
		const fd = harness.outside.accept(secured.listener.fd, 0);
		if (fd >= 0) {
			const peer = secured.peer(serverContext, harness.adopt(fd));
			peer.shake();
			upstreams.push({ talker: new Talker(peer) });
		}
		if (random.chance(0.5)) harness.turn();
	}
	assert.ok(client.heard === answers, "another answer");
	harness.reset(client.peer.fd);
	harness.turnUntil(() => harness.live === 0, "the end");
	harness.command({ kind: "drain" });
	assert.equal(chunks.lent, 0);
	assert.equal(harness.reactor.core.tls.live, 0);
}

for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) test(`seed ${seed}`, (t) => run(t, seed));
