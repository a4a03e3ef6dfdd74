import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";
import { nginxForwarded } from "../systems/nginx.js";

const REQUESTS = 60_000;
const REQUESTS_QUICK = 20_000;

export const httpRequest64 = httpRequest(64, { haproxy: 0.92, nginx: 1.1 });
export const httpRequest512 = httpRequest(512, { haproxy: 0.72, nginx: null });

/** A small request that is read, rewritten, sent over a pooled upstream connection, and answered. */
function httpRequest(connections: number, atMost: { haproxy: number; nginx: number | null }): Row {
	const id = `http-${connections}`;
	const requests = (quick: boolean): number => (quick ? REQUESTS_QUICK : REQUESTS);
	return {
		id,
		describe: (quick) =>
			`${requests(quick)} HTTP requests of 100 bytes, to which fields that tell of the client are added, responses of 200, closed loop over ${connections} kept connections, upstream connections pooled`,

		async run(bench: Bench): Promise<readonly Figure[]> {
			const title = `HTTP request, ${connections} connections`;
			const cpu = new Figure({
				id: `${id}.cpu`,
				title: `${title}: CPU`,
				unit: "µs",
				digits: 2,
				target: { kind: "ratio", atMost: atMost.haproxy },
			});
			const besideNginx = new Figure({
				id: `${id}.cpu.nginx`,
				title: "… beside nginx that sets the same four fields",
				unit: "µs",
				digits: 2,
				target: atMost.nginx === null ? null : { kind: "ratio", atMost: atMost.nginx },
				reference: nginxForwarded.id,
				repeats: true,
			});
			const rate = new Figure({
				id: `${id}.rate`,
				title: `${title}: rate`,
				unit: "1/s",
				digits: 0,
				target: null,
				moreIsBetter: true,
			});
			const figures = [cpu, besideNginx, rate];
			const { generator } = bench;
			const count = requests(bench.quick);
			await bench.alternate(id, figures, { warmUp: true }, async (system) => {
				const running = await bench.running(system);
				await generator.ask("open", { port: running.listen.http, connections });
				// Connecting, on both sides, is not part of a request.
				await generator.ask("requests", { count: 10 * connections, learns: true });
				const spent = await bench.spend(running, () => generator.ask("requests", { count, learns: true }));
				await generator.ask("close", {});
				const cpuUs = spent.cpuNs / 1000 / count;
				return [cpuUs, cpuUs, count / (spent.wallMs / 1000)];
			});
			return figures;
		},
	};
}
