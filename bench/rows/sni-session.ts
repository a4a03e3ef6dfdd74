import { captureHello } from "../../src/rig/hello.js";
import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";
import { ANSWER_BYTES, SNI_NAMES } from "../load/wire.js";

const SESSIONS = 20_000;
const SESSIONS_QUICK = 5_000;
const CONCURRENCY = 64;

const sessions = (quick: boolean): number => (quick ? SESSIONS_QUICK : SESSIONS);

/** A new connection that is routed by the name in its ClientHello. */
export const sniSession: Row = {
	id: "sni",
	describe: (quick) =>
		`${sessions(quick)} sessions, ${CONCURRENCY} at a time: connect, ClientHello with one of ${SNI_NAMES.length} names, ` +
		`${ANSWER_BYTES} bytes from the backend of that name, which then ends the session`,

	async run(bench: Bench): Promise<readonly Figure[]> {
		const cpu = new Figure({
			id: "sni.cpu",
			title: "new session routed by SNI: CPU",
			unit: "µs",
			digits: 1,
			target: { kind: "ratio", atMost: 1 },
		});
		const rate = new Figure({
			id: "sni.rate",
			title: "new session routed by SNI: rate",
			unit: "1/s",
			digits: 0,
			target: null,
		});
		const hellos = await Promise.all(SNI_NAMES.map(captureHello));
		const hellosBase64 = hellos.map((hello) => Buffer.from(hello).toString("base64"));
		const count = sessions(bench.quick);
		await bench.alternate("sni", [cpu, rate], true, async (system) => {
			const running = await bench.running(system);
			const load = { port: running.listen.sni, count, concurrency: CONCURRENCY, hellosBase64 };
			const spent = await bench.spend(running, () => bench.generator.ask("sessions", load));
			return [spent.cpuNs / 1000 / count, count / (spent.wallMs / 1000)];
		});
		return [cpu, rate];
	},
};
