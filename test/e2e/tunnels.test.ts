/** Tunnels whole: a gateway process, agents, services behind them, visitors. */
import assert from "node:assert/strict";
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import type { SecureVersion } from "node:tls";
import type { Explanation } from "../../src/admin/operation-view.js";
import type { TunnelsStatus } from "../../src/admin/tunnel-view.js";
import { LINE_ALPN, lineGreeting, NONCE_BYTES } from "../../src/protocol/tunnel/line.js";
import { TICKET_ID_BYTES } from "../../src/protocol/tunnel/messages.js";
import { MAIN } from "../../src/rig/gateway.js";
import type { AgentSettings, TunnelSettings } from "../../src/tunnel/agent/settings.js";
import { newToken, readToken } from "../../src/tunnel/keys.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, LOOPBACK, startUpstream } from "../support/peers.js";
import { Child } from "../support/processes.js";
import { get, listening, message } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { dialTls, entry, type Identity, identity, startTlsUpstream } from "../support/tls.js";
import { type RunningAgent, startAgent, tunnelTo } from "../support/tunnel-agent.js";
import { eventually } from "../support/waiting.js";

interface Rig {
	readonly gateway: Gateway;
	/** Tokens by the agents' ids. */
	readonly tokens: Readonly<Record<string, string>>;
	readonly certificate: Identity;
	/** For a `tcp` tunnel. */
	readonly tcpPort: number;
	readonly yaml: (agents?: readonly string[]) => string;
}

async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
	const { port } = server.address() as AddressInfo;
	await new Promise((resolve) => server.close(resolve));
	return port;
}

const IDS = ["laptop", "other"] as const;

/** Listener 0 terminates TLS, listener 1 speaks in the open, listener 2 is for agents. */
async function startRig(scenario: Scenario, more = "", timeouts = ""): Promise<Rig> {
	const certificate = identity(scenario, "gw.test", { names: ["gw.test", "*.tunnels.test"] });
	const tcpPort = await freePort();
	const tokens = Object.fromEntries(IDS.map((id) => [id, newToken(id)]));
	const agentOf = (id: string): string => {
		const key = Buffer.from(readToken(tokens[id] ?? "").publicKey).toString("base64url");
		return `{ id: ${id}, public_key: "${key}", names: [app, ssh, secure, "${id}-*"] }`;
	};
	const yaml = (agents: readonly string[] = IDS): string => `
reactors: 2
timeouts: { connect: 2s, ${timeouts} }
tunnels:
  listen: 127.0.0.1:0
  tls: { cert: "${certificate.certFile}", key: "${certificate.keyFile}" }
  domain: tunnels.test
  ports: ${tcpPort}-${tcpPort}
  lines: 2
  heartbeat: 200ms
  dead_after: 1s
  canary: 100ms
  ${more}
  agents: [${agents.map(agentOf).join(", ")}]
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["*.tunnels.test"])}]
    routes: [{ sni: "*.tunnels.test", to: tunnels }, { host: "*.tunnels.test", to: tunnels }]
  - listen: 127.0.0.1:0
    routes: [{ host: "*.tunnels.test", to: tunnels }, { to: reject }]
`;
	const gateway = await startGateway(scenario, yaml(), {
		own: "agents connect to its ports again after a reload",
	});
	return { gateway, tokens, certificate, tcpPort, yaml };
}

function settings(
	{ gateway, tokens, certificate }: Rig,
	tunnels: readonly TunnelSettings[],
	id: (typeof IDS)[number] = "laptop",
): AgentSettings {
	const fingerprint = createHash("sha256")
		.update(new X509Certificate(certificate.cert.text).raw)
		.digest("hex")
		.toUpperCase();
	return {
		gateway: { host: LOOPBACK, port: gateway.port(2) },
		...{ identity: readToken(tokens[id] ?? ""), trust: { fingerprint }, insecure: false, proxy: undefined },
		...{ tunnels, drainMs: 1, retryMaxMs: 500 },
	};
}

async function opened(agent: RunningAgent): Promise<readonly string[]> {
	return (await agent.next("tunnel_opened")).addresses;
}

/** `sluice tunnel tcp`, as a process. */
function agentProcess(scenario: Scenario, rig: Rig, local: string): Child {
	const { fingerprint = "" } = settings(rig, []).trust;
	const gateway = ["--gateway", `${LOOPBACK}:${rig.gateway.port(2)}`, "--fingerprint", fingerprint];
	const child = new Child(process.execPath, [MAIN, "tunnel", "tcp", local, "--name", "ssh", ...gateway], {
		env: { SLUICE_TOKEN: rig.tokens["laptop"] ?? "" },
	});
	scenario.defer(() => child.stop("SIGKILL"));
	return child;
}

