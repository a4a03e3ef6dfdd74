import { Figure } from "../../figure.js";
import type { TunnelBench, TunnelRow } from "../bench.js";
import { PEERS } from "../systems/index.js";
import { open } from "../visitors.js";

const CONNECTIONS = 4;
const BYTES_EACH = 100e6;
const BYTES_EACH_QUICK = 10e6;

const bytesEach = (quick: boolean): number => (quick ? BYTES_EACH_QUICK : BYTES_EACH);

/** Downloads that never pause. */
export const bulk: TunnelRow = {
	id: "bulk",
	describe: (quick) =>
		`${CONNECTIONS} visitors download ${bytesEach(quick) / 1e6} MB each at once, and drop what they receive without copying it`,

	async run(bench: TunnelBench) {
		const rate = new Figure({
			...{ id: "bulk.rate", title: "download: rate", unit: "MB/s", digits: 0 },
			...{ target: { kind: "ratio", atLeast: 1 }, reference: PEERS, moreIsBetter: true },
		});
		const cpu = new Figure({
			...{ id: "bulk.cpu", title: "download: CPU of gateway and agent per GB", unit: "ms", digits: 0 },
			target: null,
		});
		const { generator } = bench;
		const each = bytesEach(bench.quick);
		const gigabytes = (CONNECTIONS * each) / 1e9;
		await bench.alternate("bulk", [rate, cpu], { warmUp: true }, async (system) => {
			const running = await bench.running(system);
			await open(generator, running, "bulk", CONNECTIONS);
			const spent = await bench.spend(running, () => generator.ask("download", { bytesEach: each }));
			await generator.ask("close", {});
			return [
				(gigabytes * 1000) / (spent.wallMs / 1000),
				(spent.gatewayNs + spent.agentNs) / 1e6 / gigabytes,
			];
		});
		return [rate, cpu];
	},
};
