/** Several channels on one connection: their messages come in the order of their ids, so that one id says where the client is in all. */
import assert from "node:assert/strict";
import { startHub } from "../support/hub.js";
import { openEvents, openWebSocket } from "../support/hub-clients.js";
import { scenario } from "../support/scenario.js";

const COUNT = 300;
const CHANNELS = [
	'{ match: "**", subscribe: public, publish: public, outbox: { messages: 1000 }, replay: { messages: 1000 } }',
];

scenario(
	"messages of several channels come in one order, live and when they are resumed",
	async (scenario) => {
		const gateway = await startHub(scenario, { channels: CHANNELS, reactors: 1 });
		const query = "?channel=a&channel=b&channel=c";
		const live = await openEvents(scenario, gateway.port(), query);
		for (const _ of "abc") await live.expect("subscribed");
		const socket = await openWebSocket(scenario, gateway.port(), query);
		for (const _ of "abc") await socket.expect("subscribed");
		// From a client, many are published in one turn of the main thread.
		const publisher = await openWebSocket(scenario, gateway.port(), "");
		for (let n = 0; n < COUNT; n++)
			publisher.say({ type: "publish", channel: "abc"[n % 3], data: String(n) });
		const expected = Array.from({ length: COUNT }, (_, n) => String(n));
		for (const client of [live, socket]) {
			await client.until(() => client.messages().length === COUNT);
			assert.deepEqual(
				client.messages().map(({ data }) => data),
				expected,
			);
		}
		const id = live.messages()[99]?.id;
		const back = await openEvents(scenario, gateway.port(), query, { fields: `Last-Event-ID: ${id}\r\n` });
		await back.until(() => back.messages().length === COUNT - 100);
		assert.deepEqual(
			back.messages().map(({ data }) => data),
			expected.slice(100),
		);
	},
);
