/** What stays open is named with the place that opened it, and what is closed is not. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
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

test("what has a descriptor is listed once, with its descriptor", async () => {
	const check = leaks();
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const file = await open(FILE);
	const found = check.open();
	server.close();
	await file.close();
	assert.deepEqual(found.map(({ kind }) => kind).sort(), ["file handle", "server"]);
	for (const { detail, stack } of found) {
		assert.match(detail, /^(TCPSERVERWRAP \d+: socket:\[\d+\]|FILEHANDLE \d+: .*diagnostics\.test\.js)$/);
		assert.match(stack ?? "", /diagnostics\.test/);
	}
	await check.done();
});

test("of many files that are opened at once, each has the place that opened it", async () => {
	const check = leaks();
	const first = (): Promise<FileHandle> => open(FILE);
	const second = (): Promise<FileHandle> => open(FILE);
	const files = await Promise.all(Array.from({ length: 40 }, (_, at) => (at % 2 === 0 ? first() : second())));
	const stacks = check.open().map(({ stack }) => /at (first|second)/.exec(stack ?? "")?.[1]);
	await Promise.all(files.map((file) => file.close()));
	assert.deepEqual(stacks.sort(), [...Array(20).fill("first"), ...Array(20).fill("second")]);
	await check.done();
});

test("one descriptor of /dev/null is Node's own, and others are leaks", async () => {
	const check = leaks({ settleMs: 0 });
	const descriptors = [1, 2, 3].map(() => openSync("/dev/null", "r"));
	const found = check.open();
	for (const descriptor of descriptors) closeSync(descriptor);
	assert.equal(found.length, 2);
	await check.done();
});

test("the timer with which a test runner limits a hook is no leak", async () => {
	const filename = "/project/node_modules/jest-circus/build/utils.js";
	const limit = new Script("(start) => start(() => {}, 60000)", { filename }).runInThisContext();
	await using check = leaks({ settleMs: 0 });
	const timer: NodeJS.Timeout = limit(setTimeout);
	assert.deepEqual(check.open(), []);
	clearTimeout(timer);
});

test("the origin is the caller's also where lines are shown as those of their sources", async () => {
	const { prepareStackTrace } = Error;
	Error.prepareStackTrace = (_, sites) =>
		`Error\n${sites.map((site) => `    at ${site.getFunctionName()} (/shown/as/source.ts:1:1)`).join("\n")}`;
	const check = leaks({ settleMs: 0 });
	const opensOne = (): NodeJS.Timeout => setTimeout(() => {}, 60_000);
	const timer = opensOne();
	const [found] = check.open();
	Error.prepareStackTrace = prepareStackTrace;
	clearTimeout(timer);
	assert.match(found?.stack ?? "", /opensOne/);
	assert.doesNotMatch(found?.stack ?? "", /LeakCheck|AsyncHook/);
	await check.done();
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
