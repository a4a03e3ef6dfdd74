/** A reactor that takes a plan later than the gateway waits for it: the reload has failed, and the plan comes all the same. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import type { Config } from "../../src/config/config.js";
import { loadConfigText } from "../../src/config/load.js";
import { Gateway } from "../../src/gateway/gateway.js";
import { freeAddress } from "../support/addresses.js";
import { TEST_MS } from "../support/waiting.js";

const FIRST = await freeAddress();
const SECOND = await freeAddress();

function configOf(listeners: readonly string[], upstream: string): Config {
	const all = listeners.map((listen) => `{ listen: "${listen}", routes: [{ to: a }] }`);
	return loadConfigText(`
reactors: 1
limits: { connections: 10 }
log: { level: silent }
listeners: [${all.join(", ")}]
upstreams: { a: "${upstream}" }
`);
}

async function greeting({ host, port }: { host: string; port: number }): Promise<string> {
	const client = connect(port, host);
	const [bytes] = (await once(client, "data")) as [Buffer];
	client.destroy();
	return bytes.toString();
}

test("listeners of a plan that a reactor takes late stay open for it, and the next reload closes what it drops", {
	timeout: TEST_MS,
}, async (t) => {
	const upstream = createServer((socket) => socket.end("hello")).listen(0, "127.0.0.1");
	await once(upstream, "listening");
	const { port } = upstream.address() as { port: number };
	const to = `127.0.0.1:${port}`;
	const gateway = await Gateway.start(configOf([FIRST.text], to));
	t.after(async () => {
		await gateway.stop();
		upstream.close();
	});

	const held: (() => void)[] = [];
	const posting = t.mock.method(Worker.prototype, "postMessage", function (this: Worker, message: unknown) {
		held.push(() => this.postMessage(message));
	});
	t.mock.timers.enable({ apis: ["setTimeout"] });
	const reload = gateway.reload(configOf([SECOND.text], to));
	while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
	t.mock.timers.tick(60_000);
	await assert.rejects(reload, /has not answered/);
	t.mock.timers.reset();
	posting.mock.restore();

	assert.equal(await greeting(FIRST), "hello", "what was before is in force");
	for (const post of held) post();
	await gateway.reload(configOf([FIRST.text, SECOND.text], to));
	assert.equal(await greeting(FIRST), "hello");
	assert.equal(await greeting(SECOND), "hello");
	await gateway.reload(configOf([FIRST.text], to));
	assert.equal(await greeting(FIRST), "hello");
	await assert.rejects(greeting(SECOND), /ECONNREFUSED/);
});
