/**
 * Tunnels in real processes, with a network in between that a test has in its hand:
 *
 *     visitors ──► gateway ◄══ path ══ agent ──► services on Unix sockets
 *                     ◄═══════════════ another agent, whom nothing of this concerns
 *
 * What a test does is over when service is back; and then both ends must hold what they held before.
 */
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TunnelsStatus } from "../../src/admin/tunnel-view.js";
import { MAIN } from "../../src/rig/gateway.js";
import type { AgentSettings, TunnelSettings } from "../../src/tunnel/agent/settings.js";
import { newToken, readToken } from "../../src/tunnel/keys.js";
import { descriptorsOf } from "./descriptors.js";
import { type Gateway, startGateway } from "./gateway.js";
import { openPath, type Path } from "./path/path.js";
import { dial, echo, type Peer, startUpstream } from "./peers.js";
import { Child } from "./processes.js";
import { get } from "./requests.js";
import type { Scenario } from "./scenario.js";
import { type Identity, identity } from "./tls.js";
import { eventually } from "./waiting.js";

/** Back-off of agents in these tests, and what service may take to be back beyond `dead_after`. */
const RETRY_MAX_MS = 2_000;
export const BEYOND_MS = 2_000;

/** One who asks whether service is back waits so long for his answer, and asks again. */
const ASK_MS = 400;

export interface RigOptions {
	readonly heartbeatMs?: number;
	readonly deadAfterMs?: number;
	readonly lines?: number;
	/** Default: one that can go silent. */
	readonly path?: Path;
	/** The network is not there yet when the agent starts. */
	readonly isLate?: boolean;
	/** No agent process: the test has one of its own. */
	readonly withoutAgent?: boolean;
}

/** Between two looks at what both ends hold: tables of the kernel are long on a busy machine. */
const LOOK_MS = 100;

/** What both ends hold while nobody visits, lines aside. */
export interface Held {
	readonly gatewaySockets: number;
	readonly agentSockets: number;
}

export class RecoveryRig {
	readonly scenario: Scenario;
	readonly path: Path;
	readonly deadAfterMs: number;
	gateway: Gateway;
	agent: Child | undefined;
	readonly #yaml: string;
	readonly #identities: Readonly<Record<AgentId, string>>;
	readonly #certificate: Identity;
	readonly #port: number;
	readonly #tcpPorts: readonly [number, number];
	/** That are to be there. */
	#agents = 1;
	/** Connections to services that are another agent's. */
	#bystanders = 0;
	/** What came to the web service and was no request. */
	readonly #strange: string[] = [];
	#servers: readonly { readonly open: number }[] = [];
	/** `HOST:PORT`, as the agent reaches it. */
	#leadsTo = "";
	#services: { readonly shell: string; readonly web: string } = { shell: "", web: "" };

	constructor(scenario: Scenario, path: Path, options: Required<Pick<RigOptions, "deadAfterMs">> & Made) {
		this.scenario = scenario;
		this.path = path;
		this.deadAfterMs = options.deadAfterMs;
		this.gateway = options.gateway;
		this.#yaml = options.yaml;
		this.#identities = options.tokens;
		this.#certificate = options.certificate;
		this.#port = options.port;
		this.#tcpPorts = options.tcpPorts;
	}

	/** Services, and the way of the agent to the gateway. */
	async prepare(): Promise<void> {
		const { scenario } = this;
		this.#leadsTo = await this.path.leadTo(this.#port);
		const shell = join(scenario.directory, "shell.sock");
		const { server: echoing } = await startUpstream(scenario, echo, { path: shell });
		const web = join(scenario.directory, "web.sock");
		const server = createHttpServer((request, response) => void response.end(`got ${request.url}`));
		// Lines of requests end for other reasons than this service's.
		server.keepAliveTimeout = 0;
		server.on("clientError", (error, socket) => {
			if ("code" in error && error.code !== "ECONNRESET") this.#strange.push(error.message);
			socket.destroy();
		});
		await new Promise<void>((resolve) => server.listen(web, resolve));
		scenario.defer(() => {
			server.close();
			server.closeAllConnections();
		});
		this.#servers = [echoing, server].map(countOpen);
		this.#services = { shell: `unix:${shell}`, web: `unix:${web}` };
	}

