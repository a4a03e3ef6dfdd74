import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import {
	countDescriptors,
	cpuNs,
	cpuWithEndedNs,
	family,
	isAlive,
	readCpu,
	readMemory,
	residentBytes,
} from "../../src/rig/proc.js";

test("a process is seen with its children for as long as they live, and nothing of it afterwards", async () => {
	const child = spawn(process.execPath, ["-e", "process.stdin.resume()"], {
		stdio: ["pipe", "ignore", "ignore"],
	});
	await once(child, "spawn");
	const pid = child.pid ?? -1;
	assert.ok(family(process.pid).includes(pid));
	assert.equal(isAlive(pid), true);
	assert.ok(residentBytes(pid) > 0);
	child.stdin.end();
	await once(child, "exit");
	assert.equal(isAlive(pid), false);
	assert.equal(family(process.pid).includes(pid), false);
	assert.equal(residentBytes(pid), 0);
	assert.equal(readCpu([pid]).statNs, 0);
	assert.equal(readCpu([pid]).schedstatNs ?? 0, 0);
});

test("what children and theirs have used counts when they have ended", async () => {
	const before = cpuWithEndedNs(process.pid);
	const own = readCpu([process.pid]).statNs;
	const worker = `const until = process.cpuUsage().user + 300_000; while (process.cpuUsage().user < until);`;
	const parent = `require("child_process").spawnSync(process.execPath, ["-e", ${JSON.stringify(worker)}]);`;
	const child = spawn(process.execPath, ["-e", parent], { stdio: "ignore" });
	await once(child, "exit");
	const after = cpuWithEndedNs(process.pid);
	assert.ok(after - before - (readCpu([process.pid]).statNs - own) >= 290e6);
});

test("CPU that was used is charged, and not less than the process itself says", () => {
	const before = readCpu([process.pid]);
	const own = process.cpuUsage();
	while (process.cpuUsage(own).user < 100_000);
	assert.ok(cpuNs(before, readCpu([process.pid])) >= 50_000_000);
});

test("descriptors are counted one by one", () => {
	const before = countDescriptors([process.pid]);
	const fd = openSync("/dev/null", "r");
	assert.equal(countDescriptors([process.pid]), before + 1);
	closeSync(fd);
	assert.equal(countDescriptors([process.pid]), before);
});

test("memory is added up over processes", () => {
	const one = readMemory([process.pid]);
	assert.ok(one.pssBytes > 0 && one.anonymousBytes > 0);
	assert.deepEqual(readMemory([]), { pssBytes: 0, anonymousBytes: 0 });
});
