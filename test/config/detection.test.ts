import assert from "node:assert/strict";
import { test } from "node:test";
import { deadPeerDetection } from "../../src/config/detection.js";
import { loadConfigText } from "../../src/config/load.js";

/** What the settings of a file come to, in seconds: silent peer, unacknowledged bytes. */
function detection(keepalive: string, timeouts = "{}"): [number, number] {
	const config = loadConfigText(`
timeouts: ${timeouts}
keepalive: ${keepalive}
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: reject }] }]
`);
	const { silentMs, unacknowledgedMs } = deadPeerDetection(config);
	return [silentMs / 1_000, unacknowledgedMs / 1_000];
}

test("a silent peer is given up at the first probe at which user_timeout has passed, and after one probe at least", () => {
	// A short stall lets user_timeout be short; the probes are at idle, idle + interval, …
	const stall = "{ stall: 1s }";
	for (const [keepalive, silent, unacknowledged, why] of [
		["{}", 90, 90, "the defaults: 30 s and six probes 10 s apart"],
		["{ idle: 5s, interval: 2s, probes: 3 }", 11, 11, "as long as the probes take"],
		[
			"{ idle: 10s, interval: 10s, probes: 6, user_timeout: 45s }",
			50,
			45,
			"shorter: the probe at 50 s is the first beyond it",
		],
		["{ idle: 10s, interval: 10s, probes: 6, user_timeout: 40s }", 40, 40, "it passes just at a probe"],
		["{ idle: 10s, interval: 10s, probes: 6, user_timeout: 40001ms }", 50, 40.001, "just after one"],
		[
			"{ idle: 10s, interval: 10s, probes: 2, user_timeout: 95s }",
			100,
			95,
			"longer: probing goes on, whatever their number",
		],
		[
			"{ idle: 60s, interval: 5s, probes: 3, user_timeout: 20s }",
			65,
			20,
			"over before the first probe: that one must go unanswered all the same",
		],
		["{ idle: 1s, interval: 1s, probes: 127 }", 128, 128, "many probes"],
	] as const)
		assert.deepEqual(detection(keepalive, stall), [silent, unacknowledged], `${keepalive}: ${why}`);
});

test("where stall is longer than the probes take, these rule, and retransmissions until idle", () => {
	assert.deepEqual(detection("{ idle: 5s, interval: 5s, probes: 1 }", "{ stall: 60s }"), [10, 600]);
	assert.deepEqual(
		detection("{ idle: 5s, interval: 5s, probes: 1 }", "{ stall: 60s, idle: 1h }"),
		[10, 924.6],
	);
	assert.deepEqual(detection("{ idle: 30s, interval: 10s, probes: 6 }", "{ stall: 60s }"), [90, 90]);
});

test("a session in which nothing moves ends by idle in any case", () => {
	assert.deepEqual(detection("{}", "{ idle: 20s }"), [20, 20]);
});
