/** An agent and its control connection: who it is, what is refused, what it does when the connection goes. */
import assert from "node:assert/strict";
import { writeProxyV2 } from "../../../src/protocol/index.js";
import { newToken, readToken } from "../../../src/tunnel/keys.js";
import { echo, startUpstream } from "../../support/peers.js";
import { scenario } from "../../support/scenario.js";
import { settingsFor, startAgent, tunnelTo } from "../../support/tunnel-agent.js";
import { startTunnelGateway } from "../../support/tunnel-gateway.js";
import { eventually } from "../../support/waiting.js";

const TUNNEL = tunnelTo("tcp", "9");

/** A visitor about whom nothing is said. */
function header(): Buffer {
	const bytes = Buffer.alloc(64);
	return bytes.subarray(0, writeProxyV2(bytes, 0, 0, bytes, 0, bytes, 0));
}

scenario("it logs in with its key, for this connection, and opens what it was told to", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	const limits = { allow: ["10.0.0.0/8"], connections: 3, bytesPerSecond: 4_096, port: 20_001, plain: true };
	const { next } = startAgent(scenario, settingsFor(gateway, [tunnelTo("tcp", "9", limits)]));
	assert.equal((await next("connected")).epoch, 1);
	const { open } = await gateway.opened();
	assert.deepEqual(
		{ ...open },
		{
			...{ type: "open", tunnel: 1, kind: "tcp", name: "app", port: 20_001, plain: true },
			...{ allow: ["10.0.0.0/8"], connections: 3, bytes_per_second: 4_096 },
		},
	);
	const { addresses, local } = await next("tunnel_opened");
	assert.deepEqual([addresses, local], [["app.example.com"], "9"]);
	assert.equal(gateway.logins[0]?.agent, "test/1");
});

scenario("a wrong key is refused for good, in one line, and the agent ends with 1", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	const identity = readToken(newToken("laptop"));
	const { agent, next } = startAgent(scenario, settingsFor(gateway, [TUNNEL], { identity }));
	const { why, retry_in_ms } = await next("disconnected");
	assert.match(why, /refuses the agent \(unauthorized\): no such agent, or not its key/);
	assert.equal(retry_in_ms, null);
	assert.equal(await agent.ended, 1);
	assert.equal((await next("ended")).status, 1);
	assert.equal(gateway.sessions.length, 1);
});

scenario("a refusal that is not final is waited for as long as the gateway asks", async (scenario) => {
	const gateway = await startTunnelGateway(scenario, {
		refuse: (_, count) =>
			count > 1 ? undefined : { code: "busy", message: "later", final: false, retry_after_ms: 30 },
	});
	const { next } = startAgent(scenario, settingsFor(gateway, [TUNNEL]));
	assert.ok(Number((await next("disconnected")).retry_in_ms) >= 30);
	await next("connected");
});

scenario("a gateway of another version is told of, and not tried again", async (scenario) => {
	const gateway = await startTunnelGateway(scenario, { version: 2 });
	const { agent, next } = startAgent(scenario, settingsFor(gateway, [TUNNEL]));
	assert.match((await next("disconnected")).why, /fake\/1 speaks version 2/);
	assert.equal(await agent.ended, 1);
});

scenario(
	"another certificate than the one that was named is not spoken to, and that is tried again",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario);
		const fingerprint = "AB".repeat(32);
		const { next } = startAgent(scenario, settingsFor(gateway, [TUNNEL], { trust: { fingerprint } }));
		const { why, retry_in_ms } = await next("disconnected");
		assert.match(why, new RegExp(`another fingerprint, ${gateway.fingerprint}`));
		assert.ok(retry_in_ms !== null);
		assert.equal(gateway.logins.length, 0);
	},
);

scenario("an authority is believed, and without one a certificate of nobody's is not", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	const at = { gateway: { host: "localhost", port: gateway.port } };
	const ca = gateway.certificate.cert.text;
	await startAgent(scenario, settingsFor(gateway, [TUNNEL], { ...at, trust: { ca } })).next("connected");
	const { next } = startAgent(scenario, settingsFor(gateway, [TUNNEL], { ...at, trust: {} }));
	assert.match((await next("disconnected")).why, /not believed.*--ca FILE.*--fingerprint/);
});

scenario("who has been superseded ends with 1, once its visitors have", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	const local = await startUpstream(scenario, echo);
	const settings = settingsFor(gateway, [tunnelTo("tcp", String(local.port))], { drainMs: 10_000 });
	const { agent, next } = startAgent(scenario, settings);
	const { session, open } = await gateway.opened();
	const visitor = await session.line(open.tunnel);
	const parked = await session.line(open.tunnel);
	await visitor.send(Buffer.concat([header(), Buffer.from("a")]));
	await visitor.expect("a");
	session.send({ type: "bye", code: "superseded", message: "" });
	assert.match((await next("disconnected")).why, /another agent has logged in with the same token/);
	await parked.over();
	// It needs no control connection.
	await visitor.send("b");
	await visitor.expect("b");
	visitor.end();
	assert.equal(await visitor.rest(), "");
	assert.equal(await agent.ended, 1);
});

