/** QUIC through tunnels, by the name that its hello asks for. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { captureHello } from "../../src/rig/hello.js";
import { crypto, initial } from "../../src/rig/quic-initial.js";
import { type DatagramPeer, datagramEcho, datagramPeer } from "../support/datagrams.js";
import { LOOPBACK } from "../support/peers.js";
import { ask, startQuicServer, sumOf } from "../support/quic/peers.js";
import { scenario } from "../support/scenario.js";
import { tunnelTo } from "../support/tunnel-agent.js";
import { AGENT_KINDS, startDatagramRig } from "../support/tunnelled-datagrams.js";

const to = ({ port }: DatagramPeer) => `${LOOPBACK}:${port}`;

/** The hello of a QUIC client that asks for a name, as one datagram or two. */
async function helloFor(name: string, datagrams: 1 | 2): Promise<Uint8Array[]> {
	const hello = (await captureHello(name, "TLSv1.3", ["h3"])).subarray(5);
	const ids = { destination: randomBytes(8), source: randomBytes(4) };
	if (datagrams === 1) return [initial([crypto(0, hello)], ids)];
	const middle = hello.length >> 1;
	return [hello.subarray(0, middle), hello.subarray(middle)].map((part, number) =>
		initial([crypto(number * middle, part)], { ...ids, number }),
	);
}

for (const kind of AGENT_KINDS) {
	scenario(`${kind}: QUIC comes by name, with hellos of one datagram and of two`, async (scenario) => {
		const service = await datagramEcho(scenario, "q");
		const rig = await startDatagramRig(scenario);
		const agent = await rig.start(kind, tunnelTo("quic", to(service)));
		for (const datagrams of [1, 2] as const) {
			const client = await datagramPeer(scenario);
			const hello = await helloFor("app.tunnels.test", datagrams);
			for (const bytes of hello) client.send(bytes, rig.gateway.port());
			for (const bytes of hello)
				assert.deepEqual((await client.next()).bytes, Buffer.concat([Buffer.from("q:"), bytes]));
			const stranger = await datagramPeer(scenario);
			for (const bytes of await helloFor("none.tunnels.test", datagrams))
				stranger.send(bytes, rig.gateway.port());
			const lost = await rig.gateway.session(({ source }) => source.endsWith(`:${stranger.port}`));
			assert.deepEqual([lost.reason, lost.name, lost.protocol], ["no_tunnel", "none.tunnels.test", "quic"]);
			assert.equal(stranger.received.length, 0);
		}
		assert.equal((await agent.next("visitor_started")).tunnel, "app/udp");
		assert.equal(service.received.length, 3);
	});
}

scenario(
	"real QUIC stacks reach their servers through tunnels, and keep the servers' certificates",
	async (scenario) => {
		const servers = await Promise.all([
			startQuicServer(scenario, "quic-go", "a", {}),
			startQuicServer(scenario, "aioquic", "b", {}),
		]);
		const rig = await startDatagramRig(scenario, { agent: "domains: [a.test, b.test]", sni: "*.test" });
		const [a, b] = servers;
		await rig.start(
			"a reactor",
			tunnelTo("quic", `${LOOPBACK}:${a.port}`, { name: "a.test" }),
			tunnelTo("quic", `${LOOPBACK}:${b.port}`, { name: "b.test" }),
		);
		const bytes = 1_000_000;
		for (const name of ["a", "b"])
			for (const stack of ["quic-go", "aioquic"] as const) {
				const answers = await ask(scenario, stack, { port: rig.gateway.port(), name: `${name}.test`, bytes });
				for (const { server, sha256 } of answers)
					assert.deepEqual([server, sha256], [name, sumOf(bytes)], stack);
			}
	},
	{ needs: ["quic-go", "aioquic"] },
);
