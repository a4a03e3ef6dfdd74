import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";

const REQUESTS = 200_000;
const REQUESTS_QUICK = 40_000;

export const httpRequest64 = httpRequest(64);
export const httpRequest512 = httpRequest(512);

/** A small request that is read, rewritten, sent over a pooled upstream connection, and answered. */
function httpRequest(connections: number): Row {
	const id = `http-${connections}`;
	const requests = (quick: boolean): number => (quick ? REQUESTS_QUICK : REQUESTS);
	return {
		id,
		describe: (quick) =>
			`${requests(quick)} HTTP requests of 100 bytes with X-Forwarded-For added, responses of 200, closed loop over ${connections} kept connections, upstream connections pooled`,

		async run(bench: Bench): Promise<readonly Figure[]> {
			const cpu = new Figure({
				id: `${id}.cpu`,
				title: `HTTP request, ${connections} connections: CPU`,
				unit: "µs",
				digits: 2,
				target: { kind: "ratio", atMost: 1.0 },
			});
			const toNode = new Figure({
				id: `${id}.node`,
				title: "… beside Node's http and undici",
				unit: "µs",
				digits: 2,
				target: { kind: "ratio", atMost: 0.2 },
				reference: "node-undici",
			});
			const rate = new Figure({
				id: `${id}.rate`,
				title: `HTTP request, ${connections} connections: rate`,
				unit: "1/s",
				digits: 0,
				target: null,
			});
			const { generator } = bench;
			const count = requests(bench.quick);
			await bench.alternate(id, [cpu, toNode, rate], true, async (system) => {
				const running = await bench.running(system);
				await generator.ask("open", { port: running.listen.http, connections });
				// Connecting, on both sides, is not part of a request.
				await generator.ask("requests", { count: 10 * connections, learns: true });
				const spent = await bench.spend(running, () => generator.ask("requests", { count, learns: true }));
				await generator.ask("close", {});
				const cpuUs = spent.cpuNs / 1000 / count;
				return [cpuUs, cpuUs, count / (spent.wallMs / 1000)];
			});
			return [cpu, toNode, rate];
		},
	};
}
