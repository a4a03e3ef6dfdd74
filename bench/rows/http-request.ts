import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";

const REQUESTS = 200_000;
const REQUESTS_QUICK = 40_000;

/** What the same measurement is held against. Without a name: the bench's reference. */
const REFERENCES: readonly {
	readonly reference?: string;
	readonly beside?: string;
	readonly atMost: number;
}[] = [
	{ atMost: 1.0 },
	{ reference: "nginx", beside: "beside nginx", atMost: 1.05 },
	{ reference: "haproxy-forwarded", beside: "beside HAProxy that sets the same four fields", atMost: 1.0 },
	{ reference: "nginx-forwarded", beside: "beside nginx that sets the same four fields", atMost: 1.05 },
	{ reference: "node-undici", beside: "beside Node's http and undici", atMost: 0.2 },
];

export const httpRequest64 = httpRequest(64);
export const httpRequest512 = httpRequest(512);

/** A small request that is read, rewritten, sent over a pooled upstream connection, and answered. */
function httpRequest(connections: number): Row {
	const id = `http-${connections}`;
	const requests = (quick: boolean): number => (quick ? REQUESTS_QUICK : REQUESTS);
	return {
		id,
		describe: (quick) =>
			`${requests(quick)} HTTP requests of 100 bytes, to which fields that tell of the client are added, responses of 200, closed loop over ${connections} kept connections, upstream connections pooled`,

		async run(bench: Bench): Promise<readonly Figure[]> {
			const title = `HTTP request, ${connections} connections`;
			const cpus = REFERENCES.map(
				({ reference, beside, atMost }) =>
					new Figure({
						id: `${id}.cpu${reference === undefined ? "" : `.${reference}`}`,
						title: beside === undefined ? `${title}: CPU` : `… ${beside}`,
						unit: "µs",
						digits: 2,
						target: { kind: "ratio", atMost },
						...(reference === undefined ? {} : { reference }),
					}),
			);
			const rate = new Figure({
				id: `${id}.rate`,
				title: `${title}: rate`,
				unit: "1/s",
				digits: 0,
				target: null,
			});
			const figures = [...cpus, rate];
			const { generator } = bench;
			const count = requests(bench.quick);
			await bench.alternate(id, figures, true, async (system) => {
				const running = await bench.running(system);
				await generator.ask("open", { port: running.listen.http, connections });
				// Connecting, on both sides, is not part of a request.
				await generator.ask("requests", { count: 10 * connections, learns: true });
				const spent = await bench.spend(running, () => generator.ask("requests", { count, learns: true }));
				await generator.ask("close", {});
				const cpuUs = spent.cpuNs / 1000 / count;
				return [...cpus.map(() => cpuUs), count / (spent.wallMs / 1000)];
			});
			return figures;
		},
	};
}
