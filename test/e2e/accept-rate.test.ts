/** limits.accepts_per_second, of all clients together and of one address. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { fate } from "../support/refusals.js";
import { scenario } from "../support/scenario.js";

/** Tokens that a bucket has given out at most after so long, one for the clock's coarseness included. */
function most(perSecond: number, tookMs: number): number {
	return perSecond + (tookMs * perSecond) / 1_000 + 1;
}

scenario(
	"clients beyond accepts_per_second wait their turn, and all of them are served",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const RATE = 100;
		const gateway = await startGateway(
			scenario,
			`
reactors: 2
limits: { accepts_per_second: ${RATE} }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		);
		const startedMs = performance.now();
		const count = 3 * RATE;
		let served = 0;
		await Promise.all(
			Array.from({ length: count }, async () => {
				const client = await dial(scenario, gateway.port());
				await client.send("?");
				await client.expect("?");
				const tookMs = performance.now() - startedMs;
				assert.ok(++served <= most(RATE, tookMs), `${served} were served after ${tookMs} ms`);
				client.end();
				await client.rest();
			}),
		);
		for (const { reason } of await gateway.sessions(count)) assert.equal(reason, "client_closed");
		const metrics = await gateway.metrics();
		assert.ok(metrics.sum("sluice_accept_pauses_total", { cause: "rate" }) > 0);
		assert.equal(metrics.sum("sluice_connections_total"), count);
	},
);

scenario("with when_full: reset, clients beyond accepts_per_second are reset at once", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	const RATE = 5;
	const gateway = await startGateway(
		scenario,
		`
reactors: 2
limits: { accepts_per_second: ${RATE}, when_full: reset }
timeouts: { handshake: 2s }
listeners: [{ listen: 127.0.0.1:0, routes: [{ sni: a, to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		{ own: "its bucket of tokens is full" },
	);
	const startedMs = performance.now();
	const clients = Array.from({ length: 60 }, () => fate(scenario, gateway.port()));
	await gateway.sessions(60 - Math.floor(most(RATE, performance.now() - startedMs)) - RATE);
	// Who was let in says nothing, and goes when its time is up.
	const others = gateway.ended.filter(({ reason }) => !/^(limit_rate|handshake_timeout)$/.test(reason));
	assert.deepEqual(others, [], "nobody was turned away for anything else");
	assert.equal((await gateway.metrics()).sum("sluice_accept_pauses_total"), 0);
	const fates = await Promise.all(clients);
	const admitted = fates.filter((each) => each === "ended").length;
	const tookMs = performance.now() - startedMs;
	assert.ok(admitted >= RATE && admitted <= most(RATE, tookMs), `${admitted} in ${tookMs} ms`);
	assert.equal(fates.filter((each) => each === "ECONNRESET").length, fates.length - admitted);
});

scenario("an address that comes too fast is reset, and another one is served", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
reactors: 2
limits: { accepts_per_second_per_ip: 2 }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		{ own: "no address has come before" },
	);
	const hasty = { localAddress: "127.0.0.1" };
	const startedMs = performance.now();
	const clients = Array.from({ length: 40 }, async () => {
		try {
			const client = await dial(scenario, gateway.port(), hasty);
			client.end("?");
			return await client.rest();
		} catch (error) {
			return (error as Error).message;
		}
	});
	const stranger = await dial(scenario, gateway.port(), { localAddress: "127.0.0.2" });
	stranger.end("?");
	assert.equal(await stranger.rest(), "?");
	const answered = (await Promise.all(clients)).filter((text) => text === "?").length;
	assert.ok(answered >= 2 && answered <= most(2, performance.now() - startedMs), `${answered} were served`);
	const ended = await gateway.sessions(41);
	assert.equal(ended.filter(({ reason }) => reason === "limit_rate").length, 40 - answered);
	// Its bucket fills again.
	const later = async (): Promise<string> => {
		try {
			const client = await dial(scenario, gateway.port(), hasty);
			client.end("?");
			return await client.rest();
		} catch {
			return later();
		}
	};
	assert.equal(await later(), "?");
});