	get services(): { readonly shell: string; readonly web: string } {
		return this.#services;
	}

	get fingerprint(): string {
		const { raw } = new X509Certificate(this.#certificate.cert.text);
		return createHash("sha256").update(raw).digest("hex").toUpperCase();
	}

	/** `sluice tunnel -c FILE`, as a process, where the path begins. */
	startAgent(): Child {
		const file = join(this.scenario.directory, "tunnels.yaml");
		const { shell, web } = this.#services;
		writeFileSync(
			file,
			`
gateway: "${this.#leadsTo}"
fingerprint: "${this.fingerprint}"
retry_max: ${RETRY_MAX_MS}ms
tunnels:
  - { name: ssh, tcp: "${shell}" }
  - { name: app, http: "${web}" }
`,
		);
		const [command = "", ...args] = [...this.path.through, process.execPath, MAIN, "tunnel", "-c", file];
		const child = new Child(command, args, { env: { SLUICE_TOKEN: this.#identities.laptop } });
		this.scenario.defer(() => child.stop("SIGKILL"));
		this.agent = child;
		return child;
	}

	/** For an agent in this process, which does not go through the path. */
	settings(tunnels: readonly TunnelSettings[]): AgentSettings {
		return {
			gateway: { host: this.path.address, port: this.#port },
			...{ identity: readToken(this.#identities.laptop), trust: { fingerprint: this.fingerprint } },
			...{ insecure: false, proxy: undefined, tunnels, drainMs: 1, retryMaxMs: RETRY_MAX_MS },
		};
	}

	/** Somebody whom nothing concerns that happens on the path: returns a visitor of his, who is there. */
	async bystander(): Promise<Peer> {
		const { shell } = this.#services;
		const [known, port] = [`${this.path.address}:${this.#port}`, String(this.#tcpPorts[1])];
		const flags = ["--gateway", known, "--fingerprint", this.fingerprint, "--name", "other", "--port", port];
		const other = new Child(process.execPath, [MAIN, "tunnel", "tcp", shell, ...flags], {
			env: { SLUICE_TOKEN: this.#identities.other },
		});
		this.scenario.defer(() => other.stop("SIGKILL"));
		this.#agents++;
		this.#bystanders++;
		await other.printed(/"event":"tunnel_opened"/);
		return this.visitor(this.#tcpPorts[1]);
	}

	/** Comes to the tcp tunnel, and has been answered. */
	async visitor(port = this.#tcpPorts[0]): Promise<Peer> {
		const peer = await dial(this.scenario, port, { host: this.path.address });
		await isServed(peer);
		return peer;
	}

	/** Both tunnels serve. Waits until they do, and says how long that took. */
	async served(): Promise<number> {
		const sinceMs = performance.now();
		await eventually(
			async () => ((await this.#answers()) ? true : undefined),
			() =>
				`no service\nagent: ${this.agent?.output.slice(-2_000)}\ngateway: ${this.gateway.tail().join("\n")}`,
		);
		return performance.now() - sinceMs;
	}

	/** Service is back in the time that it may take from now. */
	async isBackInTime(): Promise<void> {
		const tookMs = await this.served();
		this.scenario.context.diagnostic(`service was back after ${Math.round(tookMs)} ms`);
		const mostMs = this.deadAfterMs + BEYOND_MS;
		assert.ok(tookMs <= mostMs, `service was back after ${tookMs} ms; it has ${mostMs} ms`);
	}

	async #answers(): Promise<boolean> {
		const [shell, web] = await Promise.all([
			this.#ask(this.#tcpPorts[0], "?", "?"),
			this.#ask(this.gateway.port(0), get("/", "app.tunnels.test", "Connection: close\r\n"), "got /"),
		]);
		return shell && web;
	}

	async #ask(port: number, says: string, hears: string): Promise<boolean> {
		const host = port === this.#tcpPorts[0] ? this.path.address : "127.0.0.1";
		const client = await dial(this.scenario, port, { host }).catch(() => undefined);
		if (client === undefined) return false;
		client.socket.write(says);
		const isAnswered = await eventually(
			() =>
				client.received.includes(hears) || client.error !== undefined || client.ended ? true : undefined,
			() => "no answer",
			ASK_MS,
		).then(
			() => client.received.includes(hears),
			() => false,
		);
		client.socket.destroy();
		return isAnswered;
	}

	async tunnels(): Promise<TunnelsStatus> {
		return JSON.parse((await this.gateway.admin("/api/tunnels")).body) as TunnelsStatus;
	}

	/** How many lines of the agent are parked, once all that are wanted are, and nobody visits it. `undefined`: not so yet. */
	async #parked(): Promise<Parked | undefined> {
		const { agents, tunnels, logging_in: loggingIn } = await this.tunnels();
		const own = tunnels.filter(({ agent }) => agent === "laptop");
		const isCalm = tunnels.every(
			({ state, lines }) =>
				state === "up" && lines.parked >= lines.depth && lines.asked + lines.proving + lines.retiring === 0,
		);
		if (agents.length !== this.#agents || own.length !== 2 || !isCalm || loggingIn > 0) return undefined;
		const parked = (list: TunnelsStatus["tunnels"]): number =>
			list.reduce((sum, { lines }) => sum + lines.parked, 0);
		return { own: parked(own), all: parked(tunnels) };
	}

	/** Connections of the agent's to its services: of visitors, and of lines that requests came by. */
	#toServices(): number {
		return this.#servers.reduce((sum, { open }) => sum + open, 0) - this.#bystanders;
	}

	/** Of the agent's process, those that are neither lines nor connections to services. */
	#agentSockets(lines: number): number {
		return this.agent === undefined ? 0 : socketsOf(this.agent.pid) - lines - this.#toServices();
	}

	/** What both ends hold, lines aside, once nobody visits. */
	async held(): Promise<Held> {
		let last = "";
		return eventually(
			async () => {
				await sleep(LOOK_MS);
				const before = await this.#parked();
				const held =
					before === undefined
						? undefined
						: {
								gatewaySockets: socketsOf(this.gateway.pid) - before.all,
								agentSockets: this.#agentSockets(before.own),
							};
				const isSame = held !== undefined && JSON.stringify(await this.#parked()) === JSON.stringify(before);
				const now = JSON.stringify(held);
				const isTwice = isSame && now === last;
				last = now;
				return isTwice ? held : undefined;
			},
			() => `it is not calm; the last that was seen: ${last}`,
		);
	}

	/** Waits until both ends hold what they held, and no visitor has a row. `connections`: visitors that are there. */
	async holds({ gatewaySockets, agentSockets }: Held, connections = 0): Promise<void> {
		assert.deepEqual(this.#strange, []);
		let found = "";
		let tunnels = "";
		await eventually(
			async () => {
				await sleep(LOOK_MS);
				const parked = await this.#parked();
				const rows = (await this.gateway.metrics()).sum("sluice_connections_active");
				tunnels = JSON.stringify((await this.tunnels()).tunnels);
				if (parked === undefined) return undefined;
				const now = {
					gateway: socketsOf(this.gateway.pid) - parked.all - gatewaySockets,
					agent: this.#agentSockets(parked.own) - agentSockets,
					rows: rows - connections,
				};
				found = JSON.stringify(now);
				return Object.values(now).every((more) => more === 0) ? true : undefined;
			},
			() => `more is held than before: ${found}\n${tunnels}\nagent: ${this.agent?.output.slice(-2_000)}`,
		);
	}

	/** Ends the gateway at once, and starts it again with the same file. */
	async restartGateway(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
		this.gateway.isReleased = true;
		await this.gateway.child.stop(signal);
		this.gateway = await startGateway(this.scenario, this.#yaml, { own: OWN });
		// Its agents may have been there before it could be looked at.
		this.gateway.isReleased = true;
		const { gateway } = this;
		this.scenario.defer(() => gateway.stop());
		// It looks at what it holds when nobody has anything of it.
		this.scenario.defer(() => this.agent?.stop("SIGKILL"));
	}
}

interface Parked {
	readonly own: number;
	readonly all: number;
}

type AgentId = "laptop" | "other";

interface Made {
	readonly gateway: Gateway;
	readonly yaml: string;
	readonly tokens: Readonly<Record<AgentId, string>>;
	readonly certificate: Identity;
	readonly port: number;
	readonly tcpPorts: readonly [number, number];
}

const OWN = "agents connect to its ports again";

/** Says something, and hears it. */
export async function isServed(peer: Peer, words = "still there?"): Promise<void> {
	await peer.send(words);
	await peer.expect(words);
}

export async function startRecoveryRig(scenario: Scenario, options: RigOptions = {}): Promise<RecoveryRig> {
	const { heartbeatMs = 800, deadAfterMs = 2_500, lines = 2 } = options;
	const path = options.path ?? (await openPath(scenario));
	const certificate = identity(scenario, "gw.test", { names: ["gw.test"] });
	const tokens = { laptop: newToken("laptop"), other: newToken("other") };
	const [port = 0, ...two] = await freePorts(path.address, 3);
	const [first = 0, second = 0] = two;
	const tcpPorts = [first, second] as const;
	const agentOf = (id: AgentId, names: string): string => {
		const key = Buffer.from(readToken(tokens[id]).publicKey).toString("base64url");
		return `{ id: ${id}, public_key: "${key}", names: [${names}] }`;
	};
	const yaml = `
reactors: 2
timeouts: { connect: 2s }
tunnels:
  listen: ${path.address}:${port}
  tls: { cert: "${certificate.certFile}", key: "${certificate.keyFile}" }
  domain: tunnels.test
  ports: ${tcpPorts[0]}-${tcpPorts[1]}
  lines: ${lines}
  lines_max: 64
  heartbeat: ${heartbeatMs}ms
  dead_after: ${deadAfterMs}ms
  canary: ${heartbeatMs}ms
  agents: [${agentOf("laptop", "ssh, app")}, ${agentOf("other", "other")}]
listeners:
  - listen: 127.0.0.1:0
    routes: [{ host: "*.tunnels.test", to: tunnels }, { to: reject }]
`;
	if (options.isLate === true) await path.silence();
	const gateway = await startGateway(scenario, yaml, { own: OWN });
	const rig = new RecoveryRig(scenario, path, {
		...{ deadAfterMs, gateway, yaml, tokens, certificate, port, tcpPorts },
	});
	await rig.prepare();
	if (options.withoutAgent === true) return rig;
	rig.startAgent();
	if (options.isLate !== true) await rig.served();
	return rig;
}

function countOpen(server: Server): { readonly open: number } {
	const sockets = new Set<Socket>();
	server.on("connection", (socket: Socket) => {
		sockets.add(socket);
		socket.once("close", () => sockets.delete(socket));
	});
	return {
		get open() {
			return sockets.size;
		},
	};
}

function socketsOf(pid: number): number {
	return descriptorsOf(pid).filter((link) => link.startsWith("socket:")).length;
}

/** Below those that the kernel gives to connections: nobody gets one while a gateway is started again. */
const PORTS = { first: 20_000, count: 10_000 } as const;

/** So many next to each other that nobody has. */
async function freePorts(host: string, count: number): Promise<number[]> {
	for (;;) {
		const first = PORTS.first + Math.floor(Math.random() * (PORTS.count - count));
		const ports = Array.from({ length: count }, (_, index) => first + index);
		const servers = await Promise.all(ports.map((port) => listenOn(host, port)));
		await Promise.all(
			servers.map((server) => new Promise((resolve) => server?.close(resolve) ?? resolve(null))),
		);
		if (servers.every((server) => server !== undefined)) return ports;
	}
}

function listenOn(host: string, port: number): Promise<ReturnType<typeof createServer> | undefined> {
	return new Promise((resolve) => {
		const server = createServer();
		server.once("error", () => resolve(undefined));
		server.listen(port, host, () => resolve(server));
	});
}
