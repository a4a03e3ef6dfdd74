/** Conditions with several values: one route, whichever of them fits. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { scenario } from "../support/scenario.js";

scenario(
	"a route takes what fits one value of each of its lists, and counts it as one route",
	async (scenario) => {
		const { address } = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { host: [a.test, "*.b.test"], source: [127.0.0.1/32, 127.0.0.2/32], to: a }
      - { protocol: [ssh, other], to: a }
upstreams: { a: "${address}" }
`,
		);
		const label = "host=a.test|*.b.test,source=127.0.0.1/32|127.0.0.2/32";
		for (const [words, from, route] of [
			["GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "127.0.0.1", label],
			["GET / HTTP/1.1\r\nHost: x.b.test\r\n\r\n", "127.0.0.2", label],
			["GET / HTTP/1.1\r\nHost: c.test\r\n\r\n", "127.0.0.2", null],
			["GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "127.0.0.3", null],
			["SSH-2.0-test\r\n", "127.0.0.3", "protocol=ssh|other"],
		] as const) {
			const client = await dial(scenario, gateway.port(), { localAddress: from });
			client.socket.write(words);
			client.end();
			await client.over();
			const session = await gateway.sessionOf(client);
			assert.equal(session.route, route, `${words} from ${from}`);
		}
		const metrics = await gateway.metrics();
		assert.equal(metrics.sum("sluice_route_sessions_total", { route: label }), 2);
	},
);
