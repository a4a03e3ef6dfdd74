import { attackersOf } from "../assault.js";
import { relayConfig, tlsConfig, webConfig } from "../configs.js";
import { AGENT_PORT_ATTACKERS, agentsConfig } from "../configs-tunnels.js";

import type { Drill } from "../drill.js";
import { ATTACKERS_GONE, FULL_SIZE, GOOD_CLIENT, NOTHING_LEFT } from "../thresholds.js";
import { agentSayings, keptRequest, sayings } from "../traffic.js";

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

			configure: relayConfig,

			async attack(scene) {
				const { hello, request } = await sayings("good");
				return attackersOf(scene, {
					opensPerSecond: 2000,
					sayings: [hello, request],
					behaviour: { kind: "dribble", atOnceBytes: 0, everyMsMin: 200, everyMsMax: 500 },
				});
			},
		},
		http: {
			deadline: { key: "handshake", ownMs: 5000, givenMs: 5000 },
			configure: webConfig,

			async attack(scene) {
				return attackersOf(scene, {
					opensPerSecond: 2000,
					sayings: [keptRequest("good")],
					behaviour: { kind: "dribble", atOnceBytes: 0, everyMsMin: 200, everyMsMax: 500 },
				});
			},
		},
		tls: {
			deadline: { key: "handshake", ownMs: 5000, givenMs: 5000 },
			configure: tlsConfig,

			async attack(scene) {
				const { hello } = await sayings("good");
				return attackersOf(scene, {
					opensPerSecond: 2000,
					sayings: [hello],
					behaviour: { kind: "dribble", atOnceBytes: 0, everyMsMin: 200, everyMsMax: 500 },
				});
			},
		},
		agents: {
			deadline: { key: "handshake", ownMs: 5000, givenMs: 5000 },
			connections: AGENT_PORT_ATTACKERS,
			configure: agentsConfig,

			async attack(scene) {
				return attackersOf(scene, {
					opensPerSecond: 500,
					sayings: await agentSayings(),
					behaviour: { kind: "dribble", atOnceBytes: 0, everyMsMin: 200, everyMsMax: 500 },
				});
			},
		},
	},
};
