import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";

const CONNECTIONS = 16;
const REQUESTS = 2_000;
const REQUESTS_QUICK = 1_000;

const requests = (quick: boolean): number => (quick ? REQUESTS_QUICK : REQUESTS);

/** How much later an answer comes because it passes through a system. */
export const addedLatency: Row = {
	id: "latency",
	describe: (quick) =>
		`${requests(quick)} requests over ${CONNECTIONS} connections to each system and directly to the backend, in blocks that take turns; ` +
		"one in flight, about 3,000 a second; added is through the system minus direct, quantile by quantile",

	async run(bench: Bench): Promise<readonly Figure[]> {
		const p50 = new Figure({
			id: "latency.p50",
			title: "added latency: p50",
			unit: "µs",
			digits: 1,
			target: null,
		});
		const p99 = new Figure({
			id: "latency.p99",
			title: "added latency: p99",
			unit: "µs",
			digits: 1,
			target: { kind: "ratio", atMost: 1.2 },
		});
		const ports = {
			direct: bench.directPort,
			of: ({ listen }: { listen: { relay: number } }) => listen.relay,
		};
		await bench.together("latency", [p50, p99], ports, async (ports) => {
			const load = { ports, connections: CONNECTIONS, requests: requests(bench.quick) };
			const { latencies } = await bench.generator.ask("latency", load);
			const direct = latencies.at(-1);
			if (direct === undefined) throw new Error("the generator measured nothing");
			// Beside itself, the direct way adds nothing.
			return latencies.slice(0, -1).map(({ p50Us, p99Us }) => [p50Us - direct.p50Us, p99Us - direct.p99Us]);
		});
		return [p50, p99];
	},
};
