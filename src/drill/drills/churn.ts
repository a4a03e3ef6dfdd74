import { Attackers } from "../assault.js";
import type { Drill, Threshold } from "../drill.js";
import { GOOD_CLIENT_SERVED, NOTHING_LEFT } from "../thresholds.js";
import { NAMES, requestHead, sayings, TLS_ANSWER, toBase64 } from "../traffic.js";
import { answerBytes, tlsConfig, webConfig } from "../web.js";

/** Enough to keep two cores busy, few enough that no queue is what is measured. */
const AT_ONCE = 64;

const NO_LEAK: readonly Threshold[] = [
	{ measure: "unserved", title: "sessions not served", unit: "count", bound: { exactly: 0 } },
	{
		measure: "memoryDriftBytes",
		title: "resident memory above its value after the first sessions (50,000; of fewer, a twentieth)",
		unit: "bytes",
		bound: { atMost: 2 * 1024 * 1024 },
		optional: true,
	},
];

/** Short sessions, one after the other: whatever is lost per session is lost a million times. */
export const churn: Drill = {
	name: "churn",
	summary: "a million short sessions; --connections says how many",
	defaults: { connections: 1_000_000, seconds: 10 },
	connectionsInTurn: true,
	ending: "done",
	thresholds: [...GOOD_CLIENT_SERVED, ...NO_LEAK, ...NOTHING_LEFT],

	on: {
		relay: {
			deadline: null,

			configure: ({ tls, http }, { main }) => `
timeouts: { handshake: 5s, connect: 2s, idle: 10s, stall: 3s, half_closed: 3s, drain: 1s }
listeners:
  - listen: ${main}
    backlog: 4096
    routes:
      - { sni: good.drill.test, to: tls }
      - { host: good.drill.test, to: http }
upstreams:
  tls: 127.0.0.1:${tls}
  http: 127.0.0.1:${http}
`,

			async attack({ target, connections }) {
				const { hello } = await sayings("good");
				return new Attackers({
					address: target.address,
					port: target.port,
					connections: Math.min(AT_ONCE, connections),
					total: connections,
					opensPerSecond: null,
					sayings: [toBase64(hello)],
					mutationSeed: null,
					behaviour: { kind: "session", answerBytes: TLS_ANSWER.length },
					deadlineMs: null,
				});
			},
		},
		http: {
			deadline: null,
			configure: webConfig,

			async attack({ target, connections }) {
				const request = requestHead(NAMES.good);
				const behaviour = { kind: "session", answerBytes: await answerBytes(target, request) } as const;
				return new Attackers({
					address: target.address,
					port: target.port,
					connections: Math.min(AT_ONCE, connections),
					total: connections,
					opensPerSecond: null,
					sayings: [toBase64(request)],
					mutationSeed: null,
					behaviour: behaviour,
					deadlineMs: null,
				});
			},
		},
		tls: {
			deadline: null,
			configure: tlsConfig,

			async attack({ target, connections }) {
				const request = requestHead(NAMES.good);
				const behaviour = { kind: "session", answerBytes: await answerBytes(target, request, true) } as const;
				return new Attackers({
					address: target.address,
					port: target.port,
					tls: NAMES.good,
					connections: Math.min(AT_ONCE, connections),
					total: connections,
					opensPerSecond: null,
					sayings: [toBase64(request)],
					mutationSeed: null,
					behaviour: behaviour,
					deadlineMs: null,
				});
			},
		},
	},
};
