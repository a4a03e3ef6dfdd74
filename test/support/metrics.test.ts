import assert from "node:assert/strict";
import { test } from "node:test";
import { Metrics } from "./metrics.js";

function page(sessions: number, open: number, quick: number): Metrics {
	return Metrics.parse(`# HELP sessions_total So many.
# TYPE sessions_total counter
sessions_total{reason="a",route="b"} ${sessions}
# TYPE open gauge
open ${open}
# TYPE seconds histogram
seconds_bucket{le="0.1"} ${quick}
seconds_bucket{le="+Inf"} ${quick + 1}
seconds_sum 2.5
seconds_count ${quick + 1}
`);
}

test("since an earlier page, counters and histograms are what came since, and gauges what they are", () => {
	const since = page(7, 3, 5).since(page(5, 9, 1));
	assert.equal(since.sum("sessions_total"), 2);
	assert.equal(since.sum("open"), 3);
	assert.equal(since.sum("seconds_bucket", { le: "0.1" }), 4);
	assert.equal(since.sum("seconds_count"), 4);
	assert.equal(since.sum("seconds_sum"), 0);
});

test("what an earlier page has not, or under other labels, came since", () => {
	assert.equal(page(7, 3, 5).since(new Metrics([], new Map())).sum("sessions_total"), 7);
	const other = Metrics.parse('# TYPE sessions_total counter\nsessions_total{reason="x",route="b"} 5\n');
	assert.equal(page(7, 3, 5).since(other).sum("sessions_total"), 7);
});
