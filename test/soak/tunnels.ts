/**
 * Users with WebSockets through a tunnel, who stay: a gateway and an agent as operators run them, and whether anybody is ever cut off or
 * either process grows.
 */
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket, WebSocketServer } from "ws";
import { writeCertificate } from "../../src/rig/certificate.js";
import { MAIN, portIn } from "../../src/rig/gateway.js";
import { issue } from "../../src/rig/issue.js";
import { countDescriptors, readCpu, readMemory } from "../../src/rig/proc.js";
import { newToken, readToken } from "../../src/tunnel/keys.js";
import { Child } from "../support/processes.js";

export interface Soak {
	readonly users: number;
	readonly seconds: number;
}

/** One of the two processes. */
export interface End {
	/** Anonymous memory: before anybody came, and the medians of three thirds of the time. */
	readonly before: number;
	readonly thirds: readonly [number, number, number];
	/** Of one core. */
	readonly cpu: number;
	/** While all users were there, at the beginning and at the end. */
	readonly descriptors: readonly [number, number];
}

export interface SoakFigures extends Soak {
	readonly reconnects: number;
	readonly messages: number;
	/** Sent, and not come back whole. */
	readonly lost: number;
	/** Logins of the agent beyond the first. */
	readonly agentReconnects: number;
	readonly gateway: End;
	readonly agent: End;
}

/** Each user says something about so often. */
const SAYS_EVERY_MS = 1_000;
const WORDS_MAX_BYTES = 2_000;

/** Compilers and pools have their memory after this. */
const WARM_UP_MS = 5_000;

const SAMPLES = 60;

const HOST = "app.tunnels.test";

export async function soakTunnels(soak: Soak): Promise<SoakFigures> {
	const directory = mkdtempSync(join(tmpdir(), "sluice-soak-"));
	const ends: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
	try {
		return await run(soak, directory, ends);
	} finally {
		for (const end of ends.reverse()) await end();
	}
}

async function run(soak: Soak, directory: string, ends: (() => unknown)[]): Promise<SoakFigures> {
	const service = await startService(ends);
	const { gateway, agent, port, adminPort } = await startBoth(directory, service, ends);
	const processes = [gateway.pid, agent.pid] as const;
	const before = processes.map((pid) => readMemory([pid]).anonymousBytes);
	const users = new Users(port);
	ends.push(() => users.leave());
	await users.come(soak.users);
	await sleep(Math.min(WARM_UP_MS, soak.seconds * 250));
	const descriptorsBefore = processes.map((pid) => countDescriptors([pid]));
	const cpuBefore = processes.map((pid) => readCpu([pid]).statNs);
	const samples: number[][] = [[], []];
	for (let count = 0; count < SAMPLES; count++) {
		await sleep((soak.seconds * 1_000) / SAMPLES);
		for (const [index, pid] of processes.entries()) samples[index]?.push(readMemory([pid]).anonymousBytes);
	}
	const endOf = (index: 0 | 1): End => ({
		before: before[index] ?? 0,
		thirds: thirdsOf(samples[index] ?? []),
		cpu: (readCpu([processes[index]]).statNs - (cpuBefore[index] ?? 0)) / (soak.seconds * 1e9),
		descriptors: [descriptorsBefore[index] ?? 0, countDescriptors([processes[index]])],
	});
	const [gatewayEnd, agentEnd] = [endOf(0), endOf(1)];
	const metrics = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
	return {
		...soak,
		...{ reconnects: users.reconnects, messages: users.messages, lost: await users.lost() },
		agentReconnects: Number(/^sluice_tunnel_reconnects_total (\d+)$/m.exec(metrics)?.[1]),
		...{ gateway: gatewayEnd, agent: agentEnd },
	};
}

/** Sends everything back. */
async function startService(ends: (() => unknown)[]): Promise<number> {
	const server = createServer();
	const sockets = new WebSocketServer({ server });
	sockets.on("connection", (socket) => socket.on("message", (bytes) => socket.send(bytes)));
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	ends.push(() => {
		for (const socket of sockets.clients) socket.terminate();
		sockets.close();
		server.close();
		server.closeAllConnections();
	});
	return (server.address() as AddressInfo).port;
}