/** Asks for a page by a connection of its own, and returns the whole answer. */
async function ask(scenario: Scenario, port: number, host: string, path = "/"): Promise<string> {
	const client = await dial(scenario, port);
	client.end(get(path, host, "Connection: close\r\n"));
	return client.rest();
}

/** A service that says what it was asked, and by whom. */
async function startWeb(scenario: Scenario): Promise<string> {
	return listening(
		scenario,
		createHttpServer((request, response) => {
			response.end(
				`${request.method} ${request.url} for ${request.headers["x-forwarded-for"]} at ${request.headers.host}`,
			);
		}),
	);
}

scenario(
	"an agent is told when it speaks TLS and its gateway does not, and the other way round",
	async (scenario) => {
		const rig = await startRig(scenario);
		const tunnels = [tunnelTo("tcp", "9")];
		const plain = startAgent(scenario, { ...settings(rig, tunnels), trust: {}, insecure: true });
		assert.match((await plain.next("disconnected")).why, /tunnels\.tls wants agents without --insecure/);
		const open = await startGateway(
			scenario,
			`
tunnels:
  listen: 127.0.0.1:0
  insecure: true
  domain: t.test
  ports: ${rig.tcpPort}-${rig.tcpPort}
  agents: [ { id: home, public_key: "kDHCDoIsa0cXLjlRXO5jr7uPu913jCo34lbFr3lDrUk", names: [app] } ]
`,
		);
		const gateway = { host: LOOPBACK, port: open.port() };
		const secure = startAgent(scenario, { ...settings(rig, tunnels), gateway });
		assert.match((await secure.next("disconnected")).why, /tunnels\.insecure wants agents with --insecure/);
	},
);

scenario(
	"requests come through a tunnel, in the open and through TLS; a name without agent is 503",
	async (scenario) => {
		const rig = await startRig(scenario);
		const { gateway } = rig;
		assert.match(
			await ask(scenario, gateway.port(1), "app.tunnels.test"),
			/^HTTP\/1\.1 503 [\s\S]*No agent holds/,
		);
		const agent = startAgent(scenario, settings(rig, [tunnelTo("http", await startWeb(scenario))]));
		const addresses = await opened(agent);
		assert.deepEqual(addresses, [
			`https://app.tunnels.test:${gateway.port(0)}`,
			`http://app.tunnels.test:${gateway.port(1)}`,
		]);
		// Each in another reactor, as the kernel has it: lines that came to one serve visitors of both.
		for (let count = 0; count < 30; count++) {
			const answer = await ask(scenario, gateway.port(1), "app.tunnels.test", `/${count}`);
			assert.match(
				answer,
				new RegExp(`^HTTP/1\\.1 200 [\\s\\S]*GET /${count} for 127\\.0\\.0\\.1 at app\\.tunnels\\.test$`),
			);
		}
		const secured = await dialTls(scenario, gateway.port(0), "app.tunnels.test");
		await secured.send(get("/secured", "app.tunnels.test", "Connection: close\r\n"));
		assert.match(await secured.rest(), /^HTTP\/1\.1 200 [\s\S]*GET \/secured for 127\.0\.0\.1/);
		assert.match(await ask(scenario, gateway.port(1), "none.tunnels.test"), /^HTTP\/1\.1 503 /);
		const metrics = await gateway.metrics();
		assert.equal(metrics.sum("sluice_tunnels", { state: "up" }), 1);
		assert.ok(metrics.sum("sluice_tunnel_lines", { state: "parked" }) >= 1);
		await gateway.metricIs("sluice_tunnel_up", (up) => up === 1, { tunnel: "app" });
		await gateway.metricIs("sluice_tunnel_up", (up) => up === 1, { tunnel: "app" });
	},
);

/** Lines of the only tunnel, once none is on its way in or out, and so many are used. */
async function calmLines(gateway: Gateway, used: number): Promise<void> {
	let seen: unknown;
	await eventually(
		async () => {
			const { tunnels } = JSON.parse((await gateway.admin("/api/tunnels")).body) as TunnelsStatus;
			const { lines } = tunnels[0] ?? {};
			seen = lines;
			const isCalm = lines !== undefined && lines.asked + lines.proving + lines.retiring === 0;
			return isCalm && lines.used === used && lines.parked === lines.depth ? true : undefined;
		},
		() => `lines with ${used} used: ${JSON.stringify(seen)}`,
	);
}

