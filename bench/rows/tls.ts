import type { Bench, Row } from "../bench.js";
import { Figure, type Target } from "../figure.js";
import { TLS_AGREED } from "../load/wire.js";

const REQUESTS = 50_000;
const REQUESTS_QUICK = 20_000;
const CONNECTIONS = 64;

const SESSIONS = 2_000;
const SESSIONS_QUICK = 1_000;
const CONCURRENCY = 64;

const CERTIFICATE = `${TLS_AGREED}, X25519, a certificate of ECDSA P-256 from a file`;

/** A small request over a connection whose TLS is terminated. */
export const tlsRequest: Row = {
	id: "tls-64",
	describe: (quick) =>
		`${quick ? REQUESTS_QUICK : REQUESTS} requests of 100 bytes, responses of 200, closed loop over ${CONNECTIONS} connections with TLS (${CERTIFICATE}) that are open and used before; relayed without TLS`,

	async run(bench: Bench): Promise<readonly Figure[]> {
		const figures = pair("tls-64", "request with TLS terminated, 64 connections", {
			kind: "ratio",
			atMost: 0.88,
		});
		const count = bench.quick ? REQUESTS_QUICK : REQUESTS;
		const { generator } = bench;
		await bench.alternate("tls-64", figures, { warmUp: true }, async (system) => {
			const running = await bench.running(system);
			await generator.ask("tlsOpen", { port: running.listen.tls, connections: CONNECTIONS });
			await generator.ask("tlsRequests", { count: 10 * CONNECTIONS });
			const spent = await bench.spend(running, () => generator.ask("tlsRequests", { count }));
			await generator.ask("tlsClose", {});
			return [spent.cpuNs / 1000 / count, count / (spent.wallMs / 1000)];
		});
		return figures;
	},
};

/** A whole handshake. */
export const tlsNew = newSession("tls-new", "new session with TLS terminated", false, {
	kind: "ratio",
	atMost: 0.8,
});

/** A handshake that continues an earlier session, by a ticket. */
export const tlsResumed = newSession("tls-resumed", "resumed session with TLS terminated", true, null);

function newSession(id: string, title: string, resumes: boolean, target: Target | null): Row {
	const how = resumes ? "resumed by a ticket (psk_dhe_ke)" : "a full handshake each";
	return {
		id,
		describe: (quick) =>
			`${quick ? SESSIONS_QUICK : SESSIONS} sessions, ${CONCURRENCY} at a time: connect, ${how} (${CERTIFICATE}), one request; the backend ends the session`,

		async run(bench: Bench): Promise<readonly Figure[]> {
			const figures = pair(id, title, target);
			const count = bench.quick ? SESSIONS_QUICK : SESSIONS;
			await bench.alternate(id, figures, { warmUp: true }, async (system) => {
				const running = await bench.running(system);
				const load = { port: running.listen.tlsOnce, count, concurrency: CONCURRENCY, resumes };
				const spent = await bench.spend(running, () => bench.generator.ask("tlsSessions", load));
				return [spent.cpuNs / 1000 / count, count / (spent.wallMs / 1000)];
			});
			return figures;
		},
	};
}

function pair(id: string, title: string, target: Target | null): [Figure, Figure] {
	return [
		new Figure({ id: `${id}.cpu`, title: `${title}: CPU`, unit: "µs", digits: 2, target }),
		new Figure({
			id: `${id}.rate`,
			title: `${title}: rate`,
			unit: "1/s",
			digits: 0,
			target: null,
			moreIsBetter: true,
		}),
	];
}
