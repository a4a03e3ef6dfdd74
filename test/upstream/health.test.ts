import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock, type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import fc from "fast-check";
import type { HealthConfig } from "../../src/config/config.js";
import { closeDescriptor, openListener } from "../../src/kernel/sockets.js";
import { issue } from "../../src/rig/issue.js";
import { type CheckedAddress, HealthChecks } from "../../src/upstream/health.js";
import type { DialledTarget as Target } from "../../src/upstream/resolver.js";
import { freeAddress } from "../support/addresses.js";
import { CONNECTION } from "../support/connection-options.js";
import { scenario } from "../support/scenario.js";

const HEALTH: HealthConfig = { intervalMs: 5_000, timeoutMs: 2_000, fall: 3, rise: 2, http: null };

/** Health checks under a clock that the test moves; `attempts` are the sockets that they opened. */
function setUp(t: TestContext): {
	checks: HealthChecks;
	attempts: Socket[];
	/** What was told, with the error's code if it has one; and with its message. */
	events: string[];
	messages: string[];
} {
	mock.timers.enable({ apis: ["setTimeout"] });
	const attempts: Socket[] = [];
	const note = (message: unknown): void => {
		attempts.push((message as { socket: Socket }).socket);
	};
	subscribe("net.client.socket", note);
	const events: string[] = [];
	const messages: string[] = [];
	const checks = new HealthChecks({
		changed: (address, down, error) => {
			const told = `${address.label} ${down ? "down" : "up"}`;
			events.push(error === undefined ? told : `${told} ${codeOf(error)}`);
			messages.push(error === undefined ? told : `${told} ${error.message}`);
		},
		forgotten: (address) => events.push(`${address.label} forgotten`),
	});
	t.after(() => {
		unsubscribe("net.client.socket", note);
		checks.close();
		for (const socket of attempts) socket.destroy();
		mock.timers.reset();
	});
	return { checks, attempts, events, messages };
}

function codeOf(error: Error): string {
	return (error as NodeJS.ErrnoException).code ?? error.message;
}

function checked(
	target: Target,
	board = 0,
	health = HEALTH,
	tls: CheckedAddress["tls"] = null,
): CheckedAddress {
	return { board, target, label: `a${board}`, health, tls };
}

/** The check that began last has ended, and its socket is closed. */
function ended(attempts: readonly Socket[]): Promise<void> {
	const socket = attempts.at(-1);
	assert.ok(socket, "nothing was checked");
	return closed(socket);
}

/** Whether or not an error comes first. */
function closed(socket: Socket): Promise<void> {
	return new Promise((resolve) => {
		if (socket.closed) resolve();
		else socket.once("close", () => resolve());
	});
}

/** Something at an address that can be there or not, as the test wishes. */
class Upstream {
	readonly #where: { host: string; port: number } | { path: string };
	#server: Server | undefined;
	/** Connections taken. */
	taken = 0;
	readonly sockets = new Set<Socket>();

	constructor(where: { host: string; port: number } | { path: string }) {
		this.#where = where;
	}

