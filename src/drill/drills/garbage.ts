import { attackersOf } from "../assault.js";
import { relayConfig, tlsConfig, webConfig } from "../configs.js";
import { agentsConfig } from "../configs-tunnels.js";

import type { Drill } from "../drill.js";
import { ATTACKERS_GONE, FULL_SIZE, GOOD_CLIENT, NOTHING_LEFT } from "../thresholds.js";
import { agentSayings, keptRequest, sayings, upload } from "../traffic.js";

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

			configure: (ports, listeners) => relayConfig(ports, listeners, { idle: "3s" }),

			async attack(scene) {
				const { hello, request } = await sayings("good");
				return attackersOf(scene, {
					opensPerSecond: 2000,
					sayings: [hello, request],
					mutationSeed: SEED,
					behaviour: { kind: "hold" },
				});
			},
		},
		http: {
			deadline: { key: "handshake", ownMs: 5000, givenMs: 5000 },
			configure: (ports, listeners) =>
				webConfig(ports, listeners, { keep_alive: "3s", idle: "3s", response_head: "3s" }),

			async attack(scene) {
				return attackersOf(scene, {
					opensPerSecond: 2000,
					sayings: [keptRequest("good"), upload("good", 64).whole],
					mutationSeed: SEED,
					behaviour: { kind: "hold" },
				});
			},
		},
		tls: {
			deadline: { key: "handshake", ownMs: 5000, givenMs: 5000 },
			configure: tlsConfig,

			async attack(scene) {
				const { hello } = await sayings("good");
				return attackersOf(scene, {
					opensPerSecond: 1000,
					sayings: [hello],
					mutationSeed: SEED,
					behaviour: { kind: "hold" },
				});
			},
		},
		agents: {
			deadline: { key: "handshake", ownMs: 5000, givenMs: 5000 },
			configure: agentsConfig,

			async attack(scene) {
				return attackersOf(scene, {
					opensPerSecond: 1000,
					sayings: await agentSayings(),
					mutationSeed: SEED,
					behaviour: { kind: "hold" },
				});
			},
		},
	},
};
