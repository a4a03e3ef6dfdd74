/** Slow subscribers of the hub: what their channel's policy leaves out, told to the message, and what becomes of those who take nothing. */
import assert from "node:assert/strict";
import type { Gateway } from "../support/gateway.js";
import { type Publication, publish, SMALL_BUFFERS, startHub } from "../support/hub.js";
import {
	type Arrival,
	type HubClient,
	openEvents,
	openFramed,
	openWebSocket,
} from "../support/hub-clients.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { entry, identity } from "../support/tls.js";

const OUTBOX = 10;
/** So many that all of them are more than the system's buffers hold. */
const COUNT = 80;
const KEYS = 5;
const FILLER = "x".repeat(10_000);
/** Published at once: less than an outbox, so that who reads never has more in his. */
const AT_ONCE = 5;

const POLICIES = ["drop-oldest", "drop-newest", "conflate", "disconnect"] as const;

function start(scenario: Scenario, sections: readonly string[] = [], tls?: string): Promise<Gateway> {
	return startHub(scenario, {
		...(tls === undefined ? {} : { tls }),
		channels: [
			...POLICIES.map(
				(policy) =>
					`{ match: "${policy}/*", policy: ${policy}, subscribe: public, outbox: { messages: ${OUTBOX}, bytes: 1MiB }, replay: { messages: 2000 } }`,
			),
			"{ match: paced, policy: conflate, subscribe: public, deliver_per_second: 10 }",
			"{ match: paced-oldest, subscribe: public, outbox: { messages: 3 }, deliver_per_second: 5 }",
		],
		sections: [SMALL_BUFFERS, ...sections],
	});
}

async function comeAll(
	scenario: Scenario,
	gateway: Gateway,
	channel: string,
	arrival: Arrival = {},
): Promise<HubClient[]> {
	const framed = await openFramed(scenario, gateway.port(1), undefined, arrival);
	framed.say({ type: "subscribe", channel });
	const clients = [
		await openWebSocket(scenario, gateway.port(), channel, arrival),
		await openEvents(scenario, gateway.port(), channel, arrival),
		framed,
	];
	for (const client of clients) await client.expect("subscribed");
	return clients;
}

function numbered(index: number): string {
	return `${index} ${FILLER}`;
}

function numbersOf(client: HubClient): number[] {
	return client.messages().map(({ data = "" }) => Number.parseInt(data, 10));
}

function sequenceOf(id: string): number {
	return Number.parseInt(id.split(":")[1] ?? "", 36);
}

/** `heard`: who has had each before the next ones come. */
async function publishAll(
	gateway: Gateway,
	channel: string,
	from = 0,
	count = COUNT,
	heard?: HubClient,
): Promise<string> {
	let id = "";
	for (let index = 0; index < count; ) {
		const messages: Publication[] = [];
		for (; messages.length < AT_ONCE && index < count; index++)
			messages.push({ data: numbered(from + index), key: `${(from + index) % KEYS}` });
		id = await publish(gateway, channel, ...messages);
		await heard?.until(() => numbersOf(heard).at(-1) === from + index - 1);
	}
	return id;
}

/** What came and what was told in between is the channel's sequence, and nothing else. */
function assertWhole(client: HubClient, published: number): void {
	let at = 0;
	for (const told of client.all) {
		if (told.type === "gap") at += told.missed ?? 0;
		if (told.type !== "message") continue;
		assert.equal(Number.parseInt(told.data ?? "", 10), at, `behind ${at} come others`);
		at++;
	}
	assert.equal(at, published);
}

/** Those who do not read, and one who does. */
async function fallBehind(
	scenario: Scenario,
	gateway: Gateway,
	channel: string,
	arrival: Arrival = {},
): Promise<{ slow: HubClient[]; quick: HubClient }> {
	const slow = await comeAll(scenario, gateway, channel, arrival);
	const quick = await openWebSocket(scenario, gateway.port(), channel, arrival);
	await quick.expect("subscribed");
	for (const client of slow) client.pause();
	await publishAll(gateway, channel, 0, COUNT, quick);
	assertWhole(quick, COUNT);
	for (const client of slow) client.resume();
	return { slow, quick };
}

