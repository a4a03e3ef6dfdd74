/** SIGHUP: a new configuration for whoever comes from now on, and no change for whoever is there. */
import assert from "node:assert/strict";
import { type FreeAddress, freeAddress } from "../support/addresses.js";
import { startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, sayName, startUpstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

async function echoing(client: Peer, text: string): Promise<void> {
	await client.send(text);
	await client.expect(text);
}

async function answer(scenario: Scenario, { port, host }: FreeAddress): Promise<string> {
	const client = await dial(scenario, port, { host });
	client.end("?");
	return client.rest();
}

async function refused(scenario: Scenario, { port, host }: FreeAddress): Promise<boolean> {
	return dial(scenario, port, { host }).then(
		() => false,
		(error: NodeJS.ErrnoException) => error.code === "ECONNREFUSED",
	);
}

scenario(
	"a reload changes routes and listeners for new connections, and no live session",
	async (scenario) => {
		const old = await startUpstream(scenario, echo);
		const blue = await startUpstream(scenario, sayName("blue"));
		const green = await startUpstream(scenario, sayName("green"));
		const [first, second, third] = [await freeAddress(), await freeAddress(), await freeAddress()];
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - { listen: "${first.text}", routes: [{ to: old }] }
  - { listen: "${second.text}", routes: [{ to: old }] }
upstreams: { old: "${old.address}" }
`,
		);
		const live = [await dial(scenario, first.port, first), await dial(scenario, second.port, second)];
		for (const client of live) await echoing(client, "before");

		gateway.write(`
listeners:
  - { listen: "${first.text}", routes: [{ source: 127.0.0.1, to: blue }, { to: green }] }
  - { listen: "${third.text}", routes: [{ to: green }] }
upstreams: { blue: "${blue.address}", green: "${green.address}" }
`);
		assert.equal((await gateway.hangUp()).message, "reloaded");
		assert.equal(await answer(scenario, first), "blue");
		assert.equal(await answer(scenario, third), "green");
		assert.ok(await refused(scenario, second));
		for (const client of live) await echoing(client, "after");

		// Back again: also what was removed can come back, and what came can go.
		gateway.write(`
listeners:
  - { listen: "${first.text}", routes: [{ to: old }] }
  - { listen: "${second.text}", routes: [{ to: blue }] }
upstreams: { old: "${old.address}", blue: "${blue.address}" }
`);
		assert.equal((await gateway.hangUp()).message, "reloaded");
		assert.equal(await answer(scenario, second), "blue");
		assert.ok(await refused(scenario, third));
		for (const client of live) {
			await echoing(client, "at last");
			client.end();
			await client.rest();
			const session = await gateway.sessionOf(client);
			assert.deepEqual(
				[session.reason, session.upstream, session.address],
				["client_closed", "old", old.address],
			);
		}
		// Listeners are two new sockets each; the first is the old one still.
		gateway.rebase();
		assert.equal((await gateway.metrics()).sum("sluice_reloads_total", { result: "succeeded" }), 2);
	},
);

scenario("a file with problems changes nothing, and the log says what they are", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	const good = `
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`;
	const gateway = await startGateway(scenario, good);
	const live = await dial(scenario, gateway.port());
	await echoing(live, "before");

	gateway.write(good.replace("{ to: a }", "{ to: b }"));
	const line = await gateway.hangUp();
	assert.deepEqual([line.level, line.message], ["error", "not reloaded: the configuration has problems"]);
	assert.match(String(line.problems), /sluice\.yaml:3:\d+: .*"b"/);

	gateway.write(`${good}\n  : {[`);
	assert.equal((await gateway.hangUp()).message, "not reloaded: the configuration has problems");

	await echoing(live, "after");
	const next = await dial(scenario, gateway.port());
	await echoing(next, "new");
	const metrics = await gateway.metrics();
	assert.equal(metrics.sum("sluice_reloads_total", { result: "failed" }), 2);
	assert.equal(metrics.sum("sluice_reloads_total", { result: "succeeded" }), 0);
});

scenario("a reload that cannot be carried out changes nothing, not in part either", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	const fresh = await freeAddress();
	const stranger = await startUpstream(scenario, echo);
	const own = "listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }";
	const upstreams = `upstreams: { a: "${upstream.address}" }`;
	const gateway = await startGateway(scenario, `limits: { connections: 50 }\n${own}]\n${upstreams}\n`);
	// The first of the new listeners could be opened; the second is somebody else's.
	gateway.write(`
${own}, { listen: "${fresh.text}", routes: [{ to: a }] }, { listen: "${stranger.address}", routes: [{ to: a }] }]
${upstreams}
`);
	const taken = await gateway.hangUp();
	assert.equal(taken.message, "not reloaded");
	assert.match(String(taken.error), /cannot listen on .*is in use/);
	assert.ok(await refused(scenario, fresh));

	gateway.write(`limits: { connections: 51 }\n${own}]\n${upstreams}\n`);
	assert.match(String((await gateway.hangUp()).error), /cannot grow from 50 to 51 without a restart/);

	const client = await dial(scenario, gateway.port());
	await echoing(client, "still here");
});

scenario(
	"a live session keeps the deadlines it began with, a new one gets the new ones",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const yaml = (idle: string) => `
timeouts: { idle: ${idle} }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`;
		const gateway = await startGateway(scenario, yaml("600ms"));
		const before = await dial(scenario, gateway.port());
		await echoing(before, "before");
		gateway.write(yaml("1h"));
		assert.equal((await gateway.hangUp()).message, "reloaded");
		const after = await dial(scenario, gateway.port());
		await echoing(after, "after");
		assert.equal(await before.rest(), "");
		assert.equal((await gateway.sessionOf(before)).reason, "idle_timeout");
		await echoing(after, "still here");
	},
);

scenario("with watch, a changed file is reloaded without a signal", async (scenario) => {
	const one = await startUpstream(scenario, sayName("one"));
	const two = await startUpstream(scenario, sayName("two"));
	const yaml = (address: string) => `
watch: true
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${address}" }
`;
	const gateway = await startGateway(scenario, yaml(one.address));
	const here = { host: "127.0.0.1", port: gateway.port(), text: "" };
	assert.equal(await answer(scenario, here), "one");
	gateway.write(yaml(two.address));
	await gateway.logged(({ message }) => message === "reloaded");
	assert.equal(await answer(scenario, here), "two");
});

scenario("clients that come while it reloads are all served", async (scenario) => {
	const upstream = await startUpstream(scenario, sayName("here"));
	const extra = await freeAddress();
	const yaml = (more: string) => `
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }${more}]
upstreams: { a: "${upstream.address}" }
`;
	const gateway = await startGateway(scenario, yaml(""));
	const here = { host: "127.0.0.1", port: gateway.port(), text: "" };
	let reloading = true;
	let served = 0;
	const clients = Array.from({ length: 4 }, async () => {
		while (reloading) {
			assert.equal(await answer(scenario, here), "here");
			served++;
		}
	});
	for (let round = 0; round < 6; round++) {
		gateway.write(yaml(round % 2 === 0 ? `, { listen: "${extra.text}", routes: [{ to: a }] }` : ""));
		assert.equal((await gateway.hangUp()).message, "reloaded");
	}
	reloading = false;
	await Promise.all(clients);
	await gateway.metricIs("sluice_connections_active", (active) => active === 0);
	assert.equal((await gateway.metrics()).sum("sluice_connections_total"), served);
});

scenario("a listener may give its port to one that takes more or fewer addresses", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	const { port, host } = await freeAddress();
	const config = (listen: string) =>
		`listeners: [{ listen: "${listen}", routes: [{ to: a }] }]\nupstreams: { a: "${upstream.address}" }\n`;
	const gateway = await startGateway(scenario, config(`${host}:${port}`));
	const live = await dial(scenario, port, { host });
	for (const listen of [`0.0.0.0:${port}`, `*:${port}`, `${host}:${port}`]) {
		gateway.write(config(listen));
		assert.equal((await gateway.hangUp()).message, "reloaded", listen);
		const next = await dial(scenario, port, { host });
		await echoing(next, listen);
		await echoing(live, listen);
		next.end();
		await next.rest();
		await gateway.sessionOf(next);
	}
	live.end();
	await live.rest();
	await gateway.sessionOf(live);
	gateway.rebase();
});

scenario(
	"a listener cannot have the port of the admin pages, which move at a restart only",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]\nupstreams: { a: "${upstream.address}" }\n`,
		);
		gateway.write(
			`admin: off\nlisteners: [{ listen: "127.0.0.1:${gateway.adminPort}", routes: [{ to: a }] }]\nupstreams: { a: "${upstream.address}" }\n`,
		);
		const line = await gateway.hangUp();
		assert.equal(line.message, "not reloaded");
		assert.match(String(line.error), /this gateway's own admin pages have the port until a restart/);
	},
);
