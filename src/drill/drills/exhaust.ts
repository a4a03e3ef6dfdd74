import { attackersOf } from "../assault.js";
import { relayConfig, tlsConfig, webConfig } from "../configs.js";
import type { Drill, Threshold } from "../drill.js";
import { FULL_SIZE, NOTHING_LEFT, SERVED_IN_CALM } from "../thresholds.js";
import { keptRequest, NAMES, sayings } from "../traffic.js";

const WHILE_FULL: Threshold = {
	measure: "cpuWhileFullCores",
	title: "CPU while full (a busy loop would take a whole core)",
	unit: "cores",
	bound: { atMost: 0.2 },
	byClock: true,
	optional: true,
};

const GOOD_AGAIN: Threshold = {
	measure: "goodAgainMs",
	title: "good client served again after the attack, within",
	unit: "ms",
	bound: { atMost: 1000 },
	byClock: true,
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

			configure: (ports, listeners) => relayConfig(ports, listeners, { idle: "10m" }, ["silent"]),

			async attack(scene) {
				const { hello } = await sayings("silent");
				return attackersOf(scene, {
					opensPerSecond: 4000,
					sayings: [hello],
					behaviour: { kind: "hold" },
				});
			},
		},
		http: {
			deadline: null,
			// Attackers that leave have ended their direction only: who waits for an answer may have ended it, too.
			configure: (ports, listeners) =>
				webConfig(ports, listeners, { half_closed: "500ms", response_head: "3s" }),

			async attack(scene) {
				return attackersOf(scene, {
					opensPerSecond: 4000,
					sayings: [keptRequest("silent")],
					behaviour: { kind: "hold" },
				});
			},
		},
		tls: {
			deadline: null,
			configure: (ports, listeners) =>
				tlsConfig(ports, listeners, { half_closed: "500ms", response_head: "3s" }),

			async attack(scene) {
				return attackersOf(scene, {
					tls: NAMES.good,
					opensPerSecond: 1000,
					sayings: [keptRequest("silent")],
					behaviour: { kind: "hold" },
				});
			},
		},
	},
};
