import { captureHello } from "../../src/rig/hello.js";
import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";
import { ANSWER_BYTES, SNI_NAMES } from "../load/wire.js";
import { sluiceLogged } from "../systems/sluice.js";

const SESSIONS = 10_000;
const SESSIONS_QUICK = 5_000;
const CONCURRENCY = 64;
/** Sluice writes lines a tenth of a second after the first session of a batch has ended. */
const LOG_WRITTEN_MS = 300;

const sessions = (quick: boolean): number => (quick ? SESSIONS_QUICK : SESSIONS);

/** A new connection that is routed by the name in its ClientHello. */
export const sniSession: Row = {
	id: "sni",
	describe: (quick) =>
		`${sessions(quick)} sessions, ${CONCURRENCY} at a time: connect, ClientHello with one of ${SNI_NAMES.length} names, ` +
		`${ANSWER_BYTES} bytes from the backend of that name, which then ends the session; CPU until ${LOG_WRITTEN_MS} ms later, ` +
		"when lines of a log are written",

	async run(bench: Bench): Promise<readonly Figure[]> {
		const title = "new session routed by SNI";
		const cpu = new Figure({
			id: "sni.cpu",
			title: `${title}: CPU`,
			unit: "µs",
			digits: 1,
			target: { kind: "ratio", atMost: 0.95 },
		});
		const logged = new Figure({
			id: "sni.cpu.logged",
			title: "… with a line of log per session (HAProxy without)",
			unit: "µs",
			digits: 1,
			target: { kind: "ratio", atMost: 0.98 },
			subject: sluiceLogged.id,
			repeats: true,
		});
		const rate = new Figure({
			id: "sni.rate",
			title: `${title}: rate`,
			unit: "1/s",
			digits: 0,
			target: null,
			moreIsBetter: true,
		});
		const hellosBase64 = await capturedHellos();
		const count = sessions(bench.quick);
		await bench.alternate("sni", [cpu, logged, rate], { warmUp: true }, async (system) => {
			const running = await bench.running(system);
			const load = { port: running.listen.sni, count, concurrency: CONCURRENCY, hellosBase64 };
			const spent = await bench.spend(running, () => bench.generator.ask("sessions", load), LOG_WRITTEN_MS);
			const cpuUs = spent.cpuNs / 1000 / count;
			return [cpuUs, cpuUs, count / (spent.wallMs / 1000)];
		});
		return [cpu, logged, rate];
	},
};

/** One for each of the names. */
export async function capturedHellos(): Promise<string[]> {
	const hellos = await Promise.all(SNI_NAMES.map((name) => captureHello(name)));
	return hellos.map((hello) => Buffer.from(hello).toString("base64"));
}
