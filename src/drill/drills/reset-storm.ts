import { attackersOf } from "../assault.js";
import { relayConfig, tlsConfig, webConfig } from "../configs.js";
import type { Drill } from "../drill.js";
import { FULL_SIZE, GOOD_CLIENT, NOTHING_LEFT } from "../thresholds.js";
import { keptRequest, sayings, upload } from "../traffic.js";

/** Each says a part of a hello, of any length, and resets within 50 ms: before, amid and after every step of the road. */
export const resetStorm: Drill = {
	name: "reset-storm",
	summary: "connections that are reset in the middle of a hello",
	defaults: { connections: 50, seconds: 10 },
	ending: "attackers",
	thresholds: [...GOOD_CLIENT, FULL_SIZE, ...NOTHING_LEFT],

	on: {
		relay: {
			deadline: null,

			configure: (ports, listeners) => relayConfig(ports, listeners, {}, ["silent"]),

			async attack(scene) {
				const { hello, request } = await sayings("good");
				const { hello: silent } = await sayings("silent");
				return attackersOf(scene, {
					opensPerSecond: null,
					sayings: [hello, request, silent],
					behaviour: { kind: "reset", afterMsMax: 50 },
				});
			},
		},
		http: {
			deadline: null,
			configure: webConfig,

			async attack(scene) {
				return attackersOf(scene, {
					opensPerSecond: null,
					sayings: [keptRequest("good"), keptRequest("silent"), upload("good", 256).whole],
					behaviour: { kind: "reset", afterMsMax: 50 },
				});
			},
		},
		tls: {
			deadline: null,
			configure: tlsConfig,

			async attack(scene) {
				const { hello } = await sayings("good");
				return attackersOf(scene, {
					opensPerSecond: null,
					sayings: [hello],
					behaviour: { kind: "reset", afterMsMax: 50 },
				});
			},
		},
	},
};