scenario("drop-oldest: the newest that fit are sent, and those before them told of", async (scenario) => {
	const gateway = await start(scenario);
	const { slow, quick } = await fallBehind(scenario, gateway, "drop-oldest/1");
	for (const client of slow) {
		await client.until(() => numbersOf(client).at(-1) === COUNT - 1);
		assertWhole(client, COUNT);
		assert.ok(client.missed() > COUNT / 4, `only ${client.missed()} missed`);
		assert.deepEqual(
			numbersOf(client).slice(-OUTBOX),
			Array.from({ length: OUTBOX }, (_, index) => COUNT - OUTBOX + index),
		);
		// Whoever resumes behind a gap begins with what comes next here.
		const ids = client.all.flatMap(({ id }) => (id === undefined ? [] : [sequenceOf(id)]));
		assert.deepEqual(
			ids,
			ids.toSorted((a, b) => a - b),
		);
	}
	await publishAll(gateway, "drop-oldest/1", COUNT, 1);
	for (const client of [...slow, quick]) {
		await client.until(() => numbersOf(client).at(-1) === COUNT);
		assertWhole(client, COUNT + 1);
	}
	const metrics = await gateway.metrics();
	const of = { match: "drop-oldest/*" };
	const [missed, gaps] = [
		metrics.sum("sluice_hub_missed_total", of),
		metrics.sum("sluice_hub_gaps_total", of),
	];
	assert.equal(
		missed,
		slow.reduce((sum, client) => sum + client.missed(), 0),
	);
	assert.equal(gaps, slow.flatMap(({ all }) => all.filter(({ type }) => type === "gap")).length);
	assert.equal(metrics.sum("sluice_hub_delivered_total", of) + missed, 4 * (COUNT + 1));
	assert.equal(metrics.sum("sluice_hub_outbox_bytes"), 0);
	assert.equal(metrics.sum("sluice_hub_blocked"), 0);
});

scenario("through TLS as well", async (scenario) => {
	const certificate = identity(scenario, "hub.test", { names: ["hub.test"] });
	const gateway = await start(scenario, [], entry(certificate, ["hub.test"]));
	for (const policy of ["drop-oldest", "drop-newest"]) {
		const { slow } = await fallBehind(scenario, gateway, `${policy}/1`, { tls: "hub.test" });
		for (const client of slow) {
			await client.until(() => client.missed() + client.messages().length === COUNT);
			assertWhole(client, COUNT);
			assert.ok(client.missed() > COUNT / 4, `only ${client.missed()} missed`);
		}
	}
});

scenario("drop-newest: what waited is sent, and what came meanwhile told of", async (scenario) => {
	const gateway = await start(scenario);
	const { slow, quick } = await fallBehind(scenario, gateway, "drop-newest/1");
	for (const client of slow) {
		await client.until(() => client.missed() + client.messages().length === COUNT);
		assertWhole(client, COUNT);
		const gap = client.all.at(-1);
		assert.equal(gap?.type, "gap");
		assert.equal(gap?.id, quick.all.at(-1)?.id, "it is about the last one");
	}
	await publishAll(gateway, "drop-newest/1", COUNT, 1);
	for (const client of [...slow, quick]) {
		await client.until(() => numbersOf(client).at(-1) === COUNT);
		assertWhole(client, COUNT + 1);
	}
});

scenario("conflate: the newest of each key is sent", async (scenario) => {
	const gateway = await start(scenario);
	const { slow } = await fallBehind(scenario, gateway, "conflate/1");
	for (const client of slow) {
		await client.until(() => numbersOf(client).at(-1) === COUNT - 1);
		assert.deepEqual(
			numbersOf(client).slice(-KEYS),
			Array.from({ length: KEYS }, (_, index) => COUNT - KEYS + index),
		);
		const numbers = numbersOf(client);
		assert.deepEqual(
			numbers,
			numbers.toSorted((a, b) => a - b),
		);
		assert.equal(client.missed(), 0, "each has a newer one with its key");
	}
	const metrics = await gateway.metrics();
	const of = { match: "conflate/*" };
	const sum = (name: string): number => metrics.sum(`sluice_hub_${name}_total`, of);
	assert.ok(sum("conflated") > COUNT / 4);
	assert.equal(sum("delivered") + sum("conflated") + sum("missed"), 4 * COUNT);
});

scenario(
	"disconnect: who is behind is told 4409 when he takes something again, and comes back",
	async (scenario) => {
		const gateway = await start(scenario);
		const { slow, quick } = await fallBehind(scenario, gateway, "disconnect/1");
		for (const client of slow) {
			const farewell = await client.over();
			assert.ok(typeof farewell === "object", String(farewell));
			assert.equal(farewell.code, 4409);
			assert.equal((await gateway.sessionOf(client)).reason, "outbox_full");
			// All that it has had is whole, and it comes back behind that.
			const had = client.messages().length;
			assertWhole(client, had);
			const back = await openWebSocket(
				scenario,
				gateway.port(),
				`disconnect/1?after=${client.all.at(-1)?.id}`,
			);
			assert.equal((await back.expect("subscribed"))["history"], COUNT - had);
			await back.until(() => back.messages().length === COUNT - had);
			assert.equal(numbersOf(back)[0], had);
		}
		assert.equal((await gateway.metrics()).sum("sluice_hub_overflowed_total"), slow.length);
		await publishAll(gateway, "disconnect/1", COUNT, 1);
		await quick.until(() => quick.messages().length === COUNT + 1);
	},
);

