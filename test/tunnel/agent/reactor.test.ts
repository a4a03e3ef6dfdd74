/** What an agent whose lines are in a reactor does besides moving bytes (`visitors.test.ts`). */
import assert from "node:assert/strict";
import { startReactorMover } from "../../../src/gateway/agent/reactor-mover.js";
import type { Ticket } from "../../../src/protocol/tunnel/index.js";
import { type Issued, issue } from "../../../src/rig/issue.js";
import type { Known } from "../../../src/tunnel/agent/known.js";
import type { Mover } from "../../../src/tunnel/agent/mover.js";
import type { AgentSettings, TunnelSettings } from "../../../src/tunnel/agent/settings.js";
import { Tunnel } from "../../../src/tunnel/agent/tunnel.js";
import { echo, LOOPBACK, startUpstream } from "../../support/peers.js";
import { type Scenario, scenario } from "../../support/scenario.js";
import {
	type RunningAgent,
	settingsFor,
	startAgent,
	startAgentWithReactor,
	tunnelTo,
} from "../../support/tunnel-agent.js";
import { startTunnelGateway, type TunnelGateway, visitorHeader } from "../../support/tunnel-gateway.js";
import { eventually } from "../../support/waiting.js";

/** Also gives the test what moves its lines. */
async function startAgentWithMover(
	scenario: Scenario,
	settings: AgentSettings,
): Promise<RunningAgent & { readonly mover: Mover }> {
	const start = await startReactorMover(settings, false);
	let mover: Mover | undefined;
	const running = startAgent(scenario, settings, {
		mover: (world) => {
			mover = start(world);
			return mover;
		},
	});
	assert.ok(mover !== undefined);
	return { ...running, mover };
}

function foundAt({ fingerprint }: TunnelGateway): Known {
	return {
		address: LOOPBACK,
		fingerprint,
		session: undefined,
		alive: { heartbeatMs: 15_000, deadAfterMs: 45_000 },
	};
}

scenario("lines go on with each other's session of TLS", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	const { next } = await startAgentWithReactor(scenario, settingsFor(gateway, [tunnelTo("tcp", "9")]));
	await next("tunnel_opened");
	const { session, open } = await gateway.opened();
	for (let count = 0; count < 3; count++) await session.line(open.tunnel);
	assert.equal(gateway.resumed, 2);
});

scenario("what its reactor holds and has seen stands behind the agent's own figures", async (scenario) => {
	const gateway = await startTunnelGateway(scenario, { insecure: true });
	const local = await startUpstream(scenario, echo);
	const { next, agent } = await startAgentWithReactor(
		scenario,
		settingsFor(gateway, [tunnelTo("tcp", String(local.port))]),
	);
	await next("tunnel_opened");
	const { session, open } = await gateway.opened();
	const visitor = await session.line(open.tunnel);
	await visitor.send(Buffer.concat([visitorHeader(), Buffer.from("hello")]));
	await visitor.expect("hello");
	const metrics = agent.metrics();
	assert.match(metrics, /^sluice_agent_lines\{state="visitor"\} 1$/m);
	assert.match(metrics, /^sluice_connections_total\{listener="tcp app"\} 1$/m);
	assert.match(metrics, /^sluice_descriptors_opened_total\{kind="downstream"\} 1$/m);
	const families = [...metrics.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
	assert.equal(new Set(families).size, families.length, "no family stands twice");
});

scenario(
	"a gateway that renews its certificate is made sure of once more, and lines are opened again",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario);
		const authority = issue({ commonName: "Authority", names: [], isAuthority: true });
		const anew = (): Issued => issue({ commonName: "localhost", names: ["localhost"], issuer: authority });
		gateway.renew(anew());
		const local = await startUpstream(scenario, echo);
		const settings = settingsFor(gateway, [tunnelTo("tcp", String(local.port))], {
			gateway: { host: "localhost", port: gateway.port },
			trust: { ca: authority.cert.text },
		});
		const { next, agent } = await startAgentWithReactor(scenario, settings);
		await next("tunnel_opened");
		const { session, open } = await gateway.opened();
		await session.line(open.tunnel);

		gateway.renew(anew());
		const ticket = session.ticket();
		session.send({ type: "lines", tunnel: open.tunnel, tickets: [ticket] });
		assert.match((await session.hear("failed")).message, /another certificate/);
		const before = gateway.proofs;
		await eventually(
			() => {
				session.send({ type: "lines", tunnel: open.tunnel, tickets: [session.ticket()] });
				// With a certificate that it does not believe it shows no ticket.
				return gateway.proofs > before ? true : undefined;
			},
			() => agent.metrics(),
		);
		const visitor = await session.line(open.tunnel);
		await visitor.send(Buffer.concat([visitorHeader(), Buffer.from("hello")]));
		await visitor.expect("hello");
	},
);

scenario("a certificate that nobody believes opens no line, and the agent goes on", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	const { next, agent } = await startAgentWithReactor(scenario, settingsFor(gateway, [tunnelTo("tcp", "9")]));
	await next("tunnel_opened");
	const { session, open } = await gateway.opened();
	gateway.renew();
	for (let count = 0; count < 2; count++) {
		session.send({ type: "lines", tunnel: open.tunnel, tickets: [session.ticket()] });
		assert.match((await session.hear("failed")).message, /another certificate/);
	}
	assert.equal(agent.isConnected, true);
});

