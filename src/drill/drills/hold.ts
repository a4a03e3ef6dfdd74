import { Attackers } from "../assault.js";
import type { Drill } from "../drill.js";
import { ATTACKERS_GONE, FULL_SIZE, GOOD_CLIENT, NOTHING_LEFT } from "../thresholds.js";
import { keptRequest, sayings, toBase64 } from "../traffic.js";
import { tlsConfig, webConfig } from "../web.js";

export const hold: Drill = {
	name: "hold",
	summary: "connections that say nothing",
	defaults: { connections: 8000, seconds: 10 },
	ending: "target",
	thresholds: [...GOOD_CLIENT, FULL_SIZE, ...ATTACKERS_GONE, ...NOTHING_LEFT],

	on: {
		relay: {
			deadline: { key: "handshake", ownMs: 5000, givenMs: 5000 },

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

			async attack({ target, connections, deadlineMs }) {
				return new Attackers({
					address: target.address,
					port: target.port,
					connections,
					total: null,
					opensPerSecond: 2000,
					sayings: [],
					mutationSeed: null,
					behaviour: { kind: "hold" },
					deadlineMs,
				});
			},
		},
		http: {
			deadline: { key: "handshake", ownMs: 5000, givenMs: 5000 },
			configure: webConfig,

			async attack({ target, connections, deadlineMs }) {
				return new Attackers({
					address: target.address,
					port: target.port,
					connections: connections,
					total: null,
					opensPerSecond: 2000,
					sayings: ["", toBase64(keptRequest("good"))],
					mutationSeed: null,
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
					opensPerSecond: 2000,
					sayings: ["", toBase64(hello)],
					mutationSeed: null,
					behaviour: { kind: "hold" },
					deadlineMs,
				});
			},
		},
	},
};
