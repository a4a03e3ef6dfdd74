/** `sluice doctor` on this machine: its exit status, its JSON, what it says to others than root, and that its commands mend what it found. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DoctorReport } from "../../src/doctor/report.js";
import { MAIN } from "../../src/rig/gateway.js";
import type { Program } from "../support/needs.js";
import { type Outcome, run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";

const DOCTOR = [process.execPath, MAIN, "doctor"];
const IS_ROOT = process.getuid?.() === 0;

function doctor(...args: string[]): Promise<Outcome> {
	return run({ path: process.execPath }, [MAIN, "doctor", ...args]);
}

function file(scenario: Scenario, yaml: string): string {
	const path = join(scenario.directory, "sluice.yaml");
	writeFileSync(path, yaml);
	return path;
}

function report({ status, stdout, stderr }: Outcome): DoctorReport {
	assert.equal(stderr, "");
	const parsed = JSON.parse(stdout) as DoctorReport;
	assert.equal(parsed.status, status);
	return parsed;
}

function levelOf({ findings }: DoctorReport, id: string): string | undefined {
	return findings.find((each) => each.id === id)?.level;
}

scenario("it says in JSON what this machine has, and ends with the status that is in it", async () => {
	const told = report(await doctor("--json"));
	assert.equal(told.version, 1);
	assert.equal(told.config, null);
	assert.equal(told.machine.node, process.versions.node);
	const levels = told.findings.map(({ level }) => level);
	assert.equal(told.status, levels.includes("fails") ? 2 : levels.includes("advice") ? 1 : 0);
	for (const { id, area, found, why, now, keep } of told.findings) {
		for (const text of [id, area, found, why]) assert.ok(text.length > 0, id);
		assert.ok(now === null || now.length > 0, id);
		assert.ok(keep === null || (keep.file.length > 0 && keep.text.length > 0), id);
	}
	const somaxconn = Number(readFileSync("/proc/sys/net/core/somaxconn", "latin1")).toLocaleString("en-US");
	const { found } = told.findings.find(({ id }) => id === "accept.somaxconn") ?? { found: "" };
	assert.ok(found.startsWith(`net.core.somaxconn is ${somaxconn}`), found);
});

scenario(
	"what a configuration asks for and cannot have is said with what mends it, and it exits 2",
	async (scenario) => {
		const path = file(
			scenario,
			`listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]\nupstreams: { a: "no-such-name.invalid:9" }\n`,
		);
		const { status, stdout } = await doctor("-c", path, "--connections", "1_000_000");
		assert.equal(status, 2);
		assert.match(stdout, /1,000,000 sessions are asked for/);
		assert.match(stdout, /^ {2}FAILS {3}no-such-name\.invalid \(a\) cannot be resolved/m);
		assert.match(stdout, /^ {10}now: {2}sysctl -w net\.ipv4\.ip_local_port_range="1024 65535"$/m);
		assert.match(stdout, /\d+ will fail/);
		assert.match(stdout, /^plan for 1,000,000 sessions: .+ gives out first, at [\d,]+$/m);
		assert.match(stdout, / ◄ first$/m);
	},
);

scenario("a plan measures this machine, and closes what it has opened", async () => {
	const { plan } = report(await doctor("--connections", "5000", "--json"));
	assert.ok(plan !== null);
	assert.equal(plan.connections, 5_000);
	assert.equal(plan.measured.unmeasured, null);
	// Other programs take and give back memory meanwhile: then it is assumed, and said to be.
	const { socketBytes, datagramSocketBytes } = plan.measured;
	for (const each of [socketBytes, datagramSocketBytes])
		assert.ok(each === null || (each > 1_500 && each < 16_384), `${each}`);
	assert.equal(plan.perSession.isAssumed, socketBytes === null);
	for (const rate of [plan.rates.acceptsPerSecond, plan.rates.handshakesPerSecond])
		assert.ok((rate ?? 0) > 10, `${rate}`);
	const ids = plan.resources.map(({ id }) => id);
	for (const id of ["descriptors", "limit", "ports", "memory-idle"]) assert.ok(ids.includes(id), id);
	assert.equal(report(await doctor("--json")).plan, null);
});

scenario("a configuration with problems, and arguments that are none", async (scenario) => {
	const path = file(scenario, "listeners: [{ listen: 127.0.0.1:0, rotues: [] }]\n");
	const told = report(await doctor("-c", path, "--json"));
	assert.equal(told.status, 2);
	const problem = told.findings.find(({ found }) => /sluice\.yaml:1:36: unknown key "rotues"/.test(found));
	assert.deepEqual([problem?.id, problem?.level], ["config.problem", "fails"]);
	assert.equal(problem?.now, `sluice check -c ${path}`);
	// The machine is looked at all the same.
	assert.ok(levelOf(told, "accept.somaxconn") !== undefined);
	for (const wrong of ["0", "many", "1.5", "99999999"]) {
		const { status, stdout, stderr } = await doctor("--connections", wrong);
		assert.deepEqual([status, stdout], [2, ""]);
		assert.ok(stderr.startsWith(`sluice doctor: --connections "${wrong}" is no number of sessions`), stderr);
	}
});

scenario(
	"it is of use to others than root",
	async () => {
		const { status, stdout, stderr } = IS_ROOT
			? await run("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", ...DOCTOR, "--json"])
			: await doctor("--json");
		const told = report({ status, stdout, stderr, output: "" });
		assert.ok(told.machine.uid !== 0);
		for (const id of ["accept.somaxconn", "accept.syncookies", "ports.range"])
			assert.notEqual(levelOf(told, id), "unknown", id);
	},
	{ needs: ["setpriv"] },
);

/** Fresh settings of the network, as on a machine that nobody has touched, and what `sh` does there. */
function inNamespace(commands: string): Promise<Outcome> {
	const unshare: Program = "unshare";
	return run(unshare, ["--net", "sh", "-c", commands, "-", ...DOCTOR]);
}

