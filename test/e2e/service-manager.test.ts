/** `sluice run` as a service of systemd: what it says, and the sockets that it is given. There is no systemd here; its part is played. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { MAIN } from "../../src/rig/gateway.js";
import { start } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { notifyEnd } from "../support/service-manager.js";

const LISTENS = "listeners: [{ listen: 127.0.0.1:0, routes: [{ to: reject }] }]";

function written(scenario: Scenario, text = LISTENS): string {
	const file = join(scenario.directory, "sluice.yaml");
	writeFileSync(file, `log: { format: json }\n${text}\n`);
	return file;
}

scenario("a service says when it is ready, reloads and stops, and that it lives", async (scenario) => {
	const file = written(scenario);
	const end = notifyEnd(scenario, join(scenario.directory, "notify"));
	const child = start(scenario, { path: process.execPath }, [MAIN, "run", "-c", file], {
		env: { NOTIFY_SOCKET: end.name, WATCHDOG_USEC: "200000" },
	});
	const ready = await end.hears("READY=1");
	// It has executed itself anew by now, and is who was started.
	assert.equal(ready.said.get("MAINPID"), String(child.pid));
	assert.equal(ready.said.get("STATUS"), "1 listener, 0 sessions");
	const first = await end.hears("WATCHDOG=1", ready.place);
	await end.hears("WATCHDOG=1", first.place + 1);

	child.signal("SIGHUP");
	const reloading = await end.hears("RELOADING=1");
	assert.match(reloading.said.get("MONOTONIC_USEC") ?? "", /^\d+$/);
	const reloaded = await end.hears("READY=1", reloading.place);
	assert.equal(reloaded.said.get("STATUS"), "1 listener, 0 sessions");

	writeFileSync(file, "listeners: []");
	child.signal("SIGHUP");
	const again = await end.hears("RELOADING=1", reloaded.place);
	const refused = await end.hears("READY=1", again.place);
	assert.match(refused.said.get("STATUS") ?? "", /the last reload changed nothing: .*sluice\.yaml:1:/);

	child.signal("SIGTERM");
	const stopping = await end.hears("STOPPING=1");
	assert.equal(stopping.said.get("EXTEND_TIMEOUT_USEC"), "35000000");
	assert.equal(await child.exited, 0);
});

scenario("the socket may be of the abstract kind", async (scenario) => {
	const end = notifyEnd(scenario, `@sluice-test-${process.pid}`);
	start(scenario, { path: process.execPath }, [MAIN, "run", "-c", written(scenario)], {
		env: { NOTIFY_SOCKET: end.name },
	});
	await end.hears("READY=1");
});

scenario("a service that cannot say anything serves, and its log says so", async (scenario) => {
	const child = start(scenario, { path: process.execPath }, [MAIN, "run", "-c", written(scenario)], {
		env: { NOTIFY_SOCKET: join(scenario.directory, "nobody") },
	});
	await child.printed(/the service manager cannot be told anything/);
	await child.printed(/"message":"ready"/);
});
