import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock, type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { closeDescriptor, openListener } from "../../src/kernel/sockets.js";
import { type CheckedAddress, HealthChecks } from "../../src/upstream/health.js";
import type { Target } from "../../src/upstream/resolver.js";
import { freeAddress } from "../support/addresses.js";
import { CONNECTION } from "../support/connection-options.js";

const HEALTH = { intervalMs: 5_000, timeoutMs: 2_000, fall: 3, rise: 2 };

/** Health checks under a clock that the test moves; `attempts` are the sockets that they opened. */
function setUp(t: TestContext): { checks: HealthChecks; attempts: Socket[]; events: string[] } {
	mock.timers.enable({ apis: ["setTimeout"] });
	const attempts: Socket[] = [];
	const note = (message: unknown): void => {
		attempts.push((message as { socket: Socket }).socket);
	};
	subscribe("net.client.socket", note);
	const events: string[] = [];
	const checks = new HealthChecks({
		changed: (address, down, error) =>
			events.push(
				`${address.label} ${down ? "down" : "up"}${error === undefined ? "" : ` ${codeOf(error)}`}`,
			),
	});
	t.after(() => {
		unsubscribe("net.client.socket", note);
		checks.close();
		for (const socket of attempts) socket.destroy();
		mock.timers.reset();
	});
	return { checks, attempts, events };
}

function codeOf(error: Error): string {
	return (error as NodeJS.ErrnoException).code ?? error.message;
}

function checked(target: Target, board = 0, health = HEALTH): CheckedAddress {
	return { board, target, label: `a${board}`, health };
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
		if (down) expected.push("a0 up");
		assert.deepEqual(events, expected, "what nobody checks is not held to be down");
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
	assert.deepEqual(events, ["a0 down no answer within 2000 ms"]);
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
	const checks = new HealthChecks({ changed: () => {} });
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
