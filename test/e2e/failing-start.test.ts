/** What no check foresees: a reactor's thread that cannot start. Who hangs then does so until the scenario's time is over. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { MAIN } from "../../src/rig/gateway.js";
import { run } from "../support/processes.js";
import { scenario } from "../support/scenario.js";

for (const reactors of [1, 2]) {
	scenario(
		`memory that ${reactors} reactors cannot have is one line that says so, and exit 1`,
		async (scenario) => {
			const path = join(scenario.directory, "test.yaml");
			writeFileSync(
				path,
				`
reactors: ${reactors}
limits: { buffered_bytes: 1000GiB }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: 127.0.0.1:9 }
`,
			);
			const { status, stderr, output } = await run({ path: process.execPath }, [MAIN, "run", "-c", path]);
			assert.equal(status, 1, output);
			assert.match(stderr, /^sluice: a reactor failed: [^\n]+\n$/);
			assert.ok(!output.includes('"ready"'), output);
		},
	);
}