scenario("who has been removed ends with 1, and its visitors are cut", async (scenario) => {
	const gateway = await startTunnelGateway(scenario, { insecure: true });
	const local = await startUpstream(scenario, echo);
	const { agent } = startAgent(scenario, settingsFor(gateway, [tunnelTo("tcp", String(local.port))]));
	const { session, open } = await gateway.opened();
	const visitor = await session.line(open.tunnel);
	await visitor.send(Buffer.concat([header(), Buffer.from("a")]));
	await visitor.expect("a");
	session.send({ type: "bye", code: "removed", message: "" });
	assert.equal(await visitor.over(), "ECONNRESET");
	assert.equal(await agent.ended, 1);
});

scenario(
	"lines go where the control connection went, and go on with its session of TLS",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario);
		const at = { gateway: { host: "localhost", port: gateway.port } };
		for (const trust of [{ fingerprint: gateway.fingerprint }, { ca: gateway.certificate.cert.text }]) {
			const { next } = startAgent(scenario, settingsFor(gateway, [TUNNEL], { ...at, trust }));
			await next("tunnel_opened");
			const { session, open } = await gateway.opened(gateway.sessions.length - 1);
			const before = gateway.resumed;
			await session.line(open.tunnel);
			await session.line(open.tunnel);
			assert.equal(gateway.resumed - before, 2);
		}
	},
);

scenario("tunnels that are refused for good end it with 1, once there is no other", async (scenario) => {
	const gateway = await startTunnelGateway(scenario, {
		answer: ({ tunnel, name }) =>
			name === "good"
				? { type: "opened", tunnel, addresses: ["good.example.com"], plain: false }
				: { type: "refused_tunnel", tunnel, code: "name", message: "not yours", final: true },
	});
	const tunnels = [tunnelTo("tcp", "9", { name: "bad" }), tunnelTo("tcp", "9", { name: "good" })];
	const { agent, next, events } = startAgent(scenario, settingsFor(gateway, tunnels));
	assert.equal((await next("tunnel_refused")).tunnel, "bad");
	await next("tunnel_opened");
	assert.ok(agent.isConnected);
	const session = await gateway.session();
	session.send({ type: "closed", tunnel: 2, code: "removed", message: "gone", final: true });
	assert.equal(await agent.ended, 1);
	assert.deepEqual((await session.hear("bye")).code, "ended");
	assert.equal(events.filter(({ event }) => event === "disconnected").length, 0);
});

scenario("a tunnel that was promised TLS is not opened without", async (scenario) => {
	const gateway = await startTunnelGateway(scenario, { plain: true });
	const { agent, next } = startAgent(scenario, settingsFor(gateway, [tunnelTo("http", "9")]));
	const { session } = await gateway.opened();
	assert.match((await next("tunnel_closed")).why, /without TLS/);
	assert.equal((await session.hear("close")).tunnel, 1);
	assert.equal(await agent.ended, 1);
});

scenario(
	"a gateway that falls silent is found dead by its heartbeat, and the next is tried at once",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario, { heartbeatMs: 20, deadAfterMs: 80 });
		const { next } = startAgent(scenario, settingsFor(gateway, [TUNNEL]));
		const { session, open } = await gateway.opened();
		const parked = await session.line(open.tunnel);
		// Pings are answered for a while.
		await session.hear("ping");
		await session.hear("ping");
		session.silent = true;
		const { why, retry_in_ms } = await next("disconnected");
		assert.match(why, /nothing was heard from the gateway for 0.08 s/);
		assert.equal(retry_in_ms, 0);
		await parked.over();
		await gateway.session(1);
	},
);

scenario("time in which the machine slept counts", async (scenario) => {
	const gateway = await startTunnelGateway(scenario, { heartbeatMs: 200, deadAfterMs: 3_600_000 });
	let sleptMs = 0;
	const clock = (): number => performance.now() + sleptMs;
	const { next } = startAgent(scenario, settingsFor(gateway, [TUNNEL]), { clock });
	const { session } = await gateway.opened();
	await next("tunnel_opened");
	session.silent = true;
	sleptMs = 3_600_000;
	assert.match((await next("disconnected")).why, /nothing was heard/);
	await gateway.session(1);
});

scenario("its gateway killed, it waits, comes back, and opens its tunnels again", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	const local = await startUpstream(scenario, echo);
	const settings = settingsFor(gateway, [tunnelTo("tcp", String(local.port))]);
	const { next, agent } = startAgent(scenario, settings);
	await next("connected");
	await next("tunnel_opened");
	await gateway.kill();
	const { why, retry_in_ms } = await next("disconnected");
	assert.match(why, /closed|broke/);
	assert.equal(retry_in_ms, 0);
	assert.match((await next("disconnected")).why, /ECONNREFUSED/);
	await gateway.listen();
	await next("connected");
	const { open } = await gateway.opened(gateway.sessions.length - 1);
	assert.equal(open.name, "app");
	assert.match(agent.metrics(), /sluice_agent_connected 1\n/);
	assert.doesNotMatch(agent.metrics(), /sluice_agent_reconnects_total 0\n/);
});

