/** The agent's side of lines in a reactor: what a gateway cannot do to it, and that every visitor's end is told. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import { REASONS } from "../../src/parts/reasons.js";
import type { ListenerPlan, OwnLineNews } from "../../src/reactor/plan/plan.js";
import type { LineOptions } from "../../src/upstream/plan.js";
import { visitorHeader } from "../support/tunnel-gateway.js";
import { Harness } from "./harness.js";

const HEADER = visitorHeader().toString("latin1");
const CANARY = "\0canary-1";

const OPTIONS: LineOptions = {
	...{ keepaliveIdleSeconds: 15, keepaliveIntervalSeconds: 10, keepaliveProbes: 3, userTimeoutMs: 45_000 },
};

interface Agent {
	readonly harness: Harness;
	/** Opens a line, and has the gateway park it. Returns the gateway's end. */
	readonly line: () => number;
	/** Has a line opened. Returns the gateway's end of it, of which the reactor has heard nothing yet. */
	readonly opening: () => number;
	/** The next visitor's connection to the local service. */
	readonly served: () => number;
	/** News of lines until now. */
	readonly news: () => OwnLineNews[];
	/** Turns until as many bytes have come as are wanted. */
	readonly heard: (fd: number, bytes: number) => string;
}

/** A reactor of an agent with one tunnel. */
function agent(t: TestContext): Agent {
	const harness = new Harness(t, { sessions: 16, routes: [{}] });
	const gateway = harness.upstream();
	const service = harness.upstream();
	const [listener] = harness.plan.listeners as [ListenerPlan];
	harness.carryOut({
		kind: "plan",
		plan: {
			...harness.plan,
			revision: 2,
			listeners: [listener, { ...listener, slot: 1, fd: -1 }],
			upstreams: harness.plan.upstreams.map((upstream) => ({
				...upstream,
				addresses: [
					{ board: 0, hash: 0, sockaddr: encodeInternet(Uint8Array.of(127, 0, 0, 1), service.port) },
				],
			})),
		},
	});
	let number = 0;
	const heard = (fd: number, bytes: number): string => {
		let seen = "";
		harness.turnUntil(() => {
			const got = harness.receive(fd, bytes - seen.length);
			if (typeof got === "string") seen += got;
			return seen.length === bytes;
		}, `${bytes} bytes`);
		return seen;
	};
	const opening = (): number => {
		const order = { number: ++number, ticket: new Uint8Array(16), key: new Uint8Array(32) };
		const sockaddr = encodeInternet(Uint8Array.of(127, 0, 0, 1), gateway.port);
		harness.command({
			kind: "openLines",
			listener: 1,
			gateway: { sockaddr, options: OPTIONS, tls: null },
			lines: [order],
		});
		// On this machine it is connected when connect() returns.
		return harness.adopt(harness.outside.accept(gateway.fd, 0));
	};
	const line = (): number => {
		const fd = opening();
		assert.equal(heard(fd, 20).slice(0, 4), "SLN1");
		harness.send(fd, "n".repeat(16));
		heard(fd, 32);
		harness.send(fd, "\x01");
		harness.turnUntil(() => news().some(({ kind }) => kind === "parked"), "that it is parked");
		return fd;
	};
	const news = (): OwnLineNews[] =>
		harness.notices.flatMap((notice) => (notice.kind === "ownLines" ? notice.items : []));
	return { harness, line, opening, heard, news, served: () => harness.accepted(service.fd, "a visitor") };
}

test("canaries without end keep a reactor from nothing else, and each comes back", (t) => {
	const { harness, line, heard, served } = agent(t);
	const fd = line();
	harness.send(fd, CANARY.repeat(500));
	const before = harness.counters.get("turns");
	assert.equal(heard(fd, 500 * CANARY.length), CANARY.repeat(500));
	assert.ok(harness.counters.get("turns") - before >= 500 / 33, "they take many turns");
	harness.send(fd, `${CANARY.repeat(100)}${HEADER}hello`);
	heard(fd, 100 * CANARY.length);
	assert.equal(heard(served(), 5), "hello");
});

test("a line that is closed while canaries wait for their turn is gone", (t) => {
	const { harness, line, news } = agent(t);
	const fd = line();
	harness.send(fd, CANARY.repeat(500));
	harness.command({ kind: "closeLines", listener: 1 });
	harness.turnUntil(() => news().at(-1)?.kind === "closed", "that it is closed");
	assert.equal(harness.reactor.core.ownLines.size, 0);
	assert.equal(harness.reactor.core.queue.length, 0);
});

test("the end of a visitor whom the journal has no room for is told all the same", (t) => {
	const { harness, line, heard, served, news } = agent(t);
	while (harness.journal.begin(0) >= 0) harness.journal.commit();
	const fd = line();
	harness.send(fd, `${HEADER}hello`);
	const service = served();
	assert.equal(heard(service, 5), "hello");
	harness.send(service, "goodbye");
	assert.equal(heard(fd, 7), "goodbye");
	harness.reset(service);
	harness.turnUntil(() => news().at(-1)?.kind === "ended", "that it has ended");
	const [began, ended] = news().slice(-2);
	assert.ok(began?.kind === "began" && ended?.kind === "ended");
	assert.equal(began.source, "203.0.113.7:53496");
	assert.deepEqual(ended, {
		...{ kind: "ended", session: began.session, reason: REASONS.indexOf("upstream_reset") },
		...{ fromVisitor: 5, toVisitor: 7 },
	});
});

test("a gateway that ends in the moment in which it is connected to, or answers, is not waited for", (t) => {
	const { harness, opening, heard, news } = agent(t);
	const isOver = (): boolean => news().at(-1)?.kind === "failed";
	harness.outside.shutdownWrite(opening());
	harness.turnUntil(isOver, "that it has failed");
	const fd = opening();
	assert.equal(heard(fd, 20).slice(0, 4), "SLN1");
	harness.send(fd, "n".repeat(16));
	harness.outside.shutdownWrite(fd);
	harness.turnUntil(() => news().length === 2 && isOver(), "that this one has, too");
	// And not that their time is over.
	for (const item of news())
		assert.equal(item.kind === "failed" && item.why, "the gateway has closed the line");
});