scenario(
	"who takes nothing at all is cut by the stall deadline, and the others never notice",
	async (scenario) => {
		const gateway = await start(scenario, ["timeouts: { stall: 500ms }"]);
		const slow: HubClient[] = [];
		for (const policy of POLICIES.slice(0, 3))
			slow.push(...(await comeAll(scenario, gateway, `${policy}/2`)));
		const idle = await openEvents(scenario, gateway.port(), "drop-oldest/3");
		for (const client of slow) client.pause();
		for (const policy of POLICIES.slice(0, 3)) await publishAll(gateway, `${policy}/2`);
		for (const client of slow) assert.equal((await gateway.sessionOf(client)).reason, "stall_timeout");
		await publishAll(gateway, "drop-oldest/3", 0, 1);
		await idle.until(() => idle.messages().length === 1);
		const metrics = await gateway.metrics();
		for (const name of ["blocked", "outbox_bytes"]) assert.equal(metrics.sum(`sluice_hub_${name}`), 0, name);
		assert.equal(metrics.sum("sluice_hub_subscribers"), 1);
	},
);

scenario("low ones are left out first", async (scenario) => {
	const gateway = await start(scenario);
	const client = await openWebSocket(scenario, gateway.port(), "drop-oldest/4");
	await client.expect("subscribed");
	client.pause();
	await publishAll(gateway, "drop-oldest/4");
	// Of the last twenty, those that are even are low: ten are not, and fit.
	const last = Array.from({ length: 2 * OUTBOX }, (_, index) => ({
		data: numbered(COUNT + index),
		low: index % 2 === 0,
	}));
	await publish(gateway, "drop-oldest/4", ...last);
	client.resume();
	await client.until(() => numbersOf(client).at(-1) === COUNT + 2 * OUTBOX - 1);
	assertWhole(client, COUNT + 2 * OUTBOX);
	const important = last.filter(({ low }) => !low).map(({ data }) => Number.parseInt(data, 10));
	for (const number of important) assert.ok(numbersOf(client).includes(number), `${number} was left out`);
});

scenario("deliver_per_second holds messages back, and what waits is the outbox's", async (scenario) => {
	const gateway = await start(scenario);
	const prices = await openWebSocket(scenario, gateway.port(), "paced");
	const oldest = await openEvents(scenario, gateway.port(), "paced-oldest");
	for (const client of [prices, oldest]) await client.expect("subscribed");
	const startedMs = performance.now();
	for (const channel of ["paced", "paced-oldest"]) await publishAll(gateway, channel, 0, 60);
	for (const client of [prices, oldest]) await client.until(() => numbersOf(client).at(-1) === 59);
	assertWhole(oldest, 60);
	// A second's worth at once, and then no more than so many.
	const seconds = (performance.now() - startedMs) / 1_000;
	assert.ok(oldest.messages().length <= 5 + 5 * seconds + 1, `${oldest.messages().length} in ${seconds} s`);
	assert.ok(oldest.missed() >= 40);
	assert.ok(prices.messages().length <= 10 + 10 * seconds + 1, `${prices.messages().length} in ${seconds} s`);
	assert.equal(prices.missed(), 0);
});

scenario(
	"what was missed is resumed from: by the last id, over a reload and a new connection",
	async (scenario) => {
		const gateway = await start(scenario);
		const channel = "drop-oldest/5";
		let last = "";
		const had: number[] = [];
		for (let round = 0; round < 6; round++) {
			const client = await openWebSocket(
				scenario,
				gateway.port(),
				last === "" ? channel : `${channel}?after=${last}`,
			);
			await client.expect("subscribed");
			// More than an outbox at once may be lost to who is still taking what he missed.
			await publishAll(gateway, channel, round * 40, 20, client);
			if (round % 2 === 1) assert.equal((await gateway.hangUp()).message, "reloaded");
			await client.until(() => numbersOf(client).at(-1) === round * 40 + 19);
			had.push(...numbersOf(client));
			last = client.all.at(-1)?.id ?? "";
			client.peer.reset();
			// Nobody is there.
			await publishAll(gateway, channel, round * 40 + 20, 20);
		}
		assert.deepEqual(
			had,
			Array.from({ length: 5 * 40 + 20 }, (_, index) => index),
		);
	},
);
