/** Reloads while subscribers are there: channels that come, change and go, and the hub itself. */
import assert from "node:assert/strict";
import type { Gateway } from "../support/gateway.js";
import { startGateway } from "../support/gateway.js";
import {
	api,
	type HubConfig,
	hubConfig,
	publish,
	SMALL_BUFFERS,
	startHub,
	subscribers,
} from "../support/hub.js";
import {
	answerTo,
	EVENTS,
	type HubClient,
	openEvents,
	openFramed,
	openWebSocket,
} from "../support/hub-clients.js";
import { type Scenario, scenario } from "../support/scenario.js";

const A = "{ match: a, subscribe: public, publish: public, replay: { messages: 100 } }";
const B = "{ match: b, subscribe: public, replay: { messages: 100 } }";

async function comeAll(scenario: Scenario, gateway: Gateway, channel: string): Promise<HubClient[]> {
	const framed = await openFramed(scenario, gateway.port(1));
	framed.say({ type: "subscribe", channel });
	const clients = [
		await openWebSocket(scenario, gateway.port(), channel),
		await openEvents(scenario, gateway.port(), channel),
		framed,
	];
	for (const client of clients) await client.expect("subscribed");
	return clients;
}

async function reload(gateway: Gateway, yaml: string): Promise<void> {
	gateway.write(yaml);
	assert.equal((await gateway.hangUp()).message, "reloaded");
}

const use = (gateway: Gateway, config: HubConfig): Promise<void> => reload(gateway, hubConfig(config));

scenario(
	"a channel that a reload takes away is taken from its subscribers, and is there anew when it comes again",
	async (scenario) => {
		const gateway = await startHub(scenario, { channels: [A, B] });
		const clients = await comeAll(scenario, gateway, "b");
		const [socket] = clients as [Awaited<ReturnType<typeof openWebSocket>>];
		socket.say({ type: "subscribe", channel: "a" });
		await socket.expect("subscribed");
		const both = await openEvents(scenario, gateway.port(), "?channel=a&channel=b");
		for (let count = 0; count < 2; count++) await both.expect("subscribed");
		const before = await publish(gateway, "b", "before");
		assert.deepEqual(await both.texts(1), ["before"]);
		for (const client of clients) assert.deepEqual(await client.texts(1), ["before"]);
		await use(gateway, { channels: [A] });
		for (const client of clients) {
			const { channel, reason } = await client.expect("unsubscribed");
			assert.equal(channel, "b");
			assert.match(String(reason), /no such channel any more/);
		}
		// A stream can ask for no other channel.
		const [, events] = clients as [HubClient, HubClient];
		assert.deepEqual(await events.over(), { code: 4404, reason: "there is no such channel any more" });
		assert.equal((await gateway.sessionOf(events)).reason, "rejected");
		assert.equal((await api(gateway, "POST", "b", "x")).status, 404);
		assert.equal((await api(gateway, "GET", "b")).status, 404);
		socket.say({ type: "subscribe", channel: "b", ref: 1 });
		assert.equal((await socket.heard(({ ref }) => ref === 1)).code, "no_channel");
		assert.equal(
			(await answerTo(scenario, gateway.port(), "/channels/b", { fields: EVENTS })).code,
			"no_channel",
		);
		// What else it has goes on.
		await publish(gateway, "a", "still");
		for (const client of [socket, both]) await client.heard(({ data }) => data === "still");
		assert.equal((await gateway.metrics()).sum("sluice_hub_subscribers"), 2);
		await use(gateway, { channels: [A, B] });
		socket.say({ type: "subscribe", channel: "b", after: before, ref: 2 });
		await socket.heard(({ ref }) => ref === 2);
		const after = await publish(gateway, "b", "after");
		await socket.heard(({ id }) => id === after);
		await subscribers(gateway, "b", 1);
	},
);

