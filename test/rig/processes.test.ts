import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { isAlive } from "../../src/rig/proc.js";
import {
	atEnd,
	installCleanup,
	type OwnedProcess,
	ownProcess,
	stopProcess,
	temporaryDirectory,
} from "../../src/rig/processes.js";
import { eventually } from "../support/waiting.js";
import type { Owned } from "./owner.js";

installCleanup();

const LONG_MS = 60_000;

function startShell(script: string): OwnedProcess {
	return ownProcess("sh", ["-c", script], { stdio: ["ignore", "pipe", "inherit"] });
}

async function firstLine({ child }: OwnedProcess): Promise<string> {
	if (child.stdout === null) throw new Error("a pipe was asked for");
	const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
	return line;
}

/** SIGKILL takes effect when the kernel comes to it. */
function gone(pid: number): Promise<true> {
	return eventually(
		() => (isAlive(pid) ? undefined : true),
		() => `process ${pid} is still there`,
	);
}

test("a process that is asked to end may do so in its own way", async () => {
	const owned = startShell("trap 'kill $!; exit 7' TERM; sleep 600 & echo ready; wait");
	assert.equal(await firstLine(owned), "ready");
	await stopProcess(owned, LONG_MS);
	assert.equal(await owned.ended, "exit code 7");
});

test("one that does not is ended with its children", async () => {
	const owned = startShell("trap '' TERM; sleep 600 & echo $!; wait");
	const child = Number(await firstLine(owned));
	assert.equal(isAlive(child), true);
	await stopProcess(owned, 1);
	assert.equal(await owned.ended, "signal SIGKILL");
	await gone(child);
});

test("children that a process leaves behind are ended after it", async () => {
	const owned = startShell("trap 'exit 0' TERM; sleep 600 & echo $!; wait");
	const child = Number(await firstLine(owned));
	await stopProcess(owned, LONG_MS);
	assert.equal(await owned.ended, "exit code 0");
	await gone(child);
});

test("a program that is not there is an error at once", () => {
	assert.throws(
		() => ownProcess("/nonexistent/program", [], {}),
		/\/nonexistent\/program could not be started/,
	);
});

test("what is undone early is undone once", () => {
	let times = 0;
	const undo = atEnd(() => times++);
	undo();
	undo();
	assert.equal(times, 1);
});

async function owner(
	t: TestContext,
	way: string,
	signal: NodeJS.Signals | null,
): Promise<{ owned: Owned; how: string; undone: string[] }> {
	const undoneFile = join(temporaryDirectory(), `undone-${way}-${signal}`);
	const script = fileURLToPath(new URL("owner.js", import.meta.url));
	const process_ = ownProcess(process.execPath, [script, way, undoneFile], {
		stdio: ["ignore", "pipe", "ignore"],
	});
	t.after(() => stopProcess(process_, 1));
	// The owner writes it from the same type.
	const owned = JSON.parse(await firstLine(process_)) as Owned;
	if (signal !== null) process_.child.kill(signal);
	const how = await process_.ended;
	for (const pid of owned.pids) await gone(pid);
	const undone = existsSync(undoneFile) ? readFileSync(undoneFile, "utf8").trim().split("\n") : [];
	return { owned, how, undone };
}

const WAYS: readonly (readonly [string, NodeJS.Signals | null, string])[] = [
	["throw", null, "exit code 1"],
	["end", null, "exit code 7"],
	["wait", "SIGINT", "exit code 130"],
	["wait", "SIGTERM", "exit code 143"],
	["wait", "SIGHUP", "exit code 129"],
	["wait", "SIGQUIT", "exit code 131"],
];

for (const [way, signal, expected] of WAYS)
	test(`nothing is left behind: ${signal ?? way}`, async (t) => {
		const { owned, how, undone } = await owner(t, way, signal);
		assert.equal(how, expected);
		assert.equal(existsSync(owned.directory), false);
		// The one that was undone early, then the others from the last; an error that nobody catches waits for no process.
		const waited = way === "throw" ? [] : ["ended"];
		assert.deepEqual(undone, ["second", ...waited, "third", "first"]);
	});

test("signals that would only end the owner do nothing", async (t) => {
	const undoneFile = join(temporaryDirectory(), "undone-usr");
	const script = fileURLToPath(new URL("owner.js", import.meta.url));
	const owner = ownProcess(process.execPath, [script, "wait", undoneFile], {
		stdio: ["ignore", "pipe", "ignore"],
	});
	t.after(() => stopProcess(owner, LONG_MS));
	const { pids } = JSON.parse(await firstLine(owner)) as Owned;
	owner.child.kill("SIGUSR2");
	owner.child.kill("SIGTERM");
	assert.equal(await owner.ended, "exit code 143");
	for (const pid of pids) await gone(pid);
});
