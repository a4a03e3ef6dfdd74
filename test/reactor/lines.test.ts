/** Connections of agents in a reactor: they prove what they are for, wait as lines, and are taken by visitors. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { closeDescriptor } from "../../src/kernel/sockets.js";
import type { LineNewsItem, ListenerPlan, Notice, Plan } from "../../src/reactor/plan/plan.js";
import type { LinesPlan } from "../../src/upstream/plan.js";
import { Harness, POLICY, reasonOf } from "./harness.js";

const TUNNEL = 7;
const TICKET = "0123456789abcdef";
const PROOF = "p".repeat(32);

interface Tunnelled {
	readonly harness: Harness;
	/** Where agents connect. */
	readonly agents: number;
	readonly plan: Plan;
}

type Proof = Extract<Notice, { readonly kind: "lineProof" }>;

/** A reactor whose one upstream is an agent; the agents' listener speaks in the open. */
function tunnelled(t: TestContext, isHttp = false, limits: Partial<LinesPlan> = {}): Tunnelled {
	const harness = new Harness(t, { sessions: 16, routes: [{}] });
	const { fd, port } = harness.upstream();
	const [visitors] = harness.plan.listeners as [ListenerPlan];
	const lines = {
		...{ keeps: true, idleMs: Number.POSITIVE_INFINITY, ageMs: 900_000, requests: 100, idleMax: 64 },
		...{ keepaliveIdleSeconds: 15, keepaliveIntervalSeconds: 10, keepaliveProbes: 3, userTimeoutMs: 45_000 },
		replaceMs: 500,
		reserved: 0,
		...limits,
	};
	const plan: Plan = {
		...harness.plan,
		revision: 2,
		listeners: [
			{ ...visitors, readsRequests: isHttp },
			{ ...visitors, slot: 1, fd, port: 2, routes: [], isForAgents: true },
		],
		upstreams: harness.plan.upstreams.map((upstream) => ({
			...upstream,
			...{ proxyProtocol: isHttp ? "off" : "v2", lines, pool: isHttp ? lines : null },
			addresses: [{ board: 0, sockaddr: new Uint8Array(0), hash: 0, tunnel: TUNNEL }],
		})),
	};
	harness.carryOut({ kind: "plan", plan });
	return { harness, agents: port, plan };
}

/** What comes to an end of a connection until it ends so. */
function heardUpTo(harness: Tunnelled["harness"], fd: number, end: string): string {
	let seen = "";
	harness.turnUntil(() => {
		const got = harness.receive(fd);
		if (typeof got === "string") seen += got;
		return seen !== "" && seen.endsWith(end);
	}, `what ends with ${end}`);
	return seen;
}

/** A connection that has shown its ticket and its proof. */
function proved({ harness, agents }: Tunnelled): { fd: number; proof: Proof } {
	const fd = harness.connect(agents);
	harness.send(fd, `SLN1${TICKET}`);
	let nonce: string | number = -EAGAIN;
	harness.turnUntil(() => {
		nonce = harness.receive(fd);
		return typeof nonce === "string";
	}, "a nonce");
	assert.equal(String(nonce).length, 16);
	harness.send(fd, PROOF);
	const before = harness.notices.length;
	const found = () =>
		harness.notices.slice(before).find((notice): notice is Proof => notice.kind === "lineProof");
	harness.turnUntil(() => found() !== undefined, "its proof is told");
	const proof = found() as Proof;
	assert.equal(Buffer.from(proof.ticket).toString(), TICKET);
	assert.equal(Buffer.from(proof.nonce).toString("latin1"), nonce);
	assert.equal(Buffer.from(proof.proof).toString(), PROOF);
	return { fd, proof };
}

function parked(tunnelled: Tunnelled): number {
	const { harness } = tunnelled;
	const { fd, proof } = proved(tunnelled);
	const { link, generation } = proof;
	harness.carryOut({ kind: "line", link, generation, place: { upstream: 0, address: 0, tunnel: TUNNEL } });
	harness.turnUntil(() => harness.receive(fd, 1) === "\x01", "it is told that it is parked");
	return fd;
}

