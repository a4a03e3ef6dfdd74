/** An agent looks at its local service: what it finds, and what it tells its gateway of it. */
import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import type { HealthConfig } from "../../../src/config/config.js";
import { probeLocal } from "../../../src/tunnel/agent/local-check.js";
import { parseLocal } from "../../../src/tunnel/agent/schema.js";
import { echo, LOOPBACK, startUpstream } from "../../support/peers.js";
import { head, listening } from "../../support/requests.js";
import { scenario } from "../../support/scenario.js";
import { identity, startTlsUpstream } from "../../support/tls.js";
import { settingsFor, startAgent, tunnelTo } from "../../support/tunnel-agent.js";
import { startTunnelGateway } from "../../support/tunnel-gateway.js";

const CHECK: HealthConfig = { intervalMs: 20, timeoutMs: 5_000, fall: 2, rise: 2, http: null };

/** What a check of this service finds: nothing, when it is good. */
function found(local: string, more: Partial<HealthConfig> = {}, hostHeader?: string): Promise<string> {
	const checked = { local: parseLocal(local), localCheck: { ...CHECK, ...more } };
	return new Promise((resolve) => {
		probeLocal({ ...checked, ...(hostHeader === undefined ? {} : { hostHeader }) }, (error) =>
			resolve(error?.message ?? ""),
		);
	});
}

const get = (path: string, statuses = [{ from: 200, to: 399 }]): Partial<HealthConfig> => ({
	http: { path, host: "app.local", statuses },
});

/** A port that nobody listens on. */
async function deadPort(): Promise<string> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
	const { port } = server.address() as { port: number };
	await new Promise((resolve) => server.close(resolve));
	return `${LOOPBACK}:${port}`;
}

scenario("a service is up that accepts, or that answers a path as it should", async (scenario) => {
	const asked: string[] = [];
	const web = await listening(
		scenario,
		createHttpServer((request, response) => {
			asked.push(`${request.method} ${request.url} ${request.headers.host} ${request.headers["user-agent"]}`);
			response.writeHead(request.url === "/bad" ? 503 : 204).end();
		}),
	);
	assert.equal(await found(web), "");
	assert.equal(await found(web, get("/healthz?deep")), "");
	assert.equal(await found(web, get("/bad")), "answered 503");
	assert.equal(await found(web, get("/bad", [{ from: 500, to: 599 }])), "");
	assert.deepEqual(asked[0], "GET /healthz?deep app.local sluice-local-check");
	assert.match(await found(await deadPort()), /ECONNREFUSED/);
	assert.match(await found("unix:/nowhere.sock"), /ENOENT/);
	const rude = await startUpstream(scenario, (peer) => peer.end("SSH-2.0-rude\r\n"));
	assert.equal(await found(rude.address), "");
	assert.match(await found(rude.address, get("/")), /answered what is no HTTP response/);
	const silent = await startUpstream(scenario, () => {});
	assert.equal(await found(silent.address, { timeoutMs: 50, ...get("/") }), "no answer within 50ms");
});

scenario("one that speaks TLS is asked through it, and not left with a connection", async (scenario) => {
	const own = identity(scenario, "own.test", { names: ["app.local"] });
	const web = await startTlsUpstream(scenario, own, (peer) => {
		void head(peer).then(
			() => peer.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
			// A check that only knocks.
			() => {},
		);
	});
	assert.equal(await found(`https://${web.address}`, get("/"), "app.local"), "");
	assert.equal(await found(`https://${web.address}`, {}, "app.local"), "");
	const plain = await startUpstream(scenario, (peer) => peer.end("no TLS"));
	assert.notEqual(await found(`https://${plain.address}`, get("/")), "");
});

scenario(
	"a tunnel is opened when its service has been looked at, and told to be down with it",
	async (scenario) => {
		const gateway = await startTunnelGateway(scenario);
		const dead = await deadPort();
		const live = await startUpstream(scenario, echo);
		const running = startAgent(
			scenario,
			settingsFor(gateway, [
				tunnelTo("tcp", dead, { name: "dead", localCheck: CHECK }),
				tunnelTo("tcp", live.address, { name: "live", localCheck: CHECK }),
			]),
		);
		const { session, open } = await gateway.opened();
		const [first, second] = [open, await session.hear("open")].sort((a, b) => (a.name < b.name ? -1 : 1));
		assert.deepEqual([first?.name, second?.name], ["dead", "live"]);
		const { tunnel, up, message } = await session.hear("local");
		assert.deepEqual([tunnel, up], [first?.tunnel, false]);
		assert.match(message, /ECONNREFUSED/);
		assert.equal((await running.next("local_down")).tunnel, "dead");
		const page = running.agent.metrics();
		assert.match(page, /sluice_agent_local_up\{tunnel="dead"\} 0\n/);
		assert.match(page, /sluice_agent_local_up\{tunnel="live"\} 1\n/);
		assert.match(page, /sluice_agent_local_checks_total\{tunnel="dead",result="failed"\} [1-9]/);

		// Somebody listens there now.
		const back = createServer((socket) => socket.destroy());
		await new Promise<void>((resolve) => back.listen(Number(dead.split(":")[1]), LOOPBACK, resolve));
		scenario.defer(() => new Promise((resolve) => back.close(resolve)));
		assert.deepEqual(await session.hear("local"), { type: "local", tunnel, up: true, message: "" });
		assert.equal((await running.next("local_up")).local, dead);
	},
);

scenario("it takes as many failures as fall says, and a new connection hears it again", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	let status = 200;
	const asked: number[] = [];
	const web = await listening(
		scenario,
		createHttpServer((_, response) => {
			asked.push(status);
			response.writeHead(status).end();
		}),
	);
	const check = { ...CHECK, ...get("/healthz"), fall: 3 };
	const running = startAgent(scenario, settingsFor(gateway, [tunnelTo("http", web, { localCheck: check })]));
	const { session } = await gateway.opened();
	status = 503;
	const { up, message } = await session.hear("local");
	assert.deepEqual([up, message], [false, "answered 503"]);
	assert.ok(asked.filter((each) => each === 503).length >= 3);
	session.stream.destroy();
	const again = await gateway.opened(1);
	const told = await again.session.hear("local");
	assert.deepEqual([told.tunnel, told.up], [again.open.tunnel, false]);
	// Nobody looks at it any more: it is taken for up.
	running.agent.reload(settingsFor(gateway, [tunnelTo("http", web)]));
	assert.deepEqual(await again.session.hear("local"), {
		...{ type: "local", tunnel: again.open.tunnel, up: true, message: "" },
	});
	assert.doesNotMatch(running.agent.metrics(), /local_up\{/);
	// Another service is another check.
	running.agent.reload(settingsFor(gateway, [tunnelTo("http", await deadPort(), { localCheck: CHECK })]));
	assert.match((await again.session.hear("local")).message, /ECONNREFUSED/);
});

scenario("visitors who do not reach a service have it looked at before its time", async (scenario) => {
	const gateway = await startTunnelGateway(scenario);
	const service = await startUpstream(scenario, echo);
	// Longer than any test waits.
	const localCheck = { ...CHECK, intervalMs: 3_600_000, fall: 1 };
	const running = startAgent(
		scenario,
		settingsFor(gateway, [tunnelTo("http", service.address, { localCheck })]),
	);
	const { session, open } = await gateway.opened();
	await service.close();
	const visitor = await session.line(open.tunnel);
	await visitor.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	await running.next("local_failed");
	assert.equal((await session.hear("local")).up, false);
	visitor.end();
});
