import { Figure } from "../../figure.js";
import type { TunnelBench, TunnelRow } from "../bench.js";
import { ask, open } from "../visitors.js";
import { cpuFigures, cpuValues } from "./cpu.js";

const REQUESTS = 20_000;
const REQUESTS_QUICK = 2_000;
const CONNECTIONS = 64;
/** Over each connection: what is compiled while code is new is nobody's. */
const REQUESTS_BEFORE = 10;

const requestsOf = (quick: boolean): number => (quick ? REQUESTS_QUICK : REQUESTS);

/** Small requests of visitors who stay. */
export const requests: TunnelRow = {
	id: "requests",
	describe: (quick) =>
		`${requestsOf(quick)} requests of 100 bytes, responses of 200, closed loop over ${CONNECTIONS} visitors' connections that are open and used before`,

	async run(bench: TunnelBench) {
		const rate = new Figure({
			...{ id: "requests.rate", title: "request: rate", unit: "1/s", digits: 0, target: null },
			moreIsBetter: true,
		});
		const figures = [...cpuFigures("requests", "request"), rate];
		const { generator } = bench;
		const count = requestsOf(bench.quick);
		await bench.alternate("requests", figures, { warmUp: true }, async (system) => {
			const running = await bench.running(system);
			await open(generator, running, "relay", CONNECTIONS);
			await ask(generator, running, REQUESTS_BEFORE * CONNECTIONS);
			const spent = await bench.spend(running, () => ask(generator, running, count));
			await generator.ask("close", {});
			return [...cpuValues(spent, count), count / (spent.wallMs / 1000)];
		});
		return figures;
	},
};
