import { Attackers } from "../assault.js";
import type { Drill } from "../drill.js";
import { ATTACKERS_GONE, FULL_SIZE, GOOD_CLIENT, NOTHING_LEFT } from "../thresholds.js";
import { keptRequest, sayings, toBase64, upload } from "../traffic.js";
import { tlsConfig, webConfig } from "../web.js";

/** So that a run can be repeated. */
const SEED = 20_261_120;

/** Hellos and request heads with some bytes wrong. Some are refused at once, some routed, some never complete. */
export const garbage: Drill = {
	name: "garbage",
	summary: "hellos and request heads with bytes changed, cut out and doubled",
	defaults: { connections: 200, seconds: 10 },
	ending: "target",
	thresholds: [...GOOD_CLIENT, FULL_SIZE, ...ATTACKERS_GONE, ...NOTHING_LEFT],

	on: {
		relay: {
			deadline: { key: "handshake", ownMs: 5000, givenMs: 5000 },

			configure: ({ tls, http }, { main }) => `
timeouts: { handshake: 5s, connect: 2s, idle: 3s, stall: 3s, half_closed: 3s, drain: 1s }
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

			async attack({ target, connections, deadlineMs }) {
				const { hello, request } = await sayings("good");
				return new Attackers({
					address: target.address,
					port: target.port,
					connections,
					total: null,
					opensPerSecond: 2000,
					sayings: [toBase64(hello), toBase64(request)],
					mutationSeed: SEED,
					behaviour: { kind: "hold" },
					deadlineMs,
				});
			},
		},
		http: {
			deadline: { key: "handshake", ownMs: 5000, givenMs: 5000 },
			configure: (ports, listeners) =>
				webConfig(ports, listeners, { keep_alive: "3s", idle: "3s", response_head: "3s" }),

			async attack({ target, connections, deadlineMs }) {
				return new Attackers({
					address: target.address,
					port: target.port,
					connections: connections,
					total: null,
					opensPerSecond: 2000,
					sayings: [keptRequest("good"), upload("good", 64).whole].map(toBase64),
					mutationSeed: SEED,
					behaviour: { kind: "hold" },
					deadlineMs,
				});
			},
		},
		tls: {
			deadline: { key: "handshake", ownMs: 5000, givenMs: 5000 },
			configure: tlsConfig,

			async attack({ target, connections, deadlineMs }) {
				const { hello } = await sayings("good");
				return new Attackers({
					address: target.address,
					port: target.port,
					connections: connections,
					total: null,
					opensPerSecond: 1000,
					sayings: [toBase64(hello)],
					mutationSeed: SEED,
					behaviour: { kind: "hold" },
					deadlineMs,
				});
			},
		},
	},
};
