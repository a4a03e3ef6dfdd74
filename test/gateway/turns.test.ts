/** Reloads and an end that are asked for at once, by a program that has the gateway in it. */
import assert from "node:assert/strict";
import dns from "node:dns";
import { test } from "node:test";
import type { Config } from "../../src/config/config.js";
import { loadConfigText } from "../../src/config/load.js";
import { StartError } from "../../src/gateway/errors.js";
import { Gateway } from "../../src/gateway/gateway.js";
import { freeAddress } from "../support/addresses.js";
import { descriptorsOf } from "../support/descriptors.js";
import { eventually, TEST_MS } from "../support/waiting.js";

const places = [await freeAddress(), await freeAddress(), await freeAddress()];

/** With so many listeners, of which the first ones are always the same. */
function configOf(listeners: number, upstream = "127.0.0.1:1"): Config {
	const all = places.slice(0, listeners).map(({ text }) => `{ listen: "${text}", routes: [{ to: a }] }`);
	return loadConfigText(`
reactors: 2
limits: { connections: 10 }
timeouts: { drain: 1s }
log: { level: silent }
listeners: [${all.join(", ")}]
upstreams: { a: "${upstream}" }
`);
}

/** What the gateway does not give back is there afterwards. */
async function nothingStays(before: number): Promise<void> {
	let now = 0;
	await eventually(
		() => {
			now = descriptorsOf(process.pid).length;
			return now <= before ? true : undefined;
		},
		() => `${before} descriptors before, ${now} after`,
	);
}

for (const ending of ["stop", "drain"] as const) {
	test(`two reloads and a ${ending} at once all settle, and nothing stays open`, {
		timeout: TEST_MS,
	}, async () => {
		// What Node opens once and keeps is open from here on.
		await (await Gateway.start(configOf(1))).stop();
		const before = descriptorsOf(process.pid).length;
		for (const startEarlier of [false, true]) {
			const gateway = await Gateway.start(configOf(1));
			const reloads = [gateway.reload(configOf(2)), gateway.reload(configOf(3))];
			// The first has begun by then, and waits for its reactors.
			if (startEarlier) await Promise.resolve().then(() => {});
			const [ended, ...reloaded] = await Promise.allSettled([gateway[ending](), ...reloads]);
			assert.equal(ended.status, "fulfilled");
			for (const outcome of reloaded)
				if (outcome.status === "rejected") assert.ok(outcome.reason instanceof StartError, outcome.reason);
			assert.deepEqual(gateway.listeners, []);
			await assert.rejects(gateway.reload(configOf(1)), StartError);
			await nothingStays(before);
		}
	});
}

test("two reloads at once are carried out one after the other, and the last one holds", {
	timeout: TEST_MS,
}, async (t) => {
	const gateway = await Gateway.start(configOf(1));
	t.after(() => gateway.stop());
	const [first] = gateway.listeners;
	await Promise.all([gateway.reload(configOf(3)), gateway.reload(configOf(2))]);
	assert.equal(gateway.listeners.length, 2);
	assert.deepEqual(gateway.listeners[0], first);
});

test("a stop during a reload does not wait for its names, and nothing stays open", {
	timeout: TEST_MS,
}, async (t) => {
	const { prototype } = dns.Resolver;
	const { resolve4 } = prototype;
	t.after(() => Object.assign(prototype, { resolve4 }));
	const asked = new Promise<void>((resolve) => {
		// Nobody will ever answer.
		Object.assign(prototype, { resolve4: () => resolve() });
	});
	const before = descriptorsOf(process.pid).length;
	const gateway = await Gateway.start(configOf(1));
	const reloads = [gateway.reload(configOf(2, "slow.test:1")), gateway.reload(configOf(3))];
	await asked;
	assert.deepEqual(
		(await Promise.allSettled([gateway.stop(), ...reloads])).map(({ status }) => status),
		["fulfilled", "fulfilled", "rejected"],
	);
	assert.deepEqual(gateway.listeners, []);
	await nothingStays(before);
});

test("stopping twice settles, also while it drains", { timeout: TEST_MS }, async () => {
	const stopped = await Gateway.start(configOf(1));
	await Promise.all([stopped.stop(), stopped.stop()]);
	const drained = await Gateway.start(configOf(1));
	await Promise.all([drained.drain(), drained.stop()]);
});

test("draining what is drained or stopped already settles", { timeout: TEST_MS }, async () => {
	const stopped = await Gateway.start(configOf(1));
	await Promise.all([stopped.stop(), stopped.drain()]);
	const drained = await Gateway.start(configOf(1));
	await Promise.all([drained.drain(), drained.drain()]);
});
