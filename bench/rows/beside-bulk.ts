import { setTimeout as sleep } from "node:timers/promises";
import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";

const DOWNLOADS = 40;
const CONNECTIONS = 16;
/** The downloads flow before the first request, and after the last. */
const LEAD_MS = 300;
const MEASURED_MS = 1_500;
const MEASURED_MS_QUICK = 1_000;

/** How long small requests take while others move all that the machine can. */
export const besideBulk: Row = {
	id: "beside-bulk",
	describe: (quick) =>
		`${DOWNLOADS} downloads through the system as fast as they go, and beside them for ${measuredMs(quick) / 1000} s small requests over ${CONNECTIONS} connections, one in flight; both with a generator and a backend of their own`,

	async run(bench: Bench): Promise<readonly Figure[]> {
		const title = `request beside ${DOWNLOADS} downloads`;
		const p50 = new Figure({
			id: "beside-bulk.p50",
			title: `${title}: p50`,
			unit: "ms",
			digits: 2,
			target: null,
		});
		const p99 = new Figure({
			id: "beside-bulk.p99",
			title: `${title}: p99`,
			unit: "ms",
			digits: 2,
			target: { kind: "ratio", atMost: 1 },
		});
		const rate = new Figure({
			id: "beside-bulk.rate",
			title: "… rate of the downloads",
			unit: "GB/s",
			digits: 2,
			target: null,
			moreIsBetter: true,
		});
		const figures = [p50, p99, rate];
		const { generator, besides } = bench;
		const ms = measuredMs(bench.quick);
		await bench.alternate("beside-bulk", figures, { warmUp: true }, async (system) => {
			const { listen } = await bench.running(system);
			await besides.ask("open", { port: listen.bulk, connections: DOWNLOADS });
			// Both are waited for, whatever becomes of one: each generator must be free for the next round.
			const [requests, flow] = await Promise.allSettled([
				sleep(LEAD_MS).then(() =>
					generator.ask("latencyFor", { port: listen.relay, connections: CONNECTIONS, ms }),
				),
				besides.ask("downloadFor", { ms: ms + 2 * LEAD_MS }),
			]);
			if (requests.status === "rejected") throw requests.reason;
			if (flow.status === "rejected") throw flow.reason;
			const { latency } = requests.value;
			const { bytes, wallMs } = flow.value;
			return [latency.p50Us / 1000, latency.p99Us / 1000, bytes / 1e6 / wallMs];
		});
		return figures;
	},
};

function measuredMs(quick: boolean): number {
	return quick ? MEASURED_MS_QUICK : MEASURED_MS;
}
