import { Figure } from "../../figure.js";
import type { TunnelBench, TunnelRow } from "../bench.js";
import { PEERS } from "../systems/index.js";
import { visit } from "../visitors.js";
import { cpuFigures, cpuValues } from "./cpu.js";

const VISITORS = 3_000;
const VISITORS_QUICK = 300;
const CONCURRENCY = 64;

const visitorsOf = (quick: boolean): number => (quick ? VISITORS_QUICK : VISITORS);

/** Visitors who come, ask once, and are gone. */
export const visitors: TunnelRow = {
	id: "visitors",
	describe: (quick) =>
		`${visitorsOf(quick)} new visitors, ${CONCURRENCY} at a time: connect, a request of 100 bytes, a response of 200, and the backend ends it (by HTTP: the gateway, as it was asked to)`,

	async run(bench: TunnelBench) {
		const rate = new Figure({
			...{ id: "visitors.rate", title: "new visitors", unit: "1/s", digits: 0 },
			...{ target: { kind: "ratio", atLeast: 1.2 }, reference: PEERS, moreIsBetter: true },
		});
		const figures = [...cpuFigures("visitors", "new visitor"), rate];
		const count = visitorsOf(bench.quick);
		await bench.alternate("visitors", figures, { warmUp: true }, async (system) => {
			const running = await bench.running(system);
			const spent = await bench.spend(running, () => visit(bench.generator, running, count, CONCURRENCY));
			return [...cpuValues(spent, count), count / (spent.wallMs / 1000)];
		});
		return figures;
	},
};
