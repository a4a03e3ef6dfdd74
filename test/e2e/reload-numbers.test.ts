/** Numbers of listeners, upstreams and routes run out over many reloads, and are given to others: to whom, and when. */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { type FreeAddress, freeAddress } from "../support/addresses.js";
import { startGateway } from "../support/gateway.js";
import { dial, type Peer } from "../support/peers.js";
import { get, listening, message } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";

/** One more may be in a configuration; there are numbers for twice as many. */
const MANY = 255;

scenario(
	"a connection that outlives more listeners than there are numbers keeps its own routes, and its names in the log",
	async (scenario) => {
		const own = await listening(scenario, named("own"));
		const others = await listening(scenario, named("others"));
		const [stays, first, second, other] = [
			await freeAddress(),
			await freeAddress(),
			await freeAddress(),
			await freeAddress(),
		];
		const yaml = (more: string): string => `
reactors: 1
listeners: [{ listen: "${stays.text}", routes: [{ to: own }] }${more}]
upstreams: { own: { http: "http://${own}" }, others: { http: "http://${others}" } }
`;
		const gateway = await startGateway(scenario, yaml(""));
		const reload = async (listeners: string): Promise<string | undefined> => {
			gateway.write(yaml(listeners));
			const { message, error } = await gateway.hangUp();
			return message === "reloaded" ? message : error;
		};
		const earlier = [first, second].map(({ text }) => `, { listen: "${text}", routes: [{ to: own }] }`);
		assert.equal(await reload(earlier.join("")), "reloaded");
		const client = await dial(scenario, first.port, first);
		assert.equal(await ask(client), "own");
		const brief = await dial(scenario, second.port, second);
		assert.equal(await ask(brief), "own");

		assert.equal(await reload(listeners(other, 1)), "reloaded");
		assert.deepEqual([await ask(client), await ask(brief)], ["own", "own"]);
		// Those of before, those of now, and one for each of the two connections are one too many.
		assert.match((await reload(listeners(other, 2))) ?? "", /no number is left for another of the listeners/);
		assert.equal(await answerAt(scenario, addressOf(other, 1, 7), other.port), "others", "as before");
		brief.end();
		await gateway.sessions(2);
		assert.equal(await reload(listeners(other, 2)), "reloaded");
		assert.equal(await reload(listeners(other, 3)), "reloaded", "with the numbers of the first ones");
		assert.equal(await answerAt(scenario, addressOf(other, 3, 7), other.port), "others");
		assert.equal(await ask(client), "own");
		client.end();
		const lines = await gateway.sessions(4);
		assert.deepEqual(
			lines.map(({ listener, upstream }) => [listener, upstream]),
			[
				[first.text, "own"],
				[second.text, "own"],
				[`${addressOf(other, 1, 7)}:${other.port}`, "others"],
				[`${addressOf(other, 3, 7)}:${other.port}`, "others"],
			],
		);
		assert.equal(await reload(""), "reloaded");
	},
);

function named(name: string): Server {
	return createServer((_, response) => response.end(name));
}

async function ask(client: Peer): Promise<string> {
	await client.send(get("/"));
	return (await message(client)).body;
}

async function answerAt(scenario: Scenario, host: string, port: number): Promise<string> {
	const client = await dial(scenario, port, { host });
	const answer = await ask(client);
	client.end();
	return answer;
}

function listeners(other: FreeAddress, block: number): string {
	return Array.from(
		{ length: MANY },
		(_, index) => `, { listen: "${addressOf(other, block, index)}:${other.port}", routes: [{ to: others }] }`,
	).join("");
}

function addressOf({ host }: FreeAddress, block: number, index: number): string {
	const [, second] = host.split(".");
	return `127.${second}.${100 + block}.${index}`;
}