scenario("policy, bounds and rates of a channel change for those who are there", async (scenario) => {
	const entry = (more: string): string => `{ match: a, subscribe: public, publish: public, ${more} }`;
	const config = (more: string): HubConfig => ({ channels: [entry(more)], sections: [SMALL_BUFFERS] });
	const gateway = await startHub(scenario, config("outbox: { messages: 100, bytes: 4MiB }"));
	const slow = await openFramed(scenario, gateway.port(1));
	slow.say({ type: "subscribe", channel: "a" });
	await slow.expect("subscribed");
	slow.pause();
	const messages = Array.from({ length: 80 }, (_, index) => `${index} ${"x".repeat(10_000)}`);
	await publish(gateway, "a", ...messages);
	await use(gateway, config("outbox: { messages: 4, bytes: 4MiB }"));
	await publish(gateway, "a", "last");
	slow.resume();
	await slow.until(() => slow.all.at(-1)?.data === "last");
	assert.equal(slow.messages().length + slow.missed(), 81);
	assert.ok(slow.missed() > 10, `${slow.missed()} missed`);
	await use(gateway, config("publish_per_second: 1"));
	const answers = await Promise.all(Array.from({ length: 4 }, () => api(gateway, "POST", "a", "x")));
	assert.ok(answers.some(({ status }) => status === 429));
	await use(gateway, config("deliver_per_second: 1000, publish_per_second: off"));
	assert.equal((await api(gateway, "POST", "a", "unbounded")).status, 200);
	await slow.heard(({ data }) => data === "unbounded");
});

scenario(
	"a channel that comes under another entry is counted there, with those who are subscribed",
	async (scenario) => {
		const all = '{ match: "r/*", subscribe: public }';
		const gateway = await startHub(scenario, { channels: [all] });
		const clients = await comeAll(scenario, gateway, "r/1");
		const counts = async (): Promise<readonly number[]> => {
			const metrics = await gateway.metrics();
			return ["r/*", "r/1"].map((match) => metrics.sum("sluice_hub_subscribers", { match }));
		};
		assert.deepEqual(await counts(), [3, 0]);
		await use(gateway, { channels: ["{ match: r/1, subscribe: public }", all] });
		await publish(gateway, "r/1", "x");
		for (const client of clients) await client.heard(({ data }) => data === "x");
		assert.deepEqual(await counts(), [0, 3]);
		for (const client of clients) client.peer.reset();
		await gateway.sessions(3);
		assert.deepEqual(await counts(), [0, 0]);
	},
);

scenario("a hub comes by a reload, goes by another, and comes again", async (scenario) => {
	const without = `
reactors: 2
listeners:
  - { listen: 127.0.0.1:0, routes: [{ path: /channels/, to: { status: 404 } }] }
  - { listen: 127.0.0.1:0, routes: [{ to: reject }] }
`;
	const gateway = await startGateway(scenario, without, { own: "a hub that is there once stays in memory" });
	assert.equal((await api(gateway, "GET", "")).status, 404);
	await use(gateway, { channels: [A] });
	const clients = await comeAll(scenario, gateway, "a");
	const seen = await publish(gateway, "a", "one");
	for (const client of clients) assert.deepEqual(await client.texts(1), ["one"]);
	await reload(gateway, without);
	for (const client of clients) await client.expect("unsubscribed");
	assert.equal((await api(gateway, "POST", "a", "x")).status, 404);
	assert.equal((await answerTo(scenario, gateway.port(), "/channels/a", { fields: EVENTS })).status, 404);
	const [socket] = clients as [Awaited<ReturnType<typeof openWebSocket>>];
	socket.say({ type: "subscribe", channel: "a", ref: 1 });
	assert.equal((await socket.heard(({ ref }) => ref === 1)).code, "no_channel");
	socket.say({ type: "publish", channel: "a", data: "x", ref: 2 });
	assert.equal((await socket.heard(({ ref }) => ref === 2)).code, "no_channel");
	assert.equal((await gateway.metrics()).sum("sluice_hub_subscribers"), 0);
	await use(gateway, { channels: [A] });
	const back = await openEvents(scenario, gateway.port(), `a?after=${seen}`);
	await back.expect("subscribed");
	await publish(gateway, "a", "two");
	await back.heard(({ data }) => data === "two");
});

scenario("without a route nobody comes any more, and those who are there go on", async (scenario) => {
	const gateway = await startHub(scenario, { channels: [A] });
	const clients = await comeAll(scenario, gateway, "a");
	await reload(gateway, hubConfig({ channels: [A] }).replaceAll("to: hub", "to: reject"));
	assert.equal((await answerTo(scenario, gateway.port(), "/channels/a", { fields: EVENTS })).status, 403);
	await publish(gateway, "a", "x");
	for (const client of clients) assert.deepEqual(await client.texts(1), ["x"]);
});
