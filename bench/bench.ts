/** What every row works with: the systems, the load, and how to put them into alternating rounds. */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type CertificateFiles, writeCertificate } from "../src/rig/certificate.js";
import { issue } from "../src/rig/issue.js";
import { temporaryDirectory } from "../src/rig/processes.js";
import { markFailed, tellProgress } from "./alternate.js";
import type { Figure } from "./figure.js";
import { type BackendPorts, Generator, startBackend } from "./load/driver.js";
import { SNI_NAMES, TLS_NAME } from "./load/wire.js";
import { DIRECT, type Roles } from "./report.js";
import { REFERENCE, REFERENCE_AGAIN, SUBJECT } from "./systems/index.js";
import { launch, type Upstreams } from "./systems/launch.js";
import type { Running, System } from "./systems/system.js";
import { SystemsBench, type Turns } from "./systems-bench.js";

export interface Row {
	readonly id: string;
	/** What is done in one round, for the report's notes. `quick` rounds are smaller. */
	describe(quick: boolean): string;
	run(bench: Bench): Promise<readonly Figure[]>;
}

interface GatewayTurns extends Turns {
	/** Nothing is judged by ratios: all but Sluice are bystanders. */
	readonly alone?: true;
	/** Why nobody but Sluice is measured. */
	readonly onlySluice?: string;
}

export class Bench extends SystemsBench<System, Running, GatewayTurns> {
	readonly title = "Benchmark";
	readonly roles: Roles = { subject: SUBJECT, reference: REFERENCE, again: REFERENCE_AGAIN };
	readonly generator = new Generator();
	readonly #backend: BackendPorts;
	#launches = 0;
	#besides: Generator | null = null;

	private constructor(systems: readonly System[], rounds: number, quick: boolean, backend: BackendPorts) {
		super(systems, rounds, quick);
		this.#backend = backend;
	}

	static async start(systems: readonly System[], rounds: number, quick: boolean): Promise<Bench> {
		const [backend, { bulk }] = await Promise.all([startBackend(), startBackend()]);
		return new Bench(systems, rounds, quick, { ...backend, bulk });
	}

	/** For a load beside another one. Its upstream is a process of its own, too, where it downloads. */
	get besides(): Generator {
		this.#besides ??= new Generator();
		return this.#besides;
	}

	protected override lacks(rowId: string, system: System): string | undefined {
		return super.lacks(rowId, system) ?? lacking(rowId, system);
	}

	override able(rowId: string, figures: readonly Figure[]): System[] {
		return super.able(rowId, figures).filter(({ onlyRows }) => onlyRows?.includes(rowId) ?? true);
	}

	protected override entrants(rowId: string, figures: readonly Figure[], turns: GatewayTurns): System[] {
		return super.entrants(rowId, figures, turns).filter((system) => takesPart(system, figures, turns));
	}

	/** Sluice, and those to which its ratios have targets. */
	protected override isJudgedBy(
		system: System,
		figures: readonly Figure[],
		{ alone }: GatewayTurns,
	): boolean {
		if (system.dist !== undefined) return true;
		if (alone === true) return false;
		return (
			system.id === REFERENCE ||
			system.id === REFERENCE_AGAIN ||
			figures.some(({ spec }) => spec.target !== null && [spec.reference].flat().includes(system.id))
		);
	}

	/**
	 * As `alternate`, for loads that take turns between all systems and the way without any within a round. `measure` has
	 * the ports of the systems that are able, behind it the one of the backend; it gives a value for each figure per port, and may leave the last one out.
	 */
	async together(
		rowId: string,
		figures: readonly Figure[],
		ports: { readonly direct: number; of(running: Running): number },
		measure: (ports: readonly number[]) => Promise<readonly (readonly number[])[]>,
	): Promise<void> {
		const systems: System[] = [];
		const all: number[] = [];
		for (const system of this.able(rowId, figures)) {
			try {
				all.push(ports.of(await this.running(system)));
				systems.push(system);
			} catch (error) {
				markFailed(figures, system.id, error);
			}
		}
		all.push(ports.direct);
		const ids = [...systems.map(({ id }) => id), DIRECT];
		try {
			// The round before the first is the warm-up.
			for (let round = -1; round < this.rounds; round++) {
				tellProgress(rowId, round, this.rounds, "all");
				const values = await measure(all);
				if (round < 0) continue;
				for (const [at, id] of ids.entries()) {
					if (id === DIRECT && values[at] === undefined) continue;
					for (const [i, figure] of figures.entries()) figure.record(id, values[at]?.[i] ?? Number.NaN);
				}
			}
		} catch (error) {
			for (const system of systems) markFailed(figures, system.id, error);
		}
	}

	/** Where requests reach the backend with nothing in between. */
	get directPort(): number {
		const port = this.#backend.relay[0];
		if (port === undefined) throw new Error("the backend has no relay ports");
		return port;
	}

	/** Where dialogues do. */
	get dialogues(): BackendPorts["dialogues"] {
		return this.#backend.dialogues;
	}

	launch(system: System): Promise<Running> {
		return launch(system, upstreamsOf(this.#backend, this.#launches++));
	}

	/**
	 * Runs a load and says what it cost that system, and how long it took. `afterMs`: what a system does so much later
	 * is of its cost, such as writing a log.
	 */
	async spend(
		running: Running,
		load: () => Promise<{ wallMs: number }>,
		afterMs = 0,
	): Promise<{ cpuNs: number; wallMs: number }> {
		const { done, cpuNs } = await this.charge(running.system, running.pids, async () => {
			const said = await load();
			if (afterMs > 0) await sleep(afterMs);
			return said;
		});
		return { cpuNs, wallMs: done.wallMs };
	}
}

let certificate: CertificateFiles | null = null;

/** Where the `turn`th system that is started shall send what comes to it. */
export function upstreamsOf(
	{ relay, sni, bulk, http, once, dialogues }: BackendPorts,
	turn: number,
): Upstreams {
	const relayTo = relay[turn % relay.length];
	const httpTo = http[turn % http.length];
	if (relayTo === undefined || httpTo === undefined) throw new Error("the backend has no ports");
	certificate ??= writeCertificate(join(temporaryDirectory(), TLS_NAME), issue({ commonName: TLS_NAME }));
	return {
		relayTo,
		bulkTo: bulk,
		httpTo,
		onceTo: once,
		dialogueTo: dialogues,
		certificate,
		sniTo: SNI_NAMES.map((name, i) => {
			const port = sni[i];
			if (port === undefined) throw new Error(`the backend has no port for ${name}`);
			return { name, port };
		}),
	};
}

/** Why rows of a kind cannot be run, by the beginnings of their ids. */
function lacking(rowId: string, system: System): string | undefined {
	if (/^(http|idle-http|idle-websocket)\b/.test(rowId) && !system.readsRequests)
		return "it reads no requests";
	if (/^(tls|idle-tls)\b/.test(rowId) && !system.terminatesTls) return "it terminates no TLS";
	return undefined;
}

function takesPart(system: System, figures: readonly Figure[], { alone, onlySluice }: GatewayTurns): boolean {
	if (onlySluice !== undefined && system.dist === undefined) {
		for (const figure of figures) figure.markAbsent(system.id, onlySluice);
		return false;
	}
	return alone !== true || system.id !== REFERENCE_AGAIN;
}
