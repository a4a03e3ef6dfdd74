import { Attackers } from "../assault.js";
import type { Drill } from "../drill.js";
import { ATTACKERS_GONE, FULL_SIZE, GOOD_CLIENT, NOTHING_LEFT } from "../thresholds.js";
import { keptRequest, sayings, toBase64 } from "../traffic.js";
import { tlsConfig, webConfig } from "../web.js";

/** Half of them dribble TLS hellos, half request heads: a byte each 200 to 500 ms, which must renew nothing. */
export const slowloris: Drill = {
	name: "slowloris",
	summary: "hellos and request heads that come a byte at a time",
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
				const { hello, request } = await sayings("good");
				return new Attackers({
					address: target.address,
					port: target.port,
					connections,
					total: null,
					opensPerSecond: 2000,
					sayings: [toBase64(hello), toBase64(request)],
					mutationSeed: null,
					behaviour: { kind: "dribble", atOnceBytes: 0, everyMsMin: 200, everyMsMax: 500 },
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
					sayings: [toBase64(keptRequest("good"))],
					mutationSeed: null,
					behaviour: { kind: "dribble", atOnceBytes: 0, everyMsMin: 200, everyMsMax: 500 },
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
					sayings: [toBase64(hello)],
					mutationSeed: null,
					behaviour: { kind: "dribble", atOnceBytes: 0, everyMsMin: 200, everyMsMax: 500 },
					deadlineMs,
				});
			},
		},
	},
};
