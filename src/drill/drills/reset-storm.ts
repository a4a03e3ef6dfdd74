import { Attackers } from "../assault.js";
import type { Drill } from "../drill.js";
import { FULL_SIZE, GOOD_CLIENT, NOTHING_LEFT } from "../thresholds.js";
import { keptRequest, sayings, toBase64, upload } from "../traffic.js";
import { tlsConfig, webConfig } from "../web.js";

/** Each says a part of a hello, of any length, and resets within 50 ms: before, amid and after every step of the road. */
export const resetStorm: Drill = {
	name: "reset-storm",
	summary: "connections that are reset in the middle of a hello",
	defaults: { connections: 50, seconds: 10 },
	ending: "attackers",
	thresholds: [...GOOD_CLIENT, FULL_SIZE, ...NOTHING_LEFT],

	on: {
		relay: {
			deadline: null,

			configure: ({ tls, http, silent }, { main }) => `
timeouts: { handshake: 5s, connect: 2s, idle: 10s, stall: 3s, half_closed: 3s, drain: 1s }
listeners:
  - listen: ${main}
    backlog: 4096
    routes:
      - { sni: silent.drill.test, to: silent }
      - { sni: good.drill.test, to: tls }
      - { host: good.drill.test, to: http }
upstreams:
  silent: 127.0.0.1:${silent}
  tls: 127.0.0.1:${tls}
  http: 127.0.0.1:${http}
`,

			async attack({ target, connections }) {
				const { hello, request } = await sayings("good");
				const { hello: silent } = await sayings("silent");
				return new Attackers({
					address: target.address,
					port: target.port,
					connections,
					total: null,
					opensPerSecond: null,
					sayings: [hello, request, silent].map(toBase64),
					mutationSeed: null,
					behaviour: { kind: "reset", afterMsMax: 50 },
					deadlineMs: null,
				});
			},
		},
		http: {
			deadline: null,
			configure: webConfig,

			async attack({ target, connections }) {
				return new Attackers({
					address: target.address,
					port: target.port,
					connections: connections,
					total: null,
					opensPerSecond: null,
					sayings: [keptRequest("good"), keptRequest("silent"), upload("good", 256).whole].map(toBase64),
					mutationSeed: null,
					behaviour: { kind: "reset", afterMsMax: 50 },
					deadlineMs: null,
				});
			},
		},
		tls: {
			deadline: null,
			configure: tlsConfig,

			async attack({ target, connections }) {
				const { hello } = await sayings("good");
				return new Attackers({
					address: target.address,
					port: target.port,
					connections: connections,
					total: null,
					opensPerSecond: null,
					sayings: [toBase64(hello)],
					mutationSeed: null,
					behaviour: { kind: "reset", afterMsMax: 50 },
					deadlineMs: null,
				});
			},
		},
	},
};
