/** What every row of the datagrams' bench works with: the relays, the load, and what it costs them. */
import type { Figure } from "../figure.js";
import { freePort } from "../free-port.js";
import type { Roles } from "../report.js";
import { SystemsBench } from "../systems-bench.js";
import { launchUdp } from "./launch.js";
import { DatagramGenerator, type EchoPorts, startEcho } from "./load/driver.js";
import type { RunningUdp, UdpSystem } from "./system.js";
import { ROLES } from "./systems/index.js";

export interface UdpRow {
	readonly id: string;
	/** What is done in one round, for the report's notes. `quick` rounds are smaller. */
	describe(quick: boolean): string;
	run(bench: UdpBench): Promise<readonly Figure[]>;
}

export class UdpBench extends SystemsBench<UdpSystem, RunningUdp> {
	readonly title = "Datagrams";
	readonly roles: Roles = ROLES;
	readonly generator = new DatagramGenerator();
	/** Where the server of QUIC is, while there is one. */
	readonly quicPort: number;
	readonly #echo: EchoPorts;

	private constructor(
		systems: readonly UdpSystem[],
		rounds: number,
		quick: boolean,
		echo: EchoPorts,
		quicPort: number,
	) {
		super(systems, rounds, quick);
		this.#echo = echo;
		this.quicPort = quicPort;
	}

	static async start(systems: readonly UdpSystem[], rounds: number, quick: boolean): Promise<UdpBench> {
		return new UdpBench(systems, rounds, quick, await startEcho(), await freePort("udp"));
	}

	launch(system: UdpSystem): Promise<RunningUdp> {
		return launchUdp(system, { ...this.#echo, quic: this.quicPort });
	}

	protected override isJudgedBy({ isBystander }: UdpSystem): boolean {
		return isBystander !== true;
	}

	/** Runs a load and says what it cost that system in CPU, beside what the load says itself. */
	async spend<Said>(running: RunningUdp, load: () => Promise<Said>): Promise<Said & { cpuNs: number }> {
		const { done, cpuNs } = await this.charge(running.system, running.pids, load);
		return { ...done, cpuNs };
	}
}
