import assert from "node:assert/strict";
import { once } from "node:events";
import {
	closeSync,
	constants,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	readSync,
	rmSync,
} from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import type { LogConfig } from "../../src/config/config.js";
import { openLog } from "../../src/gateway/log.js";
import type { Names } from "../../src/gateway/log-lines.js";
import { SessionLog } from "../../src/gateway/session-log.js";
import { LinuxKernel } from "../../src/kernel/linux.js";
import { Journal } from "../../src/reactor/records/journal.js";
import { recordOf, write, writeRequest } from "../reactor/journal-records.js";
import type { RequestRecord, SessionRecord } from "../support/read-journal.js";
import { Changes, eventually } from "../support/waiting.js";
import type { PipeReaderOptions } from "./pipe-reader.js";
import { requestFields, sessionFields } from "./reference-lines.js";

const JSON_LOG: LogConfig = { level: "info", format: "json", sessions: true };

/** What a log writes into a file. */
async function written(
	t: TestContext,
	config: LogConfig,
	write: (log: ReturnType<typeof openLog>) => void,
): Promise<string> {
	const directory = mkdtempSync(join(tmpdir(), "sluice-log-"));
	const path = join(directory, "log");
	const fd = openSync(path, "w");
	t.after(() => {
		closeSync(fd);
		rmSync(directory, { recursive: true });
	});
	const log = openLog(config, fd);
	write(log);
	if (config.level === "silent") await log.flush();
	else {
		log.logger.error(END);
		await eventually(
			() => (readFileSync(path, "utf8").includes(END) ? true : undefined),
			() => `only this was written: ${readFileSync(path, "utf8")}`,
		);
	}
	return readFileSync(path, "utf8").replace(/.*end of this log.*\n$/, "");
}

/** The last line: once it is there, all before it are, because they are written in their order. */
const END = "end of this log";

