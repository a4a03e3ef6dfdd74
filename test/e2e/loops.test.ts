/** A gateway that is its own upstream: found when a connection of its own comes back, and ended there. */
import assert from "node:assert/strict";
import { type FreeAddress, freeAddress } from "../support/addresses.js";
import { startGateway } from "../support/gateway.js";
import { dial, startUpstream } from "../support/peers.js";
import { answering, get, message, ok } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { entry, handshakeFate, identity } from "../support/tls.js";

const LOOP_DETECTED = /^HTTP\/1\.1 508 Loop Detected\r\n/;

async function answerAt(scenario: Scenario, { port, host }: FreeAddress, text: string): Promise<string> {
	const client = await dial(scenario, port, { host });
	await client.send(text);
	return client.rest();
}

for (const reactors of [1, 2])
	scenario(
		`bytes and requests that come back are told so, in their protocol, and others are served (${reactors} reactors)`,
		async (scenario) => {
			const server = await startUpstream(
				scenario,
				answering(() => ok("served")),
			);
			const [bytes, requests, plain] = [await freeAddress(), await freeAddress(), await freeAddress()];
			const gateway = await startGateway(
				scenario,
				`
reactors: ${reactors}
listeners:
  - { listen: "${bytes.text}", routes: [{ host: loop.test, to: bytes }, { sni: loop.test, to: bytes }, { to: good }] }
  - { listen: "${requests.text}", routes: [{ host: loop.test, to: requests }, { to: pages }] }
  - { listen: "${plain.text}", routes: [{ to: plain }] }
upstreams:
  bytes: "${bytes.text}"
  requests: { http: "http://${requests.text}" }
  plain: "${plain.text}"
  good: "${server.address}"
  pages: { http: "http://${server.address}" }
`,
			);
			for (const address of [bytes, requests]) {
				assert.match(
					await answerAt(scenario, address, get("/", "loop.test", "Connection: close\r\n")),
					LOOP_DETECTED,
				);
				const other = await dial(scenario, address.port, address);
				await other.send(get("/", "other.test"));
				assert.equal((await message(other)).body, "served");
				other.end();
				await other.rest();
			}
			// Nothing is waited for here, so that the connection may be back before it is known for ours: once or twice.
			const hasty = await dial(scenario, plain.port, plain);
			await hasty.send("hello");
			await hasty.over();
			assert.match(await handshakeFate(scenario, bytes.port, "loop.test", bytes), /alert/i);
			await gateway.metricIs("sluice_sessions_closed_total", (count) => count >= 4, { reason: "loop" });
			assert.ok(gateway.ended.length < 40, "no loop has gone round often");
		},
	);

scenario(
	"a chain through a listener of the gateway's own is one as well, also behind TLS",
	async (scenario) => {
		const certificate = identity(scenario, "a.test");
		const [outer, inner] = [await freeAddress(), await freeAddress()];
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - { listen: "${outer.text}", routes: [{ to: inner }] }
  - { listen: "${inner.text}", tls: [${entry(certificate, ["a.test"])}], routes: [{ to: outer }] }
upstreams:
  inner: { http: "https://${inner.text}", tls: { verify: false, server_name: a.test } }
  outer: { http: "http://${outer.text}" }
`,
		);
		assert.match(await answerAt(scenario, outer, get("/", "a.test", "Connection: close\r\n")), LOOP_DETECTED);
		assert.equal((await gateway.metrics()).sum("sluice_requests_refused_total", { reason: "loop" }), 1);
	},
);
