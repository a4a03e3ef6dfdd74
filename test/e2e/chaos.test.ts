/** Clients and upstreams that do anything at any time: whatever happens, the books balance afterwards. */

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { resetSocket } from "../../src/parts/reset-socket.js";
import { Random } from "../../src/rig/random.js";
import { startGateway } from "../support/gateway.js";
import { startUpstream } from "../support/peers.js";
import { scenario } from "../support/scenario.js";

const SESSIONS = 600;
const AT_ONCE = 40;

/**
 * What it may end with: nobody here waits for a deadline, and nothing may be Sluice's own fault. An upstream that resets
 * before the gateway has seen the connection established has refused it, as far as the gateway can see.
 */
const REASONS = ["client_closed", "upstream_closed", "client_reset", "upstream_reset", "connect_refused"];

/** Does a few random things with a connection, and ends it in one of the ways there are. */
async function misbehave(socket: Socket, random: Random): Promise<void> {
	socket.on("error", () => {});
	socket.on("data", () => {
		if (random.fraction() > 0.1) return;
		socket.pause();
		setTimeout(() => socket.resume(), random.fraction() * 20);
	});
	for (let step = random.below(5); step > 0 && !socket.destroyed; step--) {
		const size = random.chance(0.3) ? random.fraction() * 2_000_000 : random.fraction() * 3_000;
		if (random.chance(0.7) && socket.writable) socket.write(Buffer.alloc(Math.floor(size), "c"));
		if (random.chance(0.3)) await sleep(random.fraction() * 10);
	}
	const way = random.fraction();
	if (way < 0.25) resetSocket(socket);
	else if (way < 0.4) socket.destroy();
	else socket.end();
	// One that has ended waits for the other side, but not for ever.
	const late = setTimeout(() => socket.destroy(), 300 + random.fraction() * 200);
	if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
	clearTimeout(late);
}

scenario(
	"after hundreds of sessions that end in any way, nothing is left and everything is counted",
	async (scenario) => {
		const seed = Math.floor(Math.random() * 2 ** 31);
		scenario.context.diagnostic(`seed ${seed}`);
		const random = new Random(seed);
		const upstream = await startUpstream(scenario, ({ socket }) => void misbehave(socket, random));
		const gateway = await startGateway(
			scenario,
			`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		);
		let begun = 0;
		const one = async (): Promise<void> => {
			while (begun < SESSIONS) {
				begun++;
				const socket = connect({ port: gateway.port(), host: "127.0.0.1", allowHalfOpen: true });
				scenario.defer(() => socket.destroy());
				// Some leave before they have arrived.
				if (random.chance(0.9))
					await new Promise((resolve) => socket.once("connect", resolve).once("error", resolve));
				await misbehave(socket, random);
			}
		};
		await Promise.all(Array.from({ length: AT_ONCE }, one));
		await gateway.metricIs("sluice_connections_active", (active) => active === 0);

		const metrics = await gateway.metrics();
		const accepted = metrics.sum("sluice_connections_total");
		assert.ok(accepted > SESSIONS / 2);
		const sessions = await gateway.sessions(accepted);
		assert.equal(sessions.length, accepted);
		for (const { reason } of sessions) assert.ok(REASONS.includes(reason), reason);
		assert.equal(metrics.sum("sluice_sessions_closed_total"), accepted);
		for (const gauge of [
			"buffered_bytes",
			"chunks_lent",
			"pipes_lent",
			"upstream_sessions",
			"reactor_sessions",
		])
			assert.equal(metrics.sum(`sluice_${gauge}`), 0, gauge);
		for (const kind of ["downstream", "upstream"]) {
			const opened = metrics.sum("sluice_descriptors_opened_total", { kind });
			assert.equal(metrics.sum("sluice_descriptors_closed_total", { kind }), opened, kind);
		}
		const bytes = sessions.reduce(
			(total, session) => total + session.bytes_from_client + session.bytes_to_client,
			0,
		);
		assert.equal(metrics.sum("sluice_bytes_total"), bytes);
	},
);
