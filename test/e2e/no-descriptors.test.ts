/** The admin port when no descriptor is free, which is when it is asked. */
import assert from "node:assert/strict";
import { Agent, get } from "node:http";
import { startGateway } from "../support/gateway.js";
import { Metrics } from "../support/metrics.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { run } from "../support/processes.js";
import { scenario } from "../support/scenario.js";

scenario(
	"/metrics answers without a free descriptor, only without the figures that need one",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		);
		const limit = async (descriptors: number): Promise<void> => {
			const pair = `--nofile=${descriptors}:`;
			const { status, output } = await run({ path: "prlimit" }, [pair, "--pid", String(gateway.pid)]);
			assert.equal(status, 0, output);
		};
		// Scrapers keep their connection: it needs no new descriptor.
		const agent = new Agent({ keepAlive: true, maxSockets: 1 });
		scenario.defer(() => agent.destroy());
		const ask = (path: string): Promise<{ status: number; body: string; reused: boolean }> =>
			new Promise((resolve, reject) => {
				const request = get({ port: gateway.adminPort, path, agent }, (response) => {
					let body = "";
					response.setEncoding("utf8").on("data", (text: string) => {
						body += text;
					});
					const { reusedSocket: reused } = request;
					response.on("end", () => resolve({ status: response.statusCode ?? 0, body, reused }));
				});
				request.on("error", reject);
			});

		const client = await dial(scenario, gateway.port());
		await client.send("before");
		await client.expect("before");
		const rich = await ask("/metrics");
		assert.ok(Metrics.parse(rich.body).sum("process_open_fds") > 0);
		const { value: most = 0 } = Metrics.parse(rich.body).find("process_max_fds")[0] ?? {};

		// Below what it has open already: nothing can be opened any more.
		await limit(3);
		const poor = await ask("/metrics");
		assert.deepEqual([poor.status, poor.reused], [200, true], poor.body);
		assert.equal((await ask("/api/status")).status, 200);
		const metrics = Metrics.parse(poor.body);
		assert.equal(metrics.sum("sluice_connections_active"), 1);
		assert.equal(metrics.find("process_open_fds").length, 0);
		assert.equal((await ask("/readyz")).body, "ready\n");
		await client.send("during");
		await client.expect("during");

		// A newcomer waits, and is served when there are descriptors again.
		const waiting = await dial(scenario, gateway.port());
		await waiting.send("later");
		await limit(most);
		await waiting.expect("later");
		assert.ok(Metrics.parse((await ask("/metrics")).body).sum("process_open_fds") > 0);
		for (const peer of [client, waiting]) {
			peer.end();
			await peer.rest();
		}
	},
	// prlimit is of the same package.
	{ needs: ["setpriv"] },
);
