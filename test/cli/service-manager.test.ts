/** What a service manager is told, and when: here with a gateway that does as the test says. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ServiceManager } from "../../src/cli/service-manager.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { type NotifyEnd, notifyEnd } from "../support/service-manager.js";

const gateway = { sessions: 7, listeners: [{ name: "127.0.0.1:80", host: "127.0.0.1", port: 80 }] };

function told(scenario: Scenario): { end: NotifyEnd; environment: NodeJS.ProcessEnv } {
	const end = notifyEnd(scenario, join(scenario.directory, "notify"));
	// The manager's timers keep no process alive.
	const awake = setInterval(() => {}, 1_000);
	scenario.defer(() => clearInterval(awake));
	return { end, environment: { NOTIFY_SOCKET: end.name, WATCHDOG_USEC: "20000", OTHER: "1" } };
}

scenario("what a manager said to this process is not left for programs that it starts", async (scenario) => {
	const { environment } = told(scenario);
	assert.equal(new ServiceManager({ ...environment }).error, undefined);
	environment["WATCHDOG_PID"] = String(process.pid);
	new ServiceManager(environment);
	assert.deepEqual(environment, { OTHER: "1" });
});

scenario("the watchdog is fed for as long as all reactors take their turns", async (scenario) => {
	const { end, environment } = told(scenario);
	let isStuck = false;
	let asked = (): void => {};
	const live = async (): Promise<void> => {
		if (!isStuck) return;
		asked();
		throw new Error("reactor 1 has not answered");
	};
	new ServiceManager(environment).ready({ ...gateway, live });
	const { said } = await end.hears("READY=1");
	assert.equal(said.get("STATUS"), "1 listener, 7 sessions");
	const { place } = await end.hears("WATCHDOG=1");
	await end.hears("WATCHDOG=1", place + 1);
	isStuck = true;
	await new Promise<void>((resolve) => {
		asked = resolve;
	});
	const before = end.said.length;
	await new Promise<void>((resolve) => {
		asked = resolve;
	});
	isStuck = false;
	// What comes next is of now: there was nothing between.
	await end.hears("WATCHDOG=1", before);
	assert.ok(end.said.length <= before + 2);
});

scenario("nothing is fed that asks for nothing, or another process", async (scenario) => {
	const { end, environment } = told(scenario);
	const asked: string[] = [];
	for (const more of [{ WATCHDOG_USEC: "0" }, { WATCHDOG_USEC: "soon" }, { WATCHDOG_PID: "1" }]) {
		const live = async (): Promise<void> => {
			asked.push(JSON.stringify(more));
		};
		new ServiceManager({ ...environment, ...more }).ready({ ...gateway, live });
	}
	// Of one that is fed: time enough for the others.
	new ServiceManager(environment).ready({ ...gateway, live: async () => {} });
	const { place } = await end.hears("WATCHDOG=1");
	await end.hears("WATCHDOG=1", place + 1);
	assert.deepEqual(asked, []);
});

scenario(
	"it is ready again when the last of several reloads is over, and says what became of it",
	async (scenario) => {
		const { end, environment } = told(scenario);
		const manager = new ServiceManager(environment);
		manager.ready({ ...gateway, live: async () => {} });
		manager.reloading();
		manager.reloading();
		manager.reloaded();
		const before = process.hrtime.bigint() / 1_000n;
		const { said, place } = await end.hears("RELOADING=1");
		assert.ok(BigInt(said.get("MONOTONIC_USEC") ?? 0) <= before);
		manager.reloaded(new Error("sluice.yaml:3:1: no such key\nsecond line"));
		const ready = await end.hears("READY=1", place);
		assert.equal(
			ready.said.get("STATUS"),
			"1 listener, 7 sessions; the last reload changed nothing: sluice.yaml:3:1: no such key",
		);
		assert.equal(end.said.slice(place).filter((each) => each.has("RELOADING")).length, 2);
	},
);

scenario(
	"behind the end nothing is said to be ready, and the end may take what sessions may",
	async (scenario) => {
		const { end, environment } = told(scenario);
		const manager = new ServiceManager(environment);
		manager.ready({ ...gateway, live: async () => {} });
		manager.reloading();
		manager.stopping(30_000);
		manager.reloaded();
		manager.reloading();
		const { said, place } = await end.hears("STOPPING=1");
		assert.equal(said.get("EXTEND_TIMEOUT_USEC"), "35000000");
		assert.equal(said.get("STATUS"), "draining, 7 sessions");
		const { place: later } = await end.hears("WATCHDOG=1", place);
		assert.deepEqual(
			end.said.slice(place + 1, later).filter((each) => each.has("READY") || each.has("RELOADING")),
			[],
		);
	},
);

scenario("one that takes nothing for a while hears what it must, in its order", async (scenario) => {
	const { end, environment } = told(scenario);
	const manager = new ServiceManager({ ...environment, WATCHDOG_USEC: "0" });
	manager.ready({ ...gateway, live: async () => {} });
	// More than a socket's queue holds (net.unix.max_dgram_qlen is 10 to 512).
	for (let count = 0; count < 600; count++) {
		manager.reloading();
		manager.reloaded();
	}
	manager.stopping(0);
	await end.hears("STOPPING=1");
	assert.equal(end.said.length, 1 + 2 * 600 + 1);
});

scenario("nobody at the socket is an error that is told, and no failure", async (scenario) => {
	const manager = new ServiceManager({ NOTIFY_SOCKET: join(scenario.directory, "nobody") });
	assert.match(manager.error?.message ?? "", /ENOENT/);
	manager.ready({ ...gateway, live: async () => {} });
	manager.stopping(0);
});
