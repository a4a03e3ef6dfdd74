/** What the command says and how it ends, before anything is relayed. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MAIN } from "../../src/rig/gateway.js";
import { freeAddress } from "../support/addresses.js";
import { startGateway } from "../support/gateway.js";
import { startUpstream } from "../support/peers.js";
import { type Outcome, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";

function sluice(...args: string[]): Promise<Outcome> {
	return run({ path: process.execPath }, [MAIN, ...args]);
}

function file(scenario: Scenario, yaml: string): string {
	const path = join(scenario.directory, "test.yaml");
	writeFileSync(path, yaml);
	return path;
}

function oneLine(text: string): string {
	assert.match(text, /^[^\n]+\n$/);
	return text.trimEnd();
}

const UPSTREAM = "upstreams: { a: 127.0.0.1:9 }";

scenario("check says that a good file is good", async (scenario) => {
	const path = file(scenario, `listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]\n${UPSTREAM}\n`);
	const { status, stdout, stderr } = await sluice("check", "-c", path);
	assert.deepEqual(
		[status, stdout, stderr],
		[
			0,
			`${path}: ok (1 listener, 1 route, 1 upstream)\ndead peers: found after 90s of silence, or 90s after the first byte that stays unacknowledged\n`,
			"",
		],
	);
});

scenario("check prints all problems with line and column, and exits 2", async (scenario) => {
	const path = file(
		scenario,
		`listeners: [{ listen: 127.0.0.1:0, rotues: [{ to: a }] }]\ntimeouts: { idle: 5 }\n${UPSTREAM}\n`,
	);
	const { status, stdout, stderr } = await sluice("check", "-c", path);
	assert.deepEqual([status, stdout], [2, ""]);
	assert.match(stderr, /test\.yaml:1:36: unknown key "rotues"; did you mean "routes"\?/);
	assert.match(stderr, /test\.yaml:2:19: /);
});

scenario("check exits 1 when there is no such file", async (scenario) => {
	const { status, stdout, stderr } = await sluice("check", "-c", join(scenario.directory, "none.yaml"));
	assert.deepEqual([status, stdout], [1, ""]);
	assert.match(oneLine(stderr), /none\.yaml/);
});

scenario("run with an unknown key starts nothing and exits 2", async (scenario) => {
	const path = file(
		scenario,
		`listener: []\nlisteners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]\n${UPSTREAM}\n`,
	);
	const { status, stdout, stderr } = await sluice("run", "-c", path);
	assert.deepEqual([status, stdout], [2, ""]);
	assert.match(stderr, /test\.yaml:1:1: unknown key "listener"; did you mean "listeners"\?/);
});

scenario("run without its file exits 1 with one line", async (scenario) => {
	const { status, stdout, stderr } = await sluice("run", "-c", join(scenario.directory, "none.yaml"));
	assert.deepEqual([status, stdout], [1, ""]);
	assert.match(oneLine(stderr), /none\.yaml/);
});

scenario("a port in use is one line that says so, and exit 1", async (scenario) => {
	const other = await startUpstream(scenario);
	for (const yaml of [
		`listeners: [{ listen: "${other.address}", routes: [{ to: a }] }]\n${UPSTREAM}\n`,
		`admin: ${other.address}\nlisteners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]\n${UPSTREAM}\n`,
	]) {
		const { status, stderr } = await sluice("run", "-c", file(scenario, yaml));
		assert.equal(status, 1);
		assert.match(
			oneLine(stderr),
			new RegExp(`^sluice: cannot listen on ${other.address}.*: port ${other.port} is in use`),
		);
	}
});

scenario(
	"a port that another gateway has is in use as well, although both could share it",
	async (scenario) => {
		const { text } = await freeAddress();
		const yaml = `listeners: [{ listen: "${text}", routes: [{ to: a }] }]\n${UPSTREAM}\n`;
		await startGateway(scenario, yaml);
		const { status, stderr } = await sluice("run", "-c", file(scenario, yaml));
		assert.equal(status, 1);
		assert.match(oneLine(stderr), /is in use by another process/);
	},
);

scenario("an address that this machine does not have is one line that says so", async (scenario) => {
	const path = file(scenario, `listeners: [{ listen: "192.0.2.1:0", routes: [{ to: a }] }]\n${UPSTREAM}\n`);
	const { status, stderr } = await sluice("run", "-c", path);
	assert.equal(status, 1);
	assert.match(oneLine(stderr), /cannot listen on 192\.0\.2\.1:0: this machine has no such address/);
});

scenario("more connections than descriptors allow is one line with the arithmetic", async (scenario) => {
	const path = file(
		scenario,
		`limits: { connections: 1000 }\nlisteners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]\n${UPSTREAM}\n`,
	);
	const limited = ["-c", 'ulimit -n 500; exec "$@"', "-", process.execPath, MAIN, "run", "-c", path];
	const { status, stderr } = await run("sh", limited);
	assert.equal(status, 1);
	assert.match(
		oneLine(stderr),
		/limits\.connections is 1000, .*\(500 descriptors - 64 fd_reserve - .*LimitNOFILE/,
	);
});

scenario(
	"a privileged port without the right to it is one line that says which right",
	async (scenario) => {
		const { host } = await freeAddress();
		const path = file(scenario, `listeners: [{ listen: "${host}:999", routes: [{ to: a }] }]\n${UPSTREAM}\n`);
		// Root without that one capability; whoever is not root has none anyway.
		const drop = ["--inh-caps=-net_bind_service", "--bounding-set=-net_bind_service"];
		const { status, stderr } = await run("setpriv", [
			...(process.getuid?.() === 0 ? drop : []),
			...[process.execPath, MAIN, "run", "-c", path],
		]);
		assert.equal(status, 1, stderr);
		assert.match(oneLine(stderr), /ports below 1024 need a right: .*CAP_NET_BIND_SERVICE/);
	},
	{ needs: ["setpriv", "privileged ports"] },
);

scenario("version and help are printed, and an unknown command is an error", async () => {
	const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
		version: string;
	};
	assert.equal((await sluice("--version")).stdout, `${version}\n`);
	assert.match((await sluice("--help")).stdout, /run .*\n[\s\S]*check .*\n[\s\S]*demo /);
	assert.equal((await sluice("fly")).status, 1);
	assert.equal((await sluice("run")).status, 1);
});
