import { requestSessions } from "../answer.js";
import { attackersOf } from "../assault.js";
import { PATIENT, relayConfig, tlsConfig, webConfig } from "../configs.js";
import type { Drill, Threshold } from "../drill.js";
import { GOOD_CLIENT_SERVED, NOTHING_LEFT } from "../thresholds.js";
import { sayings, TLS_ANSWER } from "../traffic.js";

/** Enough to keep two cores busy, few enough that no queue is what is measured. */
const AT_ONCE = 64;

const NO_LEAK: readonly Threshold[] = [
	{ measure: "unserved", title: "sessions not served", unit: "count", bound: { exactly: 0 } },
	{
		measure: "memoryDriftBytes",
		title: "resident memory above its value amid the sessions",
		unit: "bytes",
		bound: { atMost: 2 * 1024 * 1024 },
		byClock: true,
		optional: true,
	},
];

/** Short sessions, one after the other: whatever is lost per session is lost a million times. */
export const churn: Drill = {
	name: "churn",
	summary: "a million short sessions; --connections says how many",
	defaults: { connections: 1_000_000, seconds: 10 },
	connectionsInTurn: true,
	ending: "done",
	thresholds: [...GOOD_CLIENT_SERVED, ...NO_LEAK, ...NOTHING_LEFT],

	on: {
		relay: {
			deadline: null,

			configure: (ports, listeners) => relayConfig(ports, listeners, PATIENT),

			async attack(scene) {
				const { hello } = await sayings("good");
				return attackersOf(scene, {
					connections: Math.min(AT_ONCE, scene.connections),
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
				const connections = Math.min(AT_ONCE, scene.connections);
				return attackersOf(scene, { ...(await requestSessions(scene)), connections });
			},
		},
		tls: {
			deadline: null,
			configure: (ports, listeners) => tlsConfig(ports, listeners, PATIENT),

			async attack(scene) {
				const connections = Math.min(AT_ONCE, scene.connections);
				return attackersOf(scene, { ...(await requestSessions(scene, true)), connections });
			},
		},
	},
};
