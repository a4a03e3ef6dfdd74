import assert from "node:assert/strict";
import { test } from "node:test";
import { sample, sampleNames } from "../samples.js";
import { compare, type Kind, newTally, runSeed } from "./differential.js";

/** A few seconds of work. */
const FIXED_SEEDS = 100_000;
const FRESH_SEEDS = 60_000;

test("real requests are read as llhttp reads them, pipelined as well", () => {
	const tally = newTally();
	for (const name of sampleNames("http-")) {
		compare(sample(name), "request", false, tally);
		compare(new Uint8Array(Buffer.concat([sample(name), sample(name)])), "request", false, tally);
	}
	assert.ok(tally.agreed > sampleNames("http-").length);
});

test("where the readers once differed, they no longer do", () => {
	const cases: [Kind, string][] = [
		// llhttp takes no tab after these values for white space.
		["request", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\t\r\n\r\nxxxxx"],
		["request", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked \t\r\n\r\n0\r\n\r\n"],
		["response", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n"],
		["response", "HTTP/1.1 200 OK\r\nContent-Length: \t5\t\r\n\r\nxxxxx"],
		// It takes what we do not.
		[
			"request",
			'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a="\\\n"\r\nd\r\n0\r\n\r\n',
		],
		["response", "HTTP/1.1 200 OK\r\rX: y\r\n\r\n"],
		["response", "HTTP/1.1 190 A\r\nContent-Length: 12\r\n\r\nxxxxxxxxxxxx"],
		["response", "HTTP/1.1 190 A\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
	];
	for (const [kind, text] of cases) {
		compare(new Uint8Array(Buffer.from(text, "latin1")), kind, false, newTally());
	}
});

test("whatever llhttp refuses is refused, and both agree on every boundary: fixed seeds", (t) => {
	const tally = newTally();
	for (let seed = 1; seed <= FIXED_SEEDS; seed++) runSeed(seed, tally);
	assert.ok(tally.agreed > FIXED_SEEDS / 3, "the generator makes too few messages that are taken");
	assert.ok(tally.refused > FIXED_SEEDS / 10, "the generator makes too few messages that are refused");
	t.diagnostic(
		`agreed ${tally.agreed}, refused ${tally.refused}, of these llhttp takes ${stricter(tally.stricter)}`,
	);
});

test("and with seeds that nobody has chosen", (t) => {
	const first = Math.floor(Math.random() * 2 ** 40);
	t.diagnostic(`seeds from ${first} on`);
	const tally = newTally();
	for (let seed = first; seed < first + FRESH_SEEDS; seed++) runSeed(seed, tally);
});

function stricter(counts: ReadonlyMap<string, number>): string {
	return [...counts].map(([cause, count]) => `${count} ${cause}`).join(", ");
}
