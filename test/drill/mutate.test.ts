import assert from "node:assert/strict";
import { test } from "node:test";
import { mutate } from "../../src/drill/mutate.js";
import { Random } from "../../src/rig/random.js";

const HELLO = Uint8Array.from({ length: 300 }, (_, index) => index & 0xff);

test("the same seed does the same damage", () => {
	const [one, other] = [new Random(7), new Random(7)];
	for (let i = 0; i < 100; i++) assert.deepEqual(mutate(HELLO, one), mutate(HELLO, other));
});

test("nearly every copy differs, none is empty or much longer, and the original stays whole", () => {
	const random = new Random(1);
	const before = HELLO.slice();
	let same = 0;
	for (let i = 0; i < 5000; i++) {
		const damaged = mutate(HELLO, random);
		assert.ok(damaged.length > 0 && damaged.length <= HELLO.length + 4 * 32, String(damaged.length));
		if (Buffer.from(damaged).equals(Buffer.from(HELLO))) same++;
	}
	assert.ok(same < 100, `${same} of 5000 are as they were`);
	assert.deepEqual(HELLO, before);
});

test("damage to a single byte leaves something to say", () => {
	const random = new Random(3);
	for (let i = 0; i < 1000; i++) assert.ok(mutate(Uint8Array.of(22), random).length > 0);
});
