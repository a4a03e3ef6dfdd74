import { attackersOf } from "../assault.js";
import { tlsConfig, webConfig } from "../configs.js";
import type { Drill } from "../drill.js";
import { ATTACKERS_GONE, FULL_SIZE, GOOD_CLIENT, NOTHING_LEFT } from "../thresholds.js";
import { NAMES, upload } from "../traffic.js";

/** More than an attacker says in its life. */
const BODY_BYTES = 8192;

/** Whole heads that announce a body, which then comes a byte at a time: far below `limits.body_bytes_per_second`. */
export const slowBody: Drill = {
	name: "slow-body",
	summary: "requests whose bodies come a byte at a time",
	defaults: { connections: 4000, seconds: 12 },
	ending: "target",
	thresholds: [...GOOD_CLIENT, FULL_SIZE, ...ATTACKERS_GONE, ...NOTHING_LEFT],

	on: {
		relay: "a listener that relays does not know what a body is",
		http: {
			// Bodies are judged every 10 s, and the first time is the last.
			deadline: { key: "body rate", ownMs: 10_000, givenMs: 10_000 },
			configure: (ports, listeners) => webConfig(ports, listeners, { idle: "1m" }),

			async attack(scene) {
				const { head, whole } = upload("uploads", BODY_BYTES);
				return attackersOf(scene, {
					opensPerSecond: 1000,
					sayings: [whole],
					behaviour: { kind: "dribble", atOnceBytes: head.length, everyMsMin: 200, everyMsMax: 500 },
				});
			},
		},
		tls: {
			deadline: { key: "body rate", ownMs: 10_000, givenMs: 10_000 },
			configure: (ports, listeners) => tlsConfig(ports, listeners, { idle: "1m" }),

			async attack(scene) {
				const { head, whole } = upload("uploads", BODY_BYTES);
				return attackersOf(scene, {
					tls: NAMES.good,
					opensPerSecond: 500,
					sayings: [whole],
					behaviour: { kind: "dribble", atOnceBytes: head.length, everyMsMin: 200, everyMsMax: 500 },
				});
			},
		},
	},
};