scenario(
	"a reload brings a tunnel, moves another to another service, and takes one away",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario);
		const one = await startUpstream(scenario, ({ socket }) => void socket.end("one"));
		const two = await startUpstream(scenario, ({ socket }) => void socket.end("two"));
		const app = tunnelTo("tcp", String(one.port));
		const settings = settingsFor(gateway, [app]);
		const { next, agent } = await startAgentWithReactor(scenario, settings);
		await next("tunnel_opened");
		const { session, open } = await gateway.opened();
		const parked = await session.line(open.tunnel);
		const moved = tunnelTo("tcp", String(two.port));
		const more = { ...tunnelTo("tcp", String(one.port)), name: "more" };
		agent.reload({ ...settings, tunnels: [moved, more] });
		const opened = await session.hear("open");
		assert.equal(opened.name, "more");
		const onMore = await session.line(opened.tunnel);
		await onMore.send(visitorHeader());
		assert.equal(await onMore.rest(), "one");
		// A line that was parked before leads to where its tunnel ends now.
		await parked.send(visitorHeader());
		assert.equal(await parked.rest(), "two");

		const last = await session.line(opened.tunnel);
		agent.reload({ ...settings, tunnels: [moved] });
		assert.equal((await session.hear("close")).tunnel, opened.tunnel);
		assert.equal(await last.over(), "ended");
	},
);

scenario("a reactor that fails cuts its visitors, and Node's streams move the next", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	const local = await startUpstream(scenario, echo);
	const settings = settingsFor(gateway, [tunnelTo("tcp", String(local.port))]);
	const { next, agent, mover } = await startAgentWithMover(scenario, settings);
	await next("tunnel_opened");
	const { session, open } = await gateway.opened();
	const parked = await session.line(open.tunnel);
	const visitor = await session.line(open.tunnel);
	await visitor.send(Buffer.concat([visitorHeader(), Buffer.from("hello")]));
	await visitor.expect("hello");

	// Whatever is wrong with a thread: here, a ticket that is none.
	const none = { id: null, key: null } as unknown as Ticket;
	mover.open(new Tunnel(settings.tunnels[0] as TunnelSettings), [none], foundAt(gateway));
	assert.match((await next("without_reactor")).why, /^it has failed: /);
	assert.equal((await next("visitor_ended")).reason, "internal");
	assert.notEqual(await visitor.over(), "ended");
	await parked.over();
	const again = await session.line(open.tunnel);
	await again.send(Buffer.concat([visitorHeader(), Buffer.from("once more")]));
	await again.expect("once more");
	agent.reload({ ...settings, drainMs: 2 });
	again.end();
	assert.equal(await again.rest(), "");
	assert.equal((await next("visitor_ended")).reason, "client_closed");
});

scenario("lines that wait for a reload are given up with their tunnel", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	const settings = settingsFor(gateway, [tunnelTo("tcp", "9")]);
	const { next, agent, mover } = await startAgentWithMover(scenario, settings);
	await next("tunnel_opened");
	const { session } = await gateway.opened();
	const tunnel = new Tunnel(settings.tunnels[0] as TunnelSettings);
	tunnel.number = 7;
	mover.follow(settings);
	mover.open(tunnel, [session.ticket(), session.ticket()], foundAt(gateway));
	assert.match(agent.metrics(), /^sluice_agent_lines\{state="opening"\} 2$/m);
	mover.retire(8);
	assert.match(agent.metrics(), /^sluice_agent_lines\{state="opening"\} 2$/m);
	mover.retire(7);
	assert.match(agent.metrics(), /^sluice_agent_lines\{state="opening"\} 0$/m);
	// The next line is opened behind the reload, and is the first.
	mover.open(tunnel, [session.ticket()], foundAt(gateway));
	await eventually(
		() => (gateway.proofs > 0 ? true : undefined),
		() => agent.metrics(),
	);
	assert.equal(gateway.proofs, 1);
});

scenario(
	"a visitor of whom nobody has told yet when the agent is to end has its time, too",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario, { insecure: true });
		const local = await startUpstream(scenario, echo);
		const tunnels = [tunnelTo("tcp", String(local.port))];
		const settings = settingsFor(gateway, tunnels, { drainMs: 30_000 });
		const { next, agent } = await startAgentWithReactor(scenario, settings);
		await next("tunnel_opened");
		const { session, open } = await gateway.opened();
		const [visitor, parked] = [await session.line(open.tunnel), await session.line(open.tunnel)];
		const sent = visitor.send(Buffer.concat([visitorHeader(), Buffer.from("hello")]));
		// This thread hears nothing, while the reactor has the visitor.
		Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
		agent.end("asked to");
		await sent;
		await visitor.expect("hello");
		assert.equal(await parked.over(), "ended");
		visitor.end(" and goodbye");
		assert.equal(await visitor.rest(), " and goodbye");
		assert.equal((await next("visitor_ended")).reason, "client_closed");
		assert.equal(await agent.ended, 0);
	},
);
