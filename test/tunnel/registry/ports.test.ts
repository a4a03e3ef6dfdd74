import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ports } from "../../../src/tunnel/registry/ports.js";

const NONE: ReadonlySet<number> = new Set();

const agent = (id: string, ports: { from: number; to: number } | null) => ({
	...{
		id,
		publicKeys: [],
		names: ["*"],
		domains: [],
		shared: false,
		connections: null,
		bytesPerSecond: null,
		basicAuth: null,
	},
	ports,
});

function ports(): Ports {
	const made = new Ports();
	made.configure({
		ports: { from: 10, to: 19 },
		agents: [agent("own", { from: 10, to: 12 }), agent("any", null)],
	});
	return made;
}

test("an agent's own ports are nobody else's, and others get what is left", () => {
	const all = ports();
	assert.deepEqual(
		["a", "b", "c", "d"].map((name) => all.take("own", name, null, NONE)),
		[10, 11, 12, null],
	);
	assert.equal(all.take("any", "a", null, NONE), 13);
	assert.equal(all.take("any", "b", 12, NONE), null);
	assert.equal(all.take("any", "b", 20, NONE), null);
	assert.equal(all.take("any", "b", 13, NONE), null);
	assert.equal(all.take("any", "b", 14, NONE), 14);
	assert.equal(all.take("any", "c", null, new Set([15, 16])), 17);
});

test("a name comes back to its port, which strangers take last", () => {
	const all = ports();
	assert.equal(all.take("any", "a", null, NONE), 13);
	all.release("any", "a", 13);
	assert.equal(all.take("any", "b", null, NONE), 14);
	assert.equal(all.take("any", "a", null, NONE), 13);
	all.release("any", "a", 13);
	for (let port = 15; port <= 19; port++) assert.equal(all.take("any", `n${port}`, null, NONE), port);
	assert.equal(all.take("any", "z", null, NONE), 13);
	assert.equal(all.take("any", "a", null, NONE), null);
});

test("a late release of a port that is somebody else's now changes nothing", () => {
	const all = ports();
	all.take("any", "a", 13, NONE);
	all.release("any", "a", 13);
	all.take("any", "b", 13, NONE);
	all.release("any", "a", 13);
	assert.equal(all.take("any", "c", 13, NONE), null);
});

test("in any order, a port has one holder, whom the file lets have it", () => {
	const step = fc.record({
		id: fc.constantFrom("own", "any"),
		name: fc.constantFrom("a", "b", "c", "d", "e", "f"),
		asked: fc.option(fc.integer({ min: 9, max: 20 })),
		release: fc.boolean(),
	});
	fc.assert(
		fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
			const all = ports();
			const holders = new Map<number, string>();
			for (const { id, name, asked, release } of steps) {
				const owner = `${id} ${name}`;
				const [held] = [...holders].find(([, each]) => each === owner) ?? [];
				if (held !== undefined) {
					if (!release) continue;
					all.release(id, name, held);
					holders.delete(held);
				} else {
					const port = all.take(id, name, asked, NONE);
					if (port === null) continue;
					assert.ok(all.allows({ id }, port) && !holders.has(port));
					if (asked !== null) assert.equal(port, asked);
					holders.set(port, owner);
				}
				assert.equal(all.taken, holders.size);
			}
		}),
	);
});