function parse(text: string): Record<string, unknown>[] {
	assert.ok(text === "" || text.endsWith("\n"));
	return text
		.split("\n")
		.slice(0, -1)
		.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("JSON: a line is an object with level, time, message and its fields, and nothing of the process", async (t) => {
	const before = Date.now();
	const text = await written(t, JSON_LOG, ({ logger }) => {
		logger.info({ sessions: 3, source: 'a "quoted"\nline' }, "ready");
		logger.warn("no fields");
	});
	const [ready, warning] = parse(text);
	const { time, ...rest } = ready ?? {};
	assert.deepEqual(rest, { level: "info", message: "ready", sessions: 3, source: 'a "quoted"\nline' });
	assert.ok(Date.parse(String(time)) >= before);
	assert.deepEqual(Object.keys(warning ?? {}).sort(), ["level", "message", "time"]);
	assert.equal(warning?.["level"], "warn");
});

test("auto is JSON where the log is no terminal", async (t) => {
	const text = await written(t, { ...JSON_LOG, format: "auto" }, ({ logger }) => logger.info("ready"));
	assert.equal(parse(text)[0]?.["message"], "ready");
});

test("pretty: time, level and message first, then the fields that say something", async (t) => {
	const text = await written(t, { ...JSON_LOG, format: "pretty" }, ({ logger }) => {
		logger.warn({ error: "ECONNREFUSED", nothing: null, empty: "", zero: 0, list: [1, 2] }, "git is down");
		logger.error("alone");
	});
	assert.match(
		text,
		/^\d\d:\d\d:\d\d\.\d{3} warn {2}git is down {2}error=ECONNREFUSED {2}zero=0 {2}list=\[1,2\]\n\d\d:\d\d:\d\d\.\d{3} error alone\n$/,
	);
});

const NAMES: Names = {
	listener: { of: (slot) => `listener ${slot}` },
	route: { of: (slot) => `route ${slot}` },
	upstream: { of: (slot) => `upstream ${slot}` },
	address: { of: (slot) => `address ${slot}` },
};

const SESSION: SessionRecord = { ...recordOf(300), reason: 0, protocol: 1, family: 6, tls: "\t\t\t\t\twhy" };
const REQUEST: RequestRecord = {
	...recordOf(300),
	status: 200,
	reason: -1,
	cause: 0,
	flags: 0,
	method: "GET",
	path: '/"a"',
	host: "app.test",
	startedMs: 1_000,
	endedMs: 2_500,
};

/** A session log whose lines go into a log, and the journal that it reads. */
function sessionLogInto(log: ReturnType<typeof openLog>): { sessions: SessionLog; journal: Journal } {
	const journal = new Journal();
	return { sessions: new SessionLog([journal], NAMES, log.logger, log.lines, true, () => {}), journal };
}

test("lines of sessions and requests stand among all others in their order, and look like them, in both formats", async (t) => {
	for (const format of ["json", "pretty"] as const) {
		// The kernel's clock is the wall's here, give or take what passes meanwhile: times are compared elsewhere.
		const clock = { nowMs: 0, kernelMs: 0 };
		const text = await written(t, { ...JSON_LOG, format }, (log) => {
			const { sessions, journal } = sessionLogInto(log);
			log.logger.info("before");
			write(journal, SESSION);
			writeRequest(journal, REQUEST);
			sessions.close();
			log.logger.info(sessionFields(SESSION, NAMES, clock), "session");
			log.logger.info(requestFields(REQUEST, NAMES, clock), "request");
		});
		const lines = text
			.replace(/"?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"?/g, "(time)")
			.replace(/^\d\d:\d\d:\d\d\.\d{3} /gm, "(time) ")
			.split("\n");
		assert.equal(lines.length, 6);
		assert.match(lines[0] ?? "", /before/);
		assert.match(lines[1] ?? "", /why/);
		assert.match(lines[2] ?? "", /app\.test/);
		assert.deepEqual(lines.slice(1, 3), lines.slice(3, 5));
	}
});

test("where the level leaves info out, lines of sessions have nowhere to go", () => {
	for (const level of ["debug", "info"] as const) assert.ok(openLog({ ...JSON_LOG, level }).lines, level);
	for (const level of ["warn", "error", "silent"] as const)
		assert.equal(openLog({ ...JSON_LOG, level }).lines, undefined, level);
});

test("lines below the level are not written, and silent writes none", async (t) => {
	for (const [level, expected] of [
		["debug", 4],
		["info", 3],
		["warn", 2],
		["error", 1],
		["silent", 0],
	] as const) {
		const text = await written(t, { ...JSON_LOG, level }, ({ logger }) => {
			logger.debug("a");
			logger.info("a");
			logger.warn("a");
			logger.error("a");
		});
		assert.equal(parse(text).length, expected, level);
	}
});

/** A log into a pipe, and its reading end. */
function piped(): { log: ReturnType<typeof openLog>; readEnd: number; writeEnd: number } {
	const kernel = new LinuxKernel(64);
	const readEnd = kernel.openPipe();
	assert.ok(readEnd >= 0);
	const writeEnd = kernel.pipeWriteEnd;
	kernel.dispose();
	return { log: openLog(JSON_LOG, writeEnd), readEnd, writeEnd };
}

/** Reads a pipe and says when more has come. */
class Reader {
	readonly #changes = new Changes();
	readonly #socket: Socket;
	readonly #parts: string[] = [];
	#length = 0;

	constructor(fd: number) {
		this.#socket = new Socket({ fd, readable: true, writable: false });
		this.#socket.setEncoding("utf8");
		this.#socket.on("data", (part: string) => {
			this.#parts.push(part);
			this.#length += part.length;
			this.#changes.announce();
		});
	}

	/** Everything, once so many characters have come and the last lines, all whole, have this one among them. */
	async until(length: number, last = ""): Promise<string> {
		await this.#changes.until(
			() => {
				const end = this.#parts.slice(-2).join("");
				const isWhole = last === "" || end.endsWith("\n");
				return this.#length >= length && isWhole && end.includes(last) ? true : undefined;
			},
			() => `"${last}" after ${this.#length} characters`,
		);
		return this.#parts.join("");
	}

	close(): void {
		this.#socket.destroy();
	}
}

function openReader(t: TestContext, { readEnd, writeEnd }: { readEnd: number; writeEnd: number }): Reader {
	const reader = new Reader(readEnd);
	t.after(() => {
		reader.close();
		closeSync(writeEnd);
	});
	return reader;
}

/** More than the pipe and one write hold: then there is room in the buffer as well. */
const ROOM_CHARACTERS = 3 * 1_048_576;

test("a pipe that nobody reads blocks nobody: lines wait, then are dropped and counted, and the rest arrives whole", async (t) => {
	const pipe = piped();
	const { log } = pipe;
	const COUNT = 20_000;
	const padding = "x".repeat(1_000);
	for (let id = 0; id < COUNT; id++) {
		log.logger.info({ id, padding }, "a line");
		// Lets the pipe fill.
		if (id % 1_000 === 0) await setImmediate();
	}
	const dropped = log.dropped();
	// 16 MiB of lines of some 1,100 bytes wait, and up to 1 MiB in the pipe.
	assert.ok(COUNT - dropped > 12_000 && COUNT - dropped < 18_000, `${dropped} of ${COUNT} lines dropped`);
	const reader = openReader(t, pipe);
	await reader.until(ROOM_CHARACTERS);
	log.logger.info("there is room again");
	const text = await reader.until(0, "there is room again");
	const ids = parse(text).flatMap(({ id }) => (typeof id === "number" ? [id] : []));
	assert.equal(ids.length, COUNT - dropped);
	assert.ok(
		ids.every((id, index) => index === 0 || id > (ids[index - 1] ?? id)),
		"in their order, each once",
	);
	assert.equal(log.dropped(), dropped);
	await log.flush();
});

