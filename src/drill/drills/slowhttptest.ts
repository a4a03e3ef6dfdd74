import { webConfig } from "../configs.js";
import type { Drill, Threshold } from "../drill.js";
import { MODES, SlowHttpTest } from "../slow-http-test.js";
import { GOOD_CLIENT_SERVED, NOTHING_LEFT } from "../thresholds.js";

const ALL_CAME: Threshold = {
	measure: "heldShare",
	title: "attackers there at once, of those asked for, in the mode with the fewest",
	unit: "share",
	bound: { atLeast: 1 },
	byClock: true,
};

const AVAILABLE: readonly Threshold[] = MODES.map(({ name, title }) => ({
	measure: `${name}.unavailableSeconds`,
	title: `${title}: seconds in which slowhttptest found it unavailable`,
	unit: "count",
	bound: { exactly: 0 },
	byClock: true,
}));

/** Modes that were shorter than the deadline are not judged. */
const GONE: readonly Threshold[] = MODES.filter(({ holds }) => holds).map(({ name, title }) => ({
	measure: `${name}.left`,
	title: `${title}: attackers that no deadline of the target ended`,
	unit: "count",
	bound: { exactly: 0 },
	optional: true,
}));

/**
 * Somebody else's attacks, so that not only what we thought of is tried. How slow the good client becomes is shown
 * and not judged: slowhttptest itself keeps a core busy.
 */
export const slowHttpTest: Drill = {
	name: "slowhttptest",
	summary: "the program slowhttptest in all of its modes, a quarter of the time each",
	defaults: { connections: 2000, seconds: 60 },
	program: "slowhttptest",
	ending: "done",
	thresholds: [...GOOD_CLIENT_SERVED, ALL_CAME, ...AVAILABLE, ...GONE, ...NOTHING_LEFT],

	on: {
		relay: "slowhttptest attacks servers of HTTP, and a listener that relays leaves HTTP to its upstream",
		http: {
			deadline: null,
			configure: (ports, listeners) =>
				webConfig(ports, listeners, {}, { attackersRoute: "{ to: attackers }" }),
			attack: async (scene) => new SlowHttpTest(scene),
		},
		tls: "what slowhttptest does to requests is done to them without TLS as well; --listener http does it",
	},
};
