import { attackersOf } from "../assault.js";
import { relayConfig, tlsConfig, webConfig } from "../configs.js";
import type { Drill } from "../drill.js";
import { ATTACKERS_GONE, FULL_SIZE, GOOD_CLIENT, NOTHING_LEFT } from "../thresholds.js";
import { keptRequest, NAMES, sayings } from "../traffic.js";

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

			configure: (ports, listeners) => relayConfig(ports, listeners, {}, ["bulk"]),

			async attack(scene) {
				const { hello } = await sayings("bulk");
				return attackersOf(scene, {
					opensPerSecond: 1000,
					sayings: [hello],
					behaviour: { kind: "stop-reading", afterBytes: 4096, receiveBufferBytes: 4096 },
				});
			},
		},
		http: {
			deadline: { key: "stall", ownMs: 3000, givenMs: 30_000 },
			configure: webConfig,

			async attack(scene) {
				return attackersOf(scene, {
					opensPerSecond: 1000,
					sayings: [keptRequest("bulk")],
					behaviour: { kind: "stop-reading", afterBytes: 4096, receiveBufferBytes: 4096 },
				});
			},
		},
		tls: {
			deadline: { key: "stall", ownMs: 3000, givenMs: 30_000 },
			configure: tlsConfig,

			async attack(scene) {
				return attackersOf(scene, {
					tls: NAMES.good,
					opensPerSecond: 500,
					sayings: [keptRequest("bulk")],
					behaviour: { kind: "stop-reading", afterBytes: 4096, receiveBufferBytes: 4096 },
				});
			},
		},
	},
};