async function startBoth(directory: string, service: number, ends: (() => unknown)[]) {
	const certificate = issue({ commonName: "gw.test" });
	const { certFile, keyFile } = writeCertificate(join(directory, "gw"), certificate);
	const token = newToken("laptop");
	const key = Buffer.from(readToken(token).publicKey).toString("base64url");
	const file = join(directory, "sluice.yaml");
	writeFileSync(
		file,
		`
admin: 127.0.0.1:0
tunnels:
  listen: 127.0.0.1:0
  tls: { cert: "${certFile}", key: "${keyFile}" }
  domain: tunnels.test
  agents: [{ id: laptop, public_key: "${key}", names: [app] }]
listeners:
  - { listen: "127.0.0.1:0", routes: [{ host: "${HOST}", to: tunnels }] }
`,
	);
	const gateway = new Child(process.execPath, [MAIN, "run", "-c", file]);
	ends.push(() => gateway.stop());
	const [line] = await gateway.printed(/^\{.*"message":"ready".*\}$/m);
	const { listeners, admin } = JSON.parse(line) as { listeners: string[]; admin: string };
	const [port = 0, agentsPort] = listeners.map(portIn);
	const { raw } = new X509Certificate(certificate.cert.text);
	const fingerprint = createHash("sha256").update(raw).digest("hex").toUpperCase();
	const where = ["--gateway", `127.0.0.1:${agentsPort}`, "--fingerprint", fingerprint, "--name", "app"];
	const agent = new Child(process.execPath, [MAIN, "tunnel", "http", String(service), ...where], {
		env: { SLUICE_TOKEN: token },
	});
	ends.push(() => agent.stop());
	await agent.printed(/"event":"tunnel_opened"/);
	return { gateway, agent, port, adminPort: portIn(admin) };
}

/** Each comes back when it is cut off, and that is counted. */
class Users {
	readonly #port: number;
	readonly #open = new Set<WebSocket>();
	reconnects = 0;
	messages = 0;
	#answered = 0;
	#isOver = false;

	constructor(port: number) {
		this.#port = port;
	}

	async come(count: number): Promise<void> {
		await Promise.all(Array.from({ length: count }, () => this.#connect()));
	}

	async #connect(): Promise<void> {
		const socket = new WebSocket(`ws://127.0.0.1:${this.#port}/`, { headers: { host: HOST } });
		socket.on("error", () => {});
		let timer: NodeJS.Timeout | undefined;
		const expected: Buffer[] = [];
		const speak = (): void => {
			if (this.#isOver) return;
			const words = randomBytes(1 + Math.floor(Math.random() * WORDS_MAX_BYTES));
			expected.push(words);
			this.messages++;
			socket.send(words);
			timer = setTimeout(speak, SAYS_EVERY_MS * (0.5 + Math.random()));
		};
		socket.on("message", (bytes: Buffer) => {
			if (expected.shift()?.equals(bytes) === true) this.#answered++;
		});
		socket.on("close", () => {
			clearTimeout(timer);
			this.#open.delete(socket);
			if (this.#isOver) return;
			this.reconnects++;
			setTimeout(() => void this.#connect(), SAYS_EVERY_MS);
		});
		await new Promise<void>((resolve) => {
			socket.once("open", resolve).once("close", () => resolve());
		});
		if (socket.readyState !== WebSocket.OPEN) return;
		this.#open.add(socket);
		speak();
	}

	/** Those whose answer is not there a little after all have said their last. */
	async lost(): Promise<number> {
		this.#isOver = true;
		await sleep(2 * SAYS_EVERY_MS);
		return this.messages - this.#answered;
	}

	leave(): void {
		this.#isOver = true;
		for (const socket of this.#open) socket.terminate();
	}
}

function thirdsOf(samples: readonly number[]): readonly [number, number, number] {
	const third = Math.floor(samples.length / 3);
	const median = (from: number): number =>
		[...samples.slice(from, from + third)].sort((a, b) => a - b)[Math.floor(third / 2)] ?? 0;
	return [median(0), median(third), median(2 * third)];
}