function news({ notices }: Harness): LineNewsItem[] {
	return notices.flatMap((notice) => (notice.kind === "lines" ? notice.items : []));
}

/** Nobody has a line for it; it has said `first`. */
function waitingVisitor(harness: Harness): number {
	const visitor = harness.client();
	harness.send(visitor, "first");
	harness.turnUntil(() => news(harness).some(({ kind }) => kind === "waiting"), "it waits");
	return visitor;
}

function over(harness: Harness, fd: number): void {
	harness.turnUntil(() => harness.receive(fd, 1) !== -EAGAIN, "the connection is over");
}

test("a line that is parked is taken by a visitor, with its address before its bytes", (t) => {
	const all = tunnelled(t);
	const { harness } = all;
	const line = parked(all);
	assert.equal(harness.counters.get("upstreamOpened") - harness.counters.get("upstreamClosed"), 1);
	const visitor = harness.client();
	harness.send(visitor, "hello");
	const seen = heardUpTo(harness, line, "hello");
	assert.equal(seen.slice(0, 12), "\r\n\r\n\0\r\nQUIT\n");
	assert.equal(seen.length, 16 + 12 + 5);
	harness.send(line, "welcome");
	harness.turnUntil(() => harness.receive(visitor) === "welcome", "the answer");
	assert.deepEqual(
		news(harness).map(({ kind, tunnel }) => [kind, tunnel]),
		[
			["parked", TUNNEL],
			["taken", TUNNEL],
		],
	);
	harness.reset(visitor);
	over(harness, line);
	assert.deepEqual(news(harness).at(-1), { kind: "ended", tunnel: TUNNEL, was: "used", why: -1 });
	assert.equal(harness.counters.get("upstreamOpened"), harness.counters.get("upstreamClosed"));
});

test("a visitor waits for a line, and has it as soon as there is one", (t) => {
	const all = tunnelled(t);
	const { harness } = all;
	waitingVisitor(harness);
	const line = parked(all);
	heardUpTo(harness, line, "first");
	assert.deepEqual(
		news(harness).map(({ kind, waiting }) => [kind, waiting]),
		[
			["waiting", 1],
			["parked", undefined],
			["waiting", 0],
			["taken", undefined],
		],
	);
});

test("news of lines that other visitors have had by now cost one that waits nothing", (t) => {
	const all = tunnelled(t);
	const { harness } = all;
	const visitor = waitingVisitor(harness);
	// More often than a session dials addresses.
	for (let told = 0; told < 40; told++) harness.carryOut({ kind: "serveLine", address: 0, tunnel: TUNNEL });
	assert.equal(harness.receive(visitor, 1), -EAGAIN);
	heardUpTo(harness, parked(all), "first");
});

test("a visitor waits for timeouts.connect, and no longer", (t) => {
	const all = tunnelled(t);
	const { harness } = all;
	const visitor = waitingVisitor(harness);
	harness.pass(POLICY.connectMs - 100);
	assert.equal(harness.receive(visitor), -EAGAIN);
	harness.pass(200);
	over(harness, visitor);
	const [record] = harness.records();
	assert.ok(record !== undefined);
	assert.equal(harness.board.active(0), 0);
});

test("what is no agent's is closed: other bytes, silence, a proof that is not good", (t) => {
	const all = tunnelled(t);
	const { harness, agents } = all;
	const stranger = harness.connect(agents);
	harness.send(stranger, "GET / HTTP/1.1\r\n\r\n");
	over(harness, stranger);
	const silent = harness.connect(agents);
	harness.turnUntil(() => harness.counters.get("upstreamOpened") === 2, "it is accepted");
	harness.pass(POLICY.handshakeMs - 100);
	assert.equal(harness.receive(silent), -EAGAIN);
	harness.pass(200);
	over(harness, silent);
	const { fd, proof } = proved(all);
	harness.carryOut({ kind: "line", link: proof.link, generation: proof.generation, place: null });
	over(harness, fd);
	assert.equal(harness.counters.get("upstreamOpened"), harness.counters.get("upstreamClosed"));
	assert.deepEqual(news(harness), []);
});

