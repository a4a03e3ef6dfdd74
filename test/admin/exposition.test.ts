import assert from "node:assert/strict";
import { test } from "node:test";
import { parseExposition } from "./exposition.js";

const HEAD = "# HELP a_total Help.\n# TYPE a_total counter\n";
const HISTOGRAM = "# HELP h Help.\n# TYPE h histogram\n";

test("the strict parser takes what the format allows", () => {
	const families = parseExposition(
		`${HEAD}a_total{x="1\\"\\\\\\n",y=""} 1.5e+21\na_total 0\n${HISTOGRAM}h_bucket{le="0.1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n`,
	);
	assert.deepEqual(families.get("a_total")?.samples, [
		{ name: "a_total", labels: { x: '1"\\\n', y: "" }, value: 1.5e21 },
		{ name: "a_total", labels: {}, value: 0 },
	]);
});

test("the strict parser refuses everything else", () => {
	const wrong: Readonly<Record<string, string>> = {
		"no end of line": `${HEAD}a_total 1`,
		"an empty line": `${HEAD}\na_total 1\n`,
		"no HELP": "# TYPE a_total counter\na_total 1\n",
		"no TYPE": "# HELP a_total Help.\na_total 1\n",
		"a sample of another family": `${HEAD}b_total 1\n`,
		"the same series twice": `${HEAD}a_total{x="1",y="2"} 1\na_total{y="2",x="1"} 1\n`,
		"the same family twice": `${HEAD}${HEAD}`,
		"the same label twice": `${HEAD}a_total{x="1",x="2"} 1\n`,
		"a bare quote": `${HEAD}a_total{x="a"b"} 1\n`,
		"an unknown escape": `${HEAD}a_total{x="\\t"} 1\n`,
		"no number": `${HEAD}a_total NaN\n`,
		"a negative counter": `${HEAD}a_total -1\n`,
		"a counter without _total": "# HELP a Help.\n# TYPE a counter\n",
		"buckets that fall": `${HISTOGRAM}h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`,
		"no +Inf": `${HISTOGRAM}h_bucket{le="1"} 2\nh_bucket{le="2"} 2\nh_sum 1\nh_count 2\n`,
		"another count than +Inf": `${HISTOGRAM}h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 2\nh_sum 1\nh_count 3\n`,
		"no sum": `${HISTOGRAM}h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 2\nh_count 2\n`,
	};
	for (const [what, text] of Object.entries(wrong)) assert.throws(() => parseExposition(text), what);
});