test("sessions whose lines a full pipe does not take are counted, and the others' lines arrive whole among messages", async (t) => {
	const pipe = piped();
	const { log } = pipe;
	const { sessions, journal } = sessionLogInto(log);
	t.after(() => sessions.close());
	let written = 0;
	let messages = 0;
	while (log.dropped() < 100) {
		while (journal.fill < 0.5) assert.ok(write(journal, recordOf(written++)));
		sessions.drain();
		log.logger.info({ message_id: messages++ }, "a message");
		// Lets the pipe fill.
		await setImmediate();
	}
	const dropped = log.dropped();
	const reader = openReader(t, pipe);
	await reader.until(ROOM_CHARACTERS);
	log.logger.info("there is room again");
	const lines = parse(await reader.until(0, "there is room again"));
	const idsOf = (key: string) => lines.flatMap(({ [key]: id }) => (typeof id === "number" ? [id] : []));
	const ids = idsOf("id");
	const others = idsOf("message_id");
	for (const each of [ids, others])
		assert.ok(
			each.every((id, index) => index === 0 || id > (each[index - 1] ?? id)),
			"in their order, each once",
		);
	assert.equal(written - ids.length + (messages - others.length), dropped);
	for (const line of lines)
		if (line["message"] === "session")
			assert.equal(line["listener"], `listener ${(Number(line["id"]) * 7) % 256}`);
	await log.flush();
});

test("lines of any lengths arrive whole and in their order, while they are written and while they wait", async (t) => {
	const pipe = piped();
	const { log } = pipe;
	const reader = openReader(t, pipe);
	let expected = 0;
	const lengths = fc.oneof(
		{ weight: 20, arbitrary: fc.nat(1_000) },
		{ weight: 3, arbitrary: fc.nat(70_000) },
		// About a block, and more than one.
		{ weight: 1, arbitrary: fc.integer({ min: 261_900, max: 262_200 }) },
		{ weight: 1, arbitrary: fc.nat(700_000) },
	);
	await fc.assert(
		fc.asyncProperty(fc.array(fc.tuple(lengths, fc.boolean()), { maxLength: 60 }), async (lines) => {
			for (const [length, rests] of lines) {
				log.logger.info({ id: expected++, padding: "é".repeat(length >> 1) }, "a line");
				if (rests) await setImmediate();
			}
			log.logger.info({ id: expected++ }, `last ${expected}`);
			await reader.until(0, `"last ${expected}"`);
		}),
		{ numRuns: 12 },
	);
	const ids = parse(await reader.until(0)).map(({ id }) => id);
	assert.deepEqual(ids, [...ids.keys()]);
	assert.equal(ids.length, expected);
	assert.equal(log.dropped(), 0);
});

test("lines that were dropped are told when there is room again", async (t) => {
	const pipe = piped();
	const { log } = pipe;
	const padding = "x".repeat(100_000);
	while (log.dropped() === 0) log.logger.info({ padding }, "a line");
	const reader = openReader(t, pipe);
	await reader.until(ROOM_CHARACTERS);
	log.logger.info("there is room again");
	await reader.until(0, "there is room again");
	log.logger.info("and the last line");
	await log.flush();
	const messages = parse(await reader.until(0, "and the last line")).map((line) => String(line["message"]));
	assert.ok(
		messages.some((message) => message.includes("dropped")),
		`nobody tells of ${log.dropped()} dropped lines; what was written: ${[...new Set(messages)].join(", ")}`,
	);
});