scenario(
	"on a machine with its own settings, the commands that it names mend what it found",
	async () => {
		if (!IS_ROOT) return;
		const set = (name: string, value: string): string =>
			`echo "${value}" > /proc/sys/${name.replaceAll(".", "/")}`;
		const broken = [
			set("net.core.somaxconn", "128"),
			set("net.ipv4.tcp_syncookies", "0"),
			set("net.ipv4.tcp_abort_on_overflow", "1"),
			set("net.ipv4.ip_local_port_range", "40000 40999"),
		].join("; ");
		const asked = 'exec "$@" --connections 3000 --json';
		const before = report(await inNamespace(`${broken}; ${asked}`));
		const ids = ["accept.somaxconn", "accept.syncookies", "accept.abort-on-overflow", "ports.range"];
		for (const id of ids) assert.ok(["advice", "fails"].includes(levelOf(before, id) ?? ""), id);
		assert.equal(before.plan?.first?.id, "ports");
		// sysctl(8) may not be installed: what it would write is what is written.
		const mends = before.findings.flatMap(({ id, now }) => {
			const [, name = "", value = ""] = /^sysctl -w ([\w.]+)="?([^"]+)"?$/.exec(now ?? "") ?? [];
			if (!ids.includes(id) && id !== "accept.syn-backlog") return [];
			return [set(name, value)];
		});
		const after = report(
			await inNamespace(`${broken}; ${mends.join("; ")}; exec "$@" --connections 3000 --json`),
		);
		for (const id of ids) assert.equal(levelOf(after, id), "fine", id);
		// And the plan's answer is another one.
		assert.notEqual(after.plan?.first?.id, "ports");
		assert.ok(givesOutAt(before, "ports") < 3_000 && givesOutAt(after, "ports") >= 3_000);
	},
	{ needs: ["unshare"] },
);

/** How many sessions a resource is enough for, by the plan. */
function givesOutAt({ plan }: DoctorReport, id: string): number {
	return plan?.resources.find((each) => each.id === id)?.givesOutAt ?? Number.NaN;
}

scenario(
	"with the descriptors that it asks for the plan reaches what was asked, and something else gives out first",
	async () => {
		if (!IS_ROOT) return;
		const few = "ulimit -n 1024";
		const asked = 'exec "$@" --connections 3000 --json';
		const before = report(await inNamespace(`${few}; ${asked}`));
		assert.equal(before.plan?.first?.id, "descriptors");
		assert.ok(givesOutAt(before, "descriptors") < 512);
		const mend = before.findings.find(({ id }) => id === "descriptors.process")?.now ?? "";
		assert.match(mend, /^prlimit --pid \$\$ --nofile=\d+:\d+$/);
		const after = report(await inNamespace(`${few}; ${mend}; ${asked}`));
		assert.equal(levelOf(after, "descriptors.process"), "fine");
		assert.ok(givesOutAt(after, "descriptors") >= 3_000);
		assert.notEqual(after.plan?.first?.id, "descriptors");
	},
	{ needs: ["unshare", "raised limits"] },
);
