import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";

const CONNECTIONS = 4;
const BYTES_EACH = 500e6;
const BYTES_EACH_QUICK = 250e6;

const bytesEach = (quick: boolean): number => (quick ? BYTES_EACH_QUICK : BYTES_EACH);

/** Downloads that never pause. */
export const bulk: Row = {
	id: "bulk",
	describe: (quick) =>
		`${CONNECTIONS} downloads of ${bytesEach(quick) / 1e9} GB (10^9 bytes) at once; the client drops what it receives without copying it`,

	async run(bench: Bench): Promise<readonly Figure[]> {
		const cpu = new Figure({
			id: "bulk.cpu",
			title: "bulk: CPU per GB",
			unit: "ms",
			digits: 0,
			target: { kind: "ratio", atMost: 1.1 },
		});
		const rate = new Figure({
			id: "bulk.rate",
			title: "bulk: rate",
			unit: "GB/s",
			digits: 2,
			target: null,
			moreIsBetter: true,
		});
		const { generator } = bench;
		const each = bytesEach(bench.quick);
		const gigabytes = (CONNECTIONS * each) / 1e9;
		await bench.alternate("bulk", [cpu, rate], { warmUp: true }, async (system) => {
			const running = await bench.running(system);
			await generator.ask("open", { port: running.listen.bulk, connections: CONNECTIONS });
			const spent = await bench.spend(running, () => generator.ask("download", { bytesEach: each }));
			await generator.ask("close", {});
			return [spent.cpuNs / 1e6 / gigabytes, gigabytes / (spent.wallMs / 1000)];
		});
		return [cpu, rate];
	},
};
