/** What every row of the tunnels' bench works with: the tunnels, the load, and what it costs both ends. */
import { join } from "node:path";
import { type CertificateFiles, writeCertificate } from "../../src/rig/certificate.js";
import { issue } from "../../src/rig/issue.js";
import { temporaryDirectory } from "../../src/rig/processes.js";
import type { Figure } from "../figure.js";
import { type BackendPorts, Generator, startBackend } from "../load/driver.js";
import { TLS_NAME } from "../load/wire.js";
import type { Roles } from "../report.js";
import { SystemsBench } from "../systems-bench.js";
import { launchTunnel } from "./launch.js";
import type { Manner, Ports, RunningTunnel, TunnelSystem } from "./system.js";
import { ROLES } from "./systems/index.js";
import { captureHellos } from "./visitors.js";

export interface TunnelRow {
	readonly id: string;
	/** What is done in one round, for the report's notes. `quick` rounds are smaller. */
	describe(quick: boolean): string;
	run(bench: TunnelBench): Promise<readonly Figure[]>;
}

/** CPU of a load, in nanoseconds, and how long it took. */
export interface Spent {
	readonly gatewayNs: number;
	readonly agentNs: number;
	readonly wallMs: number;
}

export class TunnelBench extends SystemsBench<TunnelSystem, RunningTunnel> {
	readonly title = "Tunnels";
	readonly roles: Roles = ROLES;
	readonly generator = new Generator();
	readonly #backend: BackendPorts;
	readonly #certificate: CertificateFiles;
	#launches = 0;

	private constructor(
		systems: readonly TunnelSystem[],
		rounds: number,
		quick: boolean,
		backend: BackendPorts,
	) {
		super(systems, rounds, quick);
		this.#backend = backend;
		const path = join(temporaryDirectory(), TLS_NAME);
		this.#certificate = writeCertificate(path, issue({ commonName: TLS_NAME }));
	}

	static async start(systems: readonly TunnelSystem[], rounds: number, quick: boolean): Promise<TunnelBench> {
		await captureHellos();
		return new TunnelBench(systems, rounds, quick, await startBackend());
	}

	/** Where requests reach the backend with nothing in between. */
	get directPort(): number {
		return turnOf(this.#backend.relay, 0);
	}

	/** Does something with a fresh instance, and stops it. The shared one is stopped before: some can run once only. */
	async withFresh<T>(system: TunnelSystem, use: (running: RunningTunnel) => Promise<T>): Promise<T> {
		await this.discard(system);
		const running = await this.launch(system);
		try {
			return await use(running);
		} finally {
			await this.generator.ask("close", {});
			await running.stop();
		}
	}

	/** Runs a load, and says what it cost both ends. */
	async spend(running: RunningTunnel, load: () => Promise<{ wallMs: number }>): Promise<Spent> {
		const { system, gatewayPids, agentPids } = running;
		const gateway = await this.charge(system, gatewayPids, () => this.charge(system, agentPids, load));
		const agent = gateway.done;
		return { gatewayNs: gateway.cpuNs, agentNs: agent.cpuNs, wallMs: agent.done.wallMs };
	}

	launch(system: TunnelSystem): Promise<RunningTunnel> {
		const to = servicesFor(system.manner, this.#backend, this.#launches++);
		return launchTunnel(system, { to, certificate: this.#certificate });
	}
}

/** Where the `turn`th tunnel that is started leads to. */
function servicesFor(manner: Manner, backend: BackendPorts, turn: number): Ports {
	const { relay, http, once, bulk, greeted, sni } = backend;
	if (manner === "hello") return { ...greeted, once: turnOf(sni, 0) };
	if (manner === "port") return { relay: turnOf(relay, turn), once, bulk };
	return { relay: turnOf(http, turn), once: turnOf(http, turn), bulk };
}

function turnOf(ports: readonly number[], turn: number): number {
	const port = ports[turn % ports.length];
	if (port === undefined) throw new Error("the backend has no ports");
	return port;
}
