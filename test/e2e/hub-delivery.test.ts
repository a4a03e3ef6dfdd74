/** What a subscriber gets: order, nothing twice, and exactly the gaps that it is told of. */
import assert from "node:assert/strict";
import { publish, startHub } from "../support/hub.js";
import { type FramedClient, openFramed } from "../support/hub-clients.js";
import { scenario } from "../support/scenario.js";

scenario(
	"a burst comes whole to all who take it, also where it is longer than an outbox and what is sent at once",
	async (scenario) => {
		// So many that all of it is there before the first has had some of it.
		const gateway = await startHub(scenario, {
			...{ channels: ["{ match: burst, subscribe: public, outbox: { messages: 10 } }"], framed: "burst" },
			reactors: 1,
		});
		const clients: FramedClient[] = [];
		for (let count = 0; count < 300; count++) clients.push(await openFramed(scenario, gateway.port(1)));
		for (const client of clients) await client.expect("subscribed");
		const texts = Array.from({ length: 150 }, (_, index) => `${index}`);
		await publish(gateway, "burst", ...texts);
		for (const client of clients) assert.deepEqual(await client.texts(150), texts);
	},
);
