/** Upstreams that have answered and gone before the gateway looks. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { startGateway } from "../support/gateway.js";
import { dial, LOOPBACK, type Peer, startUpstream } from "../support/peers.js";
import { scenario } from "../support/scenario.js";

for (const kind of ["unix", "tcp"] as const) {
	scenario(
		`the answer of an upstream (${kind}) that answers at once and closes arrives, and the address is in no doubt`,
		async (scenario) => {
			const answerAndGo = ({ socket }: Peer): void => {
				socket.end("answer", () => socket.destroy());
			};
			const where = kind === "unix" ? { path: join(scenario.directory, "app.sock") } : { host: LOOPBACK };
			const upstream = await startUpstream(scenario, answerAndGo, where);
			const gateway = await startGateway(
				scenario,
				`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: { addresses: "${upstream.address}", eject: { failures: 1, for: 1h } } }
`,
			);
			// A burst that it finds all at once: it dials many before it looks at the first.
			gateway.child.signal("SIGSTOP");
			const clients: Peer[] = [];
			for (let count = 0; count < 400; count++) clients.push(await dial(scenario, gateway.port()));
			gateway.child.signal("SIGCONT");
			for (const client of clients) {
				assert.equal(await client.rest(), "answer");
				client.end();
			}
			for (const { reason } of await gateway.sessions(clients.length))
				assert.equal(reason, "upstream_closed");
			const metrics = await gateway.metrics();
			assert.equal(metrics.sum("sluice_dial_retries_total"), 0);
			assert.equal(metrics.sum("sluice_upstream_ejections_total"), 0);
			assert.equal(metrics.sum("sluice_upstream_healthy"), 1);
			assert.equal(upstream.peers.length, clients.length);
		},
	);
}
