/** Where system calls cannot be made, all that needs none works, and the rest says in a line what it needs. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { MAIN } from "../../src/rig/gateway.js";
import { type Outcome, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { imported, WITHOUT_KOFFI } from "../support/without-koffi.js";

const ELSEWHERE = imported('Object.defineProperty(process, "platform", { value: "darwin" });');

function node(...args: string[]): Promise<Outcome> {
	return run({ path: process.execPath }, args);
}

function config(scenario: Scenario): string {
	const file = join(scenario.directory, "sluice.yaml");
	writeFileSync(
		file,
		"listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]\nupstreams: { a: 127.0.0.1:9 }\n",
	);
	return file;
}

for (const [place, flags, needs] of [
	["without koffi", WITHOUT_KOFFI, /the package koffi.*npm install koffi/],
	["on another system", ELSEWHERE, /needs Linux.*darwin/],
] as const) {
	scenario(`${place}, run, demo and drill say in a line what they need`, async (scenario) => {
		const file = config(scenario);
		for (const command of [["run", "-c", file], ["demo"], ["drill", "hold"]]) {
			const { status, stdout, stderr } = await node(...flags, MAIN, ...command);
			assert.deepEqual([status, stdout], [1, ""], stderr);
			assert.match(stderr, /^sluice: a gateway needs [^\n]+\n$/);
			assert.match(stderr, needs);
		}
	});

	scenario(`${place}, check and help work`, async (scenario) => {
		const checked = await node(...flags, MAIN, "check", "-c", config(scenario));
		assert.deepEqual([checked.status, checked.stderr], [0, ""]);
		assert.match(checked.stdout, /: ok \(1 listener, 1 route, 1 upstream\)\n/);
		const help = await node(...flags, MAIN, "--help");
		assert.deepEqual([help.status, help.stderr], [0, ""]);
	});

	scenario(`${place}, the library can be imported, parses, and refuses to start a gateway`, async () => {
		const url = (file: string): string => JSON.stringify(new URL(`../../src/${file}`, import.meta.url));
		const code = `
import { Gateway, loadConfigText } from ${url("index.js")};
import { recognize } from ${url("protocol/index.js")};
if (typeof recognize !== "function") throw new Error("no parser");
const config = loadConfigText("listeners: [{ listen: :1, routes: [{ to: a }] }]\\nupstreams: { a: x:1 }");
const error = await Gateway.start(config).catch((error) => error);
console.log(error.name, error.message);`;
		const { status, stdout, stderr } = await node(...flags, "--input-type=module", "--eval", code);
		assert.deepEqual([status, stderr], [0, ""]);
		assert.match(stdout, /^StartError a gateway needs/);
		assert.match(stdout, needs);
	});
}

scenario("a descriptor limit that is too low is one line, however low it is", async () => {
	for (const limit of [128, 90, 50, 40, 24]) {
		const demo = ["-c", `ulimit -n ${limit}; exec "$@"`, "-", process.execPath, MAIN, "demo"];
		const { status, stdout, stderr } = await run("sh", demo);
		assert.equal(status, 1, `${limit}: ${stderr}`);
		assert.ok(!stdout.includes("Sluice is running"));
		assert.match(stderr, /^sluice: [^\n]*descriptor limit[^\n]*ulimit -n[^\n]*\n$/);
	}
});
