import { Attackers } from "../assault.js";
import type { Drill, Threshold } from "../drill.js";
import { FULL_SIZE, NOTHING_LEFT, SERVED_IN_CALM } from "../thresholds.js";
import { keptRequest, NAMES, sayings, toBase64 } from "../traffic.js";
import { tlsConfig, webConfig } from "../web.js";

const WHILE_FULL: Threshold = {
	measure: "cpuWhileFullCores",
	title: "CPU while full (a busy loop would take a whole core)",
	unit: "cores",
	bound: { atMost: 0.2 },
	optional: true,
};

const GOOD_AGAIN: Threshold = {
	measure: "goodAgainMs",
	title: "good client served again after the attack, within",
	unit: "ms",
	bound: { atMost: 1000 },
};

/**
 * The target has 256 descriptors and the attackers want several times that. They say a whole hello and have a
 * session, so each takes what a session takes; those for whom there is no room wait at the door. Meanwhile the
 * good client may fail. What must hold: the target lives, does not spin, and recovers.
 */
export const exhaust: Drill = {
	name: "exhaust",
	summary: "more connections than the target has descriptors",
	defaults: { connections: 1000, seconds: 10 },
	descriptorLimit: 256,
	ending: "attackers",
	thresholds: [SERVED_IN_CALM, FULL_SIZE, WHILE_FULL, GOOD_AGAIN, ...NOTHING_LEFT],

	on: {
		relay: {
			deadline: null,

			configure: ({ tls, http, silent }, { main }) => `
timeouts: { handshake: 5s, connect: 2s, idle: 10m, stall: 3s, half_closed: 3s, drain: 1s }
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
				const { hello } = await sayings("silent");
				return new Attackers({
					address: target.address,
					port: target.port,
					connections,
					total: null,
					opensPerSecond: 4000,
					sayings: [toBase64(hello)],
					mutationSeed: null,
					behaviour: { kind: "hold" },
					deadlineMs: null,
				});
			},
		},
		http: {
			deadline: null,
			// Attackers that leave have ended their direction only: who waits for an answer may have ended it, too.
			configure: (ports, listeners) =>
				webConfig(ports, listeners, { half_closed: "500ms", response_head: "3s" }),

			async attack({ target, connections }) {
				return new Attackers({
					address: target.address,
					port: target.port,
					connections: connections,
					total: null,
					opensPerSecond: 4000,
					sayings: [toBase64(keptRequest("silent"))],
					mutationSeed: null,
					behaviour: { kind: "hold" },
					deadlineMs: null,
				});
			},
		},
		tls: {
			deadline: null,
			configure: (ports, listeners) =>
				tlsConfig(ports, listeners, { half_closed: "500ms", response_head: "3s" }),

			async attack({ target, connections }) {
				return new Attackers({
					address: target.address,
					port: target.port,
					tls: NAMES.good,
					connections: connections,
					total: null,
					opensPerSecond: 1000,
					sayings: [toBase64(keptRequest("silent"))],
					mutationSeed: null,
					behaviour: { kind: "hold" },
					deadlineMs: null,
				});
			},
		},
	},
};
