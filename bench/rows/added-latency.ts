import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";
import type { System } from "../systems/system.js";

const CONNECTIONS = 16;
const REQUESTS = 8_000;
const REQUESTS_QUICK = 2_000;

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
		const systems: System[] = [];
		const ports = [bench.directPort];
		for (const system of bench.able("latency", [p50, p99])) {
			try {
				ports.push((await bench.running(system)).listen.relay);
				systems.push(system);
			} catch (error) {
				markAbsent([system], error);
			}
		}
		try {
			// The round before the first is the warm-up.
			for (let round = -1; round < bench.rounds; round++) await measure(round);
		} catch (error) {
			markAbsent(systems, error);
		}
		return [p50, p99];

		/** All systems in one go: their blocks alternate. */
		async function measure(round: number): Promise<void> {
			bench.progress("latency", round, "all");
			const load = { ports, connections: CONNECTIONS, requests: requests(bench.quick) };
			const { latencies } = await bench.generator.ask("latency", load);
			const [direct, ...through] = latencies;
			if (direct === undefined) throw new Error("the generator measured nothing");
			if (round < 0) return;
			for (const [i, system] of systems.entries()) {
				const latency = through[i];
				if (latency === undefined) throw new Error(`the generator did not measure ${system.id}`);
				p50.record(system.id, latency.p50Us - direct.p50Us);
				p99.record(system.id, latency.p99Us - direct.p99Us);
			}
		}

		function markAbsent(absent: readonly System[], error: unknown): void {
			const reason = error instanceof Error ? error.message : String(error);
			for (const system of absent) for (const figure of [p50, p99]) figure.markAbsent(system.id, reason);
		}
	},
};
