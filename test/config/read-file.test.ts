import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ConfigFileError } from "../../src/config/errors.js";
import { reloadConfigFile } from "../../src/config/load.js";
import { readFileWithin } from "../../src/config/read-file.js";
import { MAIN } from "../../src/rig/gateway.js";

const directory = mkdtempSync(join(tmpdir(), "sluice-read-"));
after(() => rmSync(directory, { recursive: true }));

const FILE = { maxBytes: 100, pipes: false };

function pipe(name: string): string {
	const path = join(directory, name);
	execFileSync("mkfifo", [path]);
	return path;
}

test("a file is read whole, and no more of it than is allowed", () => {
	const path = join(directory, "file");
	writeFileSync(path, "x".repeat(100));
	assert.equal(readFileWithin(path, FILE).toString(), "x".repeat(100));
	assert.throws(() => readFileWithin(path, { ...FILE, maxBytes: 99 }), /larger than 99 bytes/);
});

test("what is no file is said so at once", async (t) => {
	const silent = pipe("silent");
	// Somebody has it open for writing, and says nothing.
	const writer = openSync(silent, constants.O_RDWR);
	t.after(() => closeSync(writer));
	const path = join(directory, "socket");
	const server = createServer().listen(path);
	await once(server, "listening");
	t.after(() => server.close());
	for (const [name, problem] of [
		[pipe("without-writer"), /^is a pipe: name a file/],
		[silent, /^is a pipe: name a file/],
		["/dev/zero", /^is a device: name a file/],
		[directory, /^is a directory: name the file in it/],
		[path, /^is a socket/],
	] as const)
		assert.throws(() => readFileWithin(name, FILE), { name: "NoFileError", message: problem }, name);
	assert.throws(() => reloadConfigFile(silent), ConfigFileError);
});

test("a pipe is read where one may be, and a device that never ends is too large", () => {
	assert.equal(readFileWithin(pipe("nobody"), { ...FILE, pipes: true }).length, 0);
	assert.equal(readFileWithin("/dev/null", { ...FILE, pipes: true }).length, 0);
	assert.throws(() => readFileWithin("/dev/zero", { ...FILE, pipes: true }), /larger than 100 bytes/);
});

test("check reads what a command writes into a pipe, also when that takes a moment", async () => {
	// Not a pipe of Node's, which would be a socket.
	const script = `(echo 'listeners: [{ listen: ":1", routes: [{ to: a }] }]'; sleep 0.05; echo 'upstreams: { a: "x:1" }') | "$@"`;
	const child = spawn("sh", ["-c", script, "-", process.execPath, MAIN, "check", "-c", "/dev/stdin"]);
	let said = "";
	child.stdout.setEncoding("utf8").on("data", (text: string) => {
		said += text;
	});
	const [status] = await once(child, "close");
	assert.equal(status, 0);
	assert.match(said, /ok \(1 listener/);
});
