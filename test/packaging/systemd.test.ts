/** The units of packaging/systemd: as systemd reads them, where its programs are. No service is started. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadConfigText } from "../../src/config/load.js";
import { MAIN } from "../../src/rig/gateway.js";
import { run, start } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

function packaged(name: string): string {
	return readFileSync(join(ROOT, "packaging/systemd", name), "utf8");
}

/** The service as it would be put in place, but that its command is one that is here. `more`: behind it, as a drop-in has it. */
function placed(scenario: Scenario, more = ""): string {
	const unit = packaged("sluice.service");
	assert.match(unit, /^ExecStart=sluice run /m);
	const file = join(scenario.directory, "sluice.service");
	writeFileSync(file, unit.replace("ExecStart=sluice", `ExecStart=${process.execPath} ${MAIN}`) + more);
	return file;
}

/** What docs/install.md says of it. */
function stated(what: string): number {
	const guide = readFileSync(join(ROOT, "docs/install.md"), "utf8");
	return Number(new RegExp(`^\\| ${what} \\| (\\d\\.\\d) \\|$`, "m").exec(guide)?.[1]);
}

async function score(file: string): Promise<number> {
	const { status, output } = await run("systemd-analyze", ["security", "--offline=yes", "--no-pager", file]);
	assert.equal(status, 0, output);
	return Number(/Overall exposure level for \S+: (\d+\.\d)/.exec(output)?.[1]);
}

scenario(
	"systemd finds nothing wrong with the units",
	async (scenario) => {
		const service = placed(scenario);
		const socket = join(scenario.directory, "sluice.socket");
		writeFileSync(socket, packaged("sluice.socket"));
		for (const more of ["", packaged("only-sockets.conf")]) {
			placed(scenario, more);
			const { status, output } = await run("systemd-analyze", ["verify", service, socket]);
			// It reads what is installed here, too.
			assert.doesNotMatch(output, /sluice/);
			assert.equal(status, 0, output);
		}
	},
	{ needs: ["systemd-analyze"] },
);

scenario(
	"what systemd makes of the service's exposure is what the guide says",
	async (scenario) => {
		const whole = await score(placed(scenario));
		const less = await score(placed(scenario, packaged("only-sockets.conf")));
		const { output } = await run("systemd-analyze", ["--version"]);
		// Others reckon a little differently.
		const within = output.startsWith("systemd 252 ") ? 0 : 0.5;
		assert.ok(Math.abs(whole - stated("`sluice.service`")) <= within, `${whole}`);
		assert.ok(Math.abs(less - stated("with `only-sockets.conf`")) <= within, `${less}`);
	},
	{ needs: ["systemd-analyze"] },
);

scenario("the socket's unit goes with the listener that it names", async () => {
	const unit = packaged("sluice.socket");
	const [, listen = ""] = /listen: ("[^"]+")/.exec(unit) ?? [];
	const [listener] = loadConfigText(`listeners: [{ listen: ${listen}, routes: [{ to: reject }] }]`).listeners;
	assert.deepEqual([listener?.host, listener?.port], ["*", 443]);
	assert.match(unit, /^ListenStream=443\nBindIPv6Only=both$/m);
});

/** The calls of a set of systemd's, those of the sets in it included. */
async function callsOf(set: string): Promise<string[]> {
	const { stdout } = await run("systemd-analyze", ["syscall-filter", "--no-pager", set]);
	const names = stdout.split("\n").flatMap((line) => /^ {4}([@\w-]+)$/.exec(line)?.[1] ?? []);
	const calls = await Promise.all(names.map((name) => (name.startsWith("@") ? callsOf(name) : [name])));
	return calls.flat();
}

scenario(
	"the service may make every call that a gateway makes from its start to its end",
	async (scenario) => {
		const file = join(scenario.directory, "sluice.yaml");
		const trace = join(scenario.directory, "calls");
		writeFileSync(
			file,
			'listeners: [{ listen: "127.0.0.1:0", routes: [{ to: reject }] }]\nlog: { format: json }\n',
		);
		const args = ["-f", "-qq", "-o", trace, process.execPath, MAIN, "run", "-c", file];
		const traced = start(scenario, "strace", args);
		await traced.printed(/"message":"ready"/);
		// Its own number: a signal to strace is not passed on.
		const [, pid = ""] = /^(\d+) /.exec(readFileSync(trace, "utf8")) ?? [];
		process.kill(Number(pid), "SIGHUP");
		await traced.printed(/"message":"reloaded"/);
		process.kill(Number(pid), "SIGTERM");
		assert.equal(await traced.exited, 0);

		const unit = packaged("sluice.service");
		const filters = [...unit.matchAll(/^SystemCallFilter=(~?)(.*)$/gm)];
		const allowed = new Set<string>();
		for (const [, not, sets = ""] of filters)
			for (const call of (await Promise.all(sets.split(" ").map(callsOf))).flat())
				if (not === "") allowed.add(call);
				else allowed.delete(call);
		assert.ok(allowed.size > 200 && !allowed.has("mount"));
		const made = readFileSync(trace, "utf8").matchAll(/^\d+ +([a-z]\w*)\(/gm);
		const refused = new Set([...made].map(([, call = ""]) => call).filter((call) => !allowed.has(call)));
		assert.deepEqual([...refused], []);
	},
	{ needs: ["systemd-analyze", "strace"] },
);

scenario("the account that the service runs as is made by the file that is beside it", async () => {
	const [, user = ""] = /^User=(.*)$/m.exec(packaged("sluice.service")) ?? [];
	assert.match(packaged("sluice.sysusers"), new RegExp(`^u ${user} - `, "m"));
	assert.ok(existsSync(join(ROOT, "packaging/systemd/sluice.socket")));
});