scenario("a running visitor outlives its control connection", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	const local = await startUpstream(scenario, echo);
	const { next } = startAgent(scenario, settingsFor(gateway, [tunnelTo("tcp", String(local.port))]));
	const { session, open } = await gateway.opened();
	const visitor = await session.line(open.tunnel);
	await visitor.send(Buffer.concat([header(), Buffer.from("a")]));
	await visitor.expect("a");
	session.stream.destroy();
	await next("disconnected");
	await gateway.opened(1);
	await visitor.send("b");
	await visitor.expect("b");
});

scenario("what no version of the wire says ends the connection, with a word", async (scenario) => {
	const gateway = await startTunnelGateway(scenario, { insecure: true });
	const { next } = startAgent(scenario, settingsFor(gateway, [TUNNEL]));
	const { session } = await gateway.opened();
	session.stream.write(Buffer.from([0, 0, 0, 1, 0x7b]));
	assert.match((await next("disconnected")).why, /does not speak as it should: a frame holds no JSON/);
	assert.equal((await session.hear("bye")).code, "protocol");
	await gateway.session(1);
});

scenario(
	"asked to end, it closes its tunnels, lets its visitors finish, and says goodbye",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario);
		const local = await startUpstream(scenario, echo);
		const settings = settingsFor(gateway, [tunnelTo("tcp", String(local.port))], { drainMs: 10_000 });
		const { agent, next } = startAgent(scenario, settings);
		const { session, open } = await gateway.opened();
		const visitor = await session.line(open.tunnel);
		const parked = await session.line(open.tunnel);
		await visitor.send(Buffer.concat([header(), Buffer.from("a")]));
		await visitor.expect("a");
		agent.end("SIGTERM");
		assert.equal((await session.hear("close")).tunnel, open.tunnel);
		assert.equal((await next("draining")).visitors, 1);
		await parked.over();
		parked.end();
		// Lines that are asked for now are not opened.
		session.send({ type: "lines", tunnel: open.tunnel, tickets: [session.ticket()] });
		await visitor.send("b");
		await visitor.expect("b");
		visitor.end();
		await visitor.rest();
		const { code, message } = await session.hear("bye");
		assert.deepEqual([code, message], ["ended", "SIGTERM"]);
		assert.equal(await agent.ended, 0);
		await session.over();
		await eventually(
			() => gateway.sockets.size === 0 || undefined,
			() => `${gateway.sockets.size} connections are open`,
		);
	},
);

scenario("visitors that do not finish in time are reset", async (scenario) => {
	const gateway = await startTunnelGateway(scenario, { insecure: true });
	const local = await startUpstream(scenario, echo);
	const settings = settingsFor(gateway, [tunnelTo("tcp", String(local.port))], { drainMs: 20 });
	const { agent, next } = startAgent(scenario, settings);
	const { session, open } = await gateway.opened();
	const visitor = await session.line(open.tunnel);
	await visitor.send(Buffer.concat([header(), Buffer.from("a")]));
	await visitor.expect("a");
	agent.end("SIGTERM");
	assert.equal(await visitor.over(), "ECONNRESET");
	assert.equal((await next("visitor_ended")).reason, "drained");
	assert.equal(await agent.ended, 0);
});

scenario(
	"a reload opens and closes what differs, and moves what is open to another service",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario);
		const first = await startUpstream(scenario, echo);
		const second = await startUpstream(scenario, echo);
		const kept = tunnelTo("tcp", String(first.port), { name: "kept" });
		const gone = tunnelTo("tcp", "9", { name: "gone" });
		const settings = settingsFor(gateway, [kept, gone]);
		const { agent, next } = startAgent(scenario, settings);
		const { session, open } = await gateway.opened();
		const other = await session.hear("open");
		assert.deepEqual([open.name, other.name], ["kept", "gone"]);
		await next("tunnel_opened");
		await next("tunnel_opened");
		const line = await session.line(open.tunnel);

		const moved = tunnelTo("tcp", String(second.port), { name: "kept" });
		agent.reload({ ...settings, tunnels: [moved, tunnelTo("http", "9", { name: "new" })] });
		assert.equal((await session.hear("close")).tunnel, other.tunnel);
		assert.equal((await session.hear("open")).name, "new");
		await line.send(Buffer.concat([header(), Buffer.from("a")]));
		await line.expect("a");
		assert.deepEqual([first.peers.length, second.peers.length], [0, 1]);
		assert.equal(gateway.sessions.length, 1);

		// Another way to the gateway needs another connection.
		agent.reload({ ...settings, gateway: { host: "localhost", port: gateway.port } });
		assert.equal((await session.hear("bye")).code, "ended");
		await gateway.session(1);
	},
);