test("a control connection goes to the main thread, and none of its bytes are read", (t) => {
	const { harness, agents } = tunnelled(t);
	const agent = harness.connect(agents);
	harness.send(agent, "SLC1more");
	const found = () => harness.notices.find((notice) => notice.kind === "control");
	harness.turnUntil(() => found() !== undefined, "it is handed over");
	const notice = found();
	assert.ok(notice?.kind === "control" && notice.isOpen);
	assert.equal(harness.counters.get("upstreamOpened"), harness.counters.get("upstreamClosed"));
	assert.equal(harness.receive(notice.fd), "SLC1more");
	closeDescriptor(notice.fd);
});

test("a parked line ends when its agent ends it, when it says something, and when its agent is of no plan any more", (t) => {
	const all = tunnelled(t);
	const { harness, plan } = all;
	harness.reset(parked(all));
	harness.turnUntil(() => news(harness).length === 2, "it has ended");
	const speaks = parked(all);
	harness.send(speaks, "?");
	over(harness, speaks);
	const left = parked(all);
	harness.carryOut({
		kind: "plan",
		plan: { ...plan, revision: 3, upstreams: plan.upstreams.map((each) => ({ ...each, addresses: [] })) },
	});
	over(harness, left);
	assert.deepEqual(
		news(harness).flatMap(({ kind, was }) => (kind === "ended" ? [was] : [])),
		["parked", "parked", "parked"],
	);
	assert.equal(harness.counters.get("upstreamOpened"), harness.counters.get("upstreamClosed"));
});

test("a parked line goes to another reactor, and serves there", (t) => {
	const all = tunnelled(t);
	const { harness } = all;
	const line = parked(all);
	harness.carryOut({ kind: "giveLine", address: 0, to: 1 });
	const given = () => harness.notices.find((notice) => notice.kind === "lineGiven");
	harness.turnUntil(() => given() !== undefined, "it is given");
	assert.equal(harness.counters.get("upstreamOpened"), harness.counters.get("upstreamClosed"));
	const notice = given();
	assert.ok(notice?.kind === "lineGiven" && notice.to === 1);
	// None is left.
	harness.carryOut({ kind: "giveLine", address: 0, to: 1 });
	assert.equal(harness.notices.filter(({ kind }) => kind === "lineGiven").length, 1);
	const visitor = harness.client();
	harness.send(visitor, "hello");
	harness.turnUntil(() => news(harness).some(({ kind }) => kind === "waiting"), "it waits");
	harness.carryOut({ kind: "takeLine", line: notice.line });
	heardUpTo(harness, line, "hello");
	harness.reset(visitor);
	over(harness, line);
	assert.deepEqual(news(harness).at(-1), { kind: "ended", tunnel: TUNNEL, was: "used", why: -1 });
});

test("a canary goes through a parked line and back, and visitors are kept from it meanwhile", (t) => {
	const all = tunnelled(t);
	const { harness } = all;
	const line = parked(all);
	const canaries = () => harness.notices.filter((notice) => notice.kind === "canary");
	const sent = (): string => {
		harness.carryOut({ kind: "canary", address: 0, deadMs: 1_000 });
		let seen: string | number = -EAGAIN;
		harness.turnUntil(() => {
			seen = harness.receive(line);
			return typeof seen === "string";
		}, "the canary");
		assert.equal(String(seen).length, 9);
		assert.equal(String(seen)[0], "\0");
		return String(seen);
	};
	const echo = sent();
	const visitor = harness.client();
	harness.send(visitor, "hello");
	harness.turnUntil(() => news(harness).some(({ kind }) => kind === "waiting"), "the visitor waits");
	harness.send(line, echo);
	heardUpTo(harness, line, "hello");
	const [back] = canaries();
	assert.ok(back?.kind === "canary" && back.tunnel === TUNNEL && back.roundTripMs >= 0);
	harness.reset(visitor);
	over(harness, line);
});

