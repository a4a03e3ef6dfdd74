import { captureHello } from "../../rig/hello.js";
import { attackersOf } from "../assault.js";
import { mixedConfig } from "../configs.js";
import type { Drill, Threshold } from "../drill.js";
import { GOOD_CLIENT_SERVED, NOTHING_LEFT } from "../thresholds.js";
import { NAMES } from "../traffic.js";

/** So that a run can be repeated. */
const SEED = 20_261_128;

/** Their queues are what is filled, so there are as many as the target takes, but for the good client. */
const AT_ONCE = 300;
const PLACES_BESIDES = 100;

const AS_SCRIPTED: Threshold = {
	measure: "notAsScripted",
	title: "connections that were not answered as they must be",
	unit: "count",
	bound: { exactly: 0 },
};

const NO_LEAK: Threshold = {
	measure: "memoryDriftBytes",
	title: "resident memory above its value amid the connections",
	unit: "bytes",
	bound: { atMost: 4 * 1024 * 1024 },
	optional: true,
	byClock: true,
};

/**
 * Whoever asks several things at once and leaves before the answers come, leaves work behind; hellos, of which each is
 * a handshake, keep that work waiting. Each connection plays a script of its own, and knows what it must be answered.
 */
export const pipelines: Drill = {
	name: "pipelines",
	summary:
		"pipelines, resets, half-closes, TLS and plain mixed on one listener, from a seed; each answer is checked",
	defaults: { connections: 50_000, seconds: 10 },
	connectionsInTurn: true,
	ending: "done",
	thresholds: [...GOOD_CLIENT_SERVED, AS_SCRIPTED, NO_LEAK, ...NOTHING_LEFT],

	on: {
		relay: "a listener that relays reads no requests, so nothing is pipelined there",
		// The good client speaks in the open: within TLS it would wait its turn among a thousand handshakes.
		http: {
			deadline: null,
			configure: (ports, listeners) => mixedConfig(ports, listeners, AT_ONCE + PLACES_BESIDES),

			async attack(scene) {
				return attackersOf(scene, {
					tls: NAMES.secure,
					connections: Math.min(AT_ONCE, scene.connections),
					total: scene.connections,
					opensPerSecond: null,
					sayings: [await captureHello(NAMES.secure), await captureHello(NAMES.relayed)],
					behaviour: { kind: "scripts", seed: SEED },
				});
			},
		},
		tls: "the listener of this drill terminates TLS beside plain requests; --listener http is both",
	},
};
