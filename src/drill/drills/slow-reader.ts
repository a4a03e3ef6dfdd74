import { Attackers } from "../assault.js";
import type { Drill } from "../drill.js";
import { ATTACKERS_GONE, FULL_SIZE, GOOD_CLIENT, NOTHING_LEFT } from "../thresholds.js";
import { keptRequest, NAMES, sayings, toBase64 } from "../traffic.js";
import { tlsConfig, webConfig } from "../web.js";

/**
 * Each asks for more bytes than it will ever take, takes a few, and stops. What the target has for it then
 * waits in the target, and must not wait for ever.
 */
export const slowReader: Drill = {
	name: "slow-reader",
	summary: "clients that ask for much and stop reading",
	defaults: { connections: 2000, seconds: 10 },
	ending: "target",
	thresholds: [...GOOD_CLIENT, FULL_SIZE, ...ATTACKERS_GONE, ...NOTHING_LEFT],

	on: {
		relay: {
			deadline: { key: "stall", ownMs: 3000, givenMs: 30_000 },

			configure: ({ tls, http, bulk }, { main }) => `
timeouts: { handshake: 5s, connect: 2s, idle: 10s, stall: 3s, half_closed: 3s, drain: 1s }
listeners:
  - listen: ${main}
    backlog: 4096
    routes:
      - { sni: bulk.drill.test, to: bulk }
      - { sni: good.drill.test, to: tls }
      - { host: good.drill.test, to: http }
upstreams:
  bulk: 127.0.0.1:${bulk}
  tls: 127.0.0.1:${tls}
  http: 127.0.0.1:${http}
`,

			async attack({ target, connections, deadlineMs }) {
				const { hello } = await sayings("bulk");
				return new Attackers({
					address: target.address,
					port: target.port,
					connections,
					total: null,
					opensPerSecond: 1000,
					sayings: [toBase64(hello)],
					mutationSeed: null,
					behaviour: { kind: "stop-reading", afterBytes: 4096, receiveBufferBytes: 4096 },
					deadlineMs,
				});
			},
		},
		http: {
			deadline: { key: "stall", ownMs: 3000, givenMs: 30_000 },
			configure: webConfig,

			async attack({ target, connections, deadlineMs }) {
				return new Attackers({
					address: target.address,
					port: target.port,
					connections: connections,
					total: null,
					opensPerSecond: 1000,
					sayings: [toBase64(keptRequest("bulk"))],
					mutationSeed: null,
					behaviour: { kind: "stop-reading", afterBytes: 4096, receiveBufferBytes: 4096 },
					deadlineMs,
				});
			},
		},
		tls: {
			deadline: { key: "stall", ownMs: 3000, givenMs: 30_000 },
			configure: tlsConfig,

			async attack({ target, connections, deadlineMs }) {
				return new Attackers({
					address: target.address,
					port: target.port,
					tls: NAMES.good,
					connections: connections,
					total: null,
					opensPerSecond: 500,
					sayings: [toBase64(keptRequest("bulk"))],
					mutationSeed: null,
					behaviour: { kind: "stop-reading", afterBytes: 4096, receiveBufferBytes: 4096 },
					deadlineMs,
				});
			},
		},
	},
};
