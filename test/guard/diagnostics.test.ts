/** What stays open is named with the place that opened it, and what is closed is not. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import {
	LeakError,
	leaks,
	type OpenKind,
	OptionError,
	snapshot,
	withoutLeaks,
} from "../../src/guard/diagnostics.js";

const FILE = fileURLToPath(import.meta.url);

/** Opens something, and gives the way to close it. */
type Opener = () => Promise<() => unknown>;

const OPENERS: readonly (readonly [OpenKind, Opener])[] = [
	[
		"server",
		async () => {
			const server = createServer().listen(0, "127.0.0.1");
			await once(server, "listening");
			return () => server.close();
		},
	],
	[
		"socket",
		async () => {
			const server = createServer().listen(0, "127.0.0.1");
			await once(server, "listening");
			const address = server.address();
			assert.ok(address !== null && typeof address === "object");
			const socket = connect(address.port, "127.0.0.1");
			const [accepted] = await Promise.all([once(server, "connection"), once(socket, "connect")]);
			server.close();
			return () => {
				socket.destroy();
				accepted[0].destroy();
			};
		},
	],
	[
		"timer",
		async () => {
			const timer = setInterval(() => {}, 60_000);
			return () => clearInterval(timer);
		},
	],
	[
		"child process",
		async () => {
			const child = spawn("sleep", ["60"], { stdio: "ignore" });
			await once(child, "spawn");
			return () => child.kill();
		},
	],
	[
		"file handle",
		async () => {
			const file = await open(FILE);
			return () => file.close();
		},
	],
	[
		"worker",
		async () => {
			const worker = new Worker("setInterval(() => {}, 60000)", { eval: true });
			await once(worker, "online");
			return () => worker.terminate();
		},
	],
	[
		"descriptor",
		async () => {
			const descriptor = openSync(FILE, "r");
			return () => closeSync(descriptor);
		},
	],
];

for (const [kind, opener] of OPENERS) {
	test(`a ${kind} that is left open is named, and where it was opened`, async () => {
		const check = leaks({ settleMs: 0 });
		const close = await opener();
		try {
			await assert.rejects(check.done(), (error) => {
				assert.ok(error instanceof LeakError);
				assert.equal(error.code, "SLUICE_LEAK");
				const found = error.open.find((each) => each.kind === kind);
				assert.ok(found !== undefined, error.message);
				if (kind === "descriptor") assert.match(found.detail, /^\d+: .*diagnostics\.test\.js$/);
				// Node tells of a file handle outside of any call; its descriptor is listed with the path.
				else if (kind === "file handle")
					assert.ok(error.open.some(({ detail }) => /diagnostics\.test\.js$/.test(detail)));
				else assert.match(found.stack ?? "", /diagnostics\.test/);
				return true;
			});
		} finally {
			await close();
		}
	});

	test(`a ${kind} that is closed, or just closing, is no leak`, async () => {
		await withoutLeaks(
			async () => {
				const close = await opener();
				// What it gives is not waited for.
				void close();
			},
			{ settleMs: "10s" },
		);
	});
}

test("what was open before the check, and what keeps nothing alive, is no leak", async () => {
	const before = setInterval(() => {}, 60_000);
	{
		await using check = leaks();
		setInterval(() => {}, 60_000).unref();
		assert.deepEqual(check.open(), []);
	}
	clearInterval(before);
});

test("what is to be ignored is not listed", async () => {
	const timers: NodeJS.Timeout[] = [];
	await withoutLeaks(() => timers.push(setInterval(() => {}, 60_000)), {
		settleMs: 0,
		ignore: ({ kind }) => kind === "timer",
	});
	for (const timer of timers) clearInterval(timer);
});

test("the fault of the work itself comes first, and its result is handed on", async () => {
	const fault = new Error("fault");
	const work = (): never => {
		throw fault;
	};
	await assert.rejects(withoutLeaks(work), fault);
	assert.equal(await withoutLeaks(() => 7), 7);
});

test("a duration that cannot be followed is named", () => {
	assert.throws(
		() => leaks({ settleMs: "soon" }),
		(error) => error instanceof OptionError && error.option === "settleMs",
	);
});

test("a snapshot counts servers and descriptors by kind, and divides memory by connections", async () => {
	const before = snapshot();
	assert.equal(before.perConnection, undefined);
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const after = snapshot({ connections: 2 });
	assert.equal(after.resources["TCPServerWrap"], (before.resources["TCPServerWrap"] ?? 0) + 1);
	assert.equal(after.descriptors?.socket, (before.descriptors?.socket ?? 0) + 1);
	assert.ok((after.descriptors?.epoll ?? 0) >= 1);
	assert.ok((after.handles?.["Server"] ?? 0) >= 1);
	assert.equal(after.perConnection?.rss, Math.round(after.memory.rss / 2));
	server.close();
	await once(server, "close");
});
