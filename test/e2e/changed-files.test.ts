/** Files that have become something else while the gateway runs: a reload is refused, and nothing waits. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startGateway } from "../support/gateway.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { scenario } from "../support/scenario.js";

scenario(
	"a configuration that became a pipe or a directory is not loaded, and the gateway goes on",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
			{ own: "its file is replaced" },
		);
		const file = join(scenario.directory, "sluice.yaml");
		for (const [become, problem] of [
			[() => execFileSync("mkfifo", [file]), /is a pipe: name a file/],
			[() => mkdirSync(file), /is a directory: name the file in it/],
		] as const) {
			rmSync(file, { recursive: true });
			become();
			const line = await gateway.hangUp();
			assert.equal(line.message, "not reloaded");
			assert.match(String(line.error), problem);
			const client = await dial(scenario, gateway.port());
			client.end("?");
			assert.equal(await client.rest(), "?");
		}
	},
);
