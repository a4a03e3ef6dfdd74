/** Datagrams through tunnels: a gateway process, agents of both kinds, a service behind them, visitors. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type DatagramPeer, datagramEcho, datagramPeer } from "../support/datagrams.js";
import { LOOPBACK } from "../support/peers.js";
import { scenario } from "../support/scenario.js";
import { tunnelTo } from "../support/tunnel-agent.js";
import { AGENT_KINDS, startDatagramRig } from "../support/tunnelled-datagrams.js";

const to = ({ port }: DatagramPeer) => `${LOOPBACK}:${port}`;

for (const kind of AGENT_KINDS) {
	scenario(`${kind}: datagrams pass both ways, each visitor's in a session of its own`, async (scenario) => {
		const service = await datagramEcho(scenario);
		const rig = await startDatagramRig(scenario);
		const agent = await rig.start(kind, tunnelTo("udp", to(service), { name: "dns" }));
		// More than lines are parked: what comes before there is one is held.
		const clients = await Promise.all(Array.from({ length: 12 }, () => datagramPeer(scenario)));
		for (const round of [0, 1, 2])
			await Promise.all(
				clients.map(async (client, index) => {
					client.send(`${index} ${round}`, rig.port);
					assert.equal(await client.text(), `echo:${index} ${round}`);
				}),
			);
		assert.equal(new Set(service.received.map(({ from }) => from.port)).size, 12);
		assert.match(String((await agent.next("visitor_started")).source), /^127\.0\.0\.1:\d+$/);
		const sent = randomBytes(32_766 - 5);
		const [client] = clients;
		assert.ok(client !== undefined);
		client.send(sent, rig.port);
		assert.deepEqual((await client.next()).bytes, Buffer.concat([Buffer.from("echo:"), sent]));
		// What no frame holds is dropped, and the session goes on.
		client.send(Buffer.alloc(32_767), rig.port);
		client.send("on", rig.port);
		assert.equal(await client.text(), "echo:on");
		const metrics = await rig.gateway.metrics();
		assert.equal(metrics.sum("sluice_datagrams_dropped_total", { cause: "too_long" }), 1);
		assert.equal(metrics.sum("sluice_datagrams_dropped_total"), 1);
	});

	scenario(
		`${kind}: both ends forget sessions when nothing has passed for idle, and open others`,
		async (scenario) => {
			const service = await datagramEcho(scenario);
			const rig = await startDatagramRig(scenario, { tunnels: "timeouts: { idle: 300ms }" });
			const agent = await rig.start(kind, tunnelTo("udp", to(service), { name: "dns" }));
			const client = await datagramPeer(scenario);
			for (const round of [1, 2]) {
				client.send("12345", rig.port);
				assert.equal(await client.text(), "echo:12345");
				// Its gateway has told it so, and how long it has been.
				const ended = await agent.next("visitor_ended");
				assert.deepEqual(
					[ended.tunnel, ended.reason, ended.bytes_from_visitor, ended.bytes_to_visitor],
					["dns/udp", "client_closed", 5, 10],
				);
				assert.ok(ended.duration_ms >= 290, `${ended.duration_ms} ms`);
				const session = (await rig.gateway.sessions(round)).at(-1);
				assert.deepEqual(
					[session?.reason, session?.upstream, session?.bytes_from_client, session?.bytes_to_client],
					["idle_timeout", "tunnels:dns/udp", 5, 10],
				);
			}
			assert.equal(new Set(service.received.map(({ from }) => from.port)).size, 2);
			await rig.gateway.metricIs("sluice_tunnel_lines", (lines) => lines === 0, { state: "used" });
			const metrics = await rig.gateway.metrics();
			const listener = `127.0.0.1:${rig.port}/udp`;
			for (const direction of ["from_client", "to_client"]) {
				assert.equal(metrics.sum("sluice_datagrams_total", { listener, direction }), 2);
				const bytes = direction === "to_client" ? 20 : 10;
				assert.equal(metrics.sum("sluice_bytes_total", { listener, direction }), bytes);
			}
		},
	);

	scenario(
		`${kind}: the service hears of a visitor by the first datagram of a session alone`,
		async (scenario) => {
			const service = await datagramPeer(scenario);
			const rig = await startDatagramRig(scenario);
			await rig.start(kind, tunnelTo("udp", to(service), { name: "dns", proxyProtocol: true }));
			const client = await datagramPeer(scenario);
			client.send("one", rig.port);
			const { bytes } = await service.next();
			assert.equal(bytes.subarray(-3).toString(), "one");
			// UDP over IPv4, from the client's port to the tunnel's.
			assert.equal(bytes[13], 0x12);
			assert.deepEqual([bytes.readUInt16BE(24), bytes.readUInt16BE(26)], [client.port, rig.port]);
			for (const text of ["two", "three"]) {
				client.send(text, rig.port);
				assert.equal(await service.text(), text);
			}
		},
	);
}
