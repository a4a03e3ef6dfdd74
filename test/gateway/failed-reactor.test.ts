/** A reactor that fails in somebody's own program, which goes on: what it held is given back. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { openLog } from "../../src/gateway/log.js";
import { Reactors } from "../../src/gateway/reactors.js";
import { closeDescriptor, openListener } from "../../src/kernel/sockets.js";
import type { Plan } from "../../src/reactor/plan/plan.js";
import { Owners } from "../../src/reactor/records/owners.js";
import { Board } from "../../src/upstream/board.js";
import { POLICY } from "../reactor/harness.js";
import { NO_LIMITS, NO_REQUESTS } from "../reactor/no-limits.js";
import { descriptorsOf, openSpare } from "../support/descriptors.js";
import { eventually } from "../support/waiting.js";

const CLIENTS = 20;

/** What tells that a session was cut, and not ended. */
async function reset(client: Socket): Promise<string | undefined> {
	const [error] = (await once(client, "error")) as [NodeJS.ErrnoException];
	return error.code;
}

test("a reactor that failed leaves no session and no descriptor open", async (t) => {
	await openSpare();
	const before = descriptorsOf(process.pid);
	const log = openLog({ level: "silent", format: "json", sessions: false });
	const reactors = new Reactors(
		log.logger,
		() => {},
		() => {},
	);
	const { fds, port } = openListener({ address: Uint8Array.of(127, 0, 0, 1), port: 0, backlog: 64 }, 1);
	reactors.start(1, { sessions: 100, bufferedBytes: 1 << 20, pipes: 2 }, new Board(), new Owners(20_000));
	const conditions = {
		...{ sni: "x.test", host: null, alpn: null, protocol: null, source: null, path: null, subprotocol: null },
		...{ to: "u", answer: null, requests: null, label: "" },
	};
	const plan: Plan = {
		...NO_LIMITS,
		revision: 1,
		policies: [POLICY],
		connections: 100,
		logSessions: false,
		upstreams: [],
		listeners: [
			{
				...NO_REQUESTS,
				slot: 0,
				fd: fds[0] ?? -1,
				port,
				connections: 100,
				acceptsPerSecond: Number.POSITIVE_INFINITY,
				requestsPerSecond: Number.POSITIVE_INFINITY,
				policy: 0,
				proxyRequired: false,
				trusted: [],
				routes: [
					{
						conditions,
						slot: 0,
						upstream: 0,
						policy: -1,
						sessionsPerSecond: Number.POSITIVE_INFINITY,
						requestsPerSecond: Number.POSITIVE_INFINITY,
					},
				],
			},
		],
	};
	reactors.tell({ kind: "plan", plan });
	const clients = Array.from({ length: CLIENTS }, () => connect(port, "127.0.0.1"));
	t.after(() => {
		for (const client of clients) client.destroy();
	});
	await Promise.all(clients.map((client) => once(client, "connect")));
	await eventually(
		() => (reactors.sessions === CLIENTS ? true : undefined),
		() => `${reactors.sessions} sessions`,
	);
	const resets = Promise.all(clients.map(reset));
	// Whatever is wrong with a thread: here, a plan that is none.
	reactors.tell({ kind: "plan", plan: { ...plan, upstreams: null } as unknown as Plan });
	await reactors.failed;
	assert.deepEqual(new Set(await resets), new Set(["ECONNRESET"]));
	await assert.rejects(once(connect(port, "127.0.0.1"), "connect"), { code: "ECONNREFUSED" });
	await reactors.stop();
	for (const fd of fds) closeDescriptor(fd);
	await eventually(
		() => (descriptorsOf(process.pid).length === before.length ? true : undefined),
		() => `${descriptorsOf(process.pid).join(" ")} instead of ${before.join(" ")}`,
	);
});
