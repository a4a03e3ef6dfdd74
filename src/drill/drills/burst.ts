import { Attackers } from "../assault.js";
import type { Drill, Threshold } from "../drill.js";
import { GOOD_CLIENT_SERVED, NOTHING_LEFT } from "../thresholds.js";
import { NAMES, requestHead, sayings, TLS_ANSWER, toBase64 } from "../traffic.js";
import { answerBytes, tlsConfig, webConfig } from "../web.js";

const SERVED: readonly Threshold[] = [
	{ measure: "unserved", title: "of the burst: not served", unit: "count", bound: { exactly: 0 } },
	{ measure: "resetByTarget", title: "of the burst: reset", unit: "count", bound: { exactly: 0 } },
];

/** Everybody at once, as after an outage: each connects, asks, and wants its answer. */
export const burst: Drill = {
	name: "burst",
	summary: "everybody connects at once, and wants an answer",
	defaults: { connections: 5000, seconds: 4 },
	ending: "done",
	thresholds: [...GOOD_CLIENT_SERVED, ...SERVED, ...NOTHING_LEFT],

	on: {
		relay: {
			deadline: null,

			configure: ({ tls, http }, { main }) => `
timeouts: { handshake: 5s, connect: 5s, idle: 10s, stall: 3s, half_closed: 3s, drain: 1s }
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
					connections,
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
					connections: connections,
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
					connections: connections,
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