	async set(up: boolean): Promise<void> {
		if (up === (this.#server !== undefined)) return;
		if (up) {
			const server = createServer((socket) => {
				this.taken++;
				this.sockets.add(socket);
				socket.on("error", () => {});
				socket.on("close", () => this.sockets.delete(socket));
			});
			this.#server = server;
			server.listen(this.#where);
			await once(server, "listening");
		} else {
			const server = this.#server;
			this.#server = undefined;
			for (const socket of this.sockets) socket.destroy();
			await new Promise((resolve) => server?.close(resolve));
		}
	}
}

async function tcpUpstream(t: TestContext): Promise<{ upstream: Upstream; target: Target }> {
	const { host, port } = await freeAddress();
	const upstream = new Upstream({ host, port });
	t.after(() => upstream.set(false));
	return { upstream, target: { kind: "ip", address: host, family: 4, port } };
}

/** A listener whose accept queue is full: whoever else knocks gets no answer at all. */
async function silentTarget(t: TestContext): Promise<Target> {
	const { fds, port } = openListener(
		{
			address: Uint8Array.of(127, 0, 0, 1),
			port: 0,
			backlog: 1,
			connection: CONNECTION,
		},
		1,
	);
	// A queue of 1 holds two.
	const fillers = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
	t.after(() => {
		for (const filler of fillers) filler.destroy();
		for (const fd of fds) closeDescriptor(fd);
	});
	await Promise.all(fillers.map((filler) => once(filler, "connect")));
	return { kind: "ip", address: "127.0.0.1", family: 4, port };
}

test("an address is down after `fall` failures in a row and up after `rise` successes, exactly", async (t) => {
	const { upstream, target } = await tcpUpstream(t);
	const { checks, attempts, events } = setUp(t);
	const sequences = fc.sample(
		fc.record({
			fall: fc.integer({ min: 1, max: 4 }),
			rise: fc.integer({ min: 1, max: 4 }),
			// Long runs of the same, and single ones that must not count.
			outcomes: fc
				.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 5 })), { minLength: 4, maxLength: 8 })
				.map((runs) => runs.flatMap(([up, length]) => new Array<boolean>(length).fill(up))),
		}),
		20,
	);
	for (const { fall, rise, outcomes } of sequences) {
		const expected: string[] = [];
		let down = false;
		let streak = 0;
		for (const [index, up] of outcomes.entries()) {
			await upstream.set(up);
			if (index === 0) checks.follow([checked(target, 0, { ...HEALTH, fall, rise })]);
			else mock.timers.tick(HEALTH.intervalMs);
			await ended(attempts);
			streak = up === down ? streak + 1 : 0;
			if (streak === (down ? rise : fall)) {
				down = !down;
				streak = 0;
				expected.push(down ? "a0 down ECONNREFUSED" : "a0 up");
			}
			assert.deepEqual(
				events,
				expected,
				JSON.stringify({ fall, rise, outcomes: outcomes.slice(0, index + 1) }),
			);
		}
		checks.follow([]);
		if (down) expected.push("a0 forgotten");
		assert.deepEqual(events, expected, "what nobody checks is neither down nor up");
		events.length = 0;
	}
});

test("checks come at their interval, counted from the end of the one before", async (t) => {
	const { upstream, target } = await tcpUpstream(t);
	await upstream.set(true);
	const { checks, attempts } = setUp(t);
	checks.follow([checked(target)]);
	for (let count = 1; count <= 3; count++) {
		assert.equal(attempts.length, count);
		mock.timers.tick(HEALTH.timeoutMs - 1);
		await ended(attempts);
		mock.timers.tick(HEALTH.intervalMs - 1);
		assert.equal(attempts.length, count);
		mock.timers.tick(1);
	}
});

test("a Unix socket is checked too", async (t) => {
	const directory = mkdtempSync(join(tmpdir(), "sluice-health-"));
	const path = join(directory, "app.sock");
	const upstream = new Upstream({ path });
	t.after(async () => {
		await upstream.set(false);
		rmSync(directory, { recursive: true });
	});
	const { checks, attempts, events } = setUp(t);
	checks.follow([checked({ kind: "unix", path }, 0, { ...HEALTH, fall: 1, rise: 1 })]);
	await ended(attempts);
	assert.deepEqual(events, ["a0 down ENOENT"]);
	await upstream.set(true);
	mock.timers.tick(HEALTH.intervalMs);
	await ended(attempts);
	assert.deepEqual(events.slice(1), ["a0 up"]);
});

test("an address that does not answer in time has failed", async (t) => {
	const target = await silentTarget(t);
	const { checks, attempts, events } = setUp(t);
	checks.follow([checked(target, 0, { ...HEALTH, fall: 1 })]);
	mock.timers.tick(HEALTH.timeoutMs - 1);
	await setImmediate();
	assert.deepEqual(events, []);
	mock.timers.tick(1);
	assert.deepEqual(events, ["a0 down no answer within 2s"]);
	mock.timers.tick(HEALTH.intervalMs);
	assert.equal(attempts.length, 2, "and is checked again");
});

test("a check that got no answer gives its socket back when its time is up", async (t) => {
	const target = await silentTarget(t);
	const { checks, attempts } = setUp(t);
	checks.follow([checked(target)]);
	for (let check = 1; check <= 3; check++) {
		mock.timers.tick(HEALTH.timeoutMs);
		await setImmediate();
		assert.equal(attempts.filter((socket) => !socket.destroyed).length, 0, `after check ${check}`);
		mock.timers.tick(HEALTH.intervalMs);
	}
});

test("follow([]) and close end a check that is under way, and its socket with it", async (t) => {
	const target = await silentTarget(t);
	for (const end of [(checks: HealthChecks) => checks.follow([]), (checks: HealthChecks) => checks.close()]) {
		await t.test(end.toString(), async (inner) => {
			const { checks, attempts, events } = setUp(inner);
			checks.follow([checked(target)]);
			end(checks);
			await setImmediate();
			assert.equal(attempts.length, 1);
			assert.equal(attempts[0]?.destroyed, true);
			mock.timers.tick(100 * HEALTH.intervalMs);
			assert.equal(attempts.length, 1, "no further check");
			assert.deepEqual(events, [], "a check that was cut off is no result");
		});
	}
});