scenario(
	"a line that belongs to its client ends when its service keeps it no longer, and is counted as one that was used",
	async (scenario) => {
		const rig = await startRig(scenario);
		const { gateway } = rig;
		const challenge = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\n";
		const service = await startUpstream(scenario, ({ socket }) => {
			socket.on("data", () => {
				socket.write(`${challenge}Keep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n`);
			});
			socket.once("end", () => socket.end());
		});
		await opened(startAgent(scenario, settings(rig, [tunnelTo("http", `http://${service.address}`)])));
		await calmLines(gateway, 0);
		const client = await dial(scenario, gateway.port(1));
		await client.send(get("/", "app.tunnels.test"));
		assert.match((await message(client)).head, /^HTTP\/1\.1 401 /);
		// While the client is still there.
		await gateway.metricIs("sluice_pool_recycled_total", (count) => count === 1, { reason: "idle" });
		await calmLines(gateway, 0);
		client.end();
		await client.rest();
	},
);

scenario(
	"a tcp tunnel has a port of its own, and TLS of a name passes although a certificate covers it",
	async (scenario) => {
		const rig = await startRig(scenario);
		const { gateway, tcpPort } = rig;
		const shell = await startUpstream(scenario, echo);
		const own = identity(scenario, "own.test", { names: ["secure.tunnels.test"] });
		const secure = await startTlsUpstream(scenario, own, echo);
		const agent = startAgent(
			scenario,
			settings(rig, [
				tunnelTo("tcp", shell.address, { name: "ssh" }),
				tunnelTo("tls", secure.address, { name: "secure" }),
				tunnelTo("http", await startWeb(scenario)),
			]),
		);
		for (let count = 0; count < 3; count++) await opened(agent);
		const visitors = await Promise.all(
			Array.from({ length: 20 }, async (_, index) => {
				const visitor = await dial(scenario, tcpPort);
				await visitor.send(`hello ${index}`);
				await visitor.expect(`hello ${index}`);
				return visitor;
			}),
		);
		for (const visitor of visitors) {
			visitor.end("bye");
			assert.equal(await visitor.rest(), "bye");
		}
		const passed = await dialTls(scenario, gateway.port(0), "secure.tunnels.test");
		assert.equal(passed.shown, "own.test");
		await passed.send("through");
		await passed.expect("through");
		const terminated = await dialTls(scenario, gateway.port(0), "app.tunnels.test");
		assert.equal(terminated.shown, "gw.test");
	},
);

scenario(
	"the same identity takes its names over at once, and another one cannot have them",
	async (scenario) => {
		const rig = await startRig(scenario);
		const { gateway, tcpPort } = rig;
		const first = await startUpstream(scenario, (peer) => void peer.send("first"));
		const second = await startUpstream(scenario, (peer) => void peer.send("second"));
		// Asked to go, it leaves its visitors their time.
		const patient = { drainMs: 60_000 };
		const one = startAgent(scenario, {
			...settings(rig, [tunnelTo("tcp", first.address, { name: "ssh" })]),
			...patient,
		});
		await opened(one);
		const running = await dial(scenario, tcpPort);
		await running.expect("first");
		const thief = startAgent(
			scenario,
			settings(rig, [tunnelTo("tcp", second.address, { name: "ssh" })], "other"),
		);
		assert.match(JSON.stringify(await thief.next("tunnel_refused")), /taken|held/);
		const two = startAgent(scenario, settings(rig, [tunnelTo("tcp", second.address, { name: "ssh" })]));
		await opened(two);
		const visitor = await dial(scenario, tcpPort);
		await visitor.expect("second");
		// Who was there finishes.
		running.end();
		(await first.accepted(0)).end();
		await running.rest();
		assert.equal((await gateway.metrics()).sum("sluice_tunnels", { state: "up" }), 1);
	},
);

scenario(
	"an agent that the file names no more is cut with its visitors; one that is killed leaves nothing",
	async (scenario) => {
		const rig = await startRig(scenario);
		const { gateway, tcpPort } = rig;
		const shell = await startUpstream(scenario, echo);
		const agent = startAgent(scenario, settings(rig, [tunnelTo("tcp", shell.address, { name: "ssh" })]));
		await opened(agent);
		const visitor = await dial(scenario, tcpPort);
		await visitor.send("?");
		await visitor.expect("?");
		gateway.write(rig.yaml(["other"]));
		gateway.child.signal("SIGHUP");
		await visitor.over();
		assert.equal((await agent.next("ended")).status, 1);
		gateway.write(rig.yaml());
		gateway.child.signal("SIGHUP");
		const child = agentProcess(scenario, rig, shell.address);
		await child.printed(/"event":"tunnel_opened"/);
		const held = await dial(scenario, tcpPort);
		await held.send("!");
		await held.expect("!");
		child.signal("SIGKILL");
		await held.over();
		await gateway.metricIs("sluice_tunnel_lines", (lines) => lines === 0, { state: "parked" });
		await gateway.metricIs("sluice_tunnels", (tunnels) => tunnels === 0, { state: "up" });
		await eventually(
			async () => ((await dial(scenario, tcpPort).catch(() => undefined)) === undefined ? true : undefined),
			() => "its port is still open",
		);
	},
);

