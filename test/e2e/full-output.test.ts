/** Standard output that takes nothing, a full disk or a pipe that nobody reads: no command waits for it, or ends otherwise. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { MAIN } from "../../src/rig/gateway.js";
import { freeAddress } from "../support/addresses.js";
import { Metrics } from "../support/metrics.js";
import { dial, sayName, startUpstream } from "../support/peers.js";
import { Child, type Outcome, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

const FULL = "/dev/full";
/** Opens the last argument as standard output, and runs the others. */
const INTO = ["-c", 'out=$1; shift; exec "$@" > "$out"', "-"];

function sluiceInto(out: string, ...args: string[]): Promise<Outcome> {
	return run("sh", [...INTO, out, process.execPath, MAIN, ...args]);
}

interface Running {
	readonly child: Child;
	readonly host: string;
	readonly port: number;
	metric(name: string): Promise<number>;
}

/** A gateway whose log goes into `out`; it serves when this resolves. */
async function startInto(scenario: Scenario, out: string): Promise<Running> {
	const upstream = await startUpstream(scenario, sayName("yes"));
	const listener = await freeAddress();
	const admin = await freeAddress();
	const file = join(scenario.directory, "sluice.yaml");
	writeFileSync(
		file,
		`
admin: ${admin.text}
listeners: [{ listen: "${listener.text}", routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
	const child = new Child("sh", [...INTO, out, process.execPath, MAIN, "run", "-c", file]);
	scenario.defer(() => child.stop("SIGKILL"));
	const ask = async (path: string): Promise<string | undefined> => {
		if (child.ended) throw new Error(`it ended:\n${child.output}`);
		try {
			const response = await fetch(`http://${admin.text}${path}`);
			return response.ok ? await response.text() : undefined;
		} catch {
			return undefined;
		}
	};
	await eventually(
		() => ask("/readyz"),
		() => "it does not become ready",
	);
	return {
		child,
		...listener,
		metric: async (name) => Metrics.parse((await ask("/metrics")) ?? "").sum(name),
	};
}

async function serves(scenario: Scenario, { host, port }: Running): Promise<void> {
	const client = await dial(scenario, port, { host });
	client.end("?");
	assert.equal(await client.rest(), "yes");
}

scenario("a gateway whose log's disk is full serves, counts the lost lines, and drains", async (scenario) => {
	const running = await startInto(scenario, FULL);
	await serves(scenario, running);
	await eventually(
		async () => ((await running.metric("sluice_log_lines_dropped_total")) > 2 ? true : undefined),
		() => "no lost line is counted",
	);
	running.child.signal("SIGTERM");
	assert.equal(await running.child.exited, 0);
	assert.equal(running.child.stderr, "");
});

scenario("a gateway whose log is a pipe that nobody reads serves, and drains", async (scenario) => {
	const pipe = join(scenario.directory, "pipe");
	execFileSync("mkfifo", [pipe]);
	const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
	scenario.defer(async () => closeSync(reader));
	fill(reader);
	const running = await startInto(scenario, pipe);
	await serves(scenario, running);
	running.child.signal("SIGTERM");
	assert.equal(await running.child.exited, 0);
	assert.equal(running.child.stderr, "");
});

function fill(pipe: number): void {
	const page = Buffer.alloc(4096, "x");
	for (;;) {
		try {
			writeSync(pipe, page);
		} catch (error) {
			assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
			return;
		}
	}
}

scenario(
	"a start that fails ends with its status when neither the log nor the reason can be written",
	async (scenario) => {
		const file = join(scenario.directory, "sluice.yaml");
		writeFileSync(
			file,
			"listeners: [{ listen: 192.0.2.1:1, routes: [{ to: a }] }]\nupstreams: { a: 127.0.0.1:9 }\n",
		);
		const said = await sluiceInto(FULL, "run", "-c", file);
		assert.equal(said.status, 1);
		assert.match(said.stderr, /^sluice: cannot listen on 192\.0\.2\.1:1: .*\n$/);
		const silent = await run("sh", [
			"-c",
			'exec "$@" > /dev/full 2>&1',
			"-",
			process.execPath,
			MAIN,
			"run",
			"-c",
			file,
		]);
		assert.deepEqual([silent.status, silent.output], [1, ""]);
	},
);

scenario("check keeps its status, and says that its words are lost", async (scenario) => {
	const file = join(scenario.directory, "sluice.yaml");
	writeFileSync(
		file,
		"listeners: [{ listen: 127.0.0.1:1, routes: [{ to: a }] }]\nupstreams: { a: 127.0.0.1:9 }\n",
	);
	const { status, stderr } = await sluiceInto(FULL, "check", "-c", file);
	assert.equal(status, 0);
	assert.match(stderr, /^sluice check: .* is ok, but standard output cannot be written: ENOSPC\n$/);
});

scenario("help that cannot be written is one line and exit 1", async () => {
	const { status, stderr } = await sluiceInto(FULL, "--help");
	assert.equal(status, 1);
	assert.match(stderr, /^sluice: cannot write to standard output: ENOSPC[^\n]*\n$/);
});

scenario("a demo whose page cannot be written runs, and ends with 0", async (scenario) => {
	const child = new Child("sh", [...INTO, FULL, process.execPath, MAIN, "demo", "--seconds", "0.1"]);
	scenario.defer(() => child.stop("SIGKILL"));
	assert.equal(await child.exited, 0);
	assert.equal(child.stderr, "");
});
