/** The admin port on a Unix socket: who may open its file, and what becomes of the file. */
import assert from "node:assert/strict";
import { existsSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MAIN } from "../../src/rig/gateway.js";
import { startGateway } from "../support/gateway.js";
import { type Outcome, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";

const REST = `
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "127.0.0.1:9" }
`;

function sluice(...args: string[]): Promise<Outcome> {
	return run({ path: process.execPath }, [MAIN, ...args]);
}

function pathIn(scenario: Scenario, name = "admin.sock"): string {
	return join(scenario.directory, name);
}

function modeOf(path: string): string {
	return (lstatSync(path).mode & 0o777).toString(8);
}

/** What keeps a gateway from starting with this admin address. */
async function failure(scenario: Scenario, admin: string): Promise<string> {
	const file = pathIn(scenario, "failing.yaml");
	writeFileSync(file, `admin: ${admin}\n${REST}`);
	const { status, stderr } = await sluice("run", "-c", file);
	assert.equal(status, 1, stderr);
	return stderr;
}

scenario("a socket has its permissions, answers commands, and leaves no file behind", async (scenario) => {
	const path = pathIn(scenario);
	const gateway = await startGateway(scenario, `admin: { listen: "unix:${path}", mode: "0660" }\n${REST}`);
	assert.equal(modeOf(path), "660", "whatever the umask");
	assert.equal((await gateway.admin("/healthz")).status, 200);
	const [byAddress, byFile] = await Promise.all([
		sluice("status", "--admin", `unix:${path}`),
		sluice("log", "warn", "-c", gateway.file),
	]);
	assert.deepEqual([byAddress.status, byAddress.stderr], [0, ""]);
	assert.deepEqual([byFile.status, byFile.stderr], [0, ""], "who may open it may change things");
	const report = JSON.parse((await gateway.admin("/api/ledger")).body) as { discrepancies: unknown[] };
	assert.deepEqual(report.discrepancies, []);

	const live = await failure(scenario, `unix:${path}`);
	assert.match(live, new RegExp(`cannot listen on unix:${path} \\(admin\\): another process listens there`));
	assert.ok(existsSync(path), "it is the first one's");
	await gateway.settled();
	await gateway.stop();
	assert.equal(existsSync(path), false);
});

scenario(
	"the file of a gateway that was killed is replaced, with the usual permissions",
	async (scenario) => {
		const path = pathIn(scenario);
		// Of one that has ended without removing it.
		const script = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
		const gone = await sluice("status", "--admin", `unix:${path}`);
		assert.match(gone.stderr, /there is no such socket; does the gateway run/);
		await run({ path: process.execPath }, ["-e", script, path]);
		assert.match(
			(await sluice("status", "--admin", `unix:${path}`)).stderr,
			/connection refused: nobody listens/,
		);
		const gateway = await startGateway(scenario, `admin: unix:${path}\n${REST}`);
		assert.equal(modeOf(path), "600");
		assert.equal((await gateway.admin("/readyz")).body, "ready\n");
	},
);

scenario("what is no socket is told, and stays", async (scenario) => {
	const [file, link] = [pathIn(scenario, "file"), pathIn(scenario, "link")];
	writeFileSync(file, "precious");
	symlinkSync(file, link);
	assert.match(
		await failure(scenario, `unix:${file}`),
		/\(admin\): a file stands there, which is not removed/,
	);
	assert.match(await failure(scenario, `unix:${link}`), /a symbolic link stands there/);
	assert.equal(readFileSync(file, "utf8"), "precious");
	assert.match(
		await failure(scenario, `unix:${pathIn(scenario, "none")}/admin.sock`),
		/there is no directory .*none: make it/,
	);
});
