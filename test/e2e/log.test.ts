/** The log: JSON lines, one per session, none lost and none twice. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { MAIN } from "../../src/rig/gateway.js";
import { freeAddress } from "../support/addresses.js";
import { startGateway } from "../support/gateway.js";
import { dial, echo, sayName, startUpstream } from "../support/peers.js";
import { Child } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";

scenario(
	"each line is JSON with level, time and message, and a session's has all its fields",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
listeners: [{ listen: 127.0.0.1:0, routes: [{ host: "*.log.test", to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		);
		const request = "GET / HTTP/1.1\r\nHost: WWW.log.test:80\r\n\r\n";
		const client = await dial(scenario, gateway.port());
		client.end(request);
		await client.rest();
		const session = await gateway.onlySession();
		assert.deepEqual(
			{ ...session, id: 0, time: "", accepted: "", recognized: "", connected: "", closed: "" },
			{
				level: "info",
				time: "",
				id: 0,
				listener: "127.0.0.1:0",
				route: "host=*.log.test",
				protocol: "http",
				name: "www.log.test",
				source: client.name,
				upstream: "a",
				address: upstream.address,
				accepted: "",
				recognized: "",
				connected: "",
				closed: "",
				bytes_from_client: request.length,
				bytes_to_client: request.length,
				reason: "client_closed",
				message: "session",
			},
		);
		const times = [session.accepted, session.recognized, session.connected, session.closed];
		for (const time of times) assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
		assert.deepEqual([...times].sort(), times);
		// Within the test's own time, give or take a clock that is set meanwhile.
		assert.ok(Math.abs(Date.parse(session.closed) - Date.now()) < 60_000);
		for (const line of gateway.log) {
			assert.match(line.level, /^(info|warn|error)$/);
			assert.equal(typeof line.time, "string");
			assert.equal(typeof line.message, "string");
		}
	},
);

scenario("two thousand short sessions leave two thousand lines", async (scenario) => {
	const upstream = await startUpstream(scenario, sayName("yes"));
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
	const total = 2000;
	const sources: string[] = [];
	const client = async (): Promise<void> => {
		while (sources.length < total) {
			const index = sources.push("") - 1;
			const peer = await dial(scenario, gateway.port());
			sources[index] = peer.name;
			peer.end("?");
			assert.equal(await peer.rest(), "yes");
		}
	};
	await Promise.all(Array.from({ length: 25 }, client));
	const sessions = await gateway.sessions(total);
	// Nothing follows: the gateway has ended when the lines are counted.
	await gateway.settled();
	await gateway.stop();
	assert.equal(gateway.ended.length, total);
	assert.equal(new Set(sessions.map(({ id }) => id)).size, total);
	assert.deepEqual(sessions.map(({ source }) => source).sort(), sources.sort());
	for (const { reason } of sessions) assert.match(reason, /^(client|upstream)_closed$/);
});

scenario("log.sessions: false leaves out these lines and nothing else", async (scenario) => {
	const upstream = await startUpstream(scenario, sayName("yes"));
	const gateway = await startGateway(
		scenario,
		`
log: { sessions: false }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
	const client = await dial(scenario, gateway.port());
	client.end("?");
	await client.rest();
	await gateway.metricIs("sluice_sessions_closed_total", (closed) => closed === 1);
	await gateway.release();
	assert.deepEqual(
		gateway.log.map(({ message }) => message),
		["descriptors", "listening", "ready", "draining", "stopped"],
	);
});

/** A gateway whose output the test reads itself. */
async function startUnread(
	scenario: Scenario,
	log: string,
): Promise<{ child: Child; port: number; host: string }> {
	const upstream = await startUpstream(scenario, sayName("yes"));
	const { text, host, port } = await freeAddress();
	const file = join(scenario.directory, "sluice.yaml");
	writeFileSync(
		file,
		`
log: { ${log} }
listeners: [{ listen: "${text}", routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
	const child = new Child(process.execPath, [MAIN, "run", "-c", file]);
	scenario.defer(() => child.stop("SIGKILL"));
	return { child, port, host };
}

async function asked(scenario: Scenario, port: number, host: string): Promise<void> {
	const client = await dial(scenario, port, { host });
	client.end("?");
	assert.equal(await client.rest(), "yes");
}

scenario("format: pretty is for people", async (scenario) => {
	const { child, port, host } = await startUnread(scenario, "format: pretty");
	await child.printed(/^\d\d:\d\d:\d\d\.\d{3} info {2}ready /m);
	await asked(scenario, port, host);
	await child.printed(/info {2}session .* reason=client_closed/);
	assert.doesNotMatch(child.output, /[{}]"/);
});

scenario("whoever reads the log may go away; the gateway stays, and ends well", async (scenario) => {
	const { child, port, host } = await startUnread(scenario, "level: info");
	await child.printed(/"ready"/);
	child.process.stdout?.destroy();
	for (let count = 0; count < 20; count++) await asked(scenario, port, host);
	child.signal("SIGTERM");
	assert.equal(await child.exited, 0);
	assert.equal(child.stderr, "");
});
