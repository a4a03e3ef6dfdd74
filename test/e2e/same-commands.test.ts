/** The commands of docs/operations.md, "Commands that say the same": each is run against a gateway, and says what the metric beside it says. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { diagnose } from "../../src/doctor/doctor.js";
import type { DoctorReport } from "../../src/doctor/report.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { type Program, pathOf } from "../support/needs.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

/** So many are served, and then so many more wait in the accept queue of a listener that rests. */
const SERVED = 5;
const WAITING = 3;
const BACKLOG = 100;
const REACTORS = 2;

interface Row {
	readonly command: string;
	/** Metrics, or findings of the doctor. */
	readonly names: readonly string[];
	readonly isDoctors: boolean;
}

function rows(): Row[] {
	const page = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");
	const [, section = ""] = page.split("### Commands that say the same\n");
	const lines = section.split("\n").filter((line) => line.startsWith("| `"));
	let before: readonly string[] = [];
	return lines.map((line) => {
		const [, command = "", metric = ""] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
		const found = [...metric.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");
		const names = metric === "the same" ? before : found;
		before = names;
		const isDoctors = names[0] === "sluice doctor";
		return {
			command: command.slice(1, -1).replaceAll("\\|", "|"),
			names: isDoctors ? names.slice(1) : names,
			isDoctors,
		};
	});
}

type Compare = (said: string, metric: (name: string) => number) => void;

const numbers = (said: string): number[] => (said.match(/\d+/g) ?? []).map(Number);
const count = (said: string): number => Number(said.trim());

/** The scrape's own connection is no longer there when the command looks. */
const descriptors: Compare = (said, metric) =>
	assert.equal(count(said), metric("process_open_fds") - metric("sluice_guard_connections"));

const established: Compare = (said, metric) => {
	assert.equal(count(said), metric("sluice_connections_active") + metric("sluice_accept_queue_depth"));
	assert.ok(count(said) >= SERVED + WAITING);
};

/** By what a command begins with. */
const COMPARE: Readonly<Record<string, Compare>> = {
	"ss -Hltn": (said, metric) => {
		assert.deepEqual(numbers(said), [
			metric("sluice_accept_queue_depth"),
			metric("sluice_accept_queue_limit"),
		]);
		assert.deepEqual(numbers(said), [WAITING, REACTORS * BACKLOG]);
	},
	"ss -Htn state established": established,
	"netstat -tn": established,
	// None here, where nobody makes up sources: the drill syn-flood holds the two against each other while there are hundreds.
	"ss -Htn state syn-recv": (said, metric) => assert.equal(count(said), metric("sluice_kernel_syn_received")),
	"nstat -asz": (said, metric) => {
		const told = new Map(
			[...said.matchAll(/^(TcpExt\w+)\s+(\d+)/gm)].map(([, name, value]) => [name, value]),
		);
		assert.equal(told.size, 4, said);
		for (const [name, value] of told) assert.equal(Number(value), metric(COUNTERS[name ?? ""] ?? ""), name);
	},
	"netstat -s": (said, metric) =>
		assert.equal(numbers(said)[0] ?? 0, metric("sluice_kernel_listen_overflows_total")),
	"ls /proc/PID/fd": descriptors,
	lsof: descriptors,
	"awk '/^Max open files/": (said, metric) =>
		assert.equal(Math.min(count(said), 1_048_576), metric("process_max_fds")),
	"ps -o rss=": (said, metric) => {
		const [bytes, told] = [1_024 * count(said), metric("process_resident_memory_bytes")];
		assert.ok(Math.abs(bytes - told) < told / 10, `${bytes} and ${told}`);
	},
	"sysctl -n net.core.somaxconn": (said, metric) =>
		assert.equal(metric("sluice_accept_queue_limit"), REACTORS * Math.min(BACKLOG, count(said))),
};

const COUNTERS: Readonly<Record<string, string>> = {
	TcpExtListenOverflows: "sluice_kernel_listen_overflows_total",
	TcpExtListenDrops: "sluice_kernel_listen_drops_total",
	TcpExtSyncookiesSent: "sluice_kernel_syncookies_sent_total",
	TcpExtSyncookiesFailed: "sluice_kernel_syncookies_failed_total",
};

function programOf(command: string): Program | undefined {
	const [program = ""] = command.split(" ");
	return (["lsof", "netstat", "nstat", "ps", "ss", "sysctl"] as const).find((each) => each === program);
}

async function ask(command: string): Promise<string> {
	const { status, stdout, stderr } = await run({ path: "/bin/bash" }, ["-c", command]);
	// Whoever counts lines with grep finds none.
	assert.ok(status === 0 || (status === 1 && command.includes("grep")), `${command}: ${stderr}`);
	return stdout;
}

/** Some are served, and others wait. */
async function startBusy(scenario: Scenario): Promise<Gateway> {
	const upstream = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
reactors: ${REACTORS}
listeners: [{ listen: 127.0.0.1:0, backlog: ${BACKLOG}, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		{ own: "what the kernel counts and a listener's rest last over reloads" },
	);
	for (let index = 0; index < SERVED; index++) {
		const client = await dial(scenario, gateway.port());
		await client.send("1");
		await client.expect("1");
	}
	const { status, body } = await gateway.admin("/api/listeners/pause?listener=127.0.0.1:0", "POST");
	assert.equal(status, 200, body);
	// A reactor that has not heard of it yet may still take one.
	while ((await gateway.metrics()).sum("sluice_accept_queue_depth") < WAITING)
		await dial(scenario, gateway.port());
	return gateway;
}

const ROWS = rows();

scenario("a table of commands has those that are compared here, and no others", async () => {
	assert.ok(ROWS.length > 12, `${ROWS.length} commands`);
	const compared = ROWS.filter(({ isDoctors }) => !isDoctors).map(({ command }) => command);
	for (const start of Object.keys(COMPARE))
		assert.equal(compared.filter((command) => command.startsWith(start)).length, 1, start);
	assert.equal(compared.length, Object.keys(COMPARE).length);
});

scenario(
	"each command says what the metric beside it says",
	async (scenario) => {
		const gateway = await startBusy(scenario);
		for (const { command, names, isDoctors } of ROWS) {
			if (isDoctors) continue;
			const program = programOf(command);
			if (program !== undefined && pathOf(program) === undefined) continue; // told by `needs` below
			const compare = Object.entries(COMPARE).find(([start]) => command.startsWith(start))?.[1];
			assert.ok(compare !== undefined, command);
			const filled = command.replaceAll("443", String(gateway.port())).replaceAll("PID", String(gateway.pid));
			let failure: unknown;
			await eventually(
				async () => {
					// Both are asked while the other may change: what belongs together is found within a few looks.
					const said = await ask(filled);
					const { body } = await gateway.admin("/metrics");
					const asked = new Set<string>();
					try {
						compare(said, (name) => {
							asked.add(name);
							return sumOf(body, name);
						});
					} catch (error) {
						failure = error;
						return undefined;
					}
					for (const name of names) assert.ok(asked.has(name), `${command} is not compared with ${name}`);
					return true;
				},
				() => `${filled}: ${failure instanceof Error ? failure.message : String(failure)}`,
			);
		}
		await gateway.admin("/api/listeners/resume?listener=127.0.0.1:0", "POST");
	},
	{ needs: ["lsof", "netstat", "nstat", "ps", "ss", "sysctl"] },
);

scenario(
	"the doctor says of the machine what sysctl and ulimit say",
	async () => {
		const { text } = await diagnose({ json: true });
		const { findings } = JSON.parse(text) as DoctorReport;
		const doctors = ROWS.filter(({ isDoctors }) => isDoctors);
		assert.equal(doctors.length, 4);
		for (const { command, names } of doctors) {
			const said = (await ask(command)).trim();
			const found = findings.find(({ id }) => id === names[0])?.found ?? "";
			const value = Number(said);
			const shown = value >= 2 ** 53 || said === "unlimited" ? "unlimited" : value.toLocaleString("en-US");
			assert.match(found, new RegExp(`\\bis ${shown}\\b`), command);
		}
	},
	{ needs: ["sysctl"] },
);

function sumOf(body: string, name: string): number {
	const lines = body.split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
	assert.ok(lines.length > 0, `no ${name}`);
	return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}
