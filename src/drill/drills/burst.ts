import { requestSessions } from "../answer.js";
import { attackersOf } from "../assault.js";
import { PATIENT, relayConfig, tlsConfig, webConfig } from "../configs.js";
import type { Drill, Threshold } from "../drill.js";
import { GOOD_CLIENT_SERVED, NOTHING_LEFT } from "../thresholds.js";
import { sayings, TLS_ANSWER } from "../traffic.js";

const SERVED: readonly Threshold[] = [
	{ measure: "unserved", title: "of the burst: not served", unit: "count", bound: { exactly: 0 } },
	{ measure: "resetByTarget", title: "of the burst: reset", unit: "count", bound: { exactly: 0 } },
];

/** Everybody at once, as after an outage: each connects, asks, and wants its answer. */
export const burst: Drill = {
	name: "burst",
	summary: "everybody connects at once, and wants an answer",
	defaults: { connections: 5000, seconds: 4 },
	ending: "done",
	thresholds: [...GOOD_CLIENT_SERVED, ...SERVED, ...NOTHING_LEFT],

	on: {
		relay: {
			deadline: null,

			configure: (ports, listeners) => relayConfig(ports, listeners, PATIENT),

			async attack(scene) {
				const { hello } = await sayings("good");
				return attackersOf(scene, {
					total: scene.connections,
					opensPerSecond: null,
					sayings: [hello],
					behaviour: { kind: "session", answerBytes: TLS_ANSWER.length },
				});
			},
		},
		http: {
			deadline: null,
			configure: (ports, listeners) => webConfig(ports, listeners, PATIENT),

			async attack(scene) {
				return attackersOf(scene, await requestSessions(scene));
			},
		},
		tls: {
			deadline: null,
			configure: (ports, listeners) => tlsConfig(ports, listeners, PATIENT),

			async attack(scene) {
				return attackersOf(scene, await requestSessions(scene, true));
			},
		},
	},
};
