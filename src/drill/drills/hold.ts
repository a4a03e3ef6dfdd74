import { attackersOf } from "../assault.js";
import { relayConfig, tlsConfig, webConfig } from "../configs.js";
import { AGENT_PORT_ATTACKERS, agentsConfig } from "../configs-tunnels.js";

import type { Drill } from "../drill.js";
import { ATTACKERS_GONE, FULL_SIZE, GOOD_CLIENT, NOTHING_LEFT } from "../thresholds.js";
import { agentSayings, keptRequest, sayings } from "../traffic.js";

export const hold: Drill = {
	name: "hold",
	summary: "connections that say nothing",
	defaults: { connections: 8000, seconds: 10 },
	ending: "target",
	thresholds: [...GOOD_CLIENT, FULL_SIZE, ...ATTACKERS_GONE, ...NOTHING_LEFT],

	on: {
		relay: {
			deadline: { key: "handshake", ownMs: 5000, givenMs: 5000 },

			configure: relayConfig,

			async attack(scene) {
				return attackersOf(scene, {
					opensPerSecond: 2000,
					sayings: [],
					behaviour: { kind: "hold" },
				});
			},
		},
		http: {
			deadline: { key: "handshake", ownMs: 5000, givenMs: 5000 },
			configure: webConfig,

			async attack(scene) {
				return attackersOf(scene, {
					opensPerSecond: 2000,
					sayings: [new Uint8Array(0), keptRequest("good")],
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
					opensPerSecond: 2000,
					sayings: [new Uint8Array(0), hello],
					behaviour: { kind: "hold" },
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
					sayings: [new Uint8Array(0), ...(await agentSayings())],
					behaviour: { kind: "hold" },
				});
			},
		},
	},
};
