/** A kernel without IPv6 has no socket for some addresses of an upstream: the others do. */
import { test } from "node:test";
import { EAFNOSUPPORT } from "../../src/kernel/constants.js";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import { Harness, reasonOf } from "./harness.js";

test("where there is no socket for an address's family, the next address is dialled", (t) => {
	const harness = new Harness(t, { sessions: 4, routes: [{}] });
	const listening = harness.upstream();
	const address = { hash: 0, sockaddr: encodeInternet(Uint8Array.of(127, 0, 0, 1), listening.port) };
	const upstreams = harness.plan.upstreams.map((each) => ({
		...each,
		addresses: [
			{ ...address, board: 0 },
			{ ...address, board: 1 },
		],
	}));
	harness.carryOut({ kind: "plan", plan: { ...harness.plan, revision: 2, upstreams } });
	Object.assign(harness.kernel, { socketErrno: EAFNOSUPPORT, socketFailures: 1 });
	const client = harness.client();
	const served = harness.accepted(listening.fd, "the client's connection");
	harness.send(served, "welcome");
	harness.turnUntil(() => harness.receive(client) === "welcome", "what the upstream says");
});

test("where there is a socket for none of them, the client is refused", (t) => {
	const harness = new Harness(t, { sessions: 4, routes: [{}], upstreamPorts: [1, 1] });
	Object.assign(harness.kernel, { socketErrno: EAFNOSUPPORT, socketFailures: 2 });
	harness.client();
	harness.turnUntil(() => harness.records().map(reasonOf).includes("connect_refused"), "that it was refused");
});
