import assert from "node:assert/strict";
import { test } from "node:test";
import { type Hellos, type Script, scriptOf } from "../../src/drill/script.js";

const HELLOS: Hellos = {
	terminated: new Uint8Array(500).fill(1),
	relayed: new Uint8Array(400).fill(2),
};

function scripts(from: number, to: number, seed = 7): Script[] {
	return Array.from({ length: to - from }, (_, index) => scriptOf(seed, from + index, HELLOS));
}

function text({ says }: Script): string {
	return Buffer.from(says).toString("latin1");
}

test("a connection's script comes from the seed and its number alone", () => {
	assert.deepEqual(scripts(8100, 8200), scripts(8100, 8200));
	assert.notDeepEqual(scripts(8100, 8200), scripts(8100, 8200, 8));
});

test("scripts pipeline, reset, end, halve their connections, and mix TLS with requests in the open", () => {
	const all = scripts(0, 120_000);
	const some = (is: (script: Script) => boolean): boolean => all.some(is);
	assert.ok(some(({ leaves }) => leaves.when === "answered" && leaves.halfCloses));
	assert.ok(some(({ leaves }) => leaves.when === "answered" && !leaves.halfCloses));
	assert.ok(some(({ leaves }) => leaves.when === "timed" && leaves.resets));
	assert.ok(some(({ leaves }) => leaves.when === "timed" && !leaves.resets));
	assert.ok(some(({ leaves }) => leaves.when === "impatient"));
	assert.ok(some(({ tls }) => tls));
	assert.ok(some(({ says }) => says === HELLOS.terminated));
	assert.ok(some(({ says }) => says === HELLOS.relayed));
	assert.ok(some(({ says, pieceBytes }) => pieceBytes < says.length));
	for (const part of ["HEAD ", "chunked", "Content-Length: one", "nobody.invalid", "/silent"])
		assert.ok(
			some((script) => text(script).includes(part)),
			part,
		);
	for (const { says, pieceBytes, answers } of all)
		assert.ok(says.length > 0 && pieceBytes > 0 && answers.length > 0);
});

test("a siege begins with hellos, and then come those who leave work behind", () => {
	const siege = scripts(8000, 16_000);
	const hellos = siege.slice(0, 270).filter(({ says }) => says === HELLOS.terminated).length;
	assert.ok(hellos > 240, String(hellos));
	const abandoned = siege.slice(270).filter(({ leaves }) => leaves.when === "impatient").length;
	assert.ok(abandoned > 7000, String(abandoned));
});

test("each request has a word of its own, which its answer must bring back", () => {
	for (const script of scripts(0, 2000)) {
		const asked = [...text(script).matchAll(/\/echo\/(\S+) /g)].map(([, word]) => word);
		const due = script.answers.flatMap((answer) =>
			answer.kind === "response" && answer.body !== null ? [answer.body] : [],
		);
		if (script.answers.some(({ kind }) => kind === "anything")) continue;
		assert.deepEqual(due, asked);
	}
});
