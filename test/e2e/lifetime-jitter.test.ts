/** timeouts.lifetime: sessions that were opened together do not come back together. */
import assert from "node:assert/strict";
import { TICK_MS } from "../../src/reactor/wheel.js";
import { startGateway } from "../support/gateway.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { scenario } from "../support/scenario.js";

const LIFETIME_MS = 2_000;
/** Up to a tenth less, for each session its own part. */
const EARLIEST_MS = 0.9 * LIFETIME_MS;

scenario(
	"sessions opened together end one after the other, up to a tenth before their lifetime",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
reactors: 2
timeouts: { lifetime: ${LIFETIME_MS}ms }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		);
		const count = 100;
		const clients = await Promise.all(Array.from({ length: count }, () => dial(scenario, gateway.port())));
		for (const client of clients) {
			await client.send("?");
			await client.expect("?");
		}
		const ended = await gateway.sessions(count);
		const ticks = new Map<number, number>();
		for (const { reason, accepted, closed } of ended) {
			assert.equal(reason, "lifetime");
			const livedMs = Date.parse(closed) - Date.parse(accepted);
			// Times in the log are whole milliseconds.
			assert.ok(livedMs >= EARLIEST_MS - 1, `${livedMs} ms`);
			const tick = Math.floor(livedMs / TICK_MS);
			ticks.set(tick, (ticks.get(tick) ?? 0) + 1);
		}
		// A busy machine may be late for some, and not for most of them.
		const punctual = ended.filter(
			({ accepted, closed }) => Date.parse(closed) - Date.parse(accepted) <= LIFETIME_MS + 2 * TICK_MS,
		);
		assert.ok(punctual.length > count / 2, `${punctual.length} of ${count} in time`);
		// 200 ms are six ticks.
		const most = Math.max(...ticks.values());
		assert.ok(ticks.size >= 4 && most <= count / 2, `${most} of ${count} in one tick of ${ticks.size}`);
	},
);
