import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test } from "node:test";

/** A start takes a second; a program that is stuck is stuck for ever. */
const STUCK_AFTER_MS = 60_000;

const program = `
import { Gateway, loadConfigText } from ${JSON.stringify(new URL("../../src/index.js", import.meta.url).href)};
const gateway = await Gateway.start(loadConfigText(\`
reactors: 1
limits: { connections: 10 }
log: { level: silent }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: 127.0.0.1:1 }
\`));
await gateway.stop();
console.log("started and stopped");
`;

test("a program that Node is given as text, with flags for that text, runs a gateway", async (t) => {
	const node = spawn(process.execPath, ["--input-type=module", "--eval", program], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	t.after(() => node.kill("SIGKILL"));
	const timer = setTimeout(() => node.kill("SIGKILL"), STUCK_AFTER_MS);
	const [said, [code]] = await Promise.all([text(node.stdout), once(node, "exit")]);
	clearTimeout(timer);
	assert.deepEqual({ said, code }, { said: "started and stopped\n", code: 0 });
});
