import { Attackers } from "../assault.js";
import type { Drill } from "../drill.js";
import { ATTACKERS_GONE, FULL_SIZE, GOOD_CLIENT, NOTHING_LEFT } from "../thresholds.js";
import { NAMES, toBase64, upload } from "../traffic.js";
import { tlsConfig, webConfig } from "../web.js";

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

			async attack({ target, connections, deadlineMs }) {
				const { head, whole } = upload("uploads", BODY_BYTES);
				return new Attackers({
					address: target.address,
					port: target.port,
					connections,
					total: null,
					opensPerSecond: 1000,
					sayings: [toBase64(whole)],
					mutationSeed: null,
					behaviour: { kind: "dribble", atOnceBytes: head.length, everyMsMin: 200, everyMsMax: 500 },
					deadlineMs,
				});
			},
		},
		tls: {
			deadline: { key: "body rate", ownMs: 10_000, givenMs: 10_000 },
			configure: (ports, listeners) => tlsConfig(ports, listeners, { idle: "1m" }),

			async attack({ target, connections, deadlineMs }) {
				const { head, whole } = upload("uploads", BODY_BYTES);
				return new Attackers({
					address: target.address,
					port: target.port,
					tls: NAMES.good,
					connections,
					total: null,
					opensPerSecond: 500,
					sayings: [toBase64(whole)],
					mutationSeed: null,
					behaviour: { kind: "dribble", atOnceBytes: head.length, everyMsMin: 200, everyMsMax: 500 },
					deadlineMs,
				});
			},
		},
	},
};
