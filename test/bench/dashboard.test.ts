import assert from "node:assert/strict";
import { test } from "node:test";
import { benchDashboard, DASHBOARD_USAGE } from "../../bench/dashboard/main.js";

test("the dashboard's bench says how it is used, and what it does not know", async () => {
	assert.equal(await benchDashboard(["--help"]), DASHBOARD_USAGE);
	await assert.rejects(benchDashboard(["--viewers", "5"]), /viewers/);
});
