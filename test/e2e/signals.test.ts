/** Signals that operators send to proxies: none opens Node's inspector, and none ends sessions that it should not. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { descriptorsOf } from "../support/descriptors.js";
import { Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

async function started(scenario: Scenario, drain = "100ms"): Promise<Gateway> {
	const upstream = await startUpstream(scenario, echo);
	return startGateway(
		scenario,
		`
timeouts: { drain: ${drain} }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		{ own: "signals are what is tried" },
	);
}

/** Inodes of listening TCP sockets that a process has. */
function listening(pid: number): string[] {
	const inodes = new Set(
		readFileSync(`/proc/${pid}/net/tcp`, "latin1")
			.split("\n")
			.map((line) => line.trim().split(/\s+/))
			.filter(([, , , state]) => state === "0A")
			.map((fields) => fields[9] ?? ""),
	);
	return descriptorsOf(pid).flatMap((text) => {
		const [, inode = ""] = /socket:\[(\d+)\]/.exec(text) ?? [];
		return inodes.has(inode) ? [inode] : [];
	});
}

scenario("SIGUSR1 and SIGUSR2 do nothing, the log says so, and no inspector listens", async (scenario) => {
	const gateway = await started(scenario);
	const before = listening(gateway.pid);
	assert.ok(before.length > 0);
	const client = await dial(scenario, gateway.port());
	await client.send("before");
	await client.expect("before");
	for (const signal of ["SIGUSR1", "SIGUSR2"] as const) {
		gateway.child.signal(signal);
		await gateway.logged(
			({ level, message }) => level === "warn" && message.startsWith(`${signal} does nothing`),
		);
		await client.send(signal);
		await client.expect(signal);
	}
	assert.deepEqual(listening(gateway.pid), before);
	client.end();
	await client.rest();
});

scenario(
	"SIGQUIT drains as SIGTERM does, and other signals put an end neither to that nor to the gateway",
	async (scenario) => {
		const gateway = await started(scenario, "10s");
		const client = await dial(scenario, gateway.port());
		await client.send("hello");
		await client.expect("hello");
		gateway.child.signal("SIGQUIT");
		await gateway.logged(({ message }) => message === "draining");
		for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const) {
			gateway.child.signal(signal);
			await gateway.logged(({ message }) => message.startsWith(`${signal} does nothing`));
		}
		client.end();
		await client.rest();
		assert.equal((await gateway.onlySession()).reason, "client_closed");
		assert.equal(await gateway.exit(), 0);
	},
);

/** Waits until a process hears all these signals, which Node's own start does not: it begins to hear one after the other. */
function hears(pid: number, signals: readonly NodeJS.Signals[]): Promise<true> {
	const mask = () =>
		BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? "0"}`);
	return eventually(
		() =>
			signals.every((signal) => (mask() >> BigInt(constants.signals[signal] - 1)) % 2n === 1n) || undefined,
		() => `it does not hear all of ${signals}`,
	);
}

scenario(
	"signals that come while the command is still being loaded end nothing, and are carried out",
	async (scenario) => {
		const gateway = new Gateway(
			join(scenario.directory, "early.yaml"),
			"listeners: [{ listen: 127.0.0.1:0, routes: [{ to: reject }] }]",
			{},
		);
		scenario.defer(() => gateway.child.stop("SIGKILL"));
		const signals = ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
		await hears(gateway.pid, signals);
		for (const signal of signals) gateway.child.signal(signal);
		for (const start of ["reloaded", "SIGUSR1 does nothing", "SIGUSR2 does nothing"])
			await gateway.logged(({ message }) => message.startsWith(start));
		gateway.child.signal("SIGTERM");
		assert.equal(await gateway.exit(), 0);
	},
);
