import assert from "node:assert/strict";
import { test } from "node:test";
import { COMPLETE, NEED_MORE } from "../../../src/protocol/index.js";
import { HalfHellos } from "../../../src/reactor/datagrams/half-hellos.js";
import { DatagramRecognition } from "../../../src/reactor/datagrams/recognition.js";
import { DatagramRecognizer } from "../../../src/reactor/datagrams/recognizer.js";
import { Random } from "../../../src/rig/random.js";
import { dtlsHello, quicHello, randomAsked } from "./hellos.js";
import { PlainInitials } from "./plain-initials.js";

const memory = new Uint8Array(65_536);
const halves = new HalfHellos({
	halves: 4,
	perSource: 4,
	fewOfSource: 1,
	bytesEach: 8_192,
	timeoutMs: 5_000,
});
const recognizer = new DatagramRecognizer(memory, new PlainInitials(memory), halves);
const out = new DatagramRecognition();
const peer = { family: 4, bytes: Uint8Array.of(10, 0, 0, 1), offset: 0, port: 443 };

function hear(datagram: Uint8Array): number {
	memory.set(datagram, 100);
	const verdict = recognizer.read(
		{ peer, start: 100, end: 100 + datagram.length, ecn: 0, nowMs: 0 },
		"reject",
		out,
	);
	if (verdict === COMPLETE && out.half >= 0) halves.release(out.half);
	return verdict;
}

test("what simulated clients begin with is read as a hello, whatever its order and its pieces", () => {
	for (let seed = 1; seed <= 300; seed++) {
		const random = new Random(seed);
		const asked = randomAsked(random);
		const datagrams = seed % 3 === 0 ? dtlsHello(random, asked) : quicHello(random, asked).datagrams;
		for (const [index, datagram] of datagrams.entries()) {
			const isLast = index === datagrams.length - 1;
			assert.equal(hear(datagram), isLast ? COMPLETE : NEED_MORE, `seed ${seed}: ${out.cause}`);
		}
		assert.equal(out.hello.serverName ?? undefined, asked.name);
		assert.deepEqual(out.hello.alpnProtocols, asked.alpn === undefined ? [] : [asked.alpn]);
	}
	assert.equal(halves.count, 0);
});

test("a byte that was changed is noticed", () => {
	const random = new Random(7);
	const [datagram] = quicHello(random, { name: "a.example", alpn: "h3" }).datagrams as [Uint8Array];
	for (let at = 30; at < datagram.length; at += 7) {
		const changed = datagram.slice();
		changed[at] = (changed[at] ?? 0) ^ 1;
		assert.notEqual(hear(changed), COMPLETE);
	}
});
