/** What every row of the tunnels' bench works with: the tunnels, the load, and what it costs both ends. */
import { join } from "node:path";
import { type CertificateFiles, writeCertificate } from "../../src/rig/certificate.js";
import { issue } from "../../src/rig/issue.js";
import { type CpuReading, cpuNs, readCpu } from "../../src/rig/proc.js";
import { temporaryDirectory } from "../../src/rig/processes.js";
import { alternate, tellProgress } from "../alternate.js";
import type { Figure } from "../figure.js";
import { type BackendPorts, Generator, startBackend } from "../load/driver.js";
import { TLS_NAME } from "../load/wire.js";
import type { Roles, Taken } from "../report.js";
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

export interface Turns {
	readonly warmUp: boolean;
	/** For rows whose rounds are long. */
	readonly roundsMax?: number;
}

/** CPU of a load, in nanoseconds, and how long it took. */
export interface Spent {
	readonly gatewayNs: number;
	readonly agentNs: number;
	readonly wallMs: number;
}

export class TunnelBench implements Taken {
	readonly title = "Tunnels";
	readonly roles: Roles = ROLES;
	readonly rounds: number;
	readonly quick: boolean;
	readonly systems: readonly TunnelSystem[];
	readonly generator = new Generator();
	readonly cpuTotals = new Map<string, { statNs: number; finestNs: number }>();

	readonly #backend: BackendPorts;
	readonly #certificate: CertificateFiles;
	readonly #running = new Map<string, RunningTunnel>();
	#launches = 0;

	private constructor(
		systems: readonly TunnelSystem[],
		rounds: number,
		quick: boolean,
		backend: BackendPorts,
	) {
		this.systems = systems;
		this.rounds = rounds;
		this.quick = quick;
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

	/** Those that can run a row; of the others its figures are told why not. */
	able(rowId: string, figures: readonly Figure[]): TunnelSystem[] {
		return this.systems.filter(({ id, cannot }) => {
			const reason = cannot[rowId];
			if (reason !== undefined) for (const figure of figures) figure.markAbsent(id, reason);
			return reason === undefined;
		});
	}

	/** Runs `measure` for each able system once per round: a value for each of the figures, in their order. */
	async alternate(
		rowId: string,
		figures: readonly Figure[],
		{ warmUp, roundsMax = this.rounds }: Turns,
		measure: (system: TunnelSystem) => Promise<readonly number[]>,
	): Promise<void> {
		await alternate({
			...{ systems: this.able(rowId, figures), figures, warmUp, measure },
			rounds: Math.min(this.rounds, roundsMax),
			stays: () => true,
			progress: (round, rounds, { id }) => tellProgress(rowId, round, rounds, id),
			lost: async (system) => {
				await this.generator.ask("close", {});
				await this.discard(system);
			},
		});
	}

	/** The instance that serves all rows which do not need a fresh one. */
	async running(system: TunnelSystem): Promise<RunningTunnel> {
		const known = this.#running.get(system.id);
		if (known !== undefined) return known;
		const running = await this.#launch(system);
		this.#running.set(system.id, running);
		return running;
	}

	/** Does something with a fresh instance, and stops it. The shared one is stopped before: some can run once only. */
	async withFresh<T>(system: TunnelSystem, use: (running: RunningTunnel) => Promise<T>): Promise<T> {
		await this.discard(system);
		const running = await this.#launch(system);
		try {
			return await use(running);
		} finally {
			await this.generator.ask("close", {});
			await running.stop();
		}
	}

	async discard({ id }: TunnelSystem): Promise<void> {
		const running = this.#running.get(id);
		this.#running.delete(id);
		await running?.stop();
	}

	async stop(): Promise<void> {
		for (const system of this.systems) await this.discard(system);
	}

	/** Runs a load, and says what it cost both ends. */
	async spend(running: RunningTunnel, load: () => Promise<{ wallMs: number }>): Promise<Spent> {
		const read = (): readonly [CpuReading, CpuReading] => [
			readCpu(running.gatewayPids()),
			readCpu(running.agentPids()),
		];
		const before = read();
		const { wallMs } = await load();
		const after = read();
		const [gatewayNs, agentNs] = [0, 1].map((end) => cpuNs(at(before, end), at(after, end)));
		const total = this.cpuTotals.get(running.system.id) ?? { statNs: 0, finestNs: 0 };
		for (const end of [0, 1]) {
			total.statNs += at(after, end).statNs - at(before, end).statNs;
			total.finestNs += cpuNs(at(before, end), at(after, end));
		}
		this.cpuTotals.set(running.system.id, total);
		return { gatewayNs: gatewayNs ?? Number.NaN, agentNs: agentNs ?? Number.NaN, wallMs };
	}

	#launch(system: TunnelSystem): Promise<RunningTunnel> {
		const to = servicesFor(system.manner, this.#backend, this.#launches++);
		return launchTunnel(system, { to, certificate: this.#certificate });
	}
}

function at(readings: readonly [CpuReading, CpuReading], end: number): CpuReading {
	return readings[end === 0 ? 0 : 1];
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
