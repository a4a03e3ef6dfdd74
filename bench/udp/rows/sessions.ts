/** Rows of clients that are new. */
import { Figure } from "../../figure.js";
import { capturedHellos } from "../../rows/sni-session.js";
import type { UdpBench, UdpRow } from "../bench.js";
import { NAMES } from "../load/wire.js";
import type { RunningUdp } from "../system.js";

const SESSIONS = 4_000;
const SESSIONS_QUICK = 400;
const CONCURRENCY = 64;
const BYTES = 200;

const sessionsOf = (quick: boolean): number => (quick ? SESSIONS_QUICK : SESSIONS);

interface Kind {
	readonly id: string;
	readonly title: string;
	readonly says: string;
	readonly bytes: number | null;
	port(running: RunningUdp): number;
}

/** Whatever they say. They are silent from then on, so they end where silence is not borne for long. */
export const newSessions = row({
	...{ id: "new", title: "new session", says: `says ${BYTES} bytes, and is sent them back`, bytes: BYTES },
	port: ({ listen }) => listen.brief,
});

/** By the name in an Initial. */
export const sniSessions = row({
	...{ id: "sni", title: "new QUIC session routed by SNI", bytes: null },
	says: `says an Initial of 1,200 bytes with one of ${NAMES.length} names, and is answered by the server of that name; the Initials are made before`,
	port: ({ listen }) => listen.sni,
});

function row({ id, title, says, bytes, port }: Kind): UdpRow {
	return {
		id,
		describe: (quick) =>
			`${sessionsOf(quick)} sessions, ${CONCURRENCY} at a time, each from a port of its own: it ${says}`,

		async run(bench: UdpBench) {
			const figures = [
				new Figure({ id: `${id}.cpu`, title: `${title}: CPU`, unit: "µs", digits: 1, target: null }),
				new Figure({
					...{ id: `${id}.rate`, title: `${title}: rate`, unit: "1/s", digits: 0, target: null },
					moreIsBetter: true,
				}),
				new Figure({ id: `${id}.lost`, title: `${title}: said again`, unit: "%", digits: 2, target: null }),
			];
			const { generator } = bench;
			const count = sessionsOf(bench.quick);
			const hellosBase64 = bytes === null ? await capturedHellos() : [];
			await bench.alternate(id, figures, { warmUp: true }, async (system) => {
				const running = await bench.running(system);
				if (bytes === null) await generator.ask("makeInitials", { count, hellosBase64 });
				const load = { port: port(running), count, concurrency: CONCURRENCY, bytes };
				const { cpuNs, wallMs, lost } = await bench.spend(running, () => generator.ask("sessions", load));
				return [cpuNs / 1000 / count, count / (wallMs / 1000), (lost / count) * 100];
			});
			return figures;
		},
	};
}
