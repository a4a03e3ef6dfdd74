/** Sockets that a service manager holds, and has opened before it starts `sluice run`. The test holds them in its place. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { F_SETFL, SOCK_DGRAM } from "../../src/kernel/constants.js";
import * as libc from "../../src/kernel/libc.js";
import { closeDescriptor, openBound, openListener, openSocketFile } from "../../src/kernel/sockets.js";
import { MAIN } from "../../src/rig/gateway.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, LOOPBACK, type Peer } from "../support/peers.js";
import { run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { passing } from "../support/service-manager.js";

const ADDRESS = new Uint8Array([127, 0, 0, 1]);

function held(scenario: Scenario, fd: number): number {
	scenario.defer(() => closeDescriptor(fd));
	return fd;
}

/** One that listens, as systemd passes it: who accepts at it waits. */
function listening(scenario: Scenario): { fd: number; port: number } {
	const { fds, port } = openListener({ address: ADDRESS, port: 0, backlog: 128 }, 1);
	const [fd = -1] = fds;
	held(scenario, fd);
	assert.equal(libc.fcntl(fd, F_SETFL, 0), 0);
	return { fd, port };
}

const answering = (port: number): string =>
	`reactors: 2\nlisteners: [{ listen: "${LOOPBACK}:${port}", backlog: 77, routes: [{ path: /, to: { status: 204 } }] }]\n`;

async function answered(client: Peer): Promise<void> {
	client.socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	await client.expect("HTTP/1.1 204 No Content\r\n\r\n");
}

async function discrepancies(gateway: Gateway): Promise<unknown> {
	return (JSON.parse((await gateway.admin("/api/ledger")).body) as { discrepancies: unknown }).discrepancies;
}

scenario(
	"clients that came before the service was started are served, by all reactors, from one queue",
	async (scenario) => {
		const { fd, port } = listening(scenario);
		const early = await dial(scenario, port);
		const gateway = await startGateway(scenario, answering(port), {
			through: passing(["web"]),
			descriptors: [fd],
		});
		await answered(early);
		for (let count = 0; count < 20; count++) await answered(await dial(scenario, port));
		const { sessions } = JSON.parse((await gateway.admin("/api/sessions")).body) as {
			sessions: { reactor: number }[];
		};
		assert.equal(sessions.length, 21);
		// Who has taken one goes behind the other.
		for (const reactor of [0, 1])
			assert.ok(sessions.filter((each) => each.reactor === reactor).length >= 5, JSON.stringify(sessions));

		const line = gateway.log.find(({ message }) => message === "listening");
		assert.deepEqual([line?.inherited, line?.queues, line?.backlog], ["web", 1, 77]);
		const metrics = await gateway.metrics();
		assert.equal(metrics.sum("sluice_accept_queue_limit"), 77);
		// What was inherited, and one descriptor for each reactor.
		assert.equal(metrics.sum("sluice_descriptors_opened_total", { kind: "listener" }), 3);
		assert.deepEqual(await discrepancies(gateway), []);
	},
);

scenario("a reload keeps the socket, also for a listener that comes back", async (scenario) => {
	const { fd, port } = listening(scenario);
	const gateway = await startGateway(scenario, answering(port), {
		through: passing(["web"]),
		descriptors: [fd],
	});
	const lasting = await dial(scenario, port);
	await answered(lasting);
	await gateway.hangUp();
	await answered(lasting);
	await answered(await dial(scenario, port));

	gateway.write(answering(0));
	assert.equal((await gateway.hangUp()).message, "reloaded");
	await answered(lasting);
	const warning = await gateway.logged(({ message }) => message.startsWith("nobody accepts at sockets"));
	assert.equal(warning.sockets, `${LOOPBACK}:${port} of web`);
	const waiting = await dial(scenario, port);

	gateway.write(answering(port));
	assert.equal((await gateway.hangUp()).message, "reloaded");
	await answered(waiting);
	await answered(await dial(scenario, port));
	assert.deepEqual(await discrepancies(gateway), []);
	const metrics = await gateway.metrics();
	const opened = metrics.sum("sluice_descriptors_opened_total", { kind: "listener" });
	assert.equal(opened - metrics.sum("sluice_descriptors_closed_total", { kind: "listener" }), 3);
});

scenario("who comes between one service and the next waits, and is served by the next", async (scenario) => {
	const { fd, port } = listening(scenario);
	const options = { through: passing(["web"]), descriptors: [fd] };
	const first = await startGateway(scenario, answering(port), options);
	await answered(await dial(scenario, port));
	first.exitWaitedFor = true;
	first.child.signal("SIGTERM");
	assert.equal(await first.child.exited, 0);
	const between = await dial(scenario, port);
	await startGateway(scenario, answering(port), options);
	await answered(between);
});

scenario("when all places are taken both reactors rest, and go on when one is free", async (scenario) => {
	const { fd, port } = listening(scenario);
	const gateway = await startGateway(scenario, `${answering(port)}limits: { connections: 2 }\n`, {
		through: passing(["web"]),
		descriptors: [fd],
	});
	const clients = [await dial(scenario, port), await dial(scenario, port)];
	for (const client of clients) await answered(client);
	const third = await dial(scenario, port);
	await gateway.metricIs("sluice_accept_pauses_total", (count) => count > 0);
	clients[0]?.socket.destroy();
	await answered(third);
});

async function refusal(
	scenario: Scenario,
	fd: number,
	config: string,
): Promise<{ status: number | null; output: string }> {
	const file = join(scenario.directory, "sluice.yaml");
	writeFileSync(file, `log: { format: json }\n${config}`);
	const [shell = "sh", ...args] = [...passing(["web"]), process.execPath, MAIN, "run", "-c", file];
	return run({ path: shell }, args, { descriptors: [fd] });
}

scenario(
	"what is no use to a listener is refused, and the message says what to take away",
	async (scenario) => {
		const udp = held(
			scenario,
			openBound(SOCK_DGRAM, ADDRESS, 0, false, () => {}),
		);
		const unix = held(scenario, openSocketFile(join(scenario.directory, "s"), 0o600, 1));
		for (const [fd, says] of [
			[udp, /^sluice: cannot use the socket 127\.0\.0\.1:\d+ of web: .*take its ListenDatagram= away$/m],
			[unix, /^sluice: cannot use the socket of web: it is a Unix socket/m],
		] as const) {
			const { status, output } = await refusal(scenario, fd, answering(0));
			assert.match(output, says);
			assert.equal(status, 1);
		}
	},
);

scenario(
	"a listener that another address of the manager's stands in the way of says which",
	async (scenario) => {
		const { fd, port } = listening(scenario);
		const config = answering(port).replace(LOOPBACK, "0.0.0.0");
		const { status, output } = await refusal(scenario, fd, config);
		assert.match(
			output,
			new RegExp(`web of the service manager is bound to 127\\.0\\.0\\.1:${port}; write the same`),
		);
		assert.equal(status, 1);
	},
);

scenario("sockets that are meant for another process are left alone", async (scenario) => {
	const { fd } = listening(scenario);
	const other = ["sh", "-c", 'LISTEN_PID=1 LISTEN_FDS=1 exec "$@"', "sh"];
	const gateway = await startGateway(scenario, answering(0), { through: other, descriptors: [fd] });
	await answered(await dial(scenario, gateway.port()));
	assert.equal(gateway.log.find(({ message }) => message === "listening")?.inherited, undefined);
});
