import { markFailed, tellProgress } from "../../alternate.js";
import { Figure } from "../../figure.js";
import type { TunnelBench, TunnelRow } from "../bench.js";
import type { TunnelSystem } from "../system.js";
import { portOf } from "../visitors.js";

const CONNECTIONS = 16;
const REQUESTS = 1_000;
const REQUESTS_QUICK = 250;

const requests = (quick: boolean): number => (quick ? REQUESTS_QUICK : REQUESTS);

/** How much later an answer comes because it passes through a tunnel. */
export const latency: TunnelRow = {
	id: "latency",
	describe: (quick) =>
		`${requests(quick)} requests over ${CONNECTIONS} connections to each system and directly to the backend, in blocks that take turns; ` +
		"one in flight; added is through the system minus direct, quantile by quantile",

	async run(bench: TunnelBench) {
		const figures = ["p50", "p99"].map(
			(share) =>
				new Figure({
					...{ id: `latency.${share}`, title: `added latency: ${share}`, unit: "µs", digits: 0 },
					target: null,
				}),
		);
		const systems: TunnelSystem[] = [];
		const ports: number[] = [];
		for (const system of bench.able("latency", figures)) {
			try {
				const { assignment } = await bench.running(system);
				ports.push(portOf(assignment, system.manner, "relay"));
				systems.push(system);
			} catch (error) {
				markFailed(figures, system.id, error);
			}
		}
		const load = {
			...{ ports: [...ports, bench.directPort], connections: CONNECTIONS },
			...{ requests: requests(bench.quick), learns: true },
		};
		try {
			// The round before the first is the warm-up.
			for (let round = -1; round < bench.rounds; round++) {
				tellProgress("latency", round, bench.rounds, "all");
				const { latencies } = await bench.generator.ask("latency", load);
				const direct = latencies.at(-1);
				if (direct === undefined) throw new Error("the generator measured nothing");
				if (round < 0) continue;
				for (const [i, { id }] of systems.entries()) {
					figures[0]?.record(id, (latencies[i]?.p50Us ?? Number.NaN) - direct.p50Us);
					figures[1]?.record(id, (latencies[i]?.p99Us ?? Number.NaN) - direct.p99Us);
				}
			}
		} catch (error) {
			for (const { id } of systems) markFailed(figures, id, error);
		}
		return figures;
	},
};