scenario(
	"what a service takes long to answer is not cut off by the time-outs of other routes",
	async (scenario) => {
		const rig = await startRig(scenario, "timeouts: { response_head: 30s }", "response_head: 100ms");
		const service = createHttpServer((_, response) => setTimeout(() => response.end("at last"), 400));
		const agent = startAgent(scenario, settings(rig, [tunnelTo("http", await listening(scenario, service))]));
		await opened(agent);
		assert.match(await ask(scenario, rig.gateway.port(1), "app.tunnels.test"), /at last/);
		const explained = await rig.gateway.admin("/api/explain?host=app.tunnels.test");
		const { listeners } = JSON.parse(explained.body) as { listeners: Explanation[] };
		const { deadlines } = listeners[1] ?? assert.fail();
		const due = new Map(deadlines.map(({ timeout, value, from }) => [timeout, `${value} by ${from}`]));
		assert.deepEqual(
			["response_head", "idle", "connect"].map((timeout) => due.get(timeout)),
			["30s by tunnels", "1h by default", "2s by timeouts"],
		);
	},
);

scenario("many requests at once share few lines, and each has its answer", async (scenario) => {
	const rig = await startRig(scenario, "lines_max: 2");
	const { gateway } = rig;
	const agent = startAgent(scenario, settings(rig, [tunnelTo("http", await startWeb(scenario))]));
	await opened(agent);
	const answers = await Promise.all(
		Array.from({ length: 60 }, (_, index) => ask(scenario, gateway.port(1), "app.tunnels.test", `/${index}`)),
	);
	for (const [index, answer] of answers.entries()) assert.match(answer, new RegExp(`GET /${index} for`));
	await gateway.metricIs("sluice_tunnel_lines", (lines) => lines === 0, { state: "used" });
});

scenario(
	"WebSockets leave the last parked lines to requests, and have theirs as soon as there are more",
	async (scenario) => {
		const rig = await startRig(scenario, "lines_max: 3\n  lines_reserved: 2");
		const { gateway } = rig;
		const service = createHttpServer((_, response) => response.end("page"));
		service.on("upgrade", (_, socket) => {
			socket.on("error", () => {});
			socket.write(
				"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
			);
			socket.pipe(socket);
		});
		const agent = startAgent(scenario, settings(rig, [tunnelTo("http", await listening(scenario, service))]));
		await opened(agent);
		// Two are parked when nobody waits, and those are reserved.
		for (let count = 0; count < 4; count++) {
			const visitor = await dial(scenario, gateway.port(1));
			await visitor.send(
				"GET /ws HTTP/1.1\r\nHost: app.tunnels.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
			);
			await visitor.expect("HTTP/1.1 101");
			assert.match(await ask(scenario, gateway.port(1), "app.tunnels.test"), /page/);
		}
		await gateway.metricIs("sluice_tunnel_lines", (lines) => lines === 4, { state: "used" });
	},
);

scenario(
	"an agent that is stopped is found dead, and has its tunnel again when it goes on",
	async (scenario) => {
		const rig = await startRig(scenario);
		const { gateway, tcpPort } = rig;
		const shell = await startUpstream(scenario, echo);
		const child = agentProcess(scenario, rig, shell.address);
		await child.printed(/"event":"tunnel_opened"/);
		child.signal("SIGSTOP");
		await gateway.metricIs("sluice_tunnels", (tunnels) => tunnels === 0, { state: "up" });
		await gateway.metricIs("sluice_tunnel_lines", (lines) => lines === 0, { state: "parked" });
		child.signal("SIGCONT");
		await child.printed(/"event":"tunnel_opened"[\s\S]*"event":"tunnel_opened"/);
		const visitor = await dial(scenario, tcpPort);
		await visitor.send("?");
		await visitor.expect("?");
	},
);

scenario(
	"a line in TLS 1.2 is closed before anything is asked of it, one in TLS 1.3 is asked",
	async (scenario) => {
		const { gateway } = await startRig(scenario);
		const lineIn = (maxVersion: SecureVersion) =>
			dialTls(scenario, gateway.port(2), "gw.test", { ALPNProtocols: [LINE_ALPN], maxVersion });
		const hello = lineGreeting(randomBytes(TICKET_ID_BYTES));
		const modern = await lineIn("TLSv1.3");
		await modern.send(hello);
		await modern.take(NONCE_BYTES);
		const old = await lineIn("TLSv1.2");
		old.socket.write(hello);
		await old.over();
		assert.equal(old.received.length, 0);
		await gateway.metricIs("sluice_tunnel_strangers_total", (lines) => lines === 1);
	},
);
