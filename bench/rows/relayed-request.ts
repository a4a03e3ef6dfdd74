import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";

const REQUESTS = 60_000;
const REQUESTS_QUICK = 20_000;

export const relayedRequest64 = relayedRequest(64, 0.95);
export const relayedRequest512 = relayedRequest(512, 0.88);

/** A small request and its response over connections that stay open. */
function relayedRequest(connections: number, atMost: number): Row {
	const id = `request-${connections}`;
	const requests = (quick: boolean): number => (quick ? REQUESTS_QUICK : REQUESTS);
	return {
		id,
		describe: (quick) =>
			`${requests(quick)} requests of 100 bytes, responses of 200, closed loop over ${connections} connections that are open and used before`,

		async run(bench: Bench): Promise<readonly Figure[]> {
			const cpu = new Figure({
				id: `${id}.cpu`,
				title: `relayed request, ${connections} connections: CPU`,
				unit: "µs",
				digits: 2,
				target: { kind: "ratio", atMost },
			});
			const rate = new Figure({
				id: `${id}.rate`,
				title: `relayed request, ${connections} connections: rate`,
				unit: "1/s",
				digits: 0,
				target: null,
				moreIsBetter: true,
			});
			const { generator } = bench;
			const count = requests(bench.quick);
			await bench.alternate(id, [cpu, rate], { warmUp: true }, async (system) => {
				const running = await bench.running(system);
				await generator.ask("open", { port: running.listen.relay, connections });
				// Connecting is not part of a request.
				await generator.ask("requests", { count: 10 * connections });
				const spent = await bench.spend(running, () => generator.ask("requests", { count }));
				await generator.ask("close", {});
				return [spent.cpuNs / 1000 / count, count / (spent.wallMs / 1000)];
			});
			return [cpu, rate];
		},
	};
}
