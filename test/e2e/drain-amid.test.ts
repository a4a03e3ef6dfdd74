/** A drain that comes amid something else: a reload under way, a transfer that moves. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { freeAddress } from "../support/addresses.js";
import { startGateway } from "../support/gateway.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

scenario("SIGTERM during a reload drains all the same, and ends with 0", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	// Which of the reload's steps it meets is chance, so it is tried several times.
	for (let round = 0; round < 6; round++) {
		const listeners = `{ listen: 127.0.0.1:0, routes: [{ to: a }] }`;
		const upstreams = `upstreams: { a: "${upstream.address}" }`;
		const gateway = await startGateway(
			scenario,
			`timeouts: { drain: 1h }\nlisteners: [${listeners}]\n${upstreams}\n`,
		);
		const client = await dial(scenario, gateway.port());
		await client.send("before");
		await client.expect("before");

		const fresh = await freeAddress();
		gateway.write(`
timeouts: { drain: 2h }
listeners: [{ listen: "${fresh.text}", routes: [{ to: a }] }, ${listeners}]
${upstreams}
`);
		// Each further reload that it hears of in time waits for the one before.
		for (let count = 0; count <= round; count++) gateway.child.signal("SIGHUP");
		gateway.child.signal("SIGTERM");
		await gateway.logged(({ message }) => message === "draining");
		await gateway.refuses();
		await assert.rejects(dial(scenario, fresh.port, { host: fresh.host }), { code: "ECONNREFUSED" });
		await client.send("during");
		await client.expect("during");
		client.end();
		await client.rest();
		assert.equal(await gateway.exit(), 0);
		assert.equal(gateway.child.stderr, "");
		assert.equal((await gateway.sessionOf(client)).reason, "client_closed");
	}
});

/** Makes the name service of a gateway silent, and leave a file when it is asked. */
function silentNames(askedFile: string): string {
	return `data:text/javascript,${encodeURIComponent(`
import dns from "node:dns";
import { writeFileSync } from "node:fs";
dns.Resolver.prototype.resolve4 = () => writeFileSync(${JSON.stringify(askedFile)}, "");
dns.Resolver.prototype.resolve6 = () => {};
`)}`;
}

scenario(
	"SIGTERM during a reload that waits for a name does not wait, drains after it, and ends with 0",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const listener = "{ listen: 127.0.0.1:0, routes: [{ to: a }] }";
		const asked = join(scenario.directory, "asked");
		const gateway = await startGateway(
			scenario,
			`timeouts: { drain: 1h }\nlisteners: [${listener}]\nupstreams: { a: "${upstream.address}" }\n`,
			{ through: ["env", `NODE_OPTIONS=--import=${silentNames(asked)}`] },
		);
		const client = await dial(scenario, gateway.port());
		await client.send("before");
		await client.expect("before");
		const fresh = await freeAddress();
		gateway.write(`
timeouts: { drain: 1h }
listeners: [{ listen: "${fresh.text}", routes: [{ to: a }] }, ${listener}]
upstreams: { a: "slow.test:${upstream.port}" }
`);
		gateway.child.signal("SIGHUP");
		// Signals of a process with threads may overtake each other.
		await eventually(
			() => existsSync(asked) || undefined,
			() => "the reload does not ask for its name",
		);
		gateway.child.signal("SIGTERM");
		await gateway.logged(({ message }) => message === "draining");
		assert.ok(gateway.log.some(({ message }) => message === "reloaded"));
		await gateway.refuses();
		await assert.rejects(dial(scenario, fresh.port, { host: fresh.host }), { code: "ECONNREFUSED" });
		await client.send("during");
		await client.expect("during");
		client.end();
		await client.rest();
		assert.equal(await gateway.exit(), 0);
		assert.equal(gateway.child.stderr, "");
	},
);

scenario(
	"a drain that cuts a moving transfer is a reset on both sides, and a clean end for who is idle",
	async (scenario) => {
		const upstream = await startUpstream(scenario);
		const gateway = await startGateway(
			scenario,
			`
timeouts: { drain: 1500ms }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		);
		const idle = await dial(scenario, gateway.port());
		const idleServer = await upstream.accepted(0);
		await idle.send("hello");
		await idleServer.expect("hello");
		const moving = await dial(scenario, gateway.port());
		const movingServer = await upstream.accepted(1);
		const talk = setInterval(() => movingServer.socket.write("."), 100);
		scenario.defer(() => clearInterval(talk));
		await moving.take(1);

		gateway.child.signal("SIGTERM");
		assert.equal(await moving.over(), "ECONNRESET");
		assert.match(await movingServer.over(), /ECONNRESET|EPIPE/);
		assert.equal(await idle.over(), "ended");
		assert.equal(await idleServer.over(), "ended");
		assert.equal(await gateway.exit(), 0);
		assert.deepEqual(
			(await gateway.sessions(2)).map(({ reason }) => reason),
			["drained", "drained"],
		);
	},
);