test("a line on which a canary does not come back, or another does, is closed", (t) => {
	const all = tunnelled(t);
	const { harness } = all;
	const silent = parked(all);
	harness.carryOut({ kind: "canary", address: 0, deadMs: 1_000 });
	harness.pass(900);
	harness.turnUntil(() => typeof harness.receive(silent) === "string", "the canary");
	harness.pass(200);
	over(harness, silent);
	const wrong = parked(all);
	harness.carryOut({ kind: "canary", address: 0, deadMs: 1_000 });
	harness.turnUntil(() => typeof harness.receive(wrong) === "string", "the canary");
	harness.send(wrong, "\0abcdefgh");
	over(harness, wrong);
	const lost = harness.notices.filter((notice) => notice.kind === "canary" && notice.roundTripMs === -1);
	assert.equal(lost.length, 2);
	assert.equal(harness.counters.get("upstreamOpened"), harness.counters.get("upstreamClosed"));
});

test("a canary goes through the line that has waited longest, and never through one that has carried requests", (t) => {
	const all = tunnelled(t, true);
	const { harness } = all;
	const canary = () => harness.carryOut({ kind: "canary", address: 0, deadMs: 1_000 });
	const used = parked(all);
	const visitor = harness.client();
	harness.send(visitor, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
	heardUpTo(harness, used, "\r\n\r\n");
	harness.send(used, "HTTP/1.1 204 No Content\r\n\r\n");
	heardUpTo(harness, visitor, "\r\n\r\n");
	harness.turnUntil(() => news(harness).some(({ kind }) => kind === "returned"), "the line is back");
	canary();
	// Whoever is behind that line speaks HTTP.
	assert.equal(harness.receive(used), -EAGAIN);
	const [first, second] = [parked(all), parked(all)];
	canary();
	assert.equal(heardUpTo(harness, first, "").length, 9);
	canary();
	assert.equal(heardUpTo(harness, second, "").length, 9);
	assert.equal(harness.receive(used), -EAGAIN);
});

test("strangers who say nothing take the places of each other, and of nobody else", (t) => {
	const all = tunnelled(t);
	const { harness, agents } = all;
	const strangers = Array.from({ length: 40 }, () => harness.connect(agents));
	const open = () => harness.counters.get("upstreamOpened") - harness.counters.get("upstreamClosed");
	harness.turnUntil(() => harness.counters.get("upstreamOpened") === 40, "all are accepted");
	// An eighth of the sessions that there may be, and one row more for whoever is told that there is no room.
	assert.equal(open(), 3);
	over(harness, strangers[0] as number); // there are forty
	// An agent is not kept from proving itself.
	const line = parked(all);
	const visitor = harness.client();
	harness.send(visitor, "hello");
	harness.turnUntil(() => typeof harness.receive(line) === "string", "the visitor");
	harness.pass(POLICY.handshakeMs + 100);
	harness.turnUntil(() => open() === 1, "those that are left have had their time");
});

test("who waits for a line of an agent whose service goes down waits for another agent's, or is refused at once", (t) => {
	const all = tunnelled(t);
	const { harness, plan } = all;
	const [first = assert.fail()] = plan.upstreams[0]?.addresses ?? [];
	const [one, other] = [TUNNEL, TUNNEL + 1];
	const upstreams = plan.upstreams.map((upstream) => ({
		...upstream,
		addresses: [first, { ...first, board: 1, tunnel: other }],
	}));
	harness.carryOut({ kind: "plan", plan: { ...plan, revision: 3, upstreams } });
	harness.board.setDown(1, true);
	const visitor = harness.client();
	harness.send(visitor, "first");
	const waiting = (tunnel: number): number | undefined =>
		news(harness).findLast((item) => item.kind === "waiting" && item.tunnel === tunnel)?.waiting;
	harness.turnUntil(() => waiting(one) === 1, "it waits for the first agent");
	harness.board.setDown(1, false);
	harness.board.setDown(0, true);
	harness.carryOut({ kind: "sendElsewhere", address: 0 });
	assert.deepEqual([waiting(one), waiting(other)], [0, 1]);
	assert.equal(harness.receive(visitor), -EAGAIN);
	harness.board.setDown(1, true);
	harness.carryOut({ kind: "sendElsewhere", address: 1 });
	over(harness, visitor);
	assert.deepEqual([waiting(other), harness.board.active(0), harness.board.active(1)], [0, 0, 0]);
	assert.equal(reasonOf(harness.records().at(-1)), "upstream_down");
});

test("a canary whose line dies is told as lost", (t) => {
	const all = tunnelled(t);
	const { harness } = all;
	const lost = () =>
		harness.notices.filter((notice) => notice.kind === "canary" && notice.roundTripMs === -1).length;
	for (let times = 1; times <= 2; times++) {
		const line = parked(all);
		harness.carryOut({ kind: "canary", address: 0, deadMs: 10_000 });
		harness.turnUntil(() => typeof harness.receive(line) === "string", "the canary");
		harness.reset(line);
		harness.turnUntil(() => lost() === times, "it is told");
	}
});

test("strangers do not take the place of a line that a canary tries", (t) => {
	const all = tunnelled(t);
	const { harness, agents } = all;
	const line = parked(all);
	harness.carryOut({ kind: "canary", address: 0, deadMs: 60_000 });
	let canary: string | number = -EAGAIN;
	harness.turnUntil(() => {
		canary = harness.receive(line);
		return typeof canary === "string";
	}, "the canary");
	for (let count = 0; count < 20; count++) harness.connect(agents);
	harness.turnUntil(() => harness.counters.get("upstreamOpened") === 21, "all are accepted");
	harness.send(line, String(canary));
	const back = () => harness.notices.some((notice) => notice.kind === "canary" && notice.roundTripMs >= 0);
	harness.turnUntil(back, "the canary is back");
});

test("who waits for a line and gets one that is dead has no more time than before", (t) => {
	const all = tunnelled(t);
	const { harness } = all;
	const visitor = waitingVisitor(harness);
	harness.pass(POLICY.connectMs - 100);
	const { fd, proof } = proved(all);
	const { link, generation } = proof;
	// It has said something by the time that it is parked, so it is none that a visitor can have.
	harness.send(fd, "?");
	harness.carryOut({ kind: "line", link, generation, place: { upstream: 0, address: 0, tunnel: TUNNEL } });
	over(harness, fd);
	assert.equal(harness.receive(visitor), -EAGAIN);
	harness.pass(200);
	over(harness, visitor);
});

test("that a line is parked is told before it is told that it was given away", (t) => {
	const all = tunnelled(t);
	const { harness } = all;
	const { proof } = proved(all);
	const { link, generation } = proof;
	const told = harness.notices.length;
	harness.carryOut(
		{ kind: "line", link, generation, place: { upstream: 0, address: 0, tunnel: TUNNEL } },
		{ kind: "giveLine", address: 0, to: 1 },
	);
	const kinds = harness.notices.slice(told).map(({ kind }) => kind);
	assert.deepEqual(kinds, ["lines", "lineGiven"]);
});

test("a request whose line is dead goes to another one, read anew", (t) => {
	const all = tunnelled(t, true);
	const { harness } = all;
	const other = parked(all);
	const dead = parked(all);
	const visitor = harness.client();
	harness.send(visitor, "GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
	assert.match(heardUpTo(harness, dead, "\r\n\r\n"), /^GET \/first /);
	harness.reset(dead);
	assert.match(heardUpTo(harness, other, "\r\n\r\n"), /^GET \/first /);
	harness.send(other, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert.match(heardUpTo(harness, visitor, "ok"), /^HTTP\/1.1 200 /);
});

test("a parked line that is old goes when another is parked, and when none comes, after a while", (t) => {
	const all = tunnelled(t, false, { ageMs: 1_000 });
	const { harness } = all;
	const first = parked(all);
	harness.pass(1_100);
	harness.turnUntil(() => news(harness).at(-1)?.kind === "retiring", "it is told that it goes");
	assert.deepEqual(news(harness).at(-1), { kind: "retiring", tunnel: TUNNEL, was: "parked" });
	assert.equal(harness.receive(first), -EAGAIN);
	const second = parked(all);
	over(harness, first);
	assert.deepEqual(news(harness).at(-1), { kind: "ended", tunnel: TUNNEL, was: "retiring", why: 0 });
	assert.equal(harness.receive(second), -EAGAIN);
	harness.pass(1_100);
	harness.pass(400);
	assert.equal(harness.receive(second), -EAGAIN);
	harness.pass(200);
	over(harness, second);
	assert.deepEqual(news(harness).at(-1), { kind: "ended", tunnel: TUNNEL, was: "retiring", why: 0 });
});

test("a visitor has a line that is about to be replaced, where there is no other", (t) => {
	const all = tunnelled(t, false, { ageMs: 1_000 });
	const { harness } = all;
	const line = parked(all);
	harness.pass(1_100);
	const visitor = harness.client();
	harness.send(visitor, "hello");
	heardUpTo(harness, line, "hello");
	assert.deepEqual(news(harness).at(-1), { kind: "taken", tunnel: TUNNEL, was: "retiring" });
	harness.pass(600);
	harness.send(visitor, "again");
	heardUpTo(harness, line, "again");
	harness.reset(visitor);
	over(harness, line);
	assert.deepEqual(news(harness).at(-1), { kind: "ended", tunnel: TUNNEL, was: "used", why: -1 });
});

test("a line that has served its requests is there until another is", (t) => {
	const all = tunnelled(t, true, { requests: 1 });
	const { harness } = all;
	const line = parked(all);
	const visitor = harness.client();
	const asks = (path: string): void => {
		harness.send(visitor, `GET /${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
		heardUpTo(harness, line, "\r\n\r\n");
		harness.send(line, `HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
		heardUpTo(harness, visitor, path);
	};
	asks("first");
	assert.deepEqual(news(harness).at(-1), { kind: "retiring", tunnel: TUNNEL, was: "used" });
	asks("second");
	const other = parked(all);
	over(harness, line);
	assert.deepEqual(news(harness).at(-1), { kind: "ended", tunnel: TUNNEL, was: "retiring", why: 1 });
	assert.equal(harness.receive(other), -EAGAIN);
});

const WEBSOCKET =
	"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

test("a WebSocket leaves the last parked lines to requests, and has one as soon as there are more", (t) => {
	const all = tunnelled(t, true, { reserved: 1 });
	const { harness } = all;
	const last = parked(all);
	const socket = harness.client();
	harness.send(socket, WEBSOCKET);
	harness.turnUntil(() => news(harness).at(-1)?.waiting === 1, "the WebSocket waits");
	const visitor = harness.client();
	harness.send(visitor, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert.match(heardUpTo(harness, last, "\r\n\r\n"), /^GET \/ /);
	harness.send(last, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	heardUpTo(harness, visitor, "ok");
	harness.carryOut({ kind: "serveLine", address: 0, tunnel: TUNNEL });
	assert.equal(harness.receive(last), -EAGAIN);
	assert.equal(harness.board.parked(0), 1);
	const other = parked(all);
	assert.match(heardUpTo(harness, other, "\r\n\r\n"), /^GET \/ws /);
	assert.equal(harness.board.parked(0), 1);
});