/** An upstream that answers whoever asks, and ends, or does what it is told to. */
async function httpUpstream(
	t: TestContext,
	answer: string | ((asked: string, socket: Socket) => void),
): Promise<{ target: Target; asked: string[] }> {
	const asked: string[] = [];
	const server = createServer((socket) => {
		let text = "";
		socket.on("error", () => {});
		socket.on("data", (bytes) => {
			text += bytes.toString("latin1");
			if (!text.endsWith("\r\n\r\n")) return;
			asked.push(text);
			if (typeof answer === "string") socket.end(answer);
			else answer(text, socket);
		});
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	t.after(() => server.close());
	const { port } = server.address() as AddressInfo;
	return { target: { kind: "ip", address: "127.0.0.1", family: 4, port }, asked };
}

const HTTP_HEALTH: HealthConfig = {
	...HEALTH,
	fall: 1,
	rise: 1,
	http: { path: "/healthz?deep=1", host: "app.test:81", statuses: [{ from: 200, to: 399 }] },
};

test("an HTTP check is one GET of its path, for its host, over a connection that ends with it", async (t) => {
	const { target, asked } = await httpUpstream(t, "HTTP/1.1 204 No Content\r\n\r\n");
	const { checks, attempts, events } = setUp(t);
	checks.follow([checked(target, 0, HTTP_HEALTH)]);
	await ended(attempts);
	assert.deepEqual(events, []);
	const [head = ""] = asked;
	const [line, ...fields] = head.trimEnd().split("\r\n");
	assert.equal(line, "GET /healthz?deep=1 HTTP/1.1");
	assert.deepEqual(fields.sort(), [
		"Accept: */*",
		"Connection: close",
		"Host: app.test:81",
		"User-Agent: sluice-health",
	]);
	mock.timers.tick(HEALTH.intervalMs);
	await ended(attempts);
	assert.deepEqual([attempts.length, asked.length], [2, 2]);
});

test("the status decides, and the reason is told", async (t) => {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	const cases: readonly (readonly [answer: string, verdict: string | undefined])[] = [
		[ok, undefined],
		["HTTP/1.1 399 Odd\r\n\r\n", undefined],
		["HTTP/1.0 302 Found\r\nLocation: /login\r\n\r\n", undefined],
		["HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", "answered 500"],
		["HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "answered 404"],
		// An interim answer is none.
		["HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 No\r\n\r\n", "answered 503"],
		["HTTP/1.1 101 Go on\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "answered 101"],
		// Cut off in its body: the status was there.
		["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", undefined],
		["", "closed the connection without an answer"],
		["HTTP/1.1 200 O", "closed the connection without an answer"],
		["SSH-2.0-OpenSSH_9.2\r\n", "answered what is no HTTP response (Parse Error: Expected HTTP/"],
	];
	for (const [answer, verdict] of cases) {
		await t.test(JSON.stringify(answer), async (inner) => {
			const { target } = await httpUpstream(inner, answer);
			const { checks, attempts, messages } = setUp(inner);
			checks.follow([checked(target, 0, HTTP_HEALTH)]);
			await ended(attempts);
			assert.equal(messages.length, verdict === undefined ? 0 : 1, messages.join());
			assert.ok(verdict === undefined || messages[0]?.startsWith(`a0 down ${verdict}`), messages.join());
		});
	}
});

test("statuses may be several ranges, and come and go with them", async (t) => {
	let status = 200;
	const { target } = await httpUpstream(t, (_, socket) =>
		socket.end(`HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`),
	);
	const { checks, attempts, messages } = setUp(t);
	const http = {
		path: "/",
		host: "a.test",
		statuses: [
			{ from: 204, to: 204 },
			{ from: 400, to: 403 },
		],
	};
	const health = { ...HEALTH, fall: 1, rise: 1, http };
	for (const next of [200, 204, 399, 400, 404, 403]) {
		status = next;
		if (attempts.length === 0) checks.follow([checked(target, 0, health)]);
		else mock.timers.tick(HEALTH.intervalMs);
		await ended(attempts);
	}
	assert.deepEqual(messages, [
		"a0 down answered 200",
		"a0 up",
		"a0 down answered 399",
		"a0 up",
		"a0 down answered 404",
		"a0 up",
	]);
});

test("an HTTP check's time is for the connection and the answer's head together", async (t) => {
	for (const said of ["", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nX: "]) {
		await t.test(JSON.stringify(said), async (inner) => {
			const { target, asked } = await httpUpstream(inner, (_, socket) => socket.write(said));
			const { checks, attempts, messages } = setUp(inner);
			checks.follow([checked(target, 0, HTTP_HEALTH)]);
			while (asked.length === 0) await setImmediate();
			mock.timers.tick(HEALTH.timeoutMs - 1);
			await setImmediate();
			assert.deepEqual(messages, []);
			mock.timers.tick(1);
			assert.deepEqual(messages, ["a0 down no answer within 2s"]);
			await ended(attempts);
		});
	}
	await t.test("one that never accepts", async (inner) => {
		const target = await silentTarget(inner);
		const { checks, attempts, messages } = setUp(inner);
		checks.follow([checked(target, 0, HTTP_HEALTH)]);
		mock.timers.tick(HEALTH.timeoutMs);
		assert.deepEqual(messages, ["a0 down no answer within 2s"]);
		await ended(attempts);
	});
});

test("a body that does not end costs no more than the check's time, and its status counts", async (t) => {
	const { target } = await httpUpstream(t, (_, socket) =>
		socket.write("HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n"),
	);
	const { checks, attempts, messages } = setUp(t);
	const answered = new Promise((resolve) => {
		const watch = (): void => {
			if ((attempts[0]?.bytesRead ?? 0) > 0) resolve(undefined);
			else void setImmediate().then(watch);
		};
		watch();
	});
	checks.follow([checked(target, 0, HTTP_HEALTH)]);
	await answered;
	await setImmediate();
	mock.timers.tick(HEALTH.timeoutMs);
	assert.deepEqual(messages, ["a0 down answered 500"]);
	await ended(attempts);
});

test("a body without bound is not read to its end", async (t) => {
	const { target } = await httpUpstream(t, (_, socket) => {
		socket.write("HTTP/1.1 200 OK\r\n\r\n");
		const pour = (): void => {
			while (!socket.destroyed && socket.write(Buffer.alloc(16_384)));
		};
		socket.on("drain", pour);
		pour();
	});
	const { checks, attempts, messages } = setUp(t);
	checks.follow([checked(target, 0, HTTP_HEALTH)]);
	await ended(attempts);
	assert.deepEqual(messages, []);
	assert.ok((attempts[0]?.bytesRead ?? 0) < 1_048_576, String(attempts[0]?.bytesRead));
});

scenario("an HTTP check of an upstream that speaks TLS verifies what its sessions do", async (scenario) => {
	const { cert, key } = issue({ commonName: "app.test" });
	const names: unknown[] = [];
	const sockets = new Set<Socket>();
	const server = createTlsServer({ cert: cert.text, key: key.text }, (socket) => {
		names.push((socket as TLSSocket & { servername: unknown }).servername);
		sockets.add(socket);
		socket.on("error", () => {});
		socket.on("close", () => sockets.delete(socket));
		socket.once("data", () => socket.end("HTTP/1.1 204 No Content\r\n\r\n"));
	});
	server.on("tlsClientError", () => {});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	scenario.defer(() => void server.close());
	const { port } = server.address() as AddressInfo;
	const target: Target = { kind: "ip", address: "127.0.0.1", family: 4, port };
	const ca = cert;
	const alpn = ["http/1.1"];
	for (const [tls, verdict] of [
		[{ serverName: "app.test", verify: true, ca, alpn }, undefined],
		[{ serverName: "other.test", verify: false, alpn }, undefined],
		[{ serverName: "app.test", verify: true, alpn }, "self-signed certificate"],
		[{ serverName: "other.test", verify: true, ca, alpn }, "does not match certificate's altnames"],
		[{ serverName: "127.0.0.1", verify: true, ca, alpn }, "IP: 127.0.0.1 is not in the cert's list"],
	] as const) {
		const { checks, attempts, messages } = setUp(scenario.context);
		checks.follow([checked(target, 0, HTTP_HEALTH, tls)]);
		await ended(attempts);
		const told = messages.join();
		assert.ok(verdict === undefined ? told === "" : told.includes(verdict), `${tls.serverName}: ${told}`);
		checks.close();
		mock.timers.reset();
	}
	while (sockets.size > 0) await setImmediate();
	assert.deepEqual(names.slice(0, 2), ["app.test", "other.test"]);
});

test("an upstream that is silent amid TLS has failed, and its socket is given back", async (t) => {
	const { target } = await httpUpstream(t, () => {});
	const { checks, attempts, messages } = setUp(t);
	checks.follow([checked(target, 0, HTTP_HEALTH, { serverName: "app.test", verify: true, alpn: [] })]);
	while ((attempts[0]?.bytesWritten ?? 0) === 0) await setImmediate();
	mock.timers.tick(HEALTH.timeoutMs);
	assert.deepEqual(messages, ["a0 down no answer within 2s"]);
	await ended(attempts);
});

test("follow([]) and close end an HTTP check that is under way, and its socket with it", async (t) => {
	for (const end of [(checks: HealthChecks) => checks.follow([]), (checks: HealthChecks) => checks.close()]) {
		await t.test(end.toString(), async (inner) => {
			const { target, asked } = await httpUpstream(inner, () => {});
			const { checks, attempts, messages } = setUp(inner);
			checks.follow([checked(target, 0, HTTP_HEALTH)]);
			while (asked.length === 0) await setImmediate();
			end(checks);
			await ended(attempts);
			mock.timers.tick(100 * HEALTH.intervalMs);
			assert.equal(attempts.length, 1);
			assert.deepEqual(messages, []);
		});
	}
});

test("follow([]) and close end the waiting between checks", async (t) => {
	const { upstream, target } = await tcpUpstream(t);
	await upstream.set(true);
	for (const end of [(checks: HealthChecks) => checks.follow([]), (checks: HealthChecks) => checks.close()]) {
		await t.test(end.toString(), async (inner) => {
			const { checks, attempts } = setUp(inner);
			checks.follow([checked(target)]);
			await ended(attempts);
			end(checks);
			mock.timers.tick(100 * HEALTH.intervalMs);
			assert.equal(attempts.length, 1);
		});
	}
});

test("checks keep no process alive", async (t) => {
	const { upstream, target } = await tcpUpstream(t);
	await upstream.set(true);
	mock.timers.reset();
	const checks = new HealthChecks({ changed: () => {}, forgotten: () => {} });
	t.after(() => checks.close());
	const before = process.getActiveResourcesInfo().sort();
	checks.follow([checked(target)]);
	assert.deepEqual(process.getActiveResourcesInfo().sort(), before, "while connecting");
});

test("an address that is followed on goes on where it stands", async (t) => {
	const { target } = await tcpUpstream(t);
	const { checks, attempts, events } = setUp(t);
	const address = checked(target);
	checks.follow([address]);
	await ended(attempts);
	for (let check = 2; check <= HEALTH.fall; check++) {
		checks.follow([
			{ ...address },
			checked({ kind: "unix", path: "/nonexistent" }, 9, { ...HEALTH, fall: 100 }),
		]);
		const before = attempts.length;
		mock.timers.tick(HEALTH.intervalMs);
		await Promise.all(attempts.slice(before).map(closed));
	}
	assert.deepEqual(events, ["a0 down ECONNREFUSED"]);
});

test("a place that was given to another address begins anew", async (t) => {
	const { target } = await tcpUpstream(t);
	const { checks, attempts, events } = setUp(t);
	checks.follow([checked(target, 0, { ...HEALTH, fall: 1 })]);
	await ended(attempts);
	assert.deepEqual(events, ["a0 down ECONNREFUSED"]);
	checks.follow([{ ...checked(target, 0, { ...HEALTH, fall: 2 }), label: "another" }]);
	assert.deepEqual(events.slice(1), ["a0 forgotten"]);
	await ended(attempts);
	assert.equal(events.length, 2, "one failure is not two");
	mock.timers.tick(HEALTH.intervalMs);
	await ended(attempts);
	assert.deepEqual(events.slice(2), ["another down ECONNREFUSED"]);
});

test("new limits hold for an address that is followed on", async (t) => {
	const { target } = await tcpUpstream(t);
	const { checks, attempts, events } = setUp(t);
	checks.follow([checked(target, 0, { ...HEALTH, fall: 10 })]);
	await ended(attempts);
	checks.follow([checked(target, 0, { ...HEALTH, fall: 2 })]);
	mock.timers.tick(HEALTH.intervalMs);
	await ended(attempts);
	assert.deepEqual(events, ["a0 down ECONNREFUSED"]);
});

test("the upstream sees a check come and go, and keeps nothing of it", async (t) => {
	const { upstream, target } = await tcpUpstream(t);
	await upstream.set(true);
	const { checks, attempts } = setUp(t);
	checks.follow([checked(target)]);
	await ended(attempts);
	while (upstream.taken === 0 || upstream.sockets.size > 0) await setImmediate();
	assert.equal(upstream.taken, 1);
});
