/** Tunnels of datagrams as operators have them: agents as processes, limits, ends. */
import assert from "node:assert/strict";
import { MAIN } from "../../src/rig/gateway.js";
import { type DatagramPeer, datagramEcho, datagramPeer } from "../support/datagrams.js";
import { LOOPBACK } from "../support/peers.js";
import { Child } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { tunnelTo } from "../support/tunnel-agent.js";
import { type DatagramRig, startDatagramRig } from "../support/tunnelled-datagrams.js";

const to = ({ port }: DatagramPeer) => `${LOOPBACK}:${port}`;

/** `sluice tunnel udp`, as a process, once its tunnel is open. */
async function agentProcess(
	scenario: Scenario,
	rig: DatagramRig,
	local: string,
	...flags: readonly string[]
): Promise<Child> {
	const gateway = ["--gateway", `${LOOPBACK}:${rig.agentsPort}`, "--fingerprint", rig.fingerprint];
	const child = new Child(
		process.execPath,
		[MAIN, "tunnel", "udp", local, "--name", "dns", ...gateway, ...flags],
		{ env: { SLUICE_TOKEN: rig.token } },
	);
	scenario.defer(() => child.stop("SIGKILL"));
	await child.printed(/"event":"tunnel_opened"/);
	return child;
}

scenario("an agent as a process says where its tunnel is, and who came", async (scenario) => {
	const service = await datagramEcho(scenario);
	const rig = await startDatagramRig(scenario, { tunnels: "timeouts: { idle: 200ms }" });
	const child = await agentProcess(scenario, rig, to(service));
	assert.match(
		child.output,
		new RegExp(`"tunnel":"dns/udp","kind":"udp","addresses":\\["127.0.0.1:${rig.port}/udp"\\]`),
	);
	const client = await datagramPeer(scenario);
	client.send("?", rig.port);
	assert.equal(await client.text(), "echo:?");
	await child.printed(
		new RegExp(`"visitor_started","visitor":1,"tunnel":"dns/udp","source":"127.0.0.1:${client.port}"`),
	);
	await child.printed(
		/"visitor_ended".*"bytes_from_visitor":1,"bytes_to_visitor":6.*"reason":"client_closed"/,
	);
});

scenario(
	"an agent that stands still has datagrams dropped, and not queued: when it goes on, what comes then is answered",
	async (scenario) => {
		const service = await datagramEcho(scenario);
		const rig = await startDatagramRig(scenario);
		const child = await agentProcess(scenario, rig, to(service));
		const client = await datagramPeer(scenario);
		client.send("?", rig.port);
		assert.equal(await client.text(), "echo:?");
		child.signal("SIGSTOP");
		const [each, count] = [1_200, 4_000];
		const stale = Buffer.alloc(each, "s");
		for (let sent = 0; sent < count; sent++) {
			client.send(stale, rig.port);
			if (sent % 8 === 7) await new Promise((resolve) => setImmediate(resolve));
		}
		const lost = await rig.gateway.metricIs("sluice_datagrams_dropped_total", (dropped) => dropped > 0, {
			cause: "slow_line",
		});
		child.signal("SIGCONT");
		const before = performance.now();
		const asking = setInterval(() => client.send("now", rig.port), 20);
		scenario.defer(() => clearInterval(asking));
		let passed = 0;
		while ((await client.text()) !== "echo:now") passed++;
		clearInterval(asking);
		const waitedMs = performance.now() - before;
		assert.ok(lost > 0 && passed * each < 1_048_576, `${passed} were kept, and ${lost} dropped`);
		assert.ok(waitedMs < 10_000, `${waitedMs} ms`);
	},
);

scenario("a tunnel has as many sessions as it may, and no more of them", async (scenario) => {
	const service = await datagramEcho(scenario);
	const rig = await startDatagramRig(scenario);
	await rig.start("a reactor", tunnelTo("udp", to(service), { name: "dns", connections: 2 }));
	const clients = await Promise.all([0, 1, 2].map(() => datagramPeer(scenario)));
	for (const client of clients.slice(0, 2)) {
		client.send("?", rig.port);
		assert.equal(await client.text(), "echo:?");
	}
	const [first, , third] = clients;
	assert.ok(first !== undefined && third !== undefined);
	third.send("?", rig.port);
	const refused = await rig.gateway.session(({ source }) => source.endsWith(`:${third.port}`));
	assert.equal(refused.reason, "limit_connections");
	first.send("!", rig.port);
	assert.equal(await first.text(), "echo:!");
	assert.equal(third.received.length, 0);
});

scenario("operators see sessions of datagrams, and close them at both ends", async (scenario) => {
	const service = await datagramEcho(scenario);
	const rig = await startDatagramRig(scenario);
	const agent = await rig.start("a reactor", tunnelTo("udp", to(service), { name: "dns" }));
	const client = await datagramPeer(scenario);
	client.send("?", rig.port);
	assert.equal(await client.text(), "echo:?");
	const { body } = await rig.gateway.admin("/api/sessions");
	const { sessions } = JSON.parse(body) as { sessions: { id: number; state: string; upstream: string }[] };
	assert.deepEqual(
		sessions.map(({ state, upstream }) => [state, upstream]),
		[["relaying", "tunnels:dns/udp"]],
	);
	agent.agent.end("the test says so");
	assert.equal((await agent.next("visitor_ended")).reason, "drained");
	const session = await rig.gateway.onlySession();
	assert.ok(["upstream_closed", "upstream_reset"].includes(session.reason), session.reason);
});
