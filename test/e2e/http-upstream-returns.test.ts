/** An upstream that goes is 502 for whoever asks meanwhile, and found again when it is back. */
import assert from "node:assert/strict";
import { dial, startUpstream } from "../support/peers.js";
import { answering, get, message, ok, startRequests, targetOf } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

scenario(
	"a stale connection and a closed port are 502, and the next request finds the upstream back",
	async (scenario) => {
		const { gateway, upstream } = await startRequests(
			scenario,
			answering((text) => ok(targetOf(text))),
		);
		const client = await dial(scenario, gateway.port());
		await client.send(get("/1"));
		assert.equal((await message(client)).body, "/1");
		const { port } = upstream;
		await upstream.close();
		await client.send(get("/2"));
		assert.match((await message(client)).head, /^HTTP\/1\.1 502 /);
		await startUpstream(
			scenario,
			answering((text) => ok(`again ${targetOf(text)}`)),
			{ port },
		);
		await client.send(get("/3"));
		assert.equal((await message(client)).body, "again /3");
		client.end();
		await client.rest();
	},
);