test("flush writes what waits whole and in its order, also while a write is under way", async (t) => {
	const pipe = piped();
	const { log } = pipe;
	const COUNT = 4_000;
	for (let id = 0; id < COUNT; id++) log.logger.info({ id, padding: "x".repeat(1_000) }, "a line");
	// The pipe is full, so a write that was begun goes on when somebody reads: a thread that does not wait for us.
	await setImmediate();
	const options: PipeReaderOptions = { fd: pipe.readEnd, last: `"id":${COUNT - 1},` };
	const worker = new Worker(new URL("./pipe-reader.js", import.meta.url), { workerData: options });
	t.after(() => {
		closeSync(pipe.readEnd);
		closeSync(pipe.writeEnd);
	});
	const read = once(worker, "message");
	await once(worker, "online");
	await log.flush();
	const [text] = (await read) as [string];
	const lines = text.split("\n").filter((line) => line !== "");
	for (const [id, line] of lines.entries())
		assert.ok(
			line.startsWith("{") && line.includes(`"id":${id},`) && line.endsWith("}"),
			`line ${id}: ${line.slice(0, 90)}`,
		);
	assert.equal(lines.length, COUNT);
});

test("a reader that closed its end is no reason to fail", async (t) => {
	const { log, readEnd, writeEnd } = piped();
	t.after(() => closeSync(writeEnd));
	closeSync(readEnd);
	await eventually(
		() => {
			log.logger.info("nobody hears this");
			return log.dropped() > 0 ? true : undefined;
		},
		() => "no line counted as dropped",
	);
	await log.flush();
});

test("lines that a reader who left did not get are counted, told when there is a reader again, and break no other", async () => {
	const { log, readEnd, writeEnd } = piped();
	// More than the pipe holds: its first part is in it when the reader leaves.
	log.logger.info({ padding: "x".repeat(3 << 20) }, "cut");
	await eventually(
		() => (hasSome(readEnd) ? true : undefined),
		() => "nothing was written",
	);
	closeSync(readEnd);
	await eventually(
		() => (log.dropped() > 0 ? true : undefined),
		() => "no line counted as lost",
	);
	log.logger.info("while nobody reads");
	await log.flush();
	const lost = log.dropped();
	assert.equal(lost, 2);
	const reader = new Reader(openSync(`/proc/self/fd/${writeEnd}`, constants.O_RDONLY | constants.O_NONBLOCK));
	log.logger.info("somebody reads");
	const text = await reader.until(0, "log lines were lost: they could not be written");
	reader.close();
	closeSync(writeEnd);
	const [cut = "", ...whole] = text.split("\n").filter((line) => line !== "");
	assert.doesNotMatch(cut, /somebody reads/);
	const lines = whole.map((line) => JSON.parse(line) as Record<string, unknown>);
	assert.deepEqual(
		lines.map(({ message, lines, error }) => [message, lines, error]),
		[
			["somebody reads", undefined, undefined],
			["log lines were lost: they could not be written", 2, "EPIPE"],
		],
	);
});

/** Takes a byte of a pipe that does not block, if one is there. */
function hasSome(pipe: number): boolean {
	try {
		return readSync(pipe, Buffer.alloc(1)) > 0;
	} catch (error) {
		assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
		return false;
	}
}

test("a full disk holds no flush", async (t) => {
	const fd = openSync("/dev/full", "w");
	t.after(() => closeSync(fd));
	const log = openLog(JSON_LOG, fd);
	for (let count = 0; count < 3; count++) log.logger.info("a line");
	await log.flush();
	log.logger.info("one more");
	await log.flush();
	assert.ok(log.dropped() >= 2);
});

test("of sessions on a full disk, each lost line is counted once, and nothing waits for them", async (t) => {
	const fd = openSync("/dev/full", "w");
	t.after(() => closeSync(fd));
	const log = openLog(JSON_LOG, fd);
	const { sessions, journal } = sessionLogInto(log);
	let written = 0;
	for (; written < 3_000; written++) assert.ok(write(journal, recordOf(written)));
	sessions.close();
	await eventually(
		() => (log.dropped() >= written ? true : undefined),
		() => `${log.dropped()} of ${written} lines counted`,
	);
	assert.equal(log.dropped(), written);
	await log.flush();
});

test("the lines that the documents explain are written somewhere", () => {
	const root = new URL("../../../", import.meta.url);
	const page = readFileSync(new URL("docs/operations.md", root), "utf8");
	const section = page.slice(page.indexOf("### Other lines"), page.indexOf("## Close reasons"));
	const messages = section
		.split("\n")
		.filter((line) => line.startsWith("| `"))
		.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ""));
	const sources = ["src/gateway", "src/cli"]
		.flatMap((directory) => readdirSync(new URL(directory, root)).map((file) => `${directory}/${file}`))
		.filter((path) => path.endsWith(".ts"))
		.map((path) => readFileSync(new URL(path, root), "utf8"))
		.join("\n");
	const found = messages.slice(1).filter((message) => sources.includes(`"${message}"`));
	assert.deepEqual(found, messages.slice(1));
	assert.ok(found.length > 20);
});
